"""A model made by hand that copies: after a token that it has seen before it expects what came next that time.

Two layers of attention, no feed-forward, exact by construction, nothing trained. Layer 0 attends to the token before,
by rotary positions alone, and notes which one it was. Layer 1 looks for the place whose note is the present token, and
reads the token there.
"""

from __future__ import annotations

from typing import Any

import torch
from transformers import LlamaConfig, LlamaForCausalLM

from libturboquant.evaluation.model import Subject

VOCABULARY = 16384
WORD = 64
"""Numbers per token: +-1."""
HIDDEN = 4 * WORD
"""The token, the note, what comes next, ones."""
TOKEN, NOTE, NEXT, ONES = (slice(i * WORD, (i + 1) * WORD) for i in range(4))
HEAD, PAIRS = 128, 64
THETA = 1e12
FAST = 8
"""Rotary pairs that tell neighbours apart."""
STILL = [*range(32, 64), *range(96, 128)]
"""Coordinates that rotate by less than 0.01 in all of the context: a word's numbers go here."""


class NumberTokenizer:
    """Texts are numbers."""

    bos_token_id = 0
    all_special_ids = (0,)

    def __call__(self, text: str, **_: Any) -> dict[str, list[int]]:
        return {"input_ids": [int(word) for word in text.split()]}

    def decode(self, ids: Any, **_: Any) -> str:
        return " ".join(str(int(i)) for i in ids)


def copier() -> Subject:
    """The model, with one head of 128 per layer."""
    torch.manual_seed(1)
    config = LlamaConfig(
        vocab_size=VOCABULARY,
        hidden_size=HIDDEN,
        intermediate_size=8,
        num_hidden_layers=2,
        num_attention_heads=1,
        num_key_value_heads=1,
        head_dim=HEAD,
        max_position_embeddings=4096,
        rope_theta=THETA,  # transformers 4; the next line is for 5
        rope_parameters={"rope_type": "default", "rope_theta": THETA},
        tie_word_embeddings=False,
    )
    model = LlamaForCausalLM(config).eval()
    with torch.no_grad():
        for name, weight in model.named_parameters():
            weight.fill_(1.0 if "norm" in name else 0.0)
        words = torch.sign(torch.randn(VOCABULARY, WORD))
        model.model.embed_tokens.weight[:, TOKEN] = words
        model.model.embed_tokens.weight[:, ONES] = 1
        model.lm_head.weight[:, NEXT] = words
        _note_previous(model.model.layers[0].self_attn)
        _read_what_followed(model.model.layers[1].self_attn)
    return Subject("copier", model, NumberTokenizer(), 0)


def _note_previous(attention: Any) -> None:
    """Query and key are the same for all tokens; the key is turned on by one position, so that 1 back fits best."""
    size, one = 12.0, ONES.start
    for pair in range(FAST):
        angle = torch.tensor(THETA ** (-pair / PAIRS))
        attention.q_proj.weight[pair, one] = size
        attention.k_proj.weight[pair, one] = size * torch.cos(angle)
        attention.k_proj.weight[pair + PAIRS, one] = size * torch.sin(angle)
    _copy_token(attention, NOTE)


def _read_what_followed(attention: Any) -> None:
    """Query: the token; key: the note."""
    for coordinate, number in zip(STILL, range(WORD), strict=True):
        attention.q_proj.weight[coordinate, TOKEN.start + number] = 3.0
        attention.k_proj.weight[coordinate, NOTE.start + number] = 3.0
    _copy_token(attention, NEXT)


def _copy_token(attention: Any, target: slice) -> None:
    for number in range(WORD):
        attention.v_proj.weight[number, TOKEN.start + number] = 1.0
        attention.o_proj.weight[target.start + number, number] = 1.0
