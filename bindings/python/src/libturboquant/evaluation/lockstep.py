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
from .caches import Cost, attention_on, cost, make_cache
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


@dataclass(frozen=True)
class Pass:
    """One forward pass: its tokens, those that follow each (-1: end of the window), and its number."""

    first: bool
    chunk: NDArray[np.int64]
    following: NDArray[np.int64]
    segment: int


def passes(windows: list[NDArray[np.int64]]) -> list[Pass]:
    """All forward passes, in order."""
    result: list[Pass] = []
    for window in windows:
        following = np.append(window[1:], -1)
        for start in range(0, len(window), CHUNK):
            chunk = slice(start, start + CHUNK)
            result.append(Pass(start == 0, window[chunk], following[chunk], len(result)))
    return result


@dataclass
class Reader:
    """Reads with one setting, pass by pass."""

    subject: Subject
    setting: Setting
    parts: list[metrics.Positions] = field(default_factory=list)
    bytes_at: list[tuple[int, float]] = field(default_factory=list)
    seconds: float = 0.0
    tokens: int = 0
    cache: Any = None

    def logits(self, each: Pass) -> NDArray[np.float32]:
        """Of every token of the pass."""
        if each.first:
            self.cache, self.bytes_at = make_cache(self.subject, self.setting), []
        start = time.perf_counter()
        with attention_on(self.subject, self.setting.attention == "codes"):
            logits = self.subject.logits(each.chunk, self.cache)
        if not each.first:  # the first pays for fresh memory
            self.seconds += time.perf_counter() - start
            self.tokens += len(each.chunk)
        state = cost(self.setting, self.cache)
        self.bytes_at.append((state.tokens, state.bytes))
        return logits

    def compare(self, each: Pass, exact: metrics.F64) -> None:
        """Read the pass and compare with the log-probabilities of 16 bit."""
        coded = metrics.log_softmax(self.logits(each))
        self.parts.append(metrics.compare_pass(exact, coded, each.following, each.segment))

    def positions(self) -> metrics.Positions:
        """Of everything that was compared."""
        return metrics.join(self.parts)

    def result(self) -> Reading:
        """All of it."""
        per_token = self.seconds / self.tokens if self.tokens else float("nan")
        return Reading(self.setting, self.positions(), cost(self.setting, self.cache), self.bytes_at, per_token)


def read_windows(
    subject: Subject, windows: list[NDArray[np.int64]], settings: list[Setting], title: str = "reading"
) -> dict[str, Reading]:
    """Read every window with every setting.

    Parameters
    ----------
    settings : list
        One of them of kind "16bit", with which the others are compared.
    """
    readers = [Reader(subject, setting) for setting in settings]
    reference = next(reader for reader in readers if reader.setting.kind == "16bit")
    every = passes(windows)
    with progress(title, len(every) * len(readers)) as advance:
        for each in every:
            exact = metrics.log_softmax(reference.logits(each))
            reference.parts.append(metrics.compare_pass(exact, exact, each.following, each.segment))
            advance()
            for reader in readers:
                if reader is not reference:
                    reader.compare(each, exact)
                    advance()
    return {reader.setting.name: reader.result() for reader in readers}
