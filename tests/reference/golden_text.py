"""How golden files write numbers: f32 as hex of its little-endian bytes, long arrays as their start and a digest."""

from __future__ import annotations

import numpy as np

from tq_floats import F32, F64

FIRST_VALUES = 64


def fnv1a64(data: bytes) -> str:
    """FNV-1a with 64 bits: five lines in every language, unlike a cryptographic hash."""
    state = 0xCBF29CE484222325
    for byte in data:
        state = ((state ^ byte) * 0x100000001B3) & 0xFFFFFFFFFFFFFFFF
    return f"{state:#018x}"


def f32_bytes(x: F32) -> bytes:
    return np.ascontiguousarray(x, dtype="<f4").tobytes()


def bits_hex(x: F32) -> str:
    return f32_bytes(x).hex()


def first_values(x: F32) -> str:
    return bits_hex(x.reshape(-1)[:FIRST_VALUES])


def digest(x: F32) -> str:
    return fnv1a64(f32_bytes(x))


def number(x: float) -> float | str:
    """Nine significant digits: as many as f32 needs. JSON has no infinity."""
    return "-inf" if x == -np.inf else float(f"{x:.9g}")


def numbers(x: F64) -> list:
    return [numbers(row) for row in x] if x.ndim > 1 else [number(float(v)) for v in x]
