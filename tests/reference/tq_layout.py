"""Where codes lie in memory (docs/format.md, section 5). Every pack_x has an unpack_x that takes it back."""

from __future__ import annotations

import numpy as np

from tq_floats import U8
from tq_groups import ZERO_CODE

BLOCK = 64  # tokens
PAGE_ALIGNMENT = 64  # bytes


def round_up(x: int, multiple: int) -> int:
    return -(-x // multiple) * multiple


def pad_columns(codes: U8, columns: int, kind: str) -> U8:
    """Coordinates beyond d hold zero codes."""
    missing = columns - codes.shape[1]
    return np.pad(codes, ((0, 0), (0, missing)), constant_values=ZERO_CODE[kind])


def pack_keys(codes: U8, kind: str) -> bytes:
    """[c][token][4 bytes]. With a single token this is the order of a vector record, too."""
    tokens, d = codes.shape
    if kind == "tq8":
        quads = pad_columns(codes, round_up(d, 4), kind).reshape(tokens, -1, 4)
    else:
        halves = pad_columns(codes, round_up(d, 8), kind).reshape(tokens, -1, 2, 4)
        quads = halves[:, :, 0, :] | (halves[:, :, 1, :] << np.uint8(4))
    return quads.transpose(1, 0, 2).tobytes()


def key_bytes(d: int, kind: str) -> int:
    """Per token."""
    return round_up(d, 4) if kind == "tq8" else round_up(d, 8) // 2


def unpack_keys(data: bytes, tokens: int, d: int, kind: str) -> U8:
    quads = np.frombuffer(data, dtype=np.uint8).reshape(-1, tokens, 4).transpose(1, 0, 2)
    if kind == "tq8":
        return quads.reshape(tokens, -1)[:, :d].copy()
    return np.stack([quads & 15, quads >> 4], axis=2).reshape(tokens, -1)[:, :d].copy()


def value_chunks(d: int, kind: str) -> list[tuple[int, int]]:
    """(first coordinate, lanes L) of every chunk of values."""
    width = 16 if kind == "tq8" else 32
    chunks = []
    for first in range(0, d, width):
        u = min(width, d - first)
        chunks.append((first, round_up(u if kind == "tq8" else -(-u // 2), 4)))
    return chunks


def pack_values(codes: U8, kind: str) -> bytes:
    """64 tokens; chunk after chunk of [token quad][lane][4 tokens]."""
    padded = pad_columns(codes, round_up(codes.shape[1], 32), kind)
    out = b""
    for first, lanes in value_chunks(codes.shape[1], kind):
        byte = padded[:, first : first + lanes]
        if kind == "tq4":
            byte = byte | (padded[:, first + lanes : first + 2 * lanes] << np.uint8(4))
        out += byte.reshape(BLOCK // 4, 4, lanes).transpose(0, 2, 1).tobytes()
    return out


def value_bytes(d: int, kind: str) -> int:
    """Of 64 tokens."""
    return sum(BLOCK * lanes for _, lanes in value_chunks(d, kind))


def unpack_values(data: bytes, d: int, kind: str) -> U8:
    codes = np.zeros((BLOCK, round_up(d, 32)), dtype=np.uint8)
    position = 0
    for first, lanes in value_chunks(d, kind):
        chunk = np.frombuffer(data, dtype=np.uint8, count=BLOCK * lanes, offset=position)
        position += BLOCK * lanes
        byte = chunk.reshape(BLOCK // 4, lanes, 4).transpose(0, 2, 1).reshape(BLOCK, lanes)
        if kind == "tq8":
            codes[:, first : first + lanes] = byte
        else:
            codes[:, first : first + lanes] = byte & 15
            codes[:, first + lanes : first + 2 * lanes] = byte >> 4
    return codes[:, :d].copy()
