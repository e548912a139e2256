"""How far one next-token distribution is from another. Everything in float64, in nats."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

F64 = NDArray[np.float64]
QUANTILES = (0.5, 0.99, 0.999)


def log_softmax(logits: NDArray[np.floating]) -> F64:
    """Logarithms of probabilities, [.., vocabulary]. Without their maximum first, exponentials could overflow."""
    shifted = logits.astype(np.float64)
    shifted -= shifted.max(axis=-1, keepdims=True)
    shifted -= np.log(np.exp(shifted).sum(axis=-1, keepdims=True))
    return shifted


def kl_divergence(exact: F64, coded: F64) -> F64:
    """KL(exact || coded) of log-probabilities [.., vocabulary].

    Each term is p (log p - log q) - p + q, which is never negative and sums to the same: the rounding of thousands of
    terms of both signs does not drown a small divergence.
    """
    probability = np.exp(exact)
    terms = probability * (exact - coded)
    terms += np.exp(coded) - probability
    kl: F64 = np.maximum(terms.sum(axis=-1), 0.0)
    return kl


@dataclass
class Positions:
    """What was measured at every position of the text, in reading order.

    Attributes
    ----------
    kl : array
        KL(16-bit cache || this cache), nats; one per position.
    same_top : array of bool
        Whether both find the same token most likely.
    loss : array
        -log p of the token that follows, nats; NaN where a window ends.
    segment : array of int
        Number of the forward pass; neighbouring positions depend on each other, and statistics resample segments.
    """

    kl: F64
    same_top: NDArray[np.bool_]
    loss: F64
    segment: NDArray[np.int64]

    @property
    def perplexity(self) -> float:
        """exp of the mean loss."""
        return float(np.exp(np.nanmean(self.loss)))

    def summary(self) -> dict[str, float]:
        """The figures of a table."""
        median, p99, p999 = (float(value) for value in np.quantile(self.kl, QUANTILES))
        return {
            "perplexity": self.perplexity,
            "kl_mean": float(self.kl.mean()),
            "kl_median": median,
            "kl_p99": p99,
            "kl_p999": p999,
            "kl_max": float(self.kl.max()),
            "same_top": float(self.same_top.mean()),
        }


def compare_pass(exact: F64, coded: F64, following: NDArray[np.int64], segment: int) -> Positions:
    """Positions of one forward pass.

    exact, coded: log-probabilities [n, vocabulary]; following: [n] tokens that come next, -1 where a window ends.
    """
    rows = np.arange(len(following))
    loss = np.where(following >= 0, -coded[rows, np.maximum(following, 0)], np.nan)
    same = exact.argmax(axis=-1) == coded.argmax(axis=-1)
    return Positions(kl_divergence(exact, coded), same, loss, np.full(len(following), segment, dtype=np.int64))


def join(parts: list[Positions]) -> Positions:
    """All passes of a reading as one."""
    return Positions(
        np.concatenate([part.kl for part in parts]),
        np.concatenate([part.same_top for part in parts]),
        np.concatenate([part.loss for part in parts]),
        np.concatenate([part.segment for part in parts]),
    )


HISTOGRAM_DECADES = (-9, 2)
HISTOGRAM_BINS_PER_DECADE = 4


def kl_histogram(kl: F64) -> tuple[list[float], list[float]]:
    """Edges (nats, logarithmic) and the share of positions between them; what is smaller is in the first bin."""
    low, high = HISTOGRAM_DECADES
    edges = np.logspace(low, high, (high - low) * HISTOGRAM_BINS_PER_DECADE + 1)
    counts, _ = np.histogram(np.clip(kl, edges[0], edges[-1] * (1 - 1e-12)), edges)
    return edges.tolist(), (counts / len(kl)).tolist()
