"""Where every code and header byte lies, written out with loops, and the page as a whole."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from tq_floats import F32, U8, round_to
from tq_layout import BLOCK, pack_keys, pack_values, unpack_keys, unpack_values, value_chunks
from tq_page import mean_of_keys
from tq_reference import Layer, decode_page, encode_page, rotate

SIZES = [1, 2, 3, 4, 5, 7, 8, 9, 16, 17, 31, 32, 33, 40, 48, 64, 80, 96, 128, 200]


def random_codes(d: int, kind: str) -> U8:
    return np.random.default_rng(d).integers(0, 16 if kind == "tq4" else 256, (BLOCK, d)).astype(np.uint8)


def key_position(token: int, j: int, kind: str) -> tuple[int, int]:
    """(byte, shift) of one code, read off the format's text."""
    if kind == "tq8":
        return (j // 4) * 256 + token * 4 + j % 4, 0
    return (j // 8) * 256 + token * 4 + j % 4, 4 * (j % 8 // 4)


def value_position(token: int, j: int, d: int, kind: str) -> tuple[int, int]:
    width = 32 if kind == "tq4" else 16
    chunk, inside = divmod(j, width)
    covered = min(width, d - chunk * width)
    lanes = -(-(-(-covered // 2) if kind == "tq4" else covered) // 4) * 4
    before = chunk * BLOCK * 16  # all chunks but the last have 16 lanes
    lane, shift = (inside % lanes, 4 * (inside // lanes)) if kind == "tq4" else (inside, 0)
    return before + (token // 4) * lanes * 4 + lane * 4 + token % 4, shift


@pytest.mark.parametrize("kind", ["tq4", "tq8"])
@pytest.mark.parametrize("d", SIZES)
def test_every_code_is_where_the_format_says(d: int, kind: str) -> None:
    codes = random_codes(d, kind)
    keys, values = pack_keys(codes, kind), pack_values(codes, kind)
    mask = 15 if kind == "tq4" else 255
    for token in range(BLOCK):
        for j in range(d):
            byte, shift = key_position(token, j, kind)
            assert keys[byte] >> shift & mask == codes[token, j]
            byte, shift = value_position(token, j, d, kind)
            assert values[byte] >> shift & mask == codes[token, j]


@pytest.mark.parametrize("kind", ["tq4", "tq8"])
@pytest.mark.parametrize("d", SIZES)
def test_packing_has_an_inverse_and_pads_with_zero_codes(d: int, kind: str) -> None:
    codes = random_codes(d, kind)
    assert np.array_equal(unpack_keys(pack_keys(codes, kind), BLOCK, d, kind), codes)
    assert np.array_equal(unpack_values(pack_values(codes, kind), d, kind), codes)
    assert len(pack_keys(codes, kind)) % 64 == 0 and len(pack_values(codes, kind)) % 64 == 0
    zero = np.full((BLOCK, d), 0 if kind == "tq4" else 128, dtype=np.uint8)
    padding = 0 if kind == "tq4" else 128
    assert set(pack_keys(zero, kind)) == set(pack_values(zero, kind)) == {padding}


def test_the_last_chunk_of_values_is_narrow() -> None:
    assert value_chunks(80, "tq4") == [(0, 16), (32, 16), (64, 8)]
    assert value_chunks(33, "tq4")[-1] == (32, 4)
    assert value_chunks(18, "tq8") == [(0, 16), (16, 4)]


def tokens(heads: int, d: int, seed: int) -> F32:
    x = np.random.default_rng(seed).standard_normal((BLOCK, heads, d)).astype(np.float32)
    return round_to(x, "f16")


# Section 8 of the format: key scales, value scales, mean codes, keys, values.
WORKED_SIZES = {
    64: [64, 64, 64, 2048, 2048],
    80: [128, 128, 128, 2560, 2560],
    96: [128, 128, 128, 3072, 3072],
    128: [128, 128, 128, 4096, 4096],
    192: [192, 192, 192, 6144, 6144],
    256: [256, 256, 256, 8192, 8192],
}


@pytest.mark.parametrize("d", WORKED_SIZES)
def test_worked_sizes(d: int) -> None:
    layer = Layer(9, d)
    assert layer.head_parts() == WORKED_SIZES[d]
    assert layer.page_bytes == 128 + 9 * sum(WORKED_SIZES[d])
    page = encode_page(tokens(9, d, 1), tokens(9, d, 2), layer)
    assert len(page) == layer.page_bytes
    assert not any(page[72:128])  # header padding


@pytest.mark.parametrize("value_format", ["tq4", "tq8", "f16", "bf16"])
@pytest.mark.parametrize("key_format", ["tq4", "tq8", "f16", "bf16"])
def test_pages_round_trip_in_every_pair_of_formats(key_format: str, value_format: str) -> None:
    layer = Layer(2, 80, 40, key_format=key_format, value_format=value_format)
    keys, values = tokens(2, 80, 3), tokens(2, 40, 4)
    page = encode_page(keys, values, layer)
    assert len(page) == layer.page_bytes
    decoded = decode_page(page, layer)
    for kind, got, want in ((key_format, decoded[0], keys), (value_format, decoded[1], values)):
        error = ((got - want) ** 2).sum() / (want**2).sum()
        assert error < {"tq4": 0.0085, "tq8": 5e-5, "f16": 1e-12, "bf16": 1e-5}[kind]


def test_pages_of_16_bit_formats_are_the_rows_themselves() -> None:
    keys, values = tokens(1, 64, 5), tokens(1, 64, 6)
    page = encode_page(keys, values, Layer(1, 64, key_format="f16", value_format="f16"))
    assert page == keys.astype("<f2").tobytes() + values.astype("<f2").tobytes()


def test_the_header_says_offsets_and_mean_scale() -> None:
    layer = Layer(2, 64)
    keys, values = tokens(2, 64, 7), tokens(2, 64, 8) * np.float32(2.0**6)
    page = encode_page(keys, values, layer)
    key_offset, value_offset = np.frombuffer(page[8:10], dtype=np.int8)  # head 1
    assert value_offset == key_offset + 6
    assert page[10:12] == b"\0\0"
    codes, scale = mean_of_keys(keys[:, 1], layer.seed, 64)
    assert page[12:16] == np.array([scale], dtype="<f4").tobytes()
    first_mean = layer.header_bytes + sum(layer.head_parts()) + 128  # head 1, after both scales
    assert page[first_mean : first_mean + 64] == codes.tobytes()


def test_the_stored_mean_is_the_mean() -> None:
    keys = tokens(1, 128, 9)[:, 0] + np.float32(3)
    codes, scale = mean_of_keys(keys, Layer(1, 128).seed, 128)
    exact = rotate(keys.astype(np.float64).mean(0).astype(np.float32), Layer(1, 128).seed, 128)
    assert np.abs(codes * scale - exact).max() <= 0.51 * scale


def test_centring_removes_an_offset_from_the_error() -> None:
    offset = np.random.default_rng(10).standard_normal(128).astype(np.float32) * np.float32(20)
    keys, values = round_to(tokens(1, 128, 11) + offset, "f16"), tokens(1, 128, 12)

    def error(layer: Layer) -> float:
        decoded, _ = decode_page(encode_page(keys, values, layer), layer)
        return float(((decoded - keys) ** 2).sum() / BLOCK / 128)

    centred = Layer(1, 128)
    assert error(centred) < 0.0080  # of unit variance: as if there were no offset
    assert error(replace(centred, center_keys=False)) > 2
