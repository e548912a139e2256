"""libturboquant in plain NumPy: slow, obvious, written for reading next to docs/format.md.

    tq_floats     f32 bit patterns, rounding to f16 and bf16
    tq_rotation   signs and Walsh-Hadamard transform           section 1
    tq_groups     scales, codes of a group                     sections 2, 3
    tq_layout     where codes lie in memory                    section 5
    tq_codec      standalone vectors: records and blocks       sections 6, 7
    tq_page       64 tokens of one layer, with key centring    sections 4, 5, 7
    tq_cache      sinks, coded blocks, 16-bit tail             turboquant.h
    tq_attention  attention on the decoded cache, in float64   turboquant.h

Every step that the format calls f32 is a NumPy float32 operation (one rounding each, nothing fused), so the bytes are
exact by construction. Nothing here is fast, and nothing here checks its arguments.
"""

from tq_attention import Attend, attend
from tq_cache import Sequence
from tq_codec import Codec
from tq_floats import round_to
from tq_page import Layer, decode_page, encode_page
from tq_rotation import DEFAULT_SEED, rotate, unrotate

__all__ = [
    "DEFAULT_SEED",
    "Attend",
    "Codec",
    "Layer",
    "Sequence",
    "attend",
    "decode_page",
    "encode_page",
    "rotate",
    "round_to",
    "unrotate",
]
