"""A page: 64 tokens of one layer, keys and values of all kv heads (docs/format.md, sections 4, 5 and 7)."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from tq_floats import F32, U8, f32, from_bits16, to_bits16
from tq_groups import ZERO_BELOW, ZERO_CODE, code_rows, decode_rows, group_bounds
from tq_layout import BLOCK, key_bytes, pack_keys, pack_values, round_up, unpack_keys, unpack_values, value_bytes
from tq_rotation import DEFAULT_SEED, default_rotation_block, rotate, unrotate


@dataclass(frozen=True)
class Layer:
    """The fields of tq_layer_options. exact_dtype is "auto", "f16" or "bf16"."""

    kv_heads: int
    key_dim: int
    value_dim: int = 0
    key_format: str = "tq4"
    value_format: str = "tq4"
    key_group_size: int = 64
    value_group_size: int = 64
    key_rotation_block: int = 0
    value_rotation_block: int = 0
    center_keys: bool = True
    scale_search: bool = True
    sink_tokens: int = 4
    recent_blocks: int = 0
    exact_dtype: str = "auto"
    window: int = 0
    seed: int = DEFAULT_SEED

    @property
    def d_v(self) -> int:
        return self.value_dim or self.key_dim

    @property
    def n_k(self) -> int:
        return self.key_rotation_block or default_rotation_block(self.key_dim)

    @property
    def n_v(self) -> int:
        return self.value_rotation_block or default_rotation_block(self.d_v)

    @property
    def is_centred(self) -> bool:
        return self.center_keys and self.key_format in ZERO_CODE

    @property
    def header_bytes(self) -> int:
        is_coded = self.key_format in ZERO_CODE or self.value_format in ZERO_CODE
        return round_up(8 * self.kv_heads, 64) if is_coded else 0

    def head_parts(self) -> list[int]:
        """Bytes of key scales, value scales, mean codes, keys, values of one head."""
        sizes = [0, 0, 0, 2 * BLOCK * self.key_dim, 2 * BLOCK * self.d_v]
        if self.key_format in ZERO_CODE:
            sizes[0] = BLOCK * len(group_bounds(self.key_dim, self.key_group_size))
            sizes[2] = round_up(self.key_dim, 64) if self.is_centred else 0
            sizes[3] = BLOCK * key_bytes(self.key_dim, self.key_format)
        if self.value_format in ZERO_CODE:
            sizes[1] = BLOCK * len(group_bounds(self.d_v, self.value_group_size))
            sizes[4] = value_bytes(self.d_v, self.value_format)
        return sizes

    @property
    def page_bytes(self) -> int:
        return self.header_bytes + self.kv_heads * sum(self.head_parts())


def mean_of_keys(keys: F32, seed: int, n: int) -> tuple[np.ndarray, np.float32]:
    """Section 4, steps 1 and 2: (mean codes [d], mean_scale)."""
    total = keys[0].copy()
    for key in keys[1:]:  # the order of additions is part of the format
        total = total + key
    y = rotate(total * np.float32(1 / 64), seed, n)
    a = np.abs(y).max()
    if a < ZERO_BELOW:
        return np.zeros(len(y), dtype=np.int8), np.float32(0)
    codes = np.rint(y * (np.float32(127) / a)).clip(-127, 127)
    return codes.astype(np.int8), a / np.float32(127)


def encode_head(keys: F32, values: F32, layer: Layer) -> tuple[bytes, bytes]:
    """(header of 8 bytes, head block) of one kv head; keys [64, d_k], values [64, d_v]."""
    key_offset = value_offset = 0
    mean_scale = np.float32(0)
    key_scales = value_scales = mean_bytes = b""

    if layer.key_format in ZERO_CODE:
        r = rotate(keys, layer.seed, layer.n_k)
        if layer.is_centred:
            mean_codes, mean_scale = mean_of_keys(keys, layer.seed, layer.n_k)
            r = r - f32(mean_codes) * mean_scale
            mean_bytes = mean_codes.tobytes().ljust(round_up(layer.key_dim, 64), b"\0")
        codes, scales, key_offset = code_rows(r, layer.key_format, layer.key_group_size, layer.scale_search)
        key_scales, key_part = scales.tobytes(), pack_keys(codes, layer.key_format)
    else:
        key_part = to_bits16(keys, layer.key_format).astype("<u2").tobytes()

    if layer.value_format in ZERO_CODE:
        r = rotate(values, layer.seed, layer.n_v)
        codes, scales, value_offset = code_rows(r, layer.value_format, layer.value_group_size, layer.scale_search)
        value_scales, value_part = scales.tobytes(), pack_values(codes, layer.value_format)
    else:
        value_part = to_bits16(values, layer.value_format).astype("<u2").tobytes()

    header = np.array([key_offset, value_offset, 0, 0], dtype=np.int8).tobytes()
    header += np.array([mean_scale], dtype="<f4").tobytes()
    return header, key_scales + value_scales + mean_bytes + key_part + value_part


def encode_page(keys: F32, values: F32, layer: Layer) -> bytes:
    """keys [64, kv_heads, d_k] and values [64, kv_heads, d_v], already rounded to the layer's 16-bit type."""
    heads = [encode_head(f32(keys[:, h]), f32(values[:, h]), layer) for h in range(layer.kv_heads)]
    headers = b"".join(header for header, _ in heads).ljust(layer.header_bytes, b"\0")
    return headers[: layer.header_bytes] + b"".join(block for _, block in heads)


def decode_head(header: bytes, block: bytes, layer: Layer) -> tuple[F32, F32]:
    parts, position = [], 0
    for size in layer.head_parts():
        parts.append(block[position : position + size])
        position += size
    key_scales, value_scales, mean_bytes, key_part, value_part = parts
    key_offset, value_offset = np.frombuffer(header[:2], dtype=np.int8).tolist() if header else (0, 0)

    def scales_of(data: bytes) -> U8:
        return np.frombuffer(data, dtype=np.uint8).reshape(-1, BLOCK)

    if layer.key_format in ZERO_CODE:
        codes = unpack_keys(key_part, BLOCK, layer.key_dim, layer.key_format)
        r = decode_rows(codes, scales_of(key_scales), key_offset, layer.key_format, layer.key_group_size)
        keys = unrotate(r, layer.seed, layer.n_k)
        if layer.is_centred:
            mean_scale = np.frombuffer(header[4:8], dtype="<f4")[0]
            mean = f32(np.frombuffer(mean_bytes, dtype=np.int8)[: layer.key_dim]) * mean_scale
            keys = keys + unrotate(mean, layer.seed, layer.n_k)
    else:
        keys = from_bits16(np.frombuffer(key_part, dtype="<u2"), layer.key_format).reshape(BLOCK, -1)

    if layer.value_format in ZERO_CODE:
        codes = unpack_values(value_part, layer.d_v, layer.value_format)
        r = decode_rows(codes, scales_of(value_scales), value_offset, layer.value_format, layer.value_group_size)
        values = unrotate(r, layer.seed, layer.n_v)
    else:
        values = from_bits16(np.frombuffer(value_part, dtype="<u2"), layer.value_format).reshape(BLOCK, -1)
    return keys, values


def decode_page(page: bytes, layer: Layer) -> tuple[F32, F32]:
    """(keys [64, kv_heads, d_k], values [64, kv_heads, d_v])."""
    block_bytes = sum(layer.head_parts())
    heads = []
    for h in range(layer.kv_heads):
        first = layer.header_bytes + h * block_bytes
        header = page[8 * h : 8 * h + 8] if layer.header_bytes else b""
        heads.append(decode_head(header, page[first : first + block_bytes], layer))
    return np.stack([k for k, _ in heads], axis=1), np.stack([v for _, v in heads], axis=1)
