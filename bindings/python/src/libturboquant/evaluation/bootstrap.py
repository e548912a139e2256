"""Confidence intervals of paired differences.

Neighbouring positions of a text depend on each other, so whole segments (forward passes of 64 tokens) are drawn again,
with replacement, instead of single positions. Resampling positions would give intervals that are too short.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

RESAMPLES = 2000
LEVEL = 0.95


@dataclass(frozen=True)
class Interval:
    """A mean and the interval that holds the true one with the probability `level`.

    `half_width` is half the interval's length: mean ± half_width.
    """

    mean: float
    low: float
    high: float
    level: float = LEVEL

    @property
    def half_width(self) -> float:
        return (self.high - self.low) / 2

    @property
    def decided(self) -> bool:
        """Whether the interval excludes zero."""
        return self.low > 0 or self.high < 0


def paired_interval(
    differences: NDArray[np.floating],
    segments: NDArray[np.integer],
    *,
    level: float = LEVEL,
    resamples: int = RESAMPLES,
    seed: int = 1,
) -> Interval:
    """Bootstrap interval of the mean of `differences` [n], resampling `segments` [n] as wholes.

    NaN entries are left out. The quantiles are widened by sqrt(m / (m - 1)) for m segments: with few of them the plain
    bootstrap is too sure of itself. One segment alone says nothing about the spread: the interval is infinite.
    """
    values = np.asarray(differences, np.float64)
    use = ~np.isnan(values)
    values, labels = values[use], np.unique(np.asarray(segments)[use], return_inverse=True)[1]
    sums, counts = np.bincount(labels, values), np.bincount(labels)
    mean = float(values.mean())
    m = len(counts)
    if m < 2:
        return Interval(mean, -np.inf, np.inf, level)
    draws = np.random.default_rng(seed).multinomial(m, np.full(m, 1 / m), size=resamples)
    means = (draws @ sums) / (draws @ counts)
    low, high = np.quantile(means, [(1 - level) / 2, (1 + level) / 2])
    widen = np.sqrt(m / (m - 1))
    return Interval(mean, mean + float(low - mean) * widen, mean + float(high - mean) * widen, level)
