"""Drift of live attention when tokens are coded: measured right, sampled as said, reported when it is too large."""

from __future__ import annotations

import warnings

import numpy as np
import pytest

import libturboquant as tq
from libturboquant.drift import Drift, DriftMonitor, DriftWarning, block_to_code
from support import attention, exact, gaussian

SHAPE = {"layer_count": 2, "kv_heads": 2, "key_dim": 64, "value_dim": 32}


def collecting(**options: float) -> tuple[DriftMonitor, list[Drift]]:
    found: list[Drift] = []
    return DriftMonitor(warn_if=1e-9, then=found.append, **options), found  # type: ignore[arg-type]


@pytest.mark.parametrize("step", [1, 17, 64, 400])
@pytest.mark.parametrize("recent", [0, 1])
def test_against_the_definition(step: int, recent: int) -> None:
    """However tokens are cut into appends, samples are the same: of the tokens, which 16 bit holds exactly here."""
    keys, values, query = exact(400, 2, 64), exact(400, 2, 32, seed=2), exact(1, 4, 64, seed=3)
    monitor, found = collecting(every=1)
    with tq.Cache(**SHAPE, recent_blocks=recent) as cache:
        sequence = monitor.watch(cache)
        for start in range(0, 400, step):
            sequence.append(1, keys[start : start + step], values[start : start + step])
            sequence.attend(1, query)
        expected = {}
        for first in range(4, 400 - 63 - 64 * recent, 64):
            block = slice(first, first + 64)
            outputs = [attention(query, keys[block], values[block]), attention(query, *sequence.read(1, first, 64))]
            error = np.linalg.norm(outputs[0] - outputs[1]) / np.linalg.norm(outputs[0])
            expected[first] = error
        assert found
        for drift in found:
            assert drift.layer == 1
            assert drift.error == pytest.approx(expected[drift.first], rel=1e-3)
            assert drift.error <= drift.worst_head < 10 * drift.error
        if step <= 64:
            assert [drift.first for drift in found] == list(expected)


def test_the_type_of_tokens_does_not_matter() -> None:
    keys, values, query = exact(80, 2, 64), exact(80, 2, 32, seed=2), exact(1, 4, 64, seed=3)
    errors = []
    for dtype in (np.float32, np.float16):
        monitor, found = collecting()
        with tq.Cache(**SHAPE) as cache:
            sequence = monitor.watch(cache)
            sequence.append(0, keys.astype(dtype), values.astype(dtype))
            sequence.attend(0, query.astype(dtype))
        errors.append(found[0].error)
    assert errors[0] == pytest.approx(errors[1], rel=1e-6)


def test_one_block_of_every_so_many() -> None:
    monitor, found = collecting(every=3)
    with tq.Cache(**SHAPE) as cache:
        sequence = monitor.watch(cache)
        for _ in range(9):
            sequence.append(0, gaussian(64, 2, 64), gaussian(64, 2, 32))
            sequence.attend(0, gaussian(2, 4, 64))
        assert sequence.length(0) == 9 * 64
    assert [drift.first for drift in found] == [4, 4 + 3 * 64, 4 + 6 * 64]
    summary = monitor.report()[0]
    assert summary.samples == summary.warned == 3
    assert summary.largest == max(drift.error for drift in found)
    assert summary.mean == pytest.approx(np.mean([drift.error for drift in found]))


def warnings_of(keys: np.ndarray, values: np.ndarray, query: np.ndarray) -> list[warnings.WarningMessage]:
    with tq.Cache(**SHAPE) as cache, warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        monitor = DriftMonitor()
        sequence = monitor.watch(cache)
        sequence.append(0, keys, values)
        sequence.attend(0, query)
        assert monitor.report()[0].samples == 1
        return list(caught)


def test_warnings() -> None:
    keys, values, query = gaussian(68, 2, 64), gaussian(68, 2, 32), np.zeros((1, 4, 64), np.float32)
    assert warnings_of(keys, values, query) == []
    values[:, :, 3] = 200 * (-1.0) ** np.arange(68)[:, None]  # loud, but nothing is left of it in the mean
    (caught,) = warnings_of(keys, values, query)
    assert issubclass(caught.category, DriftWarning)
    assert "layer 0: attention on tokens 4 to 67 changed by" in str(caught.message)
    assert caught.filename == __file__


def test_what_is_not_sampled() -> None:
    assert block_to_code(tq.LayerOptions(2, 64, window=100), 0, 1000) is None
    assert block_to_code(tq.LayerOptions(2, 64, key_format="f16", value_format="bf16"), 0, 1000) is None
    assert block_to_code(tq.LayerOptions(2, 64), 0, 67) is None
    assert block_to_code(tq.LayerOptions(2, 64), 67, 68) == 4
    assert block_to_code(tq.LayerOptions(2, 64, recent_blocks=2), 195, 196) == 4
    assert block_to_code(tq.LayerOptions(2, 64, sink_tokens=0), 128, 192) == 128


def test_errors_are_those_of_the_sequence() -> None:
    monitor, found = collecting()
    with tq.Cache(**SHAPE) as cache:
        sequence = monitor.watch(cache)
        with pytest.raises(tq.InvalidArgument, match="layer is 2"):
            sequence.append(2, gaussian(68, 2, 64), gaussian(68, 2, 32))
        bad = gaussian(68, 2, 64)
        bad[60, 1, 5] = np.nan
        with pytest.raises(tq.InvalidArgument, match="nan"):
            sequence.append(0, bad, gaussian(68, 2, 32))
        assert sequence.length(0) == 0
    assert found == []
    with pytest.raises(tq.InvalidArgument, match="every is 0"):
        DriftMonitor(every=0)
    with pytest.raises(tq.InvalidArgument, match="warn_if is 0"):
        DriftMonitor(warn_if=0)


def test_a_stored_sequence_and_its_fork() -> None:
    monitor, found = collecting()
    with tq.Cache(**SHAPE) as cache:
        sequence = monitor.watch(cache, cache.sequence())
        sequence.append(0, gaussian(68, 2, 64), gaussian(68, 2, 32))
        fork = sequence.fork()
        assert isinstance(fork, tq.Sequence)
        (output,) = tq.attend(0, [tq.AttendItem(sequence.sequence, gaussian(1, 4, 64))])
        assert output.shape == (1, 4, 32)
        assert found == []  # a batch is not observed
        sequence.attend(0, gaussian(1, 4, 64))
        assert len(found) == 1
