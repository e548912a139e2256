"""Metrics against their definitions in slow Python, and on distributions whose divergence is known."""

from __future__ import annotations

import math

import numpy as np
import pytest

from libturboquant.evaluation import metrics


def slow_log_softmax(logits: list[float]) -> list[float]:
    most = max(logits)
    total = math.fsum(math.exp(x - most) for x in logits)
    return [x - most - math.log(total) for x in logits]


def slow_kl(exact: list[float], coded: list[float]) -> float:
    p, q = slow_log_softmax(exact), slow_log_softmax(coded)
    return math.fsum(math.exp(a) * (a - b) for a, b in zip(p, q, strict=True))


@pytest.mark.parametrize("spread", [0.1, 5.0, 50.0])
def test_against_the_definition(spread: float) -> None:
    draw = np.random.default_rng(1)
    exact = (spread * draw.standard_normal((5, 300))).astype(np.float32)
    coded = (exact + 0.01 * draw.standard_normal((5, 300))).astype(np.float32)
    logs = metrics.log_softmax(exact), metrics.log_softmax(coded)
    for row in range(5):
        assert logs[0][row] == pytest.approx(slow_log_softmax(exact[row].tolist()), abs=1e-12)
        wanted = slow_kl(exact[row].tolist(), coded[row].tolist())
        assert metrics.kl_divergence(*logs)[row] == pytest.approx(wanted, rel=1e-6, abs=1e-14)


@pytest.mark.parametrize("seed", range(6))
def test_a_divergence_far_below_rounding_errors(seed: int) -> None:
    """For logits x and x + e, KL is e' (diag p - p p') e / 2 + O(e^3): about 3e-16 here.

    The plain sum of p (log p - log q) is off by up to 260 % for these, because log-probabilities are not exactly
    normalised.
    """
    draw = np.random.default_rng(seed)
    x, e = 5 * draw.standard_normal(50000) + 30, 3e-8 * draw.standard_normal(50000)
    p = np.exp(x - x.max())
    p /= p.sum()
    wanted = ((p * e * e).sum() - (p * e).sum() ** 2) / 2
    got = metrics.kl_divergence(metrics.log_softmax(x), metrics.log_softmax(x + e))
    assert got == pytest.approx(wanted, rel=0.25, abs=0)


def test_extreme_logits() -> None:
    exact = metrics.log_softmax(np.array([[1e4, 0.0, -1e4]], np.float32))
    assert np.isfinite(exact).all()
    assert metrics.kl_divergence(exact, exact)[0] == 0
    coded = metrics.log_softmax(np.array([[0.0, 1e4, -1e4]], np.float32))
    assert metrics.kl_divergence(exact, coded)[0] == pytest.approx(1e4)


def test_positions_of_a_pass() -> None:
    exact = metrics.log_softmax(np.array([[0.0, 2.0], [3.0, 0.0], [0.0, 1.0]], np.float32))
    coded = metrics.log_softmax(np.array([[1.0, 0.0], [3.0, 0.0], [0.0, 1.0]], np.float32))
    part = metrics.compare_pass(exact, coded, np.array([1, 0, -1]), 7)
    assert part.same_top.tolist() == [False, True, True]
    assert part.loss[:2] == pytest.approx([-coded[0, 1], -coded[1, 0]])
    assert np.isnan(part.loss[2])
    assert part.segment.tolist() == [7, 7, 7]
    both = metrics.join([part, part])
    assert both.perplexity == pytest.approx(math.exp(np.mean([-coded[0, 1], -coded[1, 0]])))
    assert both.summary()["same_top"] == pytest.approx(2 / 3)
    assert both.summary()["kl_max"] == part.kl[0] > 0


def test_histogram_holds_every_position() -> None:
    kl = np.concatenate([np.zeros(5), 10.0 ** np.linspace(-12, 3, 40)])
    edges, shares = metrics.kl_histogram(kl)
    assert len(edges) == len(shares) + 1
    assert sum(shares) == pytest.approx(1)
    assert shares[0] * 45 >= 5
