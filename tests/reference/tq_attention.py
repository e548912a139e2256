"""softmax(q K^T) V in float64 on decoded keys and values, with the semantics of tq_attend (turboquant.h)."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from tq_cache import Sequence
from tq_floats import F32, F64


@dataclass(frozen=True)
class Attend:
    """The fields of tq_attend_options that change the result; scale 0 means 1 / sqrt(key_dim), softcap 0 none."""

    q_heads: int
    causal: bool = True
    scale: float = 0.0
    softcap: float = 0.0
    sink_logits: tuple[float, ...] | None = None


def visible(position: int, tokens: int, causal: bool, window: int) -> slice:
    """The tokens that a query at `position` sees. A window limits the past even if the future is visible."""
    end = min(position + 1, tokens) if causal else tokens
    begin = max(0, position - window + 1) if window else 0
    return slice(min(begin, max(end, 0)), max(end, 0))


def attend_one(
    query: F64, keys: F64, values: F64, scale: float, softcap: float, sink: float | None
) -> tuple[F64, float]:
    """One query [d_k] over keys [n, d_k] and values [n, d_v]: (output [d_v], log-sum-exp)."""
    logits = keys @ query * scale
    if softcap > 0:
        logits = softcap * np.tanh(logits / softcap)
    all_logits = logits if sink is None else np.append(logits, sink)
    if len(all_logits) == 0:
        return np.zeros(values.shape[1]), -np.inf
    largest = all_logits.max()
    total = np.exp(all_logits - largest).sum()
    return np.exp(logits - largest) @ values / total, float(largest + np.log(total))


def attend(
    sequence: Sequence, options: Attend, query: F32, new_keys: F32 | None = None, new_values: F32 | None = None
) -> tuple[F64, F64]:
    """query [n_query, q_heads, key_dim] -> (output [n_query, q_heads, value_dim], log-sum-exp [n_query, q_heads])."""
    layer = sequence.layer
    keys, values = (x.astype(np.float64) for x in sequence.read())
    n_query = len(query)
    first = sequence.length - n_query
    if new_keys is not None and new_values is not None:
        first = sequence.length
        keys, values = np.concatenate([keys, new_keys]), np.concatenate([values, new_values])

    scale = options.scale or 1 / np.sqrt(layer.key_dim)
    output = np.zeros((n_query, options.q_heads, layer.d_v))
    log_sum_exp = np.zeros((n_query, options.q_heads))
    for i in range(n_query):
        seen = visible(first + i, len(keys), options.causal, layer.window)
        for h in range(options.q_heads):
            kv_head = h // (options.q_heads // layer.kv_heads)
            sink = None if options.sink_logits is None else options.sink_logits[h]
            output[i, h], log_sum_exp[i, h] = attend_one(
                query[i, h].astype(np.float64), keys[seen, kv_head], values[seen, kv_head], scale, options.softcap, sink
            )
    return output, log_sum_exp
