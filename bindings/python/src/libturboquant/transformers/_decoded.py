"""Attention on plain tensors: what transformers' sdpa does, and the soft caps and sinks that it lacks."""

from __future__ import annotations

from typing import Any

import torch
from transformers.integrations.sdpa_attention import repeat_kv, sdpa_attention_forward


def attention(
    module: Any,
    query: Any,
    key: Any,
    value: Any,
    mask: Any,
    *,
    causal: bool,
    dropout: float = 0.0,
    scaling: float | None = None,
    softcap: float | None = None,
    sinks: Any = None,
    **kwargs: Any,
) -> tuple[Any, Any]:
    """Attention of ``[batch, q_heads, queries, dim]``; the result is ``[batch, queries, q_heads, dim]``."""
    if not softcap and sinks is None:
        return sdpa_attention_forward(  # type: ignore[no-any-return]
            module,
            query,
            key,
            value,
            mask,
            dropout=dropout,
            scaling=scaling,
            is_causal=_sdpa_flag(causal, query, mask),
            **kwargs,
        )
    groups = query.shape[1] // key.shape[1]
    if mask is None and causal and query.shape[2] > 1:
        key, value = key[:, :, : query.shape[2]], value[:, :, : query.shape[2]]  # aligned as in sdpa
        mask = torch.ones(query.shape[2], query.shape[2], dtype=torch.bool).tril()
    logits = query @ repeat_kv(key, groups).transpose(2, 3)
    logits = logits.float() * (query.shape[-1] ** -0.5 if scaling is None else scaling)
    if softcap:
        logits = softcap * torch.tanh(logits / softcap)
    if mask is not None:
        logits = logits.masked_fill(~mask, float("-inf")) if mask.dtype is torch.bool else logits + mask
    weights = _softmax(logits, sinks)
    weights = torch.nn.functional.dropout(weights, dropout, training=dropout > 0).to(value.dtype)
    return (weights @ repeat_kv(value, groups)).transpose(1, 2).contiguous(), None


def _sdpa_flag(causal: bool, query: Any, mask: Any) -> bool:
    return causal and mask is None and query.shape[2] > 1


def _softmax(logits: Any, sinks: Any) -> Any:
    """Over the last axis; a row that sees nothing gets zeros."""
    top = logits.amax(-1, keepdim=True).clamp(min=torch.finfo(logits.dtype).min)
    total: Any = 0
    if sinks is not None:
        sinks = sinks.reshape(1, -1, 1, 1).to(logits.dtype)
        top = torch.maximum(top, sinks)
        total = torch.exp(sinks - top)
    weights = torch.exp(logits - top)
    total = total + weights.sum(-1, keepdim=True)
    return weights / total.clamp(min=torch.finfo(logits.dtype).tiny)


def causal_mask(queries: int, tokens: int) -> Any:
    """Of the last `queries` of `tokens`; sdpa's own would be aligned to the first ones."""
    return torch.ones(queries, tokens, dtype=torch.bool).tril(tokens - queries)[None, None]
