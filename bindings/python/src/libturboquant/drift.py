"""Watches on live data what the codes cost: attention on tokens just before and just after they are coded.

    monitor = DriftMonitor(warn_if=0.2)
    sequence = monitor.watch(cache)  # a new sequence; use it like any other
    ..
    monitor.report()  # what was measured so far, by layer

A cache keeps no 16-bit copy of what it coded, and nothing here does for longer than one step. But the newest tokens are
exact until their block of 64 is complete. When an `append` completes a block, and it is a sample's turn, the block is
read before and after: in 16 bit, and from its codes. The next query of that layer attends to both in float32, as if
there were no other tokens, and the relative error of the output is the drift.

What it tells: how well the codes represent this model's keys and values for queries it really asks, in every layer.
What it does not: the error of the whole output. Other tokens, the exact ones among them, dilute it, so the drift of a
block is larger than what the model sees; with 4-bit codes about 0.1 is usual. A value that jumps, or one layer that
stands out, is what to look for; then run ``turboquant eval``.

Cost: two comparisons of integers per call; for a sample two reads of 64 tokens and two small matrix products.
"""

from __future__ import annotations

import threading
import warnings
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from . import _core
from ._cache import Cache
from ._errors import InvalidArgument
from ._options import LayerOptions
from ._typing import Bits

BLOCK = 64
F32 = NDArray[np.float32]
Pair = tuple[F32, F32]


class DriftWarning(UserWarning):
    """A drift above the limit."""


@dataclass(frozen=True)
class Drift:
    """One sample: layer, first token of the block, error relative to the exact output: of all heads, of the worst."""

    layer: int
    first: int
    error: float
    worst_head: float


@dataclass
class DriftSummary:
    """Samples of one layer so far: number, mean and largest error, how many were above the limit."""

    samples: int = 0
    mean: float = 0.0
    largest: float = 0.0
    warned: int = 0

    def add(self, error: float, limit: float) -> None:
        """Count a sample."""
        self.samples += 1
        self.mean += (error - self.mean) / self.samples
        self.largest = max(self.largest, error)
        self.warned += error > limit


def warn(drift: Drift) -> None:
    """What is done about a drift above the limit, unless told otherwise."""
    warnings.warn(
        f"layer {drift.layer}: attention on tokens {drift.first} to {drift.first + BLOCK - 1} changed by "
        f"{drift.error:.1%} when they were coded (worst head {drift.worst_head:.1%}); turboquant eval tells what that "
        "does to the model",
        DriftWarning,
        stacklevel=4,
    )


class DriftMonitor:
    """Samples blocks of the sequences that it watches.

    Parameters
    ----------
    warn_if : float
        Relative error above which `then` is called.
    every : int
        Of so many blocks of a layer one is sampled, the first one included.
    then : callable
        Gets a `Drift`; by default it becomes a `DriftWarning`.

    Notes
    -----
    Threads may use different sequences of one monitor at the same time.
    """

    def __init__(self, warn_if: float = 0.2, every: int = 16, then: Callable[[Drift], None] = warn) -> None:
        if every < 1:
            raise InvalidArgument(f"every is {every}; expected at least 1")
        if not warn_if > 0:
            raise InvalidArgument(f"warn_if is {warn_if}; expected a number above 0")
        self._limit, self._every, self._then = warn_if, every, then
        self._lock = threading.Lock()
        self._seen: dict[int, int] = {}
        self._summaries: dict[int, DriftSummary] = {}

    def watch(self, cache: Cache, sequence: _core.Sequence | None = None) -> WatchedSequence:
        """A sequence of the cache, a new one unless given, whose calls are observed; all methods of `Sequence`."""
        return WatchedSequence(self, cache, cache.sequence() if sequence is None else sequence)

    def report(self) -> Mapping[int, DriftSummary]:
        """By layer."""
        with self._lock:
            return {layer: DriftSummary(**vars(summary)) for layer, summary in sorted(self._summaries.items())}

    def take_turn(self, layer: int) -> bool:
        """Whether the block that a layer is about to code is to be sampled."""
        with self._lock:
            seen = self._seen.get(layer, 0)
            self._seen[layer] = seen + 1
        return seen % self._every == 0

    def add(self, drift: Drift) -> None:
        """Count a sample, and act if it is above the limit."""
        with self._lock:
            self._summaries.setdefault(drift.layer, DriftSummary()).add(drift.error, self._limit)
        if drift.error > self._limit:
            self._then(drift)


class WatchedSequence:
    """A `Sequence` whose `append` and `attend` are observed; everything else is passed on.

    `append` takes what can be sliced: arrays and tensors. Calls that take a `Sequence` itself (batches, forks) get the
    attribute `sequence` and are not sampled; neither are layers with a sliding window.
    """

    def __init__(self, monitor: DriftMonitor, cache: Cache, sequence: _core.Sequence) -> None:
        self.sequence = sequence
        self._monitor, self._layers = monitor, cache.layers
        self._waiting: dict[int, tuple[int, Pair, Pair]] = {}

    def __getattr__(self, name: str) -> Any:
        return getattr(self.sequence, name)

    def append(self, layer: int, keys: Any, values: Any, *, dtype: Bits | None = None) -> None:
        """See `Sequence.append`."""
        first = self._block_to_sample(layer, keys)
        if first is None:
            self.sequence.append(layer, keys, values, dtype=dtype)
            return
        before = self.sequence.length(layer)
        known = self.sequence.read(layer, first, min(before - first, BLOCK)) if before > first else None
        part = slice(max(first - before, 0), first + BLOCK - before)
        self.sequence.append(layer, keys, values, dtype=dtype)
        exact = rounded(keys[part], values[part], dtype, self._layers[layer]) if before < first + BLOCK else None
        pieces = [piece for piece in (known, exact) if piece is not None]
        joined = tuple(np.concatenate([piece[side] for piece in pieces]) for side in (0, 1))
        self._waiting[layer] = (first, (joined[0], joined[1]), self.sequence.read(layer, first, BLOCK))

    def attend(self, layer: int, query: Any, **named: Any) -> Any:
        """See `Sequence.attend`; the last query of the call is the one that counts."""
        output = self.sequence.attend(layer, query, **named)
        waiting = self._waiting.pop(layer, None)
        if waiting is not None:
            first, exact, coded = waiting
            last = rounded(query[-1:], query[-1:], named.get("dtype"), None)[0][0]
            scale, softcap = named.get("scale"), named.get("softcap")
            outputs = [attention(last, *pair, scale, softcap) for pair in (exact, coded)]
            self._monitor.add(compared(layer, first, *outputs))
        return output

    def _block_to_sample(self, layer: int, keys: Any) -> int | None:
        """The first token of a block that this append gets coded, if it is to be sampled."""
        if not isinstance(layer, int) or not 0 <= layer < len(self._layers):
            return None  # the call itself says what is wrong
        before = self.sequence.length(layer)
        first = block_to_code(self._layers[layer], before, before + len(keys))
        return first if first is not None and self._monitor.take_turn(layer) else None


def block_to_code(options: LayerOptions, before: int, after: int) -> int | None:
    """The first token of the first block that is coded when a sequence grows from `before` to `after` tokens."""
    exact = {"f16", "bf16"}
    if options.window or {options.key_format, options.value_format} <= exact:
        return None
    kept = options.sink_tokens + BLOCK * options.recent_blocks
    done = max(before - kept, 0) // BLOCK
    return options.sink_tokens + BLOCK * done if max(after - kept, 0) // BLOCK > done else None


def rounded(keys: Any, values: Any, dtype: Bits | None, options: LayerOptions | None) -> Pair:
    """At most 64 tokens [tokens, heads, dim] as a cache keeps them in 16 bit, in float32.

    Whatever types the library takes, it converts: the tokens go through a cache whose first 64 tokens are exact.
    """
    shape = (keys.shape[1], keys.shape[2], values.shape[2])
    kind = "auto" if options is None else options.exact_dtype
    layer = LayerOptions(*shape, sink_tokens=BLOCK, exact_dtype=kind)
    with Cache(layer) as cache, cache.sequence() as sequence:
        sequence.append(0, keys, values, dtype=dtype)
        return sequence.read(0)


def attention(query: F32, keys: F32, values: F32, scale: float | None, softcap: float | None) -> F32:
    """Of one query [q_heads, dim] to all keys [tokens, kv_heads, dim]: [q_heads, value_dim]."""
    kv_heads, dim = keys.shape[1:]
    grouped = query.reshape(kv_heads, -1, dim)
    logits = np.einsum("hgc,thc->hgt", grouped, keys) * np.float32(dim**-0.5 if scale is None else scale)
    if softcap:
        logits = np.float32(softcap) * np.tanh(logits / np.float32(softcap))
    weights = np.exp(logits - logits.max(axis=2, keepdims=True))
    weights /= weights.sum(axis=2, keepdims=True)
    output: F32 = np.einsum("hgt,thc->hgc", weights, values).reshape(len(query), -1)
    return output


def compared(layer: int, first: int, exact: F32, coded: F32) -> Drift:
    """Errors of outputs [q_heads, value_dim]."""
    difference, size = ((exact - coded) ** 2).sum(axis=1), (exact**2).sum(axis=1)
    by_head = np.sqrt(np.divide(difference, size, out=np.zeros_like(size), where=size > 0))
    total = float(np.sqrt(difference.sum() / size.sum())) if size.sum() > 0 else 0.0
    return Drift(layer, first, total, float(by_head.max()))
