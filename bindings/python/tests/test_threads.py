"""Threads: the GIL is released, rules are enforced, nothing is torn."""

from __future__ import annotations

import sys
import threading
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager

import numpy as np
import pytest

import libturboquant as tq
from support import F32, gaussian

TOKENS = 2048
KEYS, VALUES = gaussian(TOKENS, 4, 128, seed=1), gaussian(TOKENS, 4, 128, seed=2)
QUERY = gaussian(64, 8, 128, seed=3)
TOKEN = KEYS[:1], VALUES[:1]


@contextmanager
def inside(call: Callable[[], object]) -> Iterator[None]:
    """The body runs while another thread is inside `call`, which must have released the GIL.

    No thread is ever made to give up the GIL here, so this one only runs when the other gives it up by itself, and that
    one cannot return before this one gives it up. A short call may be over before this thread wakes: then once more.
    """
    interval = sys.getswitchinterval()
    sys.setswitchinterval(1000)
    try:
        for _ in range(200):
            started, over = threading.Event(), threading.Event()

            def run(started: threading.Event = started, over: threading.Event = over) -> None:
                started.set()
                call()
                over.set()

            thread = threading.Thread(target=run)
            thread.start()
            started.wait()
            try:
                if not over.is_set():
                    yield
                    return
            finally:
                sys.setswitchinterval(interval)
                thread.join()
                sys.setswitchinterval(1000)
        pytest.fail("the call never released the GIL")
    finally:
        sys.setswitchinterval(interval)


@pytest.fixture
def long_cache() -> tq.Cache:
    return tq.Cache(layer_count=1, kv_heads=4, key_dim=128)


@pytest.fixture
def filled(long_cache: tq.Cache) -> tq.Sequence:
    sequence = tq.Sequence(long_cache)
    sequence.append(0, KEYS, VALUES)
    return sequence


CODEC = tq.Codec(128)
VECTORS = KEYS.reshape(-1, 128)
CODES = CODEC.encode(VECTORS)
ROWS = np.empty_like(VECTORS)
LONG_CALLS: dict[str, Callable[[tq.Sequence], object]] = {
    "append": lambda sequence: sequence.append(0, KEYS, VALUES),
    "attend": lambda sequence: sequence.attend(0, QUERY),
    "attend batch": lambda sequence: tq.attend(0, [tq.AttendItem(sequence, QUERY)]),
    "read": lambda sequence: sequence.read(0),
    "truncate": lambda sequence: sequence.fork().truncate(TOKENS - 70),
    "encode": lambda sequence: CODEC.encode(VECTORS),
    "decode": lambda sequence: CODEC.decode(CODES, out=ROWS),
    "scores": lambda sequence: CODEC.scores(CODES, VECTORS[:64]),
    "rotate": lambda sequence: CODEC.rotate(VECTORS, out=ROWS),
    "fwht": lambda sequence: tq.fwht(VECTORS, out=ROWS),
}


@pytest.mark.parametrize("name", LONG_CALLS)
def test_other_threads_run_meanwhile(filled: tq.Sequence, name: str) -> None:
    reached = False
    with inside(lambda: LONG_CALLS[name](filled)):
        reached = True
    assert reached


def test_a_sequence_being_written_is_left_alone(filled: tq.Sequence) -> None:
    item = tq.AttendItem(filled, QUERY[:1])
    calls: dict[str, Callable[[], object]] = {
        "append": lambda: filled.append(0, *TOKEN),
        "truncate": lambda: filled.truncate(1),
        "close": lambda: filled.close(),
        "attend": lambda: filled.attend(0, QUERY[:1]),
        "attend batch": lambda: tq.attend(0, [item]),
        "read": lambda: filled.read(0),
        "length": lambda: filled.length(),
        "fork": lambda: filled.fork(),
    }
    for name, call in calls.items():
        before = filled.length()
        with (
            inside(lambda: filled.append(0, KEYS, VALUES)),
            pytest.raises(tq.Busy, match="another thread is writing this sequence") as caught,
        ):
            call()
        assert caught.value.status_name == "TQ_ERR_BUSY", name
        assert (filled.length() - before) % TOKENS == 0 and filled.length() > before


def test_a_sequence_being_read_cannot_be_written_but_read(filled: tq.Sequence) -> None:
    calls: dict[str, Callable[[], object]] = {
        "append": lambda: filled.append(0, *TOKEN),
        "truncate": lambda: filled.truncate(1),
        "close": lambda: filled.close(),
    }
    for call in calls.values():
        with (
            inside(lambda: filled.attend(0, QUERY)),
            pytest.raises(tq.Busy, match="another thread is using this sequence"),
        ):
            call()
    expected = filled.attend(0, QUERY[:1])
    with inside(lambda: filled.attend(0, QUERY)):
        assert filled.length() == TOKENS
        assert np.array_equal(filled.attend(0, QUERY[:1]), expected)


def test_what_is_in_use_cannot_be_closed(filled: tq.Sequence, long_cache: tq.Cache) -> None:
    pool = tq.Pool(2)
    closings: list[tuple[Callable[[], object], Callable[[], None], str]] = [
        (lambda: filled.attend(0, QUERY), long_cache.close, "cache"),
        (lambda: filled.append(0, KEYS, VALUES), long_cache.close, "cache"),
        (lambda: filled.attend(0, QUERY, pool=pool), pool.close, "pool"),
        (lambda: CODEC.encode(VECTORS), CODEC.close, "codec"),
    ]
    for work, close, what in closings:
        with inside(work), pytest.raises(tq.Busy, match=f"another thread is using this {what}"):
            close()
    assert not (long_cache.closed or pool.closed or CODEC.closed)


def test_a_refused_batch_leaves_all_its_sequences_free(filled: tq.Sequence, long_cache: tq.Cache) -> None:
    other = tq.Sequence(long_cache)
    other.append(0, *TOKEN)
    items = [tq.AttendItem(other, QUERY[:1]), tq.AttendItem(filled, QUERY[:1])]
    with inside(lambda: filled.append(0, KEYS, VALUES)), pytest.raises(tq.Busy, match=r"items\[1\]"):
        tq.attend(0, items)
    other.append(0, *TOKEN)
    assert other.length() == 2


def test_different_sequences_are_independent(long_cache: tq.Cache, filled: tq.Sequence) -> None:
    """Appending to some and attending to others at the same time gives what doing it alone gives."""
    expected, whole = filled.attend(0, QUERY[:4]), filled.read(0)

    def write(seed: int) -> tuple[F32, F32]:
        rng = np.random.default_rng(seed)
        sequence = tq.Sequence(long_cache)
        while (done := sequence.length()) < TOKENS:
            end = done + int(rng.integers(1, 300))
            sequence.append(0, KEYS[done:end], VALUES[done:end])
        return sequence.read(0)

    def read() -> bool:
        return all(np.array_equal(filled.attend(0, QUERY[:4]), expected) for _ in range(30))

    with ThreadPoolExecutor(6) as executor:
        writers = [executor.submit(write, seed) for seed in range(3)]
        readers = [executor.submit(read) for _ in range(3)]
        assert all(future.result() for future in readers)
        for future in writers:
            for got, wanted in zip(future.result(), whole, strict=True):
                assert np.array_equal(got, wanted)


def test_many_threads_share_a_sequence_a_pool_and_a_codec(filled: tq.Sequence) -> None:
    pool = tq.Pool(2)
    expected = filled.attend(0, QUERY[:8])

    def work() -> bool:
        same = True
        for _ in range(10):
            same &= np.array_equal(filled.attend(0, QUERY[:8], pool=pool), expected)
            same &= np.array_equal(CODEC.encode(VECTORS[:50]), CODES[:50])
            same &= filled.fork().length() == TOKENS
        return same

    with ThreadPoolExecutor(4) as executor:
        assert all(future.result() for future in [executor.submit(work) for _ in range(4)])
