"""Signs and the unnormalised Walsh-Hadamard transform (docs/format.md, section 1)."""

from __future__ import annotations

import numpy as np

from tq_floats import F32, f32

DEFAULT_SEED = 0x7475726271756E74
_MASK64 = (1 << 64) - 1


def sign_word(seed: int, i: int) -> int:
    """SplitMix64 as a counter: the 64 sign bits of coordinates 64 i .. 64 i + 63."""
    z = (seed + (i + 1) * 0x9E3779B97F4A7C15) & _MASK64
    z = ((z ^ (z >> 30)) * 0xBF58476D1CE4E5B9) & _MASK64
    z = ((z ^ (z >> 27)) * 0x94D049BB133111EB) & _MASK64
    return z ^ (z >> 31)


def signs(seed: int, d: int) -> F32:
    """+1 or -1 per coordinate."""
    return f32([-1.0 if (sign_word(seed, j // 64) >> (j % 64)) & 1 else 1.0 for j in range(d)])


def default_rotation_block(d: int) -> int:
    """The largest power of two that divides d."""
    return d & -d


def transform(x: F32, n: int) -> F32:
    """Every aligned run of n coordinates of the last axis, unnormalised, in the documented order of f32 additions."""
    x = np.array(x, dtype=np.float32)
    shape = x.shape
    h = 1
    while h < n:
        # Axis -2 tells whether bit h of the coordinate is clear or set; both halves are read before either is written.
        pairs = x.reshape(-1, 2, h)
        lower, upper = pairs[:, 0, :], pairs[:, 1, :]
        x = np.stack([lower + upper, lower - upper], axis=1)
        h *= 2
    return x.reshape(shape)


def rotate(x: F32, seed: int, n: int) -> F32:
    """R(x): signs, then transform. x is [.., d]."""
    return transform(f32(x) * signs(seed, x.shape[-1]), n)


def unrotate(y: F32, seed: int, n: int) -> F32:
    """R^-1(y). 1/n is a power of two, so the product is exact short of denormals."""
    return transform(f32(y), n) * np.float32(1 / n) * signs(seed, y.shape[-1])
