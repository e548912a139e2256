"""Keys, values and queries with what makes those of real models hard to code."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

F32 = NDArray[np.float32]


def make_tokens(tokens: int, kv_heads: int, head_dim: int, seed: int = 1) -> tuple[F32, F32]:
    """Keys and values [tokens, kv_heads, head_dim].

    Keys have a few channels per head that are ten times louder than the rest, and a bias that all tokens share, as
    models with a bias in their key projection show it. Values are normally distributed.
    """
    rng = np.random.default_rng(seed)
    keys = rng.standard_normal((tokens, kv_heads, head_dim), dtype=np.float32)
    loud = max(1, head_dim // 32)
    for head in range(kv_heads):
        keys[:, head, rng.choice(head_dim, loud, replace=False)] *= np.float32(10)
    keys += 3 * rng.standard_normal((1, kv_heads, head_dim), dtype=np.float32)
    values = rng.standard_normal((tokens, kv_heads, head_dim), dtype=np.float32)
    return keys, values


def make_query(q_heads: int, head_dim: int, seed: int = 2) -> F32:
    """One query token [1, q_heads, head_dim]."""
    rng = np.random.default_rng(seed)
    return rng.standard_normal((1, q_heads, head_dim), dtype=np.float32)


def numpy_attention(query: NDArray[np.floating], keys: NDArray[np.floating], values: NDArray[np.floating]) -> F32:
    """Attention of the last token, in the type of the query.

    query [1, q_heads, dim]; keys and values [kv_heads, tokens, dim]; returns [1, q_heads, dim].
    """
    kv_heads, _, dim = keys.shape
    grouped = query[0].reshape(kv_heads, -1, dim)
    logits = grouped @ keys.astype(query.dtype).transpose(0, 2, 1) / query.dtype.type(np.sqrt(dim))
    weights = np.exp(logits - logits.max(axis=-1, keepdims=True))
    weights /= weights.sum(axis=-1, keepdims=True)
    output: F32 = (weights @ values.astype(query.dtype)).reshape(query.shape)
    return output
