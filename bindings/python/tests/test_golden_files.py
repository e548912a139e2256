"""The golden files in Python: codecs and caches bit for bit, attention within the cases' tolerances."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

import libturboquant as tq
from golden_files import cases, fnv1a64, layer_options, new_tokens, run_steps, tensor

CODEC_FILES = ("codec_tq4.json", "codec_tq8.json", "codec_16bit.json", "codec_hard.json")
CACHE_FILES = ("cache_sizes.json", "cache_formats.json", "cache_steps.json", "cache_hard.json")


def f32_bytes(values: Any) -> str:
    return np.ascontiguousarray(values, dtype="<f4").tobytes().hex()


@pytest.mark.parametrize("case", cases("rotation.json"))
def test_rotation(case: dict[str, Any]) -> None:
    dim, block = case["head_dim"], case["rotation_block"]
    rows = tensor(case["input"], 0, case["count"], 1, dim)[:, 0]
    codec = tq.Codec(dim, rotation_block=block, seed=int(case["seed"], 16))
    rotated = codec.rotate(rows)
    wanted = np.frombuffer(bytes.fromhex(case["rotated_f32"]), "<f4").reshape(rows.shape)
    root = np.sqrt(np.float64(block))
    if root == int(root):  # and so a power of two: the division is exact
        assert f32_bytes(rotated) == f32_bytes(wanted / np.float32(root))
    else:
        np.testing.assert_allclose(rotated, wanted / root, rtol=3e-7)


@pytest.mark.parametrize("case", cases(*CODEC_FILES))
def test_codec(case: dict[str, Any]) -> None:
    dim, count = case["head_dim"], case["count"]
    codec = tq.Codec(
        dim,
        format=case["format"],
        group_size=case["group_size"],
        rotation_block=case["rotation_block"],
        scale_search=bool(case["scale_search"]),
        layout=case["layout"],
        seed=int(case["seed"], 16),
    )
    vectors = tensor(case["input"], 0, count, 1, dim, case["input_dtype"])[:, 0]
    codes = codec.encode(vectors)
    assert codec.encoded_bytes(count) == codes.nbytes == case["codes_bytes"]
    assert codes.tobytes().hex() == case["codes"]
    decoded = codec.decode(codes, 0, count)
    assert f32_bytes(decoded.ravel()[:64]) == case["decoded_first"]
    assert fnv1a64(decoded) == case["decoded_fnv1a64"]


@pytest.mark.parametrize("case", cases(*CACHE_FILES))
def test_cache(case: dict[str, Any]) -> None:
    layer = layer_options(case)
    with tq.Cache(layer) as cache, cache.sequence() as sequence:
        run_steps(case, sequence, layer)
        assert sequence.length() == case["length"]
        if case["length"] == 0:
            return
        first = case["length"] - 1 if layer.window else 0
        token = case["sample_token"]
        keys, values = sequence.read(0, token, 1)
        assert f32_bytes(keys) == case["sample_keys"]
        assert f32_bytes(values) == case["sample_values"]
        keys, values = sequence.read(0, first)
        if first == 0:
            assert fnv1a64(keys) == case["read_keys_fnv1a64"]
            assert fnv1a64(values) == case["read_values_fnv1a64"]


@pytest.mark.parametrize("case", cases("attention.json"))
def test_attention(case: dict[str, Any]) -> None:
    layer = layer_options(case)
    n_query, q_heads = case["n_query"], case["q_heads"]
    query = tensor(case["query_input"], 0, n_query, q_heads, layer.key_dim)
    sinks = case["sink_logits"]
    with tq.Cache(layer) as cache, cache.sequence() as sequence:
        run_steps(case, sequence, layer)
        length = sequence.length()
        log_sum_exp = np.empty((n_query, q_heads), np.float32)
        output = sequence.attend(
            0,
            query,
            new_tokens=new_tokens(case, layer, length, n_query) if case["new_tokens"] else None,
            causal=bool(case["causal"]),
            scale=case["scale"],
            softcap=case["softcap"],
            sink_logits=None if sinks is None else np.array(sinks, np.float32),
            log_sum_exp=log_sum_exp,
        )
    wanted = np.array(case["output"], np.float64).reshape(output.shape)
    assert np.sqrt(np.mean((output - wanted) ** 2)) <= case["tolerance"]["output_rms"]
    wanted_lse = np.array([[float(value) for value in row] for row in case["log_sum_exp"]])
    seen = np.isfinite(wanted_lse)
    assert np.array_equal(np.isneginf(log_sum_exp), ~seen)
    assert np.max(np.abs(log_sum_exp[seen] - wanted_lse[seen]), initial=0) <= case["tolerance"]["log_sum_exp"]
