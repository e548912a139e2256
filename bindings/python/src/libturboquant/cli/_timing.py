"""Times of a call that is made again and again."""

from __future__ import annotations

import statistics
import time
from collections.abc import Callable
from dataclasses import dataclass


@dataclass(frozen=True)
class Times:
    """Seconds of one call."""

    best: float
    median: float


def time_calls(call: Callable[[], object], repeat: int) -> Times:
    """Time `repeat` calls after one that is not counted."""
    call()
    seconds = []
    for _ in range(repeat):
        start = time.perf_counter()
        call()
        seconds.append(time.perf_counter() - start)
    return Times(min(seconds), statistics.median(seconds))


def milliseconds(seconds: float) -> str:
    """Such as "1.234 ms"."""
    return f"{seconds * 1e3:.3f} ms"
