"""What "fast" means for this library, with one thread on a CPU with AVX-512 VNNI; elsewhere for orientation."""

import math
from typing import Any, NamedTuple


class Target(NamedTuple):
    text: str
    case: str
    field: str  # of the case's JSON object
    at_least: bool
    value: float
    unit: float = 1  # what is measured is counted in such units


def at_least(text: str, case: str, field: str, value: float) -> Target:
    return Target(text, case, field, True, value)


def at_most(text: str, case: str, field: str, value: float, unit: float = 1) -> Target:
    return Target(text, case, field, False, value, unit)


TARGETS = [
    *(at_most(f"FWHT of {n} floats, in n log2 n / 16 cycles", f"fwht/{n}", "cycles_per_unit", 1.1,
              n * math.log2(n) / 16) for n in (64, 128, 256)),
    at_most("encode into the cache, f16, in transforms", "encode/cache/d128/f16", "transforms", 6.5),
    at_most("the same without scale search", "encode/cache/d128/f16/nosearch", "transforms", 2.5),
    at_most("tq_decode of 256 vectors in blocks to f32, in transforms", "decode/blocks/d128/f32", "transforms", 1.7),
    at_most("the same to f16", "decode/blocks/d128/f16", "transforms", 2.0),
    at_most("decode 1024 tokens of a cache (8 MB) to f32, in transforms", "decode/cache/d128/f32", "transforms", 1.7),
    at_most("the same to f16 (4 MB)", "decode/cache/d128/f16", "transforms", 2.0),
    at_most("decode 64 tokens at a time (0.5 MB) to f32, in transforms", "decode/cache/d128/f32/64", "transforms", 1.7),
    at_most("the same to f16 (0.25 MB)", "decode/cache/d128/f16/64", "transforms", 2.0),
    at_most("scores, G = 4, in 2 G cycles a key", "scores/d128/g4/16384", "cycles_per_unit", 1.15, 2 * 4),
    at_least("attention, G = 1, 64k tokens, fraction of the limit", "attend/d128/g1/65536", "of_limit", 0.88),
    at_least("the same against fp16", "attend/d128/g1/65536", "vs_fp16", 3.5),
    at_least("the same against bf16", "attend/d128/g1/65536", "vs_bf16", 3.5),
    at_least("attention, G = 1, 4k tokens, against fp16", "attend/d128/g1/4096", "vs_fp16", 3.3),
    at_least("the same against bf16", "attend/d128/g1/4096", "vs_bf16", 2.3),
    at_least("attention, G = 4, 4k tokens, against fp16", "attend/d128/g4/4096", "vs_fp16", 3.4),
    at_least("the same against bf16", "attend/d128/g4/4096", "vs_bf16", 2.8),
    at_least("attention, G = 4, 64k tokens, against fp16", "attend/d128/g4/65536", "vs_fp16", 3.4),
    at_least("the same against bf16", "attend/d128/g4/65536", "vs_bf16", 2.8),
    at_least("two threads against one, G = 1, 64k tokens", "attend/d128/g1/65536/t2", "vs_one_thread", 1.85),
    at_least("two threads against one, G = 4, 64k tokens", "attend/d128/g4/65536/t2", "vs_one_thread", 1.85),
    at_least("16 sequences in one call against 16 calls", "batch/d128/g4/16x1024", "vs_16_calls", 0.98),
    at_least("prefill of 512 behind 4k, in the f32 multiply-add limit", "prefill/d128/g4/512x4096", "of_limit", 1.5),
    at_least("prefill of 64 behind 4k, the same", "prefill/d128/g4/64x4096", "of_limit", 1.2),
]


def rows(cases: dict[str, dict[str, Any]]) -> list[list[str]]:
    """[text, target, measured, met] of the targets whose case was measured."""
    found = []
    for target in TARGETS:
        measured = cases.get(target.case, {}).get(target.field)
        if measured is None:
            continue
        measured /= target.unit
        met = measured >= target.value if target.at_least else measured <= target.value
        sign = "≥" if target.at_least else "≤"
        found.append([target.text, f"{sign} {target.value:g}", f"{measured:.3g}", "yes" if met else "**no**"])
    return found
