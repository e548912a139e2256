"""attn_implementation="turboquant": attention that reads a TurboQuantCache where it lies."""

from __future__ import annotations

from typing import Any

import torch
from transformers.masking_utils import ALL_MASK_ATTENTION_FUNCTIONS, AttentionMaskInterface
from transformers.modeling_utils import AttentionInterface

from . import _decoded
from ._codes import attend_to_step
from ._masks import check_hidden
from ._step import KEYS, VALUES, CodedTensor, Step
from ._tensors import NAMES

NAME = "turboquant"


def turboquant_attention(
    module: Any,
    query: Any,
    key: Any,
    value: Any,
    attention_mask: Any,
    dropout: float = 0.0,
    scaling: float | None = None,
    softcap: float | None = None,
    s_aux: Any = None,
    is_causal: bool | None = None,
    **kwargs: Any,
) -> tuple[Any, Any]:
    """Attention as transformers' models call it; ``[batch, queries, q_heads, dim]`` and no weights.

    On the codes wherever a causal mask with left padding describes what is to be seen; on decoded tokens, through
    sdpa, where it does not, and in layers that are not ours. The first tokens of a cache are attended to exactly.
    """
    causal = bool(getattr(module, "is_causal", True) if is_causal is None else is_causal)
    step = _step_of(key, value)
    if step is not None:
        fits = _knows_mask(step, query, attention_mask, causal)
        needs_plain = dropout or kwargs.get("position_bias") is not None or _needs_gradients(query, *step.fresh)
        if fits and step.before > 0 and not needs_plain and query.dtype in NAMES:
            return attend_to_step(step, query, scaling, softcap, s_aux), None
        key, value = key.plain(), value.plain()
        if attention_mask is None and causal and 1 < query.shape[2] < key.shape[2]:
            attention_mask = _decoded.causal_mask(query.shape[2], key.shape[2])
    return _decoded.attention(
        module,
        query,
        key,
        value,
        attention_mask,
        causal=causal,
        dropout=dropout,
        scaling=scaling,
        softcap=softcap,
        sinks=s_aux,
        **kwargs,
    )


def _step_of(key: Any, value: Any) -> Step | None:
    """The step that both stand for."""
    if not (isinstance(key, CodedTensor) and isinstance(value, CodedTensor)):
        return None
    if key.step is not value.step or (key.side, value.side) != (KEYS, VALUES):
        return None
    return key.step


def _knows_mask(step: Step, query: Any, mask: Any, causal: bool) -> bool:
    """Whether attention on codes can do it; also learns from the mask what is padding."""
    store = step.store
    batch, _, queries, _ = query.shape
    tokens = step.before + step.count
    counts = store.masks.leading_padding(mask, batch, queries, tokens)
    if counts is None or queries != step.count:
        check_hidden(mask, store.padding)
        return False
    if not store.set_padding(step, counts):
        return False
    return (causal or queries == 1 or mask is not None) and max(store.padding) <= step.before


def _needs_gradients(*tensors: Any) -> bool:
    return torch.is_grad_enabled() and any(tensor.requires_grad for tensor in tensors)


def register() -> None:
    """Make the name known to transformers: both the attention and, lest causality be lost, its mask."""
    AttentionInterface.register(NAME, turboquant_attention)
    AttentionMaskInterface.register(NAME, ALL_MASK_ATTENTION_FUNCTIONS["sdpa"])
