"""Simulations of the roundings that tq_attend adds to exact arithmetic: the query's and the softmax weights'.

They follow the structure of the kernels (one scale per query, one per block of weights and group), not their code.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

import golden_attention
from golden_text import number
from tq_attention import Attend, attend, visible
from tq_cache import Sequence
from tq_floats import F32, F64, f32
from tq_groups import ZERO_CODE, group_bounds, scale_of_byte
from tq_layout import BLOCK
from tq_reference import Codec
from tq_rotation import rotate, unrotate

QUERY_RANGE = {"tq4": 127, "tq8": 127 * 128}
WEIGHT_RANGE = 127 * 128 + 127


def round_query(query: F32, seed: int, n: int, largest_integer: int) -> F64:
    """The query rounded in the rotated domain, relative to its largest coordinate, and rotated back."""
    rotated = rotate(query, seed, n)
    step = np.abs(rotated).max(axis=-1, keepdims=True) / np.float32(largest_integer)
    step = np.where(step == 0, np.float32(1), step)
    return unrotate(np.rint(rotated / step) * step, seed, n).astype(np.float64)


def query() -> None:
    print("energy of the score error by rounding the query, relative to that by coding the keys (Gaussian q, k)")
    for d in (64, 80, 96, 128, 192, 256):
        keys, queries = random(4096, d, 1), random(256, d, 2)
        for kind in ("tq4", "tq8"):
            codec = Codec(d, kind, layout="blocks")
            decoded = codec.decode(codec.encode(keys), len(keys)).astype(np.float64)
            code_error = queries.astype(np.float64) @ (decoded - keys).T
            row = []
            for largest in (63, 127, 16256):
                rounded = round_query(queries, codec.seed, codec.n, largest)
                error = (rounded - queries) @ decoded.T
                row.append(f"+-{largest}: {(error**2).mean() / (code_error**2).mean():.3%}")
            print(f"  d {d} {kind}: " + ", ".join(row))


def random(rows: int, d: int, seed: int) -> F32:
    return np.random.default_rng(seed).standard_normal((rows, d)).astype(np.float32)


def round_weights(weights: F64, largest_integer: int) -> F64:
    step = weights.max(axis=-1, keepdims=True) / largest_integer
    return np.rint(weights / np.where(step == 0, 1, step)) * step


def weights() -> None:
    print("energy of the output error by rounding softmax weights, relative to that by coding the values (d = 128)")
    codec = Codec(128, layout="blocks")
    values = random(4096, 128, 3)
    decoded = codec.decode(codec.encode(values), len(values)).astype(np.float64)
    logits = random(64, 4096, 4).astype(np.float64)
    for name, sharpness, sink in (("spread", 1.0, 0.0), ("peaked", 3.0, 0.0), ("one token with 90 %", 1.0, 0.9)):
        w = np.exp(sharpness * logits)
        w /= w.sum(1, keepdims=True)
        if sink:
            w *= 1 - sink
            w[:, 100] += sink
        code_error = w @ (decoded - values)
        row = []
        for largest in (127, 255, WEIGHT_RANGE):
            rounded = round_weights(w.reshape(64, -1, BLOCK), largest).reshape(w.shape)
            error = (rounded - w) @ decoded
            row.append(f"{largest}: {(error**2).mean() / (code_error**2).mean():.4%}")
        print(f"  {name}: largest integer " + ", ".join(row))


# ---- golden attention cases with both roundings ----


@dataclass(frozen=True)
class CodedParts:
    """What the kernels see of a coded block: the mean apart, and the values' scales."""

    key_mean: F64  # [length, kv_heads, d_k]; 0 where keys are exact
    is_coded: np.ndarray  # [length]
    value_scales: F64  # [length, kv_heads, groups]


def coded_parts(sequence: Sequence) -> CodedParts:
    layer = sequence.layer
    parts = layer.head_parts()
    bounds = group_bounds(layer.d_v, layer.value_group_size)
    mean = np.zeros((sequence.length, layer.kv_heads, layer.key_dim))
    scales = np.zeros((sequence.length, layer.kv_heads, len(bounds)))
    is_coded = np.zeros(sequence.length, dtype=np.bool_)
    for b, page in enumerate(sequence.pages):
        first = len(sequence.sink_keys) + BLOCK * b
        is_coded[first : first + BLOCK] = True
        for h in range(layer.kv_heads):
            start = layer.header_bytes + h * sum(parts) + parts[0]
            offset = np.frombuffer(page[8 * h + 1 : 8 * h + 2], dtype=np.int8)
            scale_bytes = np.frombuffer(page[start : start + parts[1]], dtype=np.uint8)
            if layer.value_format in ZERO_CODE:
                scales[first : first + BLOCK, h] = scale_of_byte(scale_bytes.reshape(-1, BLOCK), int(offset[0])).T
            if layer.is_centred:
                codes = np.frombuffer(page[start + parts[1] :][: layer.key_dim], dtype=np.int8)
                mean_scale = np.frombuffer(page[8 * h + 4 : 8 * h + 8], dtype="<f4")[0]
                mean[first : first + BLOCK, h] = unrotate(f32(codes) * mean_scale, layer.seed, layer.n_k)
    return CodedParts(mean, is_coded, scales)


def coded_output(sequence: Sequence, parts: CodedParts, w: F64, values: F64, kv: int, weight_range: int) -> F64:
    """Sum of weight times value over the coded tokens, summed in the rotated domain, group by group."""
    layer, first = sequence.layer, len(sequence.sink_keys)
    coded = slice(first, first + BLOCK * len(sequence.pages))
    if layer.value_format not in ZERO_CODE or not sequence.pages:
        return w[coded] @ values[coded]
    rotated = rotate(values[coded].astype(np.float32), layer.seed, layer.n_v).astype(np.float64)
    total = np.zeros(layer.d_v)
    for g, (lo, hi) in enumerate(group_bounds(layer.d_v, layer.value_group_size)):
        scales = parts.value_scales[coded, kv, g].reshape(-1, BLOCK)
        products = round_weights(w[coded].reshape(-1, BLOCK) * scales, weight_range)
        used = (products / np.where(scales == 0, 1, scales)).reshape(-1)
        total[lo:hi] = used @ rotated[:, lo:hi]
    return unrotate(total.astype(np.float32), layer.seed, layer.n_v).astype(np.float64)


def rounded_attention(
    sequence: Sequence, options: Attend, queries: F32, new: tuple[F32, F32] | None, weight_range: int
) -> tuple[F64, F64]:
    """attend() with the query and the weights of coded tokens rounded as the kernels round them."""
    layer, parts = sequence.layer, coded_parts(sequence)
    keys, values = (x.astype(np.float64) for x in sequence.read())
    length, scale = len(keys), options.scale or layer.key_dim**-0.5
    first = length if new else length - len(queries)
    new_keys, new_values = new if new else (keys[:0], values[:0])
    output = np.zeros((len(queries), options.q_heads, layer.d_v))
    log_sum_exp = np.zeros((len(queries), options.q_heads))
    for i, h in np.ndindex(len(queries), options.q_heads):
        kv = h // (options.q_heads // layer.kv_heads)
        q = queries[i, h].astype(np.float64)
        rounded = q
        if layer.key_format in ZERO_CODE:
            rounded = round_query(queries[i, h], layer.seed, layer.n_k, QUERY_RANGE[layer.key_format])
        residual = keys[:, kv] - parts.key_mean[:, kv]
        cached = np.where(parts.is_coded, residual @ rounded + parts.key_mean[:, kv] @ q, keys[:, kv] @ q)
        logits = np.concatenate([cached, new_keys[:, kv] @ q]) * scale
        if options.softcap:
            logits = options.softcap * np.tanh(logits / options.softcap)
        hidden = np.ones(len(logits), dtype=np.bool_)
        hidden[visible(first + i, len(logits), options.causal, layer.window)] = False
        logits[hidden] = -np.inf
        joined = logits if options.sink_logits is None else np.append(logits, options.sink_logits[h])
        if not np.isfinite(joined).any():
            log_sum_exp[i, h] = -np.inf
            continue
        log_sum_exp[i, h] = joined.max() + np.log(np.exp(joined - joined.max()).sum())
        w = np.exp(logits - log_sum_exp[i, h])
        output[i, h] = w[:length][~parts.is_coded] @ values[~parts.is_coded, kv] + w[length:] @ new_values[:, kv]
        output[i, h] += coded_output(sequence, parts, w[:length], values[:, kv], kv, weight_range)
    return output, log_sum_exp


def tolerances() -> None:
    print("how much of the golden tolerances the roundings use, worst case of tests/golden/v1/attention.json")
    for weight_range in (255, WEIGHT_RANGE):
        worst = {"output_rms": (0.0, ""), "log_sum_exp": (0.0, "")}
        for setup in golden_attention.setups():
            sequence, queries = setup.sequence(), setup.query()
            new = setup.new_kv(sequence.length)
            case = golden_attention.attention_case(setup)
            expected = attend(sequence, setup.options, queries, *(new or ()))
            got = rounded_attention(sequence, setup.options, queries, new, weight_range)
            seen = np.isfinite(expected[1])
            deviation = {
                "output_rms": float(np.sqrt(((got[0] - expected[0]) ** 2).mean())),
                "log_sum_exp": float(np.abs(got[1][seen] - expected[1][seen]).max(initial=0)),
            }
            for field, value in deviation.items():
                if value > 0 and case["tolerance"][field] > 0:
                    worst[field] = max(worst[field], (value / case["tolerance"][field], case["name"]))
        print(f"  weights of 0..{weight_range}:", {k: (number(v), name) for k, (v, name) in worst.items()})
