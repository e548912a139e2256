"""Options of a layer: tq_layer_options as a dataclass."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal, TypedDict

Format = Literal["tq4", "tq8", "f16", "bf16"]
"""How keys or values are stored: rotated 4-bit codes, rotated 8-bit codes, exact 16 bit."""

ExactDtype = Literal["auto", "float16", "bfloat16"]
"""16-bit type of tokens that are not coded."""


@dataclass(frozen=True)
class LayerOptions:
    """One layer of the model. Every layer may differ. The native library checks the values, in `Cache`.

    Parameters
    ----------
    kv_heads : int
        1 to 65536.
    key_dim : int
        Numbers per key, 1 to 1024.
    value_dim : int
        Numbers per value; 0: `key_dim`.
    key_format, value_format : {"tq4", "tq8", "f16", "bf16"}
    key_group_size, value_group_size : {64, 32}
        Values per scale.
    key_rotation_block, value_rotation_block : int
        A power of two that divides the head size; 1: signs only; 0: the largest.
    center_keys : bool
        Code keys relative to the mean key of their block of 64 tokens. Attention is exact either way.
    scale_search : bool
        Best of seven scales by squared error, or the scale from the norm alone.
    sink_tokens : int
        First tokens of a sequence, kept in 16 bit; 0 to 64.
    recent_blocks : int
        Complete blocks of 64 tokens kept in 16 bit before they are coded; 0 to 1024.
    exact_dtype : {"auto", "float16", "bfloat16"}
        Type of the tokens kept in 16 bit; "auto": that of a sequence's first append (float16 for float32).
    window : int
        Sliding window: a query at position p sees keys ``p - window + 1 .. p``; 0: all.
    seed : int
        Of the random signs.
    """

    kv_heads: int
    key_dim: int
    value_dim: int = 0
    key_format: Format = "tq4"
    value_format: Format = "tq4"
    key_group_size: int = 64
    value_group_size: int = 64
    key_rotation_block: int = 0
    value_rotation_block: int = 0
    center_keys: bool = True
    scale_search: bool = True
    sink_tokens: int = 4
    recent_blocks: int = 0
    exact_dtype: ExactDtype = "auto"
    window: int = 0
    seed: int = 0x7475726271756E74


class LayerFields(TypedDict, total=False):
    """The same fields as keyword arguments of `Cache`."""

    kv_heads: int
    key_dim: int
    value_dim: int
    key_format: Format
    value_format: Format
    key_group_size: int
    value_group_size: int
    key_rotation_block: int
    value_rotation_block: int
    center_keys: bool
    scale_search: bool
    sink_tokens: int
    recent_blocks: int
    exact_dtype: ExactDtype
    window: int
    seed: int
