"""Coding one group of rotated values: its codes and the index of its scale (docs/format.md, sections 2 and 3)."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from tq_floats import F32, I64, U8, Bool, bits, f32, power_of_two

CODEBOOK = np.array([3, 9, 15, 21, 28, 36, 46, 61], dtype=np.int64)
THRESHOLDS = np.array([12, 24, 36, 49, 64, 82, 107], dtype=np.int64)  # in half units, between the codebook's entries
UNITS_PER_SIGMA = 22.319
CANDIDATES = (-7, -5, -3, -2, -1, 1, 3)  # around the scale that the norm suggests
ZERO_BELOW = np.float32(2.0**-100)
ZERO_CODE = {"tq4": 0, "tq8": 128}


def scale_of_index(index: I64) -> F32:
    """2^(index >> 4) * (1 + (index & 15) / 16)."""
    return power_of_two(index >> 4) * (np.float32(1) + f32(index & 15) * np.float32(1 / 16))


def scale_of_byte(byte: U8, offset: int) -> F32:
    return np.where(byte == 0, np.float32(0), scale_of_index(byte.astype(np.int64) + 16 * offset))


def exponent(x: F32) -> I64:
    """floor(log2 x) of positive normal numbers."""
    return (bits(x) >> 23) - 127


def norm_factor(w: int) -> np.float32:
    """K[w]."""
    return np.float32(1 / (w * UNITS_PER_SIGMA**2))


def nearest_codes(q: I64, i: I64) -> I64:
    """Step 3 for the candidate index i of each row: k[j]."""
    m, x = i & 15, i >> 4
    multiplier = np.minimum(65535, ((1 << 23) // (16 + m)) >> x)
    h = np.minimum(127, (8 * np.abs(q) * multiplier[:, None]) >> 21)
    return (h[:, :, None] >= THRESHOLDS).sum(axis=2)


def code_tq4(r: F32, search: bool, candidates: Sequence[int] = CANDIDATES) -> tuple[U8, I64, Bool]:
    """Rows of one group to (codes [rows, w], index [rows], is_zero [rows]); the codes of zero rows are zero codes."""
    rows, w = r.shape
    largest = np.abs(r).max(axis=1)
    is_zero = largest < ZERO_BELOW
    e = exponent(np.where(is_zero, np.float32(1), largest))
    q = np.rint(r * power_of_two(11 - e)[:, None]).clip(-4095, 4095).astype(np.int64)

    norm2 = (q * q).sum(axis=1)
    s0 = np.sqrt(norm2.astype(np.float32) * norm_factor(w))
    i0 = ((bits(s0) + 0x40000) >> 19) - 2032
    i0 = np.where(is_zero, 112, i0)  # any harmless number: the result is not used

    best_cost = np.full(rows, np.inf, dtype=np.float32)
    best_k = np.zeros((rows, w), dtype=np.int64)
    best_i = i0.copy()
    for delta in candidates if search else (0,):
        i = i0 + delta
        k = nearest_codes(q, i)
        a = (CODEBOOK[k] ** 2).sum(axis=1)
        b = (np.abs(q) * CODEBOOK[k]).sum(axis=1)
        s = scale_of_index(i)
        cost = s * (s * f32(a) - f32(2 * b))
        better = cost < best_cost  # strictly, so the first of equals stays
        best_cost = np.where(better, cost, best_cost)
        best_k = np.where(better[:, None], k, best_k)
        best_i = np.where(better, i, best_i)

    codes = np.where(is_zero[:, None], 0, best_k + 8 * (q < 0)).astype(np.uint8)
    return codes, best_i - 16 * (11 - e), is_zero


def code_tq8(r: F32) -> tuple[U8, I64, Bool]:
    """The same for 8-bit codes."""
    largest = np.abs(r).max(axis=1)
    is_zero = largest < ZERO_BELOW
    safe = np.where(is_zero, np.float32(1), largest)
    i = ((bits(safe * np.float32(1 / 127)) + 0x7FFFF) >> 19) - 2032
    inverse = np.float32(1) / scale_of_index(i)
    c = np.rint(r * inverse[:, None]).clip(-127, 127).astype(np.int64)
    return np.where(is_zero[:, None], 128, c + 128).astype(np.uint8), i, is_zero


def code_values(codes: U8, kind: str) -> F32:
    """What codes stand for, in units of their scale."""
    if kind == "tq8":
        return f32(codes.astype(np.int64) - 128)
    magnitude = CODEBOOK[codes & 7]
    return f32(np.where(codes & 8, -magnitude, magnitude))


def group_bounds(d: int, group_size: int) -> list[tuple[int, int]]:
    return [(lo, min(lo + group_size, d)) for lo in range(0, d, group_size)]


def code_rows(r: F32, kind: str, group_size: int, search: bool) -> tuple[U8, U8, int]:
    """Rotated rows that share one offset, to (codes [rows, d], scale bytes [groups, rows], offset)."""
    rows, d = r.shape
    bounds = group_bounds(d, group_size)
    codes = np.zeros((rows, d), dtype=np.uint8)
    index = np.zeros((len(bounds), rows), dtype=np.int64)
    is_zero = np.zeros((len(bounds), rows), dtype=np.bool_)
    for g, (lo, hi) in enumerate(bounds):
        part = r[:, lo:hi]
        codes[:, lo:hi], index[g], is_zero[g] = code_tq4(part, search) if kind == "tq4" else code_tq8(part)

    offset = 0
    if not is_zero.all():
        offset = int(np.clip((index[~is_zero].max() >> 4) - 15, -128, 127))
    byte = index - 16 * offset
    is_zero |= byte < 1  # too small beside the largest group
    for g, (lo, hi) in enumerate(bounds):
        codes[is_zero[g], lo:hi] = ZERO_CODE[kind]
    return codes, np.where(is_zero, 0, byte).astype(np.uint8), offset


def decode_rows(codes: U8, scale_bytes: U8, offset: int, kind: str, group_size: int) -> F32:
    """The inverse of code_rows: rotated rows."""
    r = code_values(codes, kind)
    scales = scale_of_byte(scale_bytes, offset)
    for g, (lo, hi) in enumerate(group_bounds(codes.shape[1], group_size)):
        r[:, lo:hi] *= scales[g][:, None]
    return r
