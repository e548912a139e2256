"""Yardsticks: what everybody else does to 4 or 8 bits, as functions of arrays. NumPy only.

One scale in fp16 per 32 values, by the largest of them: ggml's q4_0 (the value of the largest magnitude gets code -8,
levels -8 .. 7) and q8_0 (levels -127 .. 127). "rotated" transforms each head by a normalised Walsh-Hadamard matrix
before and after, "refit" replaces the scale by the one with the least squared error for the codes it gave.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray

import libturboquant as tq

F32 = NDArray[np.float32]
GROUP = 32
SCALE_BYTES = 2

RoundTrip = Callable[[F32], F32]


def int4(rows: F32, refit: bool = False) -> F32:
    """rows [n, dim] after coding and decoding."""
    groups = _groups(rows)
    extreme = np.take_along_axis(groups, np.abs(groups).argmax(axis=-1, keepdims=True), axis=-1)
    scale = _half(extreme / -8)
    codes = np.clip(np.rint(_divide(groups, scale)), -8, 7)
    if refit:
        scale = _half(_divide((groups * codes).sum(-1, keepdims=True), (codes * codes).sum(-1, keepdims=True)))
    return _rows(codes * scale, rows)


def int8(rows: F32) -> F32:
    """rows [n, dim] after coding and decoding."""
    groups = _groups(rows)
    scale = _half(np.abs(groups).max(axis=-1, keepdims=True) / 127)
    return _rows(np.clip(np.rint(_divide(groups, scale)), -127, 127) * scale, rows)


def rotated(code: RoundTrip) -> RoundTrip:
    """The same in the domain of the Walsh-Hadamard transform; of the largest power of two that divides dim."""

    def round_trip(rows: F32) -> F32:
        block = rows.shape[1] & -rows.shape[1]
        turned = tq.fwht(np.ascontiguousarray(rows).reshape(-1, block)).reshape(rows.shape)
        return tq.fwht(code(turned).reshape(-1, block)).reshape(rows.shape)  # its own inverse

    return round_trip


CODES: dict[str, RoundTrip] = {
    "int8": int8,
    "int4": int4,
    "int4-rotated": rotated(int4),
    "int4-rotated-refit": rotated(lambda rows: int4(rows, refit=True)),
}
BITS = {"int8": 8, "int4": 4, "int4-rotated": 4, "int4-rotated-refit": 4}


def bytes_per_vector(codes: str, dim: int) -> float:
    """Codes and fp16 scales of one vector."""
    return dim * BITS[codes] / 8 + -(-dim // GROUP) * SCALE_BYTES


def _groups(rows: F32) -> F32:
    """[n, groups, 32]; a last group that is shorter is filled with zeros."""
    n, dim = rows.shape
    return np.pad(rows, ((0, 0), (0, -dim % GROUP))).reshape(n, -1, GROUP)


def _rows(groups: F32, like: F32) -> F32:
    return np.ascontiguousarray(groups.reshape(len(like), -1)[:, : like.shape[1]], np.float32)


def _half(scale: NDArray[np.floating]) -> F32:
    """As fp16 stores it."""
    return scale.astype(np.float16).astype(np.float32)


def _divide(a: NDArray[np.floating], b: NDArray[np.floating]) -> F32:
    """0 where b is 0."""
    out = np.zeros(np.broadcast_shapes(a.shape, b.shape), np.float32)
    np.divide(a, b, out=out, where=b != 0)
    return out
