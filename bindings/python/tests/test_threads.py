"""Many threads on one cache: what excludes each other is refused with Busy, and nothing ever crashes."""

from __future__ import annotations

import contextlib
import threading
from collections.abc import Callable

import numpy as np
import pytest

import libturboquant as tq

HEADS, DIM = 2, 64


def tokens(count: int) -> np.ndarray:
    return np.random.default_rng(3).standard_normal((count, HEADS, DIM), dtype=np.float32)


def run_all(*workers: Callable[[], None]) -> list[BaseException]:
    """Runs the workers at once; what they raised."""
    raised: list[BaseException] = []
    start = threading.Barrier(len(workers))

    def run(work: Callable[[], None]) -> None:
        start.wait()
        try:
            work()
        except BaseException as error:
            raised.append(error)

    threads = [threading.Thread(target=run, args=(work,)) for work in workers]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    return raised


def test_two_writers_either_append_or_are_refused() -> None:
    data, done = tokens(64), [0, 0]
    with tq.Cache(layer_count=1, kv_heads=HEADS, key_dim=DIM) as cache:
        sequence = cache.sequence()

        def writer(index: int) -> None:
            for _ in range(200):
                try:
                    sequence.append(0, data, data)
                except tq.Busy:
                    continue
                done[index] += 1

        assert run_all(lambda: writer(0), lambda: writer(1)) == []
        assert sum(done) > 0
        assert sequence.length() == 64 * sum(done)


def test_readers_of_one_sequence_get_the_same() -> None:
    data = tokens(300)
    with tq.Cache(layer_count=1, kv_heads=HEADS, key_dim=DIM) as cache:
        sequence = cache.sequence()
        sequence.append(0, data, data)
        wanted = sequence.attend(0, data[-1:])

        def reader() -> None:
            for _ in range(100):
                assert np.array_equal(sequence.attend(0, data[-1:]), wanted)
                sequence.fork().close()

        assert run_all(reader, reader, reader) == []


def test_closing_a_cache_in_use_is_refused_or_ends_the_others_with_an_error() -> None:
    data = tokens(4096)
    for _ in range(20):
        cache = tq.Cache(layer_count=1, kv_heads=HEADS, key_dim=DIM)
        sequence = cache.sequence()
        sequence.append(0, data, data)

        def attend(sequence: tq.Sequence = sequence) -> None:
            for _ in range(50):
                sequence.attend(0, data[-1:])

        def close(cache: tq.Cache = cache) -> None:
            while not cache.closed:
                with contextlib.suppress(tq.Busy):
                    cache.close()

        raised = run_all(attend, close)
        assert all(isinstance(error, tq.InvalidArgument) and "closed" in str(error) for error in raised)
        with pytest.raises(tq.InvalidArgument, match="the cache is closed"):
            sequence.append(0, data, data)


def test_the_gil_is_released() -> None:
    """Another Python thread makes progress while one call encodes for long."""
    vectors = np.ones((200_000, 128), np.float32)
    codec = tq.Codec(128)
    codes = np.empty(codec.encoded_bytes(len(vectors)), np.uint8)
    counted, stop = [0], threading.Event()

    def count() -> None:
        while not stop.is_set():
            counted[0] += 1

    thread = threading.Thread(target=count)
    thread.start()
    before = counted[0]
    codec.encode(vectors, out=codes)
    during = counted[0] - before
    stop.set()
    thread.join()
    assert during > 0
