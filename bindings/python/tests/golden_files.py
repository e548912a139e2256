"""The golden files of tests/golden and the inputs that their cases name (tests/golden/README.md has the formulas)."""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import Any

import ml_dtypes
import numpy as np

import libturboquant as tq

FOLDER = Path(os.environ.get("TQ_GOLDEN_DIR", Path(__file__).resolve().parents[3] / "tests" / "golden")) / "v1"
DTYPES = {"f32": np.dtype(np.float32), "f16": np.dtype(np.float16), "bf16": np.dtype(ml_dtypes.bfloat16)}
EXACT_DTYPES = {"auto": "auto", "f16": "float16", "bf16": "bfloat16"}


def cases(*files: str) -> list[Any]:
    """All cases of the files as parameters of a test."""
    import pytest

    found = [(name, case) for name in files for case in json.loads((FOLDER / name).read_text())["cases"]]
    assert found
    return [pytest.param(case, id=f"{name}: {case['name']}") for name, case in found]


def _element(spec: dict[str, Any], t: Any, h: Any, j: Any, dim: int) -> tuple[Any, Any]:
    exponent, seed, integer = (spec.get(key, 0) for key in ("exponent", "seed", "integer"))
    base = (131 * t + 37 * h + 71 * j + 3 * t * j + 5 * j * j + 101 * seed) % 509 - 254
    small = (131 * t + 37 * h + 71 * j + 3 * t * j + 101 * seed) % 61 - 30
    mixed = 1048573 * t + 524287 * h + 786433 * j + 65521 * t * j + 262139 * seed
    wide = 1361 * t + 37 * h + 711 * j + 3 * t * j + 5 * j * j + 101 * seed
    spike = j == (7 * t + 3 * h + seed) % dim
    every8 = j % 8 == 0
    table = {
        "pattern": lambda: (base, exponent),
        "range": lambda: (base, exponent + (7 * t + 3 * h + 5 * j + seed) % spec["span"]),
        "offset": lambda: (small + 2 * ((7 * j * j + 13 * h + 17 * seed) % 97 - 48), exponent),
        "zero": lambda: (0, 0),
        "constant": lambda: (integer, exponent),
        "spike": lambda: (np.where(spike, integer, 0), exponent + t % 8),
        "loud_token": lambda: (base, exponent + np.where(t % 64 == 21, 20, 0)),
        "alternating": lambda: ((1 + t % 5) * np.where(j % 2 == 1, -1, 1), exponent),
        "ties": lambda: (np.where(every8, 4096, 2 * ((13 * t + 5 * h + 3 * j + seed) % 100) + 1), exponent),
        "ties8": lambda: (np.where(every8, 254, 2 * ((13 * t + 5 * h + 3 * j + seed) % 127) + 1), exponent),
        "ramp": lambda: ((t * dim + j) % 255 - 127, exponent),
        "group_steps": lambda: (base, exponent - 9 * ((j // 64 + t) % 4)),
        "integers": lambda: (wide % 8191 - 4095, exponent),
        "fine": lambda: (mixed % 16777213 - 8388606, exponent),
    }
    return table[spec["kind"]]()


def tensor(spec: dict[str, Any], first: int, count: int, heads: int, dim: int, dtype: str = "f32") -> Any:
    """Tokens first .. first + count - 1 as [count, heads, dim]; every value is exact in `dtype`."""
    t = np.arange(first, first + count, dtype=np.int64)[:, None, None]
    h = np.arange(heads, dtype=np.int64)[None, :, None]
    j = np.arange(dim, dtype=np.int64)[None, None, :]
    integer, exponent = (np.broadcast_to(part, (count, heads, dim)) for part in _element(spec, t, h, j, dim))
    values = np.ldexp(integer.astype(np.float64), exponent.astype(np.int32))
    converted = values.astype(np.float32).astype(DTYPES[dtype])
    assert np.array_equal(converted.astype(np.float64), values)
    return converted


def fnv1a64(values: Any) -> str:
    """Digest of the little-endian f32 bytes."""
    digest = 0xCBF29CE484222325
    for byte in np.ascontiguousarray(values, dtype="<f4").tobytes():
        digest = ((digest ^ byte) * 0x100000001B3) & 0xFFFFFFFFFFFFFFFF
    return f"0x{digest:016x}"


def layer_options(case: dict[str, Any]) -> tq.LayerOptions:
    """The case's `layer`."""
    given = dict(case["layer"])
    given["seed"] = int(given["seed"], 16)
    given["exact_dtype"] = EXACT_DTYPES[given["exact_dtype"]]
    for flag in ("center_keys", "scale_search"):
        given[flag] = bool(given[flag])
    return tq.LayerOptions(**given)


def run_steps(case: dict[str, Any], sequence: tq.Sequence, layer: tq.LayerOptions) -> None:
    """Appends and truncates as the case says."""
    for verb, number in case["steps"]:
        if verb == "append":
            sequence.append(0, *new_tokens(case, layer, sequence.length(), number))
        else:
            assert verb == "truncate"
            sequence.truncate(number)


def new_tokens(case: dict[str, Any], layer: tq.LayerOptions, first: int, count: int) -> tuple[Any, Any]:
    """Keys and values of tokens first .. first + count - 1 in the case's element type."""
    value_dim = layer.value_dim or layer.key_dim
    keys = tensor(case["key_input"], first, count, layer.kv_heads, layer.key_dim, case["dtype"])
    return keys, tensor(case["value_input"], first, count, layer.kv_heads, value_dim, case["dtype"])
