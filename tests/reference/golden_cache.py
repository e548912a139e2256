"""Cases of the golden files about cache pages."""

from __future__ import annotations

from collections.abc import Iterator
from collections.abc import Sequence as ListOrTuple
from dataclasses import replace
from typing import Any

import numpy as np

from golden_codec import HARD_INPUTS
from golden_inputs import tensor
from golden_text import bits_hex, digest
from tq_cache import Sequence
from tq_floats import round_to
from tq_page import Layer

Case = dict[str, Any]
Steps = ListOrTuple[tuple[str, int]]
KEYS = {"kind": "offset", "seed": 1, "exponent": -5}
VALUES = {"kind": "range", "seed": 2, "exponent": -12, "span": 12}
ONE_BLOCK: Steps = [("append", 4), ("append", 64)]
TWO_BLOCKS: Steps = [("append", 4), ("append", 64), ("append", 74)]


def layer_fields(layer: Layer) -> Case:
    fields = dict(vars(layer))
    fields["seed"] = f"{layer.seed:#018x}"
    fields["center_keys"], fields["scale_search"] = int(layer.center_keys), int(layer.scale_search)
    return fields


def run_steps(layer: Layer, steps: Steps, dtype: str, keys: Case, values: Case) -> Sequence:
    """Token t of a step stands at position t of the sequence, also after a truncation."""
    sequence = Sequence(layer)
    for action, amount in steps:
        if action == "truncate":
            sequence.truncate(amount)
            continue
        k = tensor(keys, sequence.length, amount, layer.kv_heads, layer.key_dim)
        v = tensor(values, sequence.length, amount, layer.kv_heads, layer.d_v)
        assert np.array_equal(round_to(k, dtype), k) and np.array_equal(round_to(v, dtype), v), (dtype, keys, values)
        sequence.append(k, v, dtype)
    return sequence


def cache_case(
    name: str, layer: Layer, steps: Steps = ONE_BLOCK, dtype: str = "f16", keys: Case = KEYS, values: Case = VALUES
) -> Case:
    sequence = run_steps(layer, steps, dtype, keys, values)
    read_keys, read_values = sequence.read()
    sample = min(layer.sink_tokens, sequence.length - 1)
    return {
        "name": name,
        "layer": layer_fields(layer),
        "dtype": dtype,
        "stored_dtype": sequence.dtype,
        "key_input": keys,
        "value_input": values,
        "steps": [list(step) for step in steps],
        "length": sequence.length,
        "page_bytes": layer.page_bytes,
        "pages": [page.hex() for page in sequence.pages],
        "sample_token": sample,
        "sample_keys": bits_hex(read_keys[sample]),
        "sample_values": bits_hex(read_values[sample]),
        "read_keys_fnv1a64": digest(read_keys),
        "read_values_fnv1a64": digest(read_values),
    }


def size_cases() -> Iterator[Case]:
    for d in (64, 80, 96, 128, 192, 256):
        steps = TWO_BLOCKS if d <= 80 else ONE_BLOCK
        yield cache_case(f"d{d}", Layer(2, d), steps)
        yield cache_case(f"d{d} not centred", Layer(1 if d > 128 else 2, d, center_keys=False))
    for d_k, d_v in ((192, 128), (64, 96), (1, 3), (31, 7), (40, 56), (72, 33), (8, 200)):
        yield cache_case(f"keys d{d_k}, values d{d_v}", Layer(2, d_k, d_v))
    yield cache_case("keys d576, values d512, one head", Layer(1, 576, 512))
    yield cache_case("keys d1024, values d1, one head", Layer(1, 1024, 1))
    yield cache_case("nine heads of d16: two header lines", Layer(9, 16))


def format_cases() -> Iterator[Case]:
    for key_format, value_format in (
        ("tq8", "tq4"),
        ("tq4", "tq8"),
        ("tq8", "tq8"),
        ("tq4", "f16"),
        ("f16", "tq4"),
        ("tq8", "bf16"),
        ("bf16", "tq8"),
        ("f16", "f16"),
        ("bf16", "f16"),
    ):
        layer = Layer(1, 64, 80, key_format=key_format, value_format=value_format)
        yield cache_case(f"k {key_format}, v {value_format}", layer)
    mixed = Layer(2, 80, 96, key_format="tq8", value_format="tq4")
    yield cache_case("k tq8 d80, v tq4 d96, not centred", replace(mixed, center_keys=False))
    for d_k, d_v in ((31, 31), (20, 18), (6, 40)):
        eight = Layer(2, d_k, d_v, key_format="tq8", value_format="tq8")
        yield cache_case(f"k tq8 d{d_k}, v tq8 d{d_v}", eight)
    for key_group, value_group in ((32, 64), (64, 32), (32, 32)):
        layer = Layer(1, 96, 80, key_group_size=key_group, value_group_size=value_group)
        yield cache_case(f"groups of {key_group} and {value_group}", layer)
    two = Layer(2, 64, 80, key_format="tq8")
    yield cache_case("two heads, k tq8, v tq4", two)
    yield cache_case("two heads, k f16, v tq8", replace(two, key_format="f16", value_format="tq8"))
    yield cache_case("no search", Layer(1, 64, scale_search=False))
    yield cache_case("rotation blocks 16 and 8", Layer(1, 64, key_rotation_block=16, value_rotation_block=8))
    yield cache_case("other seed", Layer(1, 128, seed=0x0123456789ABCDEF))
    yield cache_case("bf16 input", Layer(1, 64), dtype="bf16")
    yield cache_case("f32 input that f16 holds", Layer(1, 64), dtype="f32")
    fine = {"kind": "fine", "seed": 3, "exponent": -20}
    yield cache_case("f32 input, rounded to f16", Layer(1, 64), dtype="f32", keys=fine, values=fine)
    to_bf16 = Layer(1, 64, exact_dtype="bf16")
    yield cache_case("f32 input, rounded to bf16", to_bf16, dtype="f32", keys=fine, values=fine)
    yield cache_case("f16 input, kept as bf16", to_bf16, dtype="f16")
    both = Layer(1, 64, value_format="f16", exact_dtype="bf16")
    yield cache_case("values rounded to bf16, stored as f16", both, dtype="f32", keys=fine, values=fine)


def step_cases() -> Iterator[Case]:
    one = Layer(1, 64)
    yield cache_case("tokens one by one", one, [("append", 1)] * 70)
    yield cache_case("all tokens at once", one, [("append", 70)])
    yield cache_case("one token short of a block", one, [("append", 67)])
    yield cache_case("no sinks", replace(one, sink_tokens=0), [("append", 64)])
    yield cache_case("64 sinks", replace(one, sink_tokens=64), [("append", 130)])
    yield cache_case("tail only", one, [("append", 5)])
    yield cache_case("one recent block", replace(one, recent_blocks=1), [("append", 4 + 64), ("append", 64)])
    yield cache_case("two recent blocks", replace(one, recent_blocks=2), [("append", 4 + 3 * 64 + 63)])
    yield cache_case("cut in the tail", one, [("append", 100), ("truncate", 80), ("append", 60)])
    yield cache_case("cut between blocks", one, [("append", 140), ("truncate", 68), ("append", 10)])
    yield cache_case("cut into a coded block", one, [("append", 140), ("truncate", 90)])
    yield cache_case("cut into a coded block, refilled", one, [("append", 140), ("truncate", 90), ("append", 64)])
    cut_bf16: Steps = [("append", 70), ("truncate", 20), ("append", 60)]
    yield cache_case("cut into a coded block of bf16", one, cut_bf16, dtype="bf16")
    yield cache_case("cut in the sinks", one, [("append", 70), ("truncate", 2), ("append", 80)])
    recent = replace(one, recent_blocks=1)
    yield cache_case("cut with a recent block", recent, [("append", 200), ("truncate", 40), ("append", 120)])


def hard_cases() -> Iterator[Case]:
    f16_range = {"all zero", "constant", "spike", "alternating", "tiny", "big", "one token 2^20 times larger", "ramp"}
    for name, spec in HARD_INPUTS.items():
        dtype = "f16" if name in f16_range else "bf16"
        yield cache_case(f"keys and values {name}", Layer(1, 64), dtype=dtype, keys=spec, values=spec)
    quiet, loud = HARD_INPUTS["tiny"], HARD_INPUTS["big"]
    yield cache_case("keys zero, values big", Layer(2, 64), keys=HARD_INPUTS["all zero"], values=loud)
    yield cache_case("keys tiny, values big", Layer(2, 80), keys=quiet, values=loud)
    steps = HARD_INPUTS["groups 2^-9, 2^-18, 2^-27 of the largest"]
    yield cache_case("d192, group steps", Layer(1, 192), dtype="bf16", keys=steps, values=steps)
    yield cache_case("d192, group steps, not centred", Layer(1, 192, center_keys=False), dtype="bf16", keys=steps)
    huge8 = Layer(1, 64, key_format="tq8", value_format="tq8")
    yield cache_case("tq8, huge", huge8, dtype="bf16", keys=HARD_INPUTS["huge"], values=HARD_INPUTS["huge"])
    wide = {"kind": "range", "seed": 2, "exponent": -20, "span": 41}
    yield cache_case("mean of numbers 40 octaves apart", Layer(2, 64), dtype="bf16", keys=wide, values=wide)
    yield cache_case("the same in tq8", huge8, dtype="bf16", keys=wide, values=wide)
