"""What Python adds to Sequence.attend and Sequence.append: against the same C calls, timed inside the extension.

Both kinds of call alternate, so that a slow moment of the machine meets both. Sizes are small: what is added does not
depend on them, and what the library itself needs varies less.

    python3 bindings/python/bench/overhead.py [CALLS]
"""

from __future__ import annotations

import statistics
import sys
import time
from collections.abc import Callable

import numpy as np

import libturboquant as tq
from libturboquant import _core

HEADS, DIM, BLOCK_TOKENS = 1, 64, 64


def report(name: str, python: list[int], native: list[int]) -> None:
    """One line, microseconds; the overhead is the difference of the minima and that of the medians."""
    numbers = [f(times) / 1e3 for f in (min, statistics.median) for times in (python, native)]
    print(
        f"{name:24s} best {numbers[0]:8.2f} - {numbers[1]:8.2f} = {numbers[0] - numbers[1]:6.2f} us"
        f"    median {numbers[2]:8.2f} - {numbers[3]:8.2f} = {numbers[2] - numbers[3]:6.2f} us"
    )


def measure(
    calls: int, python: Callable[[], object], native: Callable[[], int], after: Callable[[], object]
) -> tuple[list[int], list[int]]:
    """Nanoseconds of both, in turn; `after` runs after every call and is not timed."""
    clock, by_python, by_native = time.perf_counter_ns, [], []
    for _ in range(calls):
        start = clock()
        python()
        by_python.append(clock() - start)
        after()
        by_native.append(native())
        after()
    return by_python, by_native


def main() -> None:
    """Print both lines."""
    calls = int(sys.argv[1]) if len(sys.argv) > 1 else 20_000
    rng = np.random.default_rng(1)
    keys, values = (rng.standard_normal((BLOCK_TOKENS, HEADS, DIM), dtype=np.float32) for _ in range(2))
    query, out = keys[:1].copy(), np.empty((1, HEADS, DIM), np.float32)
    with tq.Cache(layer_count=1, kv_heads=HEADS, key_dim=DIM) as cache:
        sequence = cache.sequence()
        sequence.append(0, keys[:4], values[:4])
        attend = sequence.attend
        print(f"libturboquant {tq.version()}, {tq.cpu_target()}, {calls} calls each: Python - C = overhead")
        times = measure(
            calls,
            lambda: attend(0, query, out=out),
            lambda: _core._time_attend(sequence, query, out),
            lambda: None,
        )
        report("attend, 4 tokens", *times)
        sequence.truncate(0)
        times = measure(
            calls // 10,
            lambda: sequence.append(0, keys, values),
            lambda: _core._time_append(sequence, keys, values),
            lambda: sequence.truncate(0),
        )
        report(f"append, {BLOCK_TOKENS} tokens", *times)


if __name__ == "__main__":
    main()
