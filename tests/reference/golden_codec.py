"""Cases of the golden files about rotation and standalone vectors."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np

from golden_inputs import tensor
from golden_text import bits_hex, digest, first_values
from tq_codec import Codec
from tq_rotation import DEFAULT_SEED, default_rotation_block, rotate, sign_word

Case = dict[str, Any]
OTHER_SEED = 0x0123456789ABCDEF
HEAD_DIMS = (1, 2, 3, 31, 64, 80, 96, 128, 192, 256, 576, 1024)
PATTERN = {"kind": "pattern", "seed": 1, "exponent": -6}
# Sums of numbers that span 40 octaves are rounded, so a transform with another order of additions is found out.
RANGE = {"kind": "range", "seed": 2, "exponent": -20, "span": 41}
NARROW_RANGE = {"kind": "range", "seed": 3, "exponent": -16, "span": 24}  # fits f16


def rotation_cases() -> Iterator[Case]:
    for d in HEAD_DIMS:
        for n in sorted({default_rotation_block(d), min(16, default_rotation_block(d))}):
            rows = tensor(RANGE, 0, 2, 1, d)[:, 0]
            seed = DEFAULT_SEED if n == default_rotation_block(d) else OTHER_SEED
            rotated = rotate(rows, seed, n)
            yield {
                "name": f"d{d} n{n}",
                "head_dim": d,
                "rotation_block": n,
                "seed": f"{seed:#018x}",
                "sign_words": [f"{sign_word(seed, i):#018x}" for i in range(-(-d // 64))],
                "input": RANGE,
                "count": len(rows),
                "rotated_f32": bits_hex(rotated),
                "comment": "unnormalised R(x) of section 1: tq_rotate gives this divided by sqrt(n)",
            }


def codec_case(name: str, codec: Codec, spec: Case, count: int, dtype: str = "f32") -> Case:
    vectors = tensor(spec, 0, count, 1, codec.head_dim)[:, 0]
    codes = codec.encode(vectors)
    decoded = codec.decode(codes, count)
    return {
        "name": name,
        "head_dim": codec.head_dim,
        "format": codec.format,
        "group_size": codec.group_size,
        "rotation_block": codec.rotation_block,
        "scale_search": int(codec.scale_search),
        "layout": codec.layout,
        "seed": f"{codec.seed:#018x}",
        "input": spec,
        "input_dtype": dtype,
        "count": count,
        "codes": codes.hex(),
        "codes_bytes": len(codes),
        "decoded_first": first_values(decoded),
        "decoded_fnv1a64": digest(decoded),
    }


def count_for(d: int) -> int:
    return 2 if d >= 576 else 5


def coded_cases(kind: str) -> Iterator[Case]:
    """Every head size as records and, with a partial last block, as blocks; then every option."""
    for d in HEAD_DIMS:
        records = Codec(d, kind)
        yield codec_case(f"{kind} d{d} records", records, PATTERN, count_for(d))
        yield codec_case(f"{kind} d{d} records, rounding sums", records, RANGE, count_for(d))
        if d <= 256:
            blocks = Codec(d, kind, layout="blocks")
            yield codec_case(f"{kind} d{d} blocks", blocks, RANGE, 70 if d <= 96 else 33)
    for d in (31, 64, 80, 96, 128, 192, 256):
        yield codec_case(f"{kind} d{d} groups of 32", Codec(d, kind, 32), PATTERN, 4)
        if kind == "tq4":
            yield codec_case(f"{kind} d{d} no search", Codec(d, kind, scale_search=False), PATTERN, 4)
            no_search = Codec(d, kind, 32, scale_search=False)
            yield codec_case(f"{kind} d{d} groups of 32, no search", no_search, RANGE, 4)
    for n in (1, 2, 8, 16, 32, 64, 128):
        explicit = Codec(128, kind, rotation_block=n)
        yield codec_case(f"{kind} d128 rotation block {n}", explicit, RANGE, 3)
    yield codec_case(f"{kind} d128 other seed", Codec(128, kind, seed=OTHER_SEED), PATTERN, 3)
    yield codec_case(f"{kind} d1024 other seed", Codec(1024, kind, seed=OTHER_SEED), PATTERN, 1)
    yield codec_case(f"{kind} d96 groups of 32, blocks", Codec(96, kind, 32, layout="blocks"), PATTERN, 64)
    for d in (64, 128):
        yield codec_case(f"{kind} d{d} 24-bit input", Codec(d, kind), {"kind": "fine", "seed": 4, "exponent": -22}, 3)
        yield codec_case(f"{kind} d{d} f16 input", Codec(d, kind), NARROW_RANGE, 3, "f16")
        yield codec_case(f"{kind} d{d} bf16 input", Codec(d, kind), RANGE, 3, "bf16")


HARD_INPUTS: dict[str, Case] = {
    "all zero": {"kind": "zero"},
    "constant": {"kind": "constant", "integer": 192, "exponent": -7},
    "constant 63": {"kind": "constant", "integer": 63},
    "spike": {"kind": "spike", "integer": 255, "exponent": -4, "seed": 5},
    "alternating": {"kind": "alternating", "exponent": -2},
    "tiny": {"kind": "pattern", "exponent": -24, "seed": 6},
    "big": {"kind": "pattern", "exponent": 7, "seed": 7},
    "huge": {"kind": "pattern", "exponent": 50, "seed": 8},
    "below 2^-100": {"kind": "pattern", "exponent": -110, "seed": 9},
    "denormal": {"kind": "pattern", "exponent": -133, "seed": 9},
    "one token 2^20 times larger": {"kind": "loud_token", "exponent": -22, "seed": 10},
    "groups 2^-9, 2^-18, 2^-27 of the largest": {"kind": "group_steps", "exponent": 3, "seed": 11},
    "ramp": {"kind": "ramp", "exponent": -3},
}


def hard_cases() -> Iterator[Case]:
    for name, spec in HARD_INPUTS.items():
        for kind in ("tq4", "tq8"):
            for d in (1, 64, 80, 192):
                yield codec_case(f"{kind} d{d} {name}", Codec(d, kind), spec, 8)
        yield codec_case(f"tq4 d80 {name}, blocks", Codec(80, "tq4", layout="blocks"), spec, 24)
    for kind in ("tq4", "tq8"):
        # One offset for all vectors of the block: small groups meet it, and vanish.
        for name in ("one token 2^20 times larger", "groups 2^-9, 2^-18, 2^-27 of the largest"):
            yield codec_case(f"{kind} d192 {name}, blocks", Codec(192, kind, layout="blocks"), HARD_INPUTS[name], 24)
    for d in (64, 80):
        # Signs only: the integers reach the quantizer as they are, so rounding and comparison meet exact ties.
        ties, ties8 = {"kind": "ties", "exponent": -12, "seed": 1}, {"kind": "ties8", "exponent": -1, "seed": 1}
        yield codec_case(f"tq4 d{d} ties", Codec(d, "tq4", rotation_block=1), ties, 8)
        yield codec_case(f"tq4 d{d} ties in thresholds", Codec(d, "tq4", rotation_block=1), ties8, 8)
        yield codec_case(f"tq8 d{d} ties", Codec(d, "tq8", rotation_block=1), ties8, 8)
        ramp = {"kind": "ramp", "exponent": 0}
        yield codec_case(f"tq4 d{d} ramp, signs only", Codec(d, "tq4", rotation_block=1), ramp, 8)
        constant = {"kind": "constant", "integer": 63}
        yield codec_case(f"tq4 d{d} equal costs", Codec(d, "tq4", rotation_block=1), constant, 1)
    # 63 at head_dim 1: two candidate scales give 18 * 28 = 24 * 21 units exactly, and the first one has to win.
    yield codec_case("tq4 d1 every 8-bit integer", Codec(1, "tq4"), {"kind": "ramp"}, 255)
    yield codec_case("tq8 d1 every 8-bit integer", Codec(1, "tq8"), {"kind": "ramp"}, 255)


def exact_cases() -> Iterator[Case]:
    for kind in ("f16", "bf16"):
        for d in (1, 3, 64, 80):
            yield codec_case(f"{kind} d{d} records", Codec(d, kind), PATTERN, 3)
            yield codec_case(f"{kind} d{d} blocks", Codec(d, kind, layout="blocks"), PATTERN, 2)
        rounding = {"kind": "integers", "seed": 1}
        yield codec_case(f"{kind} d128 ties to even", Codec(128, kind), rounding, 8)
        fine = {"kind": "fine", "seed": 2, "exponent": -22}
        yield codec_case(f"{kind} d128 24-bit input", Codec(128, kind), fine, 4)
    subnormal = {"kind": "fine", "seed": 3, "exponent": -38}
    yield codec_case("f16 d128 subnormal results", Codec(128, "f16"), subnormal, 4)
    yield codec_case("f16 d64 bf16 input", Codec(64, "f16"), NARROW_RANGE, 3, "bf16")
    yield codec_case("bf16 d64 f16 input", Codec(64, "bf16"), NARROW_RANGE, 3, "f16")
    yield codec_case("bf16 d64 huge", Codec(64, "bf16"), HARD_INPUTS["huge"], 3, "bf16")
    yield codec_case("bf16 d64 denormal", Codec(64, "bf16"), HARD_INPUTS["denormal"], 3)


def check_representable(case: Case) -> None:
    """An input that its own type cannot hold would mean something else in another language."""
    from tq_floats import round_to

    vectors = tensor(case["input"], 0, case["count"], 1, case["head_dim"])
    assert np.isfinite(vectors).all() and np.abs(vectors).max() <= 2.0**60, case["name"]
    assert np.array_equal(round_to(vectors, case["input_dtype"]), vectors), case["name"]
