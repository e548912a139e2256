"""Who keeps whom alive; closing; what happens afterwards."""

from __future__ import annotations

import gc
import os
import sys
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

import libturboquant as tq
from support import gaussian

KEYS, VALUES, QUERY = gaussian(70, 2, 64), gaussian(70, 2, 32), gaussian(1, 4, 64)


def test_a_sequence_keeps_its_cache_alive() -> None:
    cache = tq.Cache(layer_count=1, kv_heads=2, key_dim=64, value_dim=32)
    sequence = tq.Sequence(cache)
    sequence.append(0, KEYS, VALUES)
    expected = sequence.attend(0, QUERY)
    del cache
    gc.collect()
    assert np.array_equal(sequence.attend(0, QUERY), expected)
    fork = sequence.fork()
    del sequence
    gc.collect()
    assert np.array_equal(fork.attend(0, QUERY), expected)


def test_an_item_keeps_its_sequence_and_arrays_alive(cache: tq.Cache) -> None:
    sequence = tq.Sequence(cache)
    sequence.append(0, KEYS, VALUES)
    expected = sequence.attend(0, QUERY)
    items = [tq.AttendItem(sequence, QUERY.copy(), out=np.zeros((1, 4, 32), np.float32)) for _ in range(50)]
    del sequence
    gc.collect()
    assert all(np.array_equal(output, expected) for output in tq.attend(0, items))


def test_a_collected_sequence_gives_its_memory_back(cache: tq.Cache) -> None:
    sequence = tq.Sequence(cache)
    sequence.append(0, KEYS, VALUES)
    held = cache.stats().bytes
    del sequence
    gc.collect()
    assert cache.stats().sequences == 0 and cache.stats().bytes < held


def test_references_are_returned(cache: tq.Cache) -> None:
    """No call keeps its arrays, and errors do not either."""
    sequence = tq.Sequence(cache)
    arrays: list[Any] = [KEYS.copy(), VALUES.copy(), QUERY.copy(), np.zeros((1, 4, 32), np.float32)]
    keys, values, query, out = arrays
    before = [sys.getrefcount(array) for array in arrays]
    for _ in range(5):
        sequence.append(0, keys, values)
        sequence.attend(0, query, out=out, new_tokens=(keys[:1], values[:1]))
        sequence.read(1, out=(keys[:0], values[:0]))
        tq.attend(0, [tq.AttendItem(sequence, query, out=out)])
        with pytest.raises(tq.InvalidArgument):
            sequence.append(0, keys, values[1:])
        with pytest.raises(tq.InvalidArgument):
            sequence.attend(7, query, out=out)
    gc.collect()
    assert [sys.getrefcount(array) for array in arrays] == before


def test_closing_a_sequence(cache: tq.Cache) -> None:
    with tq.Sequence(cache) as sequence:
        sequence.append(0, KEYS, VALUES)
        item = tq.AttendItem(sequence, QUERY)
        assert not sequence.closed
    sequence.close()
    assert sequence.closed and cache.stats().sequences == 0
    calls: list[Callable[[], object]] = [
        lambda: sequence.append(0, KEYS, VALUES),
        lambda: sequence.attend(0, QUERY),
        lambda: sequence.read(0),
        lambda: sequence.length(),
        lambda: sequence.truncate(0),
        lambda: sequence.fork(),
        lambda: tq.attend(0, [item]),
    ]
    for call in calls:
        with pytest.raises(tq.InvalidArgument, match="the sequence is closed"):
            call()


def test_closing_a_cache_closes_its_sequences(cache: tq.Cache) -> None:
    sequence = tq.Sequence(cache)
    sequence.append(0, KEYS, VALUES)
    with cache:
        assert not cache.closed
    cache.close()
    assert cache.closed and sequence.closed and "closed" in repr(cache)
    calls: list[Callable[[], object]] = [
        lambda: sequence.append(0, KEYS, VALUES),
        lambda: sequence.attend(0, QUERY),
        lambda: sequence.length(),
        lambda: tq.Sequence(cache),
        lambda: cache.stats(),
    ]
    for call in calls:
        with pytest.raises(tq.InvalidArgument, match="the cache is closed"):
            call()
    sequence.close()


def test_closing_a_codec_and_a_pool(sequence: tq.Sequence) -> None:
    with tq.Codec(64) as codec:
        codes = codec.encode(gaussian(2, 64))
    codec.close()
    assert codec.closed
    calls: list[Callable[[], object]] = [
        lambda: codec.encode(gaussian(2, 64)),
        lambda: codec.decode(codes),
        lambda: codec.scores(codes, gaussian(1, 64)),
        lambda: codec.rotate(gaussian(2, 64)),
        lambda: codec.vector_bytes,
        lambda: codec.encoded_bytes(1),
    ]
    for call in calls:
        with pytest.raises(tq.InvalidArgument, match="the codec is closed"):
            call()
    sequence.append(0, KEYS, VALUES)
    with tq.Pool(2) as pool:
        sequence.attend(0, QUERY, pool=pool)
    pool.close()
    assert pool.closed
    with pytest.raises(tq.InvalidArgument, match="the pool is closed"):
        sequence.attend(0, QUERY, pool=pool)


def test_the_interpreter_ends_quietly_with_everything_open() -> None:
    import subprocess

    program = """
import libturboquant as tq, numpy as np
cache = tq.Cache(layer_count=1, kv_heads=1, key_dim=64)
sequence, pool = tq.Sequence(cache), tq.Pool(3)
sequence.append(0, np.ones((100, 1, 64), np.float32), np.ones((100, 1, 64), np.float32))
item = tq.AttendItem(sequence, np.ones((1, 1, 64), np.float32))
tq.attend(0, [item], pool=pool)
"""
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, timeout=60)
    assert (done.returncode, done.stderr) == (0, "")


@pytest.mark.filterwarnings("ignore:.*fork.*:DeprecationWarning")
def test_a_pool_is_refused_in_a_forked_process(sequence: tq.Sequence) -> None:
    """Its threads are not there; waiting for them would never end."""
    sequence.append(0, KEYS, VALUES)
    expected = sequence.attend(0, QUERY)
    pool = tq.Pool(2)
    child = os.fork()
    if child == 0:
        status = 1
        try:
            sequence.attend(0, QUERY, pool=pool)
        except tq.InvalidArgument as error:
            with tq.Pool(2) as own:
                same = np.array_equal(sequence.attend(0, QUERY, pool=own), expected)
            pool.close()
            status = 0 if same and "before this process was forked" in str(error) else 2
        os._exit(status)
    assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 0
    assert np.array_equal(sequence.attend(0, QUERY, pool=pool), expected)
