"""Reading golden cases: tests/golden/README.md tells what the fields mean."""

from __future__ import annotations

from typing import Any, cast

import numpy as np

import libturboquant as tq
from golden_inputs import tensor
from golden_text import digest
from support import F32, Anything, bfloat16_bits

__all__ = ["LAYER_FLAGS", "array_of", "bits_argument", "digest", "hex_of", "layer_options", "run_steps", "tensor"]

LAYER_FLAGS = ("center_keys", "scale_search")
EXACT_DTYPES = {"auto": "auto", "f16": "float16", "bf16": "bfloat16"}


def array_of(values: F32, dtype: str) -> Anything:
    """The values in the type that the case names; bfloat16 as bits."""
    if dtype == "bf16":
        return bfloat16_bits(values)
    array = values.astype({"f32": np.float32, "f16": np.float16}[dtype])
    assert np.array_equal(array.astype(np.float32), values)
    return array


def bits_argument(dtype: str) -> Any:
    return "bfloat16" if dtype == "bf16" else None


def hex_of(array: Anything) -> str:
    return np.ascontiguousarray(array).tobytes().hex()


def layer_options(fields: dict[str, Any]) -> tq.LayerOptions:
    options = dict(fields)
    for flag in LAYER_FLAGS:
        options[flag] = bool(options[flag])
    options["seed"] = int(options["seed"], 16)
    options["exact_dtype"] = EXACT_DTYPES[options["exact_dtype"]]
    return tq.LayerOptions(**options)


def tokens_of(case: dict[str, Any], first: int, count: int, options: tq.LayerOptions) -> tuple[Anything, Anything]:
    """Keys and values of the tokens at first .. first + count - 1."""
    keys = tensor(case["key_input"], first, count, options.kv_heads, options.key_dim)
    values = tensor(case["value_input"], first, count, options.kv_heads, options.value_dim or options.key_dim)
    return array_of(keys, case["dtype"]), array_of(values, case["dtype"])


def run_steps(case: dict[str, Any]) -> tuple[tq.Cache, tq.Sequence, tq.LayerOptions]:
    """One layer and one sequence after all steps of a case."""
    options = layer_options(case["layer"])
    cache = tq.Cache([options])
    sequence = tq.Sequence(cache)
    for action, amount in cast("list[tuple[str, int]]", case["steps"]):
        if action == "truncate":
            sequence.truncate(amount)
            continue
        keys, values = tokens_of(case, sequence.length(), amount, options)
        sequence.append(0, keys, values, dtype=bits_argument(case["dtype"]))
    return cache, sequence, options
