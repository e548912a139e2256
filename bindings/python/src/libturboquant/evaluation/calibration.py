"""A piece of text that many settings are measured on, one after the other, against one reading with 16 bit."""

from __future__ import annotations

import time

import numpy as np
from numpy.typing import NDArray

from . import metrics
from .bootstrap import Interval, paired_interval
from .lockstep import Reader, passes
from .model import Subject
from .settings import Setting

MOST_BYTES = 2 << 30
"""Of kept logits; beyond it every measurement reads with 16 bit again."""


class OutOfTimeError(Exception):
    """No time for another measurement."""


class Calibration:
    """Measures settings by KL divergence; each one once.

    Parameters
    ----------
    seconds : float, optional
        After which `measure` raises OutOfTimeError instead of starting another measurement.
    """

    def __init__(self, subject: Subject, windows: list[NDArray[np.int64]], seconds: float = float("inf")) -> None:
        self.subject = subject
        self.passes = passes(windows)
        self.deadline = time.monotonic() + seconds
        self._measured: dict[str, metrics.Positions] = {}
        vocabulary = int(subject.config.vocab_size)
        self._kept: list[NDArray[np.float32]] | None = None
        if sum(len(window) for window in windows) * vocabulary * 4 <= MOST_BYTES:
            reference = self._reference()
            self._kept = [reference.logits(each) for each in self.passes]

    def measure(self, setting: Setting) -> metrics.Positions:
        """Of all windows."""
        key = repr((setting.kind, sorted(setting.fields.items()), sorted(setting.layers.items())))
        if key not in self._measured:
            if time.monotonic() > self.deadline:
                raise OutOfTimeError
            self._measured[key] = self._read(setting)
        return self._measured[key]

    def difference(self, setting: Setting, other: Setting) -> Interval:
        """Mean KL of the first minus that of the second, in nats."""
        a, b = self.measure(setting), self.measure(other)
        return paired_interval(a.kl - b.kl, a.segment)

    def _read(self, setting: Setting) -> metrics.Positions:
        reader = Reader(self.subject, setting)
        reference = self._reference()
        for index, each in enumerate(self.passes):
            logits = reference.logits(each) if self._kept is None else self._kept[index]
            reader.compare(each, metrics.log_softmax(logits))
        return reader.positions()

    def _reference(self) -> Reader:
        return Reader(self.subject, Setting("16bit", "16bit"))
