"""The model and the text that are judged: loaded, and checked before anything is measured."""

from __future__ import annotations

import inspect
import os
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
import transformers
from numpy.typing import NDArray

from .errors import EvaluationError
from .fingerprint import model_fingerprint

DTYPES = {"float32": torch.float32, "bfloat16": torch.bfloat16, "float16": torch.float16}
MOST_HEAD_DIM = 1024


def cache_argument(model: Any) -> str:
    """Name of the argument of forward() that takes the cache: transformers 5.24 renamed it, 5.40 drops the old one."""
    return "cache" if "cache" in inspect.signature(model.forward).parameters else "past_key_values"


@dataclass
class Subject:
    """A model and its tokenizer.

    Attributes
    ----------
    name : str
        The folder's name, or the name on the hub.
    model, tokenizer
        transformers objects.
    bos : int or None
        The token that every window begins with.
    """

    name: str
    model: Any
    tokenizer: Any
    bos: int | None

    @property
    def config(self) -> Any:
        """Of the text decoder."""
        return self.model.config.get_text_config(decoder=True)

    @property
    def layer_count(self) -> int:
        return int(self.config.num_hidden_layers)

    @property
    def limit(self) -> int | None:
        """Most tokens that the model was made for."""
        limit = getattr(self.config, "max_position_embeddings", None)
        return None if limit is None else int(limit)

    def fingerprint(self) -> str:
        """See `model_fingerprint`."""
        return model_fingerprint(self.model)

    def logits(self, tokens: NDArray[np.int64], cache: Any) -> NDArray[np.float32]:
        """Of every token of one pass, [n, vocabulary]; the tokens are appended to the cache."""
        out = self.forward(torch.from_numpy(tokens)[None], cache)
        return out.logits[0].float().cpu().numpy()  # type: ignore[no-any-return]

    def forward(self, ids: Any, cache: Any, **arguments: Any) -> Any:
        """One pass over ids [batch, n]."""
        arguments[cache_argument(self.model)] = cache
        with torch.inference_mode():
            return self.model(input_ids=ids.to(self.model.device), use_cache=True, **arguments)


def load_model(name: str, dtype: str = "float32") -> Subject:
    """Load a folder or a name of the hub.

    Raises
    ------
    EvaluationError
        If there is no such model, or its cache is nothing that libturboquant can hold.
    """
    transformers.utils.logging.set_verbosity_error()
    transformers.utils.logging.disable_progress_bar()
    folder = Path(name)
    if (folder.exists() or name.startswith((".", os.sep))) and not (folder / "config.json").is_file():
        raise EvaluationError(
            f"{name} has no config.json: give the folder of a transformers model or a name of the hub"
        )
    try:
        config = transformers.AutoConfig.from_pretrained(name)
        check_config(name, config)
        model = transformers.AutoModelForCausalLM.from_pretrained(name, dtype=DTYPES[dtype]).eval()
        tokenizer = transformers.AutoTokenizer.from_pretrained(name)
    except (OSError, ValueError, KeyError, ImportError) as error:
        first = str(error).strip().splitlines()[0] if str(error).strip() else type(error).__name__
        raise EvaluationError(f"the model {name} cannot be loaded: {first}") from error
    return Subject(folder.resolve().name if folder.exists() else name, model, tokenizer, _bos(model, tokenizer))


def _bos(model: Any, tokenizer: Any) -> int | None:
    for source in (tokenizer, model.config):
        bos = getattr(source, "bos_token_id", None)
        if bos is not None:
            return int(bos[0] if isinstance(bos, list) else bos)
    return None


def check_config(name: str, config: Any) -> None:
    """Refuse what has no cache of keys and values that libturboquant can hold."""
    text = config.get_text_config(decoder=True)
    if getattr(config, "is_encoder_decoder", False):
        raise EvaluationError(f"{name} is an encoder-decoder model ({config.model_type}): give a decoder-only one")
    heads = getattr(text, "num_attention_heads", None)
    if not heads:
        raise EvaluationError(f"{name} ({config.model_type}) has no attention heads: give a model with a KV cache")
    head_dim = getattr(text, "head_dim", None) or text.hidden_size // heads
    if not 1 <= head_dim <= MOST_HEAD_DIM:
        raise EvaluationError(f"{name} has heads of {head_dim} numbers: libturboquant holds 1 to {MOST_HEAD_DIM}")
    types = getattr(text, "layer_types", None)
    if types is None:
        types = ["sliding_attention" if getattr(text, "sliding_window", None) else "full_attention"]
    if "full_attention" not in types:
        raise EvaluationError(
            f"{name} has only layers of the types {', '.join(sorted(set(types)))}: libturboquant's cache in "
            "transformers replaces layers of full attention, and there are none"
        )


def read_text(subject: Subject, path: Path) -> NDArray[np.int64]:
    """Token ids of a text file, without special tokens."""
    try:
        text = path.read_text(encoding="utf-8")
    except OSError as error:
        raise EvaluationError(f"--text {path}: {error.strerror}: give a UTF-8 text file") from error
    except UnicodeDecodeError as error:
        raise EvaluationError(f"--text {path} is not UTF-8 at byte {error.start}: convert it") from error
    ids = subject.tokenizer(text, add_special_tokens=False, verbose=False)["input_ids"]
    return np.asarray(ids, np.int64)


def check_context(subject: Subject, context: int) -> None:
    """Refuse windows that the model cannot read."""
    if subject.limit is not None and context > subject.limit:
        raise EvaluationError(
            f"--context {context} is more than the {subject.limit} positions of {subject.name}: give at most that"
        )


def cut_windows(
    subject: Subject, tokens: NDArray[np.int64], count: int, context: int, first: int = 0
) -> list[NDArray[np.int64]]:
    """Windows first .. first + count - 1 of the text: BOS, if the model has one, and text; they do not overlap."""
    check_context(subject, context)
    start = [] if subject.bos is None else [subject.bos]
    each = context - len(start)
    if len(tokens) < (first + count) * each:
        fit = len(tokens) // each - first
        raise EvaluationError(
            f"the text has {len(tokens)} tokens, and {first + count} windows of {context} take "
            f"{(first + count) * each}: give a longer text or {f'--windows {fit}' if fit > 0 else 'less --context'}"
        )
    pieces = tokens[first * each : (first + count) * each].reshape(count, each)
    return [np.concatenate([np.asarray(start, np.int64), piece]) for piece in pieces]
