"""A codec that is wrong on purpose: libturboquant's own codes, with the nibbles of bytes exchanged before decoding."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import numpy as np
from numpy.typing import NDArray

import libturboquant as tq
from libturboquant.evaluation.caches import EmulatedLayer, emulated_cache
from libturboquant.evaluation.model import Subject
from libturboquant.evaluation.settings import Setting


def round_trip(rows: NDArray[np.float32], swapped_bytes: int) -> NDArray[np.float32]:
    """rows [n, dim] through tq4, the first `swapped_bytes` bytes of every record with their nibbles exchanged."""
    codec = tq.Codec(rows.shape[1], layout="vectors")
    codes = codec.encode(np.ascontiguousarray(rows))
    count = min(swapped_bytes, rows.shape[1] // 2)  # codes come first, two to a byte
    codes[:, :count] = (codes[:, :count] << 4) | (codes[:, :count] >> 4)
    return codec.decode(codes)


def broken_cache(subject: Subject, swapped_bytes: int) -> Any:
    """A cache with that codec, otherwise like the default; the statistics are those of the default's bytes."""
    cache = emulated_cache(subject.config, lambda: EmulatedLayer(lambda rows: round_trip(rows, swapped_bytes), sinks=4))
    cache.stats = lambda: SimpleNamespace(bytes=1.0, coded_bytes=1.0, coded_bytes_16bit=4.0)
    return cache


def install(monkeypatch: Any, swapped_bytes: int) -> None:
    """Every libturboquant setting gets the broken cache; 0 bytes: the same machinery with right codes."""

    def make(subject: Subject, setting: Setting) -> Any:
        return broken_cache(subject, swapped_bytes)

    monkeypatch.setattr("libturboquant.evaluation.caches.turboquant_cache", make)
