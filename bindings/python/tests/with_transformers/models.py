"""Small models: random ones of several architectures, built in code, and the trained one of the repository."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

torch: Any = pytest.importorskip("torch")
transformers: Any = pytest.importorskip("transformers", minversion="4.56")

BOOKS = Path(__file__).resolve().parents[4] / "examples" / "llama" / "model"

SHAPE = {
    "vocab_size": 199,
    "hidden_size": 64,
    "intermediate_size": 96,
    "num_hidden_layers": 3,
    "num_attention_heads": 4,
    "num_key_value_heads": 2,
    "head_dim": 64,
    "max_position_embeddings": 2048,
    "pad_token_id": 0,
    "bos_token_id": 1,
    "eos_token_id": None,
}
HYBRID = {"num_hidden_layers": 4, "sliding_window": 16, "layer_types": ["sliding_attention", "full_attention"] * 2}
ARCHITECTURES: dict[str, tuple[str, str, dict[str, Any]]] = {
    "llama": ("LlamaConfig", "LlamaForCausalLM", {}),
    "qwen2": ("Qwen2Config", "Qwen2ForCausalLM", {"head_dim": 16}),
    "qwen3": ("Qwen3Config", "Qwen3ForCausalLM", {"head_dim": 128}),
    "mistral": ("MistralConfig", "MistralForCausalLM", {"head_dim": 96, "sliding_window": None}),
    "gemma3": ("Gemma3TextConfig", "Gemma3ForCausalLM", HYBRID),
    "gemma2": ("Gemma2Config", "Gemma2ForCausalLM", HYBRID),  # soft caps
    "gpt_oss": ("GptOssConfig", "GptOssForCausalLM", {**HYBRID, "num_local_experts": 4, "num_experts_per_tok": 2}),
}
SDPA_CANNOT = ("gemma2", "gpt_oss")  # soft caps and sinks need transformers' eager attention


def config_of(kind: str, **fields: Any) -> Any:
    config, _, own = ARCHITECTURES[kind]
    return getattr(transformers, config)(**{**SHAPE, **own, **fields})


def random_model(kind: str, **fields: Any) -> Any:
    """With weights large enough that attention is not uniform."""
    torch.manual_seed(1)
    model = getattr(transformers, ARCHITECTURES[kind][1])(config_of(kind, **fields)).eval()
    with torch.no_grad():
        for name, parameter in model.named_parameters():
            if parameter.dim() > 1:
                parameter.mul_(4)
            elif name.endswith("sinks"):
                parameter.normal_()
    return model


def trained() -> Any:
    model = transformers.AutoModelForCausalLM.from_pretrained(BOOKS).float().eval()
    model.generation_config.temperature = model.generation_config.top_p = None
    model.generation_config.pad_token_id = 0
    return model


def book_tokens(count: int, first: int = 0) -> Any:
    """Held-out text, shape (1, count), with the token that must be in front of every sequence."""
    tokens = np.load(BOOKS / "tok_valid.npy").astype(np.int64)[first : first + count - 1]
    return torch.from_numpy(np.concatenate([[0], tokens]))[None]


def random_tokens(rows: int, count: int, seed: int = 1) -> Any:
    generator = torch.Generator().manual_seed(seed)
    return torch.randint(2, SHAPE["vocab_size"], (rows, count), generator=generator)


def forward(model: Any, tokens: Any, cache: Any, **arguments: Any) -> Any:
    """One pass."""
    # Imported here: this module skips its tests where torch or transformers is missing.
    from libturboquant.evaluation.model import cache_argument

    arguments[cache_argument(model)] = cache
    return model(tokens, **arguments)


def logits_of(model: Any, tokens: Any, cache: Any, cuts: list[int], mask: Any = None) -> Any:
    """Of all tokens, given in pieces that end at `cuts` and then one by one."""
    pieces, first = [], 0
    ends = [*cuts, *range(cuts[-1] + 1, tokens.shape[1] + 1)]
    with torch.no_grad():
        for end in ends:
            arguments = (
                {} if mask is None else {"attention_mask": mask[:, :end], "position_ids": _positions(mask, first, end)}
            )
            pieces.append(forward(model, tokens[:, first:end], cache, **arguments).logits)
            first = end
    return torch.cat(pieces, dim=1).float()


def _positions(mask: Any, first: int, end: int) -> Any:
    return (mask.long().cumsum(-1) - 1).clamp(min=0)[:, first:end]
