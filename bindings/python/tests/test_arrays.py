"""What arrays may be: types, strides, buffers. Every form must give what a plain float32 array gives."""

from __future__ import annotations

import array
from typing import Any

import numpy as np
import pytest

import libturboquant as tq
from support import F32, Anything, attention, bfloat16_bits, exact, floats_of_bits, gaussian

KEYS, VALUES, QUERY = exact(70, 2, 64, seed=1), exact(70, 2, 32, seed=2), exact(3, 4, 64, seed=3)


def filled(cache: tq.Cache, keys: Any = KEYS, values: Any = VALUES, **options: Any) -> tq.Sequence:
    sequence = tq.Sequence(cache)
    sequence.append(0, keys, values, **options)
    return sequence


def tokens_of(sequence: tq.Sequence) -> tuple[F32, F32]:
    return sequence.read(0)


def ml_bfloat16(values: F32) -> Anything:
    return values.astype(pytest.importorskip("ml_dtypes").bfloat16)


TYPES = {
    "float16": lambda x: (x.astype(np.float16), None),
    "ml_dtypes bfloat16": lambda x: (ml_bfloat16(x), None),
    "float16 bits": lambda x: (x.astype(np.float16).view(np.uint16), "float16"),
    "bfloat16 bits": lambda x: (bfloat16_bits(x), "bfloat16"),
}


@pytest.mark.parametrize("name", TYPES)
def test_exact_values_are_the_same_in_every_type(cache: tq.Cache, name: str) -> None:
    (keys, dtype), (values, _), (query, _) = (TYPES[name](x) for x in (KEYS, VALUES, QUERY))
    sequence = filled(cache, keys, values, dtype=dtype)
    expected = filled(cache)
    for got, wanted in zip(tokens_of(sequence), tokens_of(expected), strict=True):
        assert np.array_equal(got, wanted)
    output = sequence.attend(0, query, dtype=dtype)
    assert np.array_equal(output, expected.attend(0, QUERY))


def rms(x: Anything) -> float:
    return float(np.sqrt(np.mean(np.square(x))))


def test_attention_is_that_of_the_decoded_tokens(cache: tq.Cache) -> None:
    """Within the tolerance of the golden files: a quarter of the error that coding itself causes."""
    sequence = filled(cache)
    expected = attention(QUERY, *sequence.read(0))
    coding = rms(expected - attention(QUERY, KEYS, VALUES))
    assert coding > 0
    assert rms(sequence.attend(0, QUERY) - expected) < coding / 4 + 1e-5 * rms(VALUES)


def heads_first(x: F32) -> F32:
    """Stored as [head][token][dim], as models do, and seen as [token][head][dim]."""
    return np.ascontiguousarray(x.transpose(1, 0, 2)).transpose(1, 0, 2)


def inside_a_wider_tensor(x: F32) -> F32:
    wide = np.full((x.shape[0], x.shape[1] + 2, x.shape[2] + 5), np.nan, np.float32)
    wide[:, 1:-1, 3:-2] = x
    return wide[:, 1:-1, 3:-2]


def every_second_token(x: F32) -> F32:
    return np.repeat(x, 2, axis=0)[::2]


@pytest.mark.parametrize("view", [heads_first, inside_a_wider_tensor, every_second_token])
def test_strided_views_are_taken_as_they_are(cache: tq.Cache, view: Any) -> None:
    sequence = filled(cache, view(KEYS), view(VALUES))
    expected = filled(cache)
    for got, wanted in zip(tokens_of(sequence), tokens_of(expected), strict=True):
        assert np.array_equal(got, wanted)
    output = view(np.zeros((3, 4, 32), np.float32))
    assert sequence.attend(0, view(QUERY), out=output) is output
    assert np.array_equal(output, expected.attend(0, QUERY))
    keys, values = view(np.zeros_like(KEYS)), view(np.zeros_like(VALUES))
    sequence.read(0, out=(keys, values))
    assert np.array_equal(keys, tokens_of(expected)[0]) and np.array_equal(values, tokens_of(expected)[1])


def test_outputs_leave_what_lies_between_their_rows_alone(cache: tq.Cache) -> None:
    wide = np.full((3, 4, 40), 7, np.float32)
    filled(cache).attend(0, QUERY, out=wide[:, :, 4:36])
    assert (wide[:, :, :4] == 7).all() and (wide[:, :, 36:] == 7).all() and (wide[:, :, 4:36] != 7).all()


def test_one_token_and_one_head_may_have_any_stride(cache: tq.Cache) -> None:
    sequence = filled(cache)
    odd = np.lib.stride_tricks.as_strided(np.ascontiguousarray(QUERY[:1]), (1, 4, 64), (3, 256, 4))
    assert np.array_equal(sequence.attend(0, odd), sequence.attend(0, QUERY[:1]))
    single = tq.Sequence(tq.Cache(layer_count=1, kv_heads=1, key_dim=64, value_dim=32))
    keys = np.lib.stride_tricks.as_strided(np.ascontiguousarray(KEYS[:, :1]), (70, 1, 64), (256, 1, 4))
    single.append(0, keys, VALUES[:, :1])
    assert single.length() == 70


def test_no_tokens_are_appended_without_complaint(sequence: tq.Sequence) -> None:
    sequence.append(0, np.empty((0, 2, 64), np.float32), np.empty((0, 2, 32), np.float32))
    assert sequence.length() == 0
    assert sequence.attend(0, np.empty((0, 4, 64), np.float32)).shape == (0, 4, 32)


def test_buffers_of_the_standard_library(cache: tq.Cache) -> None:
    floats = memoryview(array.array("f", KEYS.ravel())).cast("B").cast("f", KEYS.shape)
    halves = memoryview(bytearray(KEYS.astype(np.float16).tobytes())).cast("H", KEYS.shape)
    for keys, values, dtype in (
        (floats, VALUES, None),
        (halves, VALUES.astype(np.float16), "float16"),
    ):
        sequence = filled(cache, keys, values, dtype=dtype)
        assert np.array_equal(tokens_of(sequence)[0], tokens_of(filled(cache))[0])


def test_codes_may_be_any_bytes() -> None:
    codec = tq.Codec(64)
    vectors = gaussian(5, 64)
    codes = codec.encode(vectors)
    assert codes.shape == (5, codec.vector_bytes) and codes.dtype == np.uint8
    wanted = codec.decode(codes)
    for form in (bytes(codes), bytearray(codes.tobytes()), memoryview(codes), codes.ravel()):
        assert np.array_equal(codec.decode(form), wanted)
    assert np.array_equal(codec.decode(codes[2:4]), wanted[2:4])
    target = bytearray(codec.encoded_bytes(5))
    assert codec.encode(vectors, out=target) is target
    assert bytes(target) == codes.tobytes()


def test_vectors_may_be_rows_of_a_wider_array() -> None:
    codec = tq.Codec(64)
    vectors = gaussian(5, 100)
    expected = codec.encode(np.ascontiguousarray(vectors[:, 20:84]))
    assert np.array_equal(codec.encode(vectors[:, 20:84]), expected)
    out = np.zeros((5, 100), np.float32)
    codec.decode(expected, out=out[:, 20:84])
    assert np.array_equal(out[:, 20:84], codec.decode(expected)) and not out[:, :20].any()


@pytest.mark.parametrize("dtype", ["float16", "bfloat16", np.float16, np.dtype("float16")])
def test_new_arrays_of_16_bits(cache: tq.Cache, dtype: Any) -> None:
    sequence = filled(cache)
    keys, _ = sequence.read(0, dtype=dtype)
    output = sequence.attend(0, QUERY, output_dtype=dtype)
    wanted_output = sequence.attend(0, QUERY)
    bits = keys.view(np.uint16), output.view(np.uint16)
    if dtype == "bfloat16":
        got = floats_of_bits(bits[0]), floats_of_bits(bits[1])
        tolerance = 2.0**-8
    else:
        got = keys.astype(np.float32), output.astype(np.float32)
        tolerance = 2.0**-11
    assert np.allclose(got[0], tokens_of(sequence)[0], rtol=tolerance, atol=1e-6)
    assert np.allclose(got[1], wanted_output, rtol=tolerance, atol=1e-6)


def test_bits_as_outputs(cache: tq.Cache) -> None:
    sequence = filled(cache)
    output = np.zeros((3, 4, 32), np.uint16)
    sequence.attend(0, QUERY, out=output, dtype="float16")
    assert np.array_equal(output.view(np.float16), sequence.attend(0, QUERY, output_dtype="float16"))
    keys = np.zeros((70, 2, 64), np.uint16)
    sequence.read(0, dtype="bfloat16", out=(keys, None))
    assert np.array_equal(keys, sequence.read(0, dtype="bfloat16")[0].view(np.uint16))


def test_read_only_inputs_are_fine(cache: tq.Cache) -> None:
    keys = KEYS.copy()
    keys.flags.writeable = False
    assert filled(cache, keys).length() == 70
