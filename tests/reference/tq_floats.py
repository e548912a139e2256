"""Number formats: bit patterns of f32, and rounding to f16 and bf16 (docs/format.md, introduction and section 5)."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

F32 = npt.NDArray[np.float32]
F64 = npt.NDArray[np.float64]
U8 = npt.NDArray[np.uint8]
U16 = npt.NDArray[np.uint16]
I64 = npt.NDArray[np.int64]
Bool = npt.NDArray[np.bool_]


def f32(x: npt.ArrayLike) -> F32:
    return np.asarray(x, dtype=np.float32)


def bits(x: F32) -> I64:
    """The 32-bit pattern of each f32, as a signed 64-bit integer so that sums cannot wrap."""
    return np.ascontiguousarray(x, dtype=np.float32).view(np.uint32).astype(np.int64)


def power_of_two(exponent: npt.ArrayLike) -> F32:
    return np.ldexp(np.float32(1), np.asarray(exponent, dtype=np.int32)).astype(np.float32)


def to_bits16(x: F32, dtype: str) -> U16:
    """f32 to the bit patterns of f16 (saturating at +-65504) or bf16, to nearest even."""
    x = np.ascontiguousarray(x, dtype=np.float32)
    if dtype == "f16":
        return x.clip(-65504, 65504).astype(np.float16).view(np.uint16)
    if dtype == "bf16":
        pattern = bits(x)
        is_odd = (pattern >> 16) & 1  # a tie rounds away only from an odd result
        return ((pattern + 0x7FFF + is_odd) >> 16).astype(np.uint16)
    raise ValueError(f"not a 16-bit type: {dtype}")


def from_bits16(pattern: U16, dtype: str) -> F32:
    if dtype == "f16":
        return pattern.view(np.float16).astype(np.float32)
    if dtype == "bf16":
        return (pattern.astype(np.uint32) << 16).view(np.float32)
    raise ValueError(f"not a 16-bit type: {dtype}")


def round_to(x: F32, dtype: str) -> F32:
    """The nearest value of `dtype`, as f32."""
    return f32(x) if dtype == "f32" else from_bits16(to_bits16(x, dtype), dtype)
