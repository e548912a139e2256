"""Bits per value of a setting, as the library counts them."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterable
from functools import cache

import numpy as np

import libturboquant as tq

BLOCK = 64


@cache
def coded_bits(layer: tq.LayerOptions) -> float:
    """Of a complete block: codes, scales, means, padding. Counted by the library in a cache that holds one."""
    layer = dataclasses.replace(layer, recent_blocks=0, sink_tokens=0, window=0)
    keys = np.zeros((BLOCK, layer.kv_heads, layer.key_dim), np.float16)
    values = np.zeros((BLOCK, layer.kv_heads, layer.value_dim or layer.key_dim), np.float16)
    with tq.Cache(layer) as block, block.sequence() as sequence:
        sequence.append(0, keys, values)
        return 8 * block.stats().coded_bytes / (keys.size + values.size)


def bits_per_value(layers: Iterable[tq.LayerOptions]) -> float:
    """Of all that is coded, which is what long contexts approach. Tokens kept in 16 bit come on top."""
    bits = values = 0.0
    for layer in layers:
        size = layer.kv_heads * (layer.key_dim + (layer.value_dim or layer.key_dim))
        bits += size * coded_bits(layer)
        values += size
    return bits / values
