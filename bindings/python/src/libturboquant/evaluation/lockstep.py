"""Reads a text with several caches side by side and compares every next-token distribution with that of 16 bit.

All caches see the same passes of 64 tokens, so that nothing but the caches differs. In a pass a query sees its own
tokens and whatever the cache keeps exact in 16 bit, the rest as codes: as in use.
"""

from __future__ import annotations

import time
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

from . import metrics
from .caches import Cost, cost, make_cache
from .model import Subject
from .progress import progress
from .settings import Setting

CHUNK = 64
"""Tokens per forward pass."""


@dataclass
class Reading:
    """What one setting did to the text.

    Attributes
    ----------
    positions : Positions
        Of all windows.
    cost : Cost
        At the end of the last window.
    bytes_at : list of (tokens, bytes)
        While the last window was read.
    seconds_per_token : float
        Of the forward passes, everything included; the first of each window is not counted.
    """

    setting: Setting
    positions: metrics.Positions
    cost: Cost
    bytes_at: list[tuple[int, float]] = field(default_factory=list)
    seconds_per_token: float = 0.0


@dataclass
class _Reader:
    setting: Setting
    parts: list[metrics.Positions] = field(default_factory=list)
    bytes_at: list[tuple[int, float]] = field(default_factory=list)
    seconds: float = 0.0
    tokens: int = 0
    cache: Any = None

    def start(self, subject: Subject) -> None:
        self.cache = make_cache(subject, self.setting)
        self.bytes_at = []

    def read(self, subject: Subject, chunk: NDArray[np.int64], first: bool) -> metrics.F64:
        start = time.perf_counter()
        logits = subject.logits(chunk, self.cache)
        if not first:
            self.seconds += time.perf_counter() - start
            self.tokens += len(chunk)
        state = cost(self.setting, self.cache)
        self.bytes_at.append((state.tokens, state.bytes))
        return metrics.log_softmax(logits)

    def result(self) -> Reading:
        per_token = self.seconds / self.tokens if self.tokens else float("nan")
        return Reading(self.setting, metrics.join(self.parts), cost(self.setting, self.cache), self.bytes_at, per_token)


def read_windows(
    subject: Subject, windows: list[NDArray[np.int64]], settings: list[Setting], title: str = "reading"
) -> dict[str, Reading]:
    """Read every window with every setting.

    Parameters
    ----------
    settings : list
        The first one of kind "16bit" is what the others are compared with; without one, a 16-bit cache is added for
        the comparison but not reported.
    """
    readers = [_Reader(setting) for setting in settings]
    reference = next((reader for reader in readers if reader.setting.kind == "16bit"), _Reader(Setting("16bit", "16bit")))
    others = [reader for reader in readers if reader is not reference]
    passes = sum(-(-len(window) // CHUNK) for window in windows)
    segment = 0
    with progress(title, passes * len(readers)) as advance:
        for window in windows:
            for reader in (reference, *others):
                reader.start(subject)
            for start in range(0, len(window), CHUNK):
                chunk = window[start : start + CHUNK]
                following = np.append(window[start + 1 : start + CHUNK + 1], [-1])[: len(chunk)]
                exact = reference.read(subject, chunk, start == 0)
                reference.parts.append(metrics.compare_pass(exact, exact, following, segment))
                for reader in others:
                    coded = reader.read(subject, chunk, start == 0)
                    reader.parts.append(metrics.compare_pass(exact, coded, following, segment))
                    advance()
                segment += 1
                advance()
    return {reader.setting.name: reader.result() for reader in readers}
