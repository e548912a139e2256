"""The inputs of the golden files: integer formulas times a power of two, portable to any language in a few lines.

value(t, h, j) = integer(t, h, j) * 2^exponent(t, h, j), with t = token (or vector, or query), h = head, j = coordinate.
All kinds but "fine" and "integers" have at most 8 significant bits, so f32, f16 and bf16 hold them exactly where their
range reaches. tests/golden/README.md repeats the table below; make_golden.py writes it into every file.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from tq_floats import F32, I64

Exponent = I64 | np.int64

BASE = "((131 t + 37 h + 71 j + 3 t j + 5 j j + 101 seed) mod 509) - 254"

FORMULAS = {
    "base": BASE,
    "pattern": "base * 2^exponent",
    "range": "base * 2^(exponent + (7 t + 3 h + 5 j + seed) mod span)",
    "offset": "((131 t + 37 h + 71 j + 3 t j + 101 seed) mod 61 - 30 + 2 ((7 j j + 13 h + 17 seed) mod 97 - 48))"
    " * 2^exponent",
    "zero": "0",
    "constant": "integer * 2^exponent",
    "spike": "integer * 2^(exponent + t mod 8) where j = (7 t + 3 h + seed) mod dim, else 0",
    "loud_token": "base * 2^(exponent + (20 if t mod 64 = 21 else 0))",
    "alternating": "(1 + t mod 5) * 2^exponent, negative where j is odd",
    "ties": "4096 * 2^exponent where j mod 8 = 0, else (2 ((13 t + 5 h + 3 j + seed) mod 100) + 1) * 2^exponent",
    "ties8": "254 * 2^exponent where j mod 8 = 0, else (2 ((13 t + 5 h + 3 j + seed) mod 127) + 1) * 2^exponent",
    "ramp": "((t dim + j) mod 255 - 127) * 2^exponent",
    "group_steps": "base * 2^(exponent - 9 ((j div 64 + t) mod 4))",
    "integers": "((1361 t + 37 h + 711 j + 3 t j + 5 j j + 101 seed) mod 8191 - 4095) * 2^exponent",
    "fine": "((1048573 t + 524287 h + 786433 j + 65521 t j + 262139 seed) mod 16777213 - 8388606) * 2^exponent",
}


def integers_and_exponents(spec: dict[str, Any], t: I64, h: I64, j: I64, dim: int) -> tuple[I64, Exponent]:
    kind, exponent = spec["kind"], np.int64(spec.get("exponent", 0))
    seed, integer = spec.get("seed", 0), np.int64(spec.get("integer", 0))
    base = (131 * t + 37 * h + 71 * j + 3 * t * j + 5 * j * j + 101 * seed) % 509 - 254
    match kind:
        case "pattern":
            return base, exponent
        case "range":
            return base, exponent + (7 * t + 3 * h + 5 * j + seed) % spec["span"]
        case "offset":
            small = (131 * t + 37 * h + 71 * j + 3 * t * j + 101 * seed) % 61 - 30
            return small + 2 * ((7 * j * j + 13 * h + 17 * seed) % 97 - 48), exponent
        case "zero":
            return 0 * base, exponent
        case "constant":
            return integer + 0 * base, exponent
        case "spike":
            return np.where(j == (7 * t + 3 * h + seed) % dim, integer, 0), exponent + t % 8
        case "loud_token":
            return base, exponent + np.where(t % 64 == 21, 20, 0)
        case "alternating":
            return (1 + t % 5) * np.where(j % 2 == 1, -1, 1), exponent
        case "ties":
            return np.where(j % 8 == 0, 4096, 2 * ((13 * t + 5 * h + 3 * j + seed) % 100) + 1), exponent
        case "ties8":
            return np.where(j % 8 == 0, 254, 2 * ((13 * t + 5 * h + 3 * j + seed) % 127) + 1), exponent
        case "ramp":
            return (t * dim + j) % 255 - 127, exponent
        case "group_steps":
            return base, exponent - 9 * ((j // 64 + t) % 4)
        case "integers":
            return (1361 * t + 37 * h + 711 * j + 3 * t * j + 5 * j * j + 101 * seed) % 8191 - 4095, exponent
        case "fine":
            mixed = 1048573 * t + 524287 * h + 786433 * j + 65521 * t * j + 262139 * seed
            return mixed % 16777213 - 8388606, exponent
    raise ValueError(f"no such kind of input: {kind}")


def tensor(spec: dict[str, Any], first: int, count: int, heads: int, dim: int) -> F32:
    """Tokens first .. first + count - 1 as [count, heads, dim]."""
    t = np.arange(first, first + count, dtype=np.int64)[:, None, None]
    h = np.arange(heads, dtype=np.int64)[None, :, None]
    j = np.arange(dim, dtype=np.int64)[None, None, :]
    integer, exponent = integers_and_exponents(spec, t, h, j, dim)
    integer, exponent = np.broadcast_arrays(integer, exponent)
    shape = (count, heads, dim)
    integer, exponent = np.broadcast_to(integer, shape), np.broadcast_to(exponent, shape)
    return np.ldexp(integer.astype(np.float32), exponent.astype(np.int32)).astype(np.float32)
