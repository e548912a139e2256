"""One layer of one sequence: sinks, coded blocks and the 16-bit tail, as turboquant.h describes them.

A window only limits what attention sees; the reference never releases tokens.
"""

from __future__ import annotations

import numpy as np

from tq_floats import F32, f32, round_to
from tq_layout import BLOCK
from tq_page import Layer, decode_page, encode_page


class Sequence:
    def __init__(self, layer: Layer) -> None:
        self.layer = layer
        self.dtype = layer.exact_dtype  # "auto" until the first append
        self.pages: list[bytes] = []
        # Exact tokens as f32 that a 16-bit number holds: [token, kv head, dim].
        self.sink_keys = np.zeros((0, layer.kv_heads, layer.key_dim), dtype=np.float32)
        self.sink_values = np.zeros((0, layer.kv_heads, layer.d_v), dtype=np.float32)
        self.tail_keys, self.tail_values = self.sink_keys, self.sink_values

    @property
    def length(self) -> int:
        return len(self.sink_keys) + BLOCK * len(self.pages) + len(self.tail_keys)

    def append(self, keys: F32, values: F32, dtype: str) -> None:
        """keys [count, kv_heads, key_dim], values [count, kv_heads, value_dim], of the type `dtype`."""
        if len(keys) == 0:
            return
        if self.length == 0:
            self.dtype = self.layer.exact_dtype
        if self.dtype == "auto":
            self.dtype = "f16" if dtype == "f32" else dtype
        keys, values = round_to(f32(keys), self.dtype), round_to(f32(values), self.dtype)
        to_sinks = min(len(keys), self.layer.sink_tokens - len(self.sink_keys))
        self.sink_keys = np.concatenate([self.sink_keys, keys[:to_sinks]])
        self.sink_values = np.concatenate([self.sink_values, values[:to_sinks]])
        self.tail_keys = np.concatenate([self.tail_keys, keys[to_sinks:]])
        self.tail_values = np.concatenate([self.tail_values, values[to_sinks:]])
        while len(self.tail_keys) // BLOCK > self.layer.recent_blocks:
            self.pages.append(encode_page(self.tail_keys[:BLOCK], self.tail_values[:BLOCK], self.layer))
            self.tail_keys, self.tail_values = self.tail_keys[BLOCK:], self.tail_values[BLOCK:]

    def truncate(self, length: int) -> None:
        """Keeps the first `length` tokens; the rest of a coded block that is cut goes back into the tail."""
        if length >= self.length:
            return
        self.sink_keys, self.sink_values = self.sink_keys[:length], self.sink_values[:length]
        after_sinks = length - len(self.sink_keys)
        whole, rest = divmod(after_sinks, BLOCK)
        if whole >= len(self.pages):
            in_tail = after_sinks - BLOCK * len(self.pages)
            self.tail_keys, self.tail_values = self.tail_keys[:in_tail], self.tail_values[:in_tail]
            return
        keys, values = decode_page(self.pages[whole], self.layer)
        self.pages = self.pages[:whole]
        self.tail_keys, self.tail_values = round_to(keys[:rest], self.dtype), round_to(values[:rest], self.dtype)

    def read(self) -> tuple[F32, F32]:
        """Everything as attention sees it: (keys [length, kv_heads, key_dim], values [length, kv_heads, value_dim])."""
        decoded = [decode_page(page, self.layer) for page in self.pages]
        keys = np.concatenate([self.sink_keys, *(k for k, _ in decoded), self.tail_keys])
        values = np.concatenate([self.sink_values, *(v for _, v in decoded), self.tail_values])
        return keys, values
