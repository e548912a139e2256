"""Attention beyond the golden cases: batches, new tokens, pools, forks, options passed through."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

import libturboquant as tq
from support import attention, gaussian

KEYS, VALUES = gaussian(100, 2, 64, seed=1), gaussian(100, 2, 32, seed=2)


def sequences(cache: tq.Cache, *lengths: int) -> list[tq.Sequence]:
    result = []
    for length in lengths:
        sequence = tq.Sequence(cache)
        for layer in range(cache.layer_count):
            sequence.append(layer, KEYS[:length], VALUES[:length])
        result.append(sequence)
    return result


def test_a_batch_is_its_items_one_by_one(cache: tq.Cache) -> None:
    several = sequences(cache, 100, 1, 70, 4)
    queries = [gaussian(n, 8, 64, seed=n) for n in (1, 1, 5, 2)]
    log_sum_exps = [np.zeros((len(query), 8), np.float32) for query in queries]
    outs = [None, np.zeros((1, 8, 32), np.float32), None, None]
    items = [
        tq.AttendItem(sequence, query, out=out, log_sum_exp=log_sum_exp)
        for sequence, query, out, log_sum_exp in zip(several, queries, outs, log_sum_exps, strict=True)
    ]
    results = tq.attend(1, items)
    assert results[1] is outs[1]
    for sequence, query, result, log_sum_exp in zip(several, queries, results, log_sum_exps, strict=True):
        alone = np.zeros_like(log_sum_exp)
        assert np.array_equal(result, sequence.attend(1, query, log_sum_exp=alone))
        assert np.array_equal(log_sum_exp, alone) and np.isfinite(alone).all()


def test_an_item_sees_new_contents_of_its_arrays(cache: tq.Cache) -> None:
    (sequence,) = sequences(cache, 50)
    query, out = gaussian(1, 4, 64), np.zeros((1, 4, 32), np.float32)
    item = tq.AttendItem(sequence, query, out=out)
    first = tq.attend(0, [item])[0].copy()
    query[...] = gaussian(1, 4, 64, seed=9)
    assert tq.attend(0, iter([item]))[0] is out
    assert not np.array_equal(out, first) and np.array_equal(out, sequence.attend(0, query))


def test_the_same_sequence_may_occur_twice_in_a_batch(cache: tq.Cache) -> None:
    (sequence,) = sequences(cache, 50)
    query = gaussian(1, 4, 64)
    first, second = tq.attend(0, [tq.AttendItem(sequence, query)] * 2)
    assert np.array_equal(first, second)


@pytest.mark.parametrize("threads", [1, 2, 3])
def test_a_pool_changes_nothing_but_the_time(cache: tq.Cache, threads: int) -> None:
    (sequence,) = sequences(cache, 100)
    query = gaussian(7, 8, 64)
    with tq.Pool(threads) as pool:
        assert pool.threads == threads
        assert np.array_equal(sequence.attend(0, query, pool=pool), sequence.attend(0, query))


def test_prefill_on_an_empty_cache_is_exact(cache: tq.Cache) -> None:
    sequence = tq.Sequence(cache)
    query = gaussian(100, 4, 64)
    output = sequence.attend(0, query, new_tokens=(KEYS, VALUES))
    assert np.allclose(output, attention(query, KEYS, VALUES), atol=2e-5)
    assert sequence.length() == 0


def test_new_tokens_continue_what_is_cached(cache: tq.Cache) -> None:
    (sequence,) = sequences(cache, 4)  # all of them exact: sinks
    query = gaussian(6, 4, 64)
    keys, values = KEYS.astype(np.float16), VALUES.astype(np.float16)
    stored = tq.Sequence(cache)
    stored.append(0, keys[:4], values[:4])
    output = stored.attend(0, query, new_tokens=(keys[4:10], values[4:10]))
    assert np.allclose(output, attention(query, keys[:10], values[:10]), atol=2e-5)
    assert sequence.length() == 4


def test_options_reach_the_library(cache: tq.Cache) -> None:
    (sequence,) = sequences(cache, 4)
    query = gaussian(2, 2, 64)
    plain = sequence.attend(0, query)
    changes: list[dict[str, Any]] = [
        {"scale": 0.5},
        {"softcap": 0.2},
        {"causal": False},
        {"sink_logits": np.ones(2, np.float32)},
    ]
    for change in changes:
        assert not np.allclose(sequence.attend(0, query, **change), plain, atol=1e-3), change
    same: list[dict[str, Any]] = [{"scale": 0.125}, {"scale": 0}, {"softcap": 0.0}, {"causal": 1}]
    for change in same:
        assert np.array_equal(sequence.attend(0, query, **change), plain), change


def test_partial_results_can_be_merged(cache: tq.Cache) -> None:
    """Two halves of a context, each with its log_sum_exp, give the whole."""
    query = gaussian(1, 4, 64)
    halves, weights = [], []
    for part in (slice(0, 3), slice(3, 5)):
        half = tq.Sequence(cache)
        half.append(0, KEYS[part], VALUES[part])
        log_sum_exp = np.zeros((1, 4), np.float32)
        halves.append(half.attend(0, query, log_sum_exp=log_sum_exp))
        weights.append(np.exp(log_sum_exp.astype(np.float64))[:, :, None])
    merged = sum(h * w for h, w in zip(halves, weights, strict=True)) / sum(weights)
    (whole,) = sequences(cache, 5)
    assert np.allclose(merged, whole.attend(0, query), atol=2e-3)  # 4 sinks: the halves round other tokens to 16 bit


def test_forks_go_their_own_way(cache: tq.Cache) -> None:
    (parent,) = sequences(cache, 70)
    child = parent.fork()
    child.append(0, KEYS[:3], VALUES[:3])
    assert (parent.length(0), child.length(0), child.length(1)) == (70, 73, 70)
    query = gaussian(1, 2, 64)
    before = parent.attend(0, query)
    child.truncate(10)
    parent.close()
    assert child.length() == 10
    assert not np.array_equal(child.attend(0, query), before)
    assert cache.stats().sequences == 1


def test_truncating_cuts_every_layer(cache: tq.Cache) -> None:
    (sequence,) = sequences(cache, 100)
    kept = sequence.read(1, 0, 90)
    sequence.truncate(90)
    assert (sequence.length(0), sequence.length(1)) == (90, 90)
    for before, after in zip(kept, sequence.read(1), strict=True):
        assert np.allclose(before, after, rtol=2**-10)


def test_layers_may_differ() -> None:
    layers = [tq.LayerOptions(2, 64, 32), tq.LayerOptions(1, 128, key_format="tq8", value_format="f16", window=32)]
    cache = tq.Cache(layers)
    assert cache.layer_count == 2 and cache.layers == tuple(layers)
    sequence = tq.Sequence(cache)
    sequence.append(0, KEYS, VALUES)
    for _ in range(3):
        sequence.append(1, gaussian(100, 1, 128), gaussian(100, 1, 128))
    assert sequence.attend(0, gaussian(1, 2, 64)).shape == (1, 2, 32)
    assert sequence.attend(1, gaussian(1, 2, 128)).shape == (1, 2, 128)
    with pytest.raises(tq.InvalidArgument, match="window has released"):
        sequence.attend(1, gaussian(200, 2, 128))


def test_statistics(cache: tq.Cache) -> None:
    assert cache.stats().ratio == 0
    kept = sequences(cache, 100, 70)
    stats = cache.stats()
    assert (stats.sequences, stats.tokens) == (len(kept), 2 * 170)
    assert stats.coded_tokens == 2 * (64 + 64)
    parts = stats.code_bytes + stats.scale_bytes + stats.mean_bytes + stats.exact_bytes + stats.overhead_bytes
    assert stats.bytes == parts and stats.peak_bytes >= stats.bytes
    assert stats.bytes_16bit == stats.tokens * 2 * (64 + 32) * 2
    assert stats.ratio == stats.bytes_16bit / stats.bytes
    with pytest.raises(AttributeError):
        stats.bytes = 0  # type: ignore[misc]


def test_scores_are_dot_products_with_decoded_vectors() -> None:
    vectors, queries = gaussian(130, 64, seed=1), gaussian(3, 64, seed=2)
    for layout in ("vectors", "blocks"):
        codec = tq.Codec(64, layout=layout)
        codes = codec.encode(vectors)
        expected = queries @ codec.decode(codes, count=130).T
        scores = codec.scores(codes, queries, count=130)
        out = np.zeros((3, 130), np.float32)
        assert codec.scores(codes, queries, count=130, out=out) is out
        assert np.array_equal(out, scores) and scores.shape == (3, 130)
        # docs/numerics.md, section on scores: the query is rounded to 8 bits after the rotation
        assert np.abs(scores - expected).max() < 0.02 * np.abs(expected).max()


def test_transforms_in_place_and_into_new_arrays() -> None:
    codec = tq.Codec(96)
    for transform, inverse, size in ((codec.rotate, codec.unrotate, 96), (tq.fwht, tq.fwht, 128)):
        rows = gaussian(2, 3, size)
        original = rows.copy()
        result = transform(rows)
        assert np.array_equal(rows, original) and not np.array_equal(result, rows)
        assert np.allclose(np.linalg.norm(result, axis=2), np.linalg.norm(rows, axis=2), rtol=1e-6)
        out = np.zeros_like(rows)
        assert transform(rows, out=out) is out and np.array_equal(out, result)
        assert transform(rows, out=rows) is rows and np.array_equal(rows, result)
        assert np.allclose(inverse(rows), original, atol=1e-5)
    assert tq.fwht(np.zeros((0, 8), np.float32)).shape == (0, 8)
    assert tq.fwht(np.array([1, 0, 0, 0], np.float32)).tolist() == [0.5] * 4
