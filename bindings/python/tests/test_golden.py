"""The golden files: bytes and decoded values bit for bit, attention within each case's tolerance."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

import libturboquant as tq
from golden import array_of, bits_argument, digest, hex_of, run_steps, tensor, tokens_of
from support import golden_cases

CODEC_FILES = ("codec_tq4.json", "codec_tq8.json", "codec_16bit.json", "codec_hard.json")
CACHE_FILES = ("cache_sizes.json", "cache_formats.json", "cache_steps.json", "cache_hard.json")


@pytest.mark.parametrize("case", golden_cases(*CODEC_FILES))
def test_codec_writes_and_reads_the_golden_bytes(case: dict[str, Any]) -> None:
    codec = tq.Codec(
        case["head_dim"],
        format=case["format"],
        group_size=case["group_size"],
        rotation_block=case["rotation_block"],
        scale_search=bool(case["scale_search"]),
        layout=case["layout"],
        seed=int(case["seed"], 16),
    )
    vectors = tensor(case["input"], 0, case["count"], 1, case["head_dim"])[:, 0]
    codes = codec.encode(array_of(vectors, case["input_dtype"]), dtype=bits_argument(case["input_dtype"]))
    assert codes.nbytes == codec.encoded_bytes(case["count"]) == case["codes_bytes"]
    assert hex_of(codes) == case["codes"]
    decoded = codec.decode(bytes.fromhex(case["codes"]), count=case["count"])
    assert hex_of(decoded.ravel()[:64]) == case["decoded_first"]
    assert digest(decoded) == case["decoded_fnv1a64"]


@pytest.mark.parametrize("case", golden_cases("rotation.json"))
def test_rotation(case: dict[str, Any]) -> None:
    """tq_rotate divides by sqrt(n), which is exact where that is a power of two."""
    codec = tq.Codec(case["head_dim"], rotation_block=case["rotation_block"], seed=int(case["seed"], 16))
    rows = tensor(case["input"], 0, case["count"], 1, case["head_dim"])[:, 0]
    unscaled = np.frombuffer(bytes.fromhex(case["rotated_f32"]), np.float32).reshape(rows.shape)
    root = np.sqrt(float(case["rotation_block"]))
    tolerance = 0.0 if np.log2(root).is_integer() else 2.0**-23
    assert np.allclose(codec.rotate(rows), unscaled / root, rtol=tolerance, atol=0)


@pytest.mark.parametrize("case", golden_cases(*CACHE_FILES))
def test_cache_holds_the_golden_tokens(case: dict[str, Any]) -> None:
    cache, sequence, _ = run_steps(case)
    assert sequence.length() == case["length"]
    assert cache.stats().coded_bytes == len(case["pages"]) * case["page_bytes"]
    keys, values = sequence.read(0, case["sample_token"], 1)
    assert hex_of(keys) == case["sample_keys"]
    assert hex_of(values) == case["sample_values"]
    keys, values = sequence.read(0)
    assert digest(keys) == case["read_keys_fnv1a64"]
    assert digest(values) == case["read_values_fnv1a64"]


@pytest.mark.parametrize("case", golden_cases("attention.json"))
def test_attention_stays_within_the_golden_tolerance(case: dict[str, Any]) -> None:
    _, sequence, options = run_steps(case)
    query = tensor(case["query_input"], 0, case["n_query"], case["q_heads"], options.key_dim)
    new_tokens = None
    if case["new_tokens"]:
        new_tokens = tokens_of(case, sequence.length(), case["n_query"], options)
    sinks = case["sink_logits"]
    log_sum_exp = np.full((case["n_query"], case["q_heads"]), np.nan, np.float32)
    bits = bits_argument(case["dtype"]) if new_tokens is not None else None
    arguments: dict[str, Any] = {
        "causal": bool(case["causal"]),
        "scale": case["scale"],
        "softcap": case["softcap"],
        "sink_logits": None if sinks is None else np.array(sinks, np.float32),
    }
    output = sequence.attend(0, query, new_tokens=new_tokens, log_sum_exp=log_sum_exp, dtype=bits, **arguments)
    expected = np.array(case["output"])
    error = np.sqrt(np.mean((output - expected) ** 2))
    assert error <= case["tolerance"]["output_rms"]
    expected_log_sum_exp = np.array(case["log_sum_exp"], dtype=object).astype(np.float64)
    finite = np.isfinite(expected_log_sum_exp)
    assert np.array_equal(np.isneginf(log_sum_exp), ~finite)
    deviation = np.abs(log_sum_exp[finite] - expected_log_sum_exp[finite])
    assert deviation.max(initial=0.0) <= case["tolerance"]["log_sum_exp"]
    item = tq.AttendItem(sequence, query, new_tokens=new_tokens, dtype=bits)
    assert np.array_equal(tq.attend(0, [item], **arguments)[0], output)
