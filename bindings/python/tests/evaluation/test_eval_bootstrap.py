"""The intervals hold the true mean as often as they promise, also where neighbours depend on each other."""

from __future__ import annotations

import numpy as np

from libturboquant.evaluation.bootstrap import paired_interval


def coverage(segments: int, dependent: bool, *, by_position: bool = False) -> float:
    """Share of 300 experiments whose interval holds the true mean, 1."""
    draw = np.random.default_rng(3)
    labels = np.repeat(np.arange(segments), 16)
    held = 0
    for trial in range(300):
        noise = draw.standard_normal(segments * 16)
        if dependent:
            noise = 0.3 * noise + np.repeat(draw.standard_normal(segments), 16)
        found = paired_interval(1 + noise, np.arange(len(labels)) if by_position else labels, resamples=400, seed=trial)
        held += found.low <= 1 <= found.high
    return held / 300


def test_coverage() -> None:
    # 95 % of 300 is 285 +- 4; few segments are a little harder.
    assert 0.91 <= coverage(64, False) <= 0.985
    assert 0.91 <= coverage(64, True) <= 0.985
    assert 0.88 <= coverage(12, True) <= 0.985


def test_positions_alone_would_be_too_sure() -> None:
    assert coverage(64, True, by_position=True) < 0.6


def test_one_segment_says_nothing() -> None:
    found = paired_interval(np.array([0.9, 1.1]), np.array([4, 4]))
    assert found.mean == 1
    assert not found.decided
    assert found.high == np.inf


def test_what_is_not_a_number_is_left_out() -> None:
    found = paired_interval(np.array([2.0, np.nan, 2.0, np.nan]), np.array([0, 0, 1, 2]))
    assert (found.mean, found.low, found.high) == (2, 2, 2)
    assert found.decided
    assert found.half_width == 0
