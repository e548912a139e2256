"""Standalone vectors: records and blocks (docs/format.md, sections 6 and 7)."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from tq_floats import F32, f32, from_bits16, to_bits16
from tq_groups import ZERO_CODE, code_rows, decode_rows, group_bounds
from tq_layout import BLOCK, key_bytes, pack_keys, unpack_keys
from tq_rotation import DEFAULT_SEED, default_rotation_block, rotate, unrotate


@dataclass(frozen=True)
class Codec:
    """The fields of tq_codec_options; layout is "vectors" or "blocks", format "tq4", "tq8", "f16" or "bf16"."""

    head_dim: int
    format: str = "tq4"
    group_size: int = 64
    rotation_block: int = 0
    scale_search: bool = True
    layout: str = "vectors"
    seed: int = DEFAULT_SEED

    @property
    def is_coded(self) -> bool:
        return self.format in ZERO_CODE

    @property
    def n(self) -> int:
        return self.rotation_block or default_rotation_block(self.head_dim)

    @property
    def groups(self) -> int:
        return len(group_bounds(self.head_dim, self.group_size))

    def encode(self, vectors: F32) -> bytes:
        vectors = f32(vectors)
        if self.layout == "vectors":
            return b"".join(self._encode_record(vectors[i : i + 1]) for i in range(len(vectors)))
        return b"".join(self._encode_block(vectors[i : i + BLOCK]) for i in range(0, len(vectors), BLOCK))

    def decode(self, data: bytes, count: int) -> F32:
        if not self.is_coded:
            return from_bits16(np.frombuffer(data, dtype="<u2"), self.format).reshape(-1, self.head_dim)[:count]
        whole = self.record_bytes if self.layout == "vectors" else self.block_bytes
        decode_one = self._decode_record if self.layout == "vectors" else self._decode_block
        parts = [decode_one(data[i : i + whole]) for i in range(0, len(data), whole)]
        return np.concatenate(parts)[:count] if parts else np.zeros((0, self.head_dim), dtype=np.float32)

    @property
    def record_bytes(self) -> int:
        return key_bytes(self.head_dim, self.format) + self.groups + 1

    @property
    def block_bytes(self) -> int:
        return BLOCK * (1 + self.groups + key_bytes(self.head_dim, self.format))

    def _encode_record(self, row: F32) -> bytes:
        if not self.is_coded:
            return to_bits16(row, self.format).astype("<u2").tobytes()
        r = rotate(row, self.seed, self.n)
        codes, scales, offset = code_rows(r, self.format, self.group_size, self.scale_search)
        return pack_keys(codes, self.format) + scales.tobytes() + offset.to_bytes(1, "little", signed=True)

    def _decode_record(self, data: bytes) -> F32:
        codes_end = key_bytes(self.head_dim, self.format)
        codes = unpack_keys(data[:codes_end], 1, self.head_dim, self.format)
        scales = np.frombuffer(data[codes_end:-1], dtype=np.uint8).reshape(self.groups, 1)
        return self._decode_rows(codes, scales, int.from_bytes(data[-1:], "little", signed=True))

    def _encode_block(self, rows: F32) -> bytes:
        # Zero rows in place of missing vectors give what the format asks for: scale byte 0, zero codes, zero rows.
        full = np.zeros((BLOCK, self.head_dim), dtype=np.float32)
        full[: len(rows)] = rows
        if not self.is_coded:
            return to_bits16(full, self.format).astype("<u2").tobytes()
        r = rotate(full, self.seed, self.n)
        codes, scales, offset = code_rows(r, self.format, self.group_size, self.scale_search)
        header = offset.to_bytes(1, "little", signed=True) + bytes(63)
        return header + scales.tobytes() + pack_keys(codes, self.format)

    def _decode_block(self, data: bytes) -> F32:
        scales_end = 64 + BLOCK * self.groups
        scales = np.frombuffer(data[64:scales_end], dtype=np.uint8).reshape(self.groups, BLOCK)
        codes = unpack_keys(data[scales_end:], BLOCK, self.head_dim, self.format)
        return self._decode_rows(codes, scales, int.from_bytes(data[:1], "little", signed=True))

    def _decode_rows(self, codes: np.ndarray, scales: np.ndarray, offset: int) -> F32:
        r = decode_rows(codes, scales, offset, self.format, self.group_size)
        return unrotate(r, self.seed, self.n)
