"""The cache's bookkeeping, and attention against a dense softmax with an explicit mask."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from tq_floats import F32, F64
from tq_reference import Attend, Layer, Sequence, attend, decode_page, round_to

LAYER = Layer(2, 64, 32)


def tokens(count: int, heads: int, d: int, seed: int) -> F32:
    return round_to(np.random.default_rng(seed).standard_normal((count, heads, d)).astype(np.float32), "f16")


def filled(layer: Layer, calls: list[int]) -> tuple[Sequence, F32, F32]:
    total = sum(calls)
    keys, values = tokens(total, layer.kv_heads, layer.key_dim, 1), tokens(total, layer.kv_heads, layer.d_v, 2)
    sequence, done = Sequence(layer), 0
    for count in calls:
        sequence.append(keys[done : done + count], values[done : done + count], "f16")
        done += count
    return sequence, keys, values


def state(sequence: Sequence) -> tuple[list[bytes], bytes, bytes]:
    return sequence.pages, sequence.tail_keys.tobytes(), sequence.sink_values.tobytes()


# ---- cache ----


@pytest.mark.parametrize("calls", [[210], [4, 64, 64, 64, 14], [1] * 210, [3, 100, 107], [0, 68, 142]])
def test_the_result_does_not_depend_on_how_tokens_are_cut_into_calls(calls: list[int]) -> None:
    assert state(filled(LAYER, calls)[0]) == state(filled(LAYER, [100, 110])[0])


@pytest.mark.parametrize(
    ("sinks", "recent", "length", "pages"),
    [(4, 0, 67, 0), (4, 0, 68, 1), (0, 0, 64, 1), (64, 0, 127, 0), (64, 0, 128, 1), (4, 1, 131, 0), (4, 1, 132, 1)],
)
def test_when_a_block_is_coded(sinks: int, recent: int, length: int, pages: int) -> None:
    sequence, keys, _ = filled(replace(LAYER, sink_tokens=sinks, recent_blocks=recent), [length])
    assert len(sequence.pages) == pages and sequence.length == length
    read, _ = sequence.read()
    exact = np.ones(length, dtype=bool)
    exact[sinks : sinks + 64 * pages] = False
    assert np.array_equal(read[exact], keys[exact])
    assert not exact.any() or pages == 0 or not np.array_equal(read[~exact], keys[~exact])


@pytest.mark.parametrize("length", [0, 2, 4, 5, 67, 68, 90, 132, 150, 209, 210, 300])
def test_cutting_keeps_what_attention_saw(length: int) -> None:
    sequence, _, _ = filled(LAYER, [210])
    before, _ = sequence.read()
    pages = list(sequence.pages)
    sequence.truncate(length)
    after, _ = sequence.read()
    assert sequence.length == min(length, 210)
    in_pages = len(sequence.sink_keys) + 64 * len(sequence.pages)
    assert sequence.pages == pages[: len(sequence.pages)]
    assert np.array_equal(after[:in_pages], before[:in_pages])
    assert np.array_equal(after, np.concatenate([after[:in_pages], round_to(before[in_pages:length], "f16")]))


def test_the_type_of_the_first_append_is_kept() -> None:
    x = np.full((1, 2, 64), 1 + 2.0**-9, dtype=np.float32)
    v = x[:, :, :32]
    for first, kept in (("f32", "f16"), ("f16", "f16"), ("bf16", "bf16")):
        sequence = Sequence(LAYER)
        sequence.append(x, v, first)
        sequence.append(x, v, "f32")
        assert sequence.dtype == kept
        assert np.array_equal(sequence.read()[0][1:], round_to(x, kept))
        sequence.truncate(0)  # an empty sequence forgets it
        sequence.append(x, v, "bf16")
        assert sequence.dtype == "bf16"


# ---- attention ----


def dense(sequence: Sequence, options: Attend, query: F32, new: tuple[F32, F32] | None) -> tuple[F64, F64]:
    """All heads and queries at once; what is hidden has the logit -infinity."""
    layer = sequence.layer
    keys, values = (x.astype(np.float64) for x in sequence.read())
    positions = sequence.length - len(query) + np.arange(len(query))
    if new:
        keys, values = np.concatenate([keys, new[0]]), np.concatenate([values, new[1]])
        positions = sequence.length + np.arange(len(query))
    share = options.q_heads // layer.kv_heads
    keys, values = np.repeat(keys, share, axis=1), np.repeat(values, share, axis=1)
    logits = np.einsum("ihc,thc->iht", query, keys) * (options.scale or layer.key_dim**-0.5)
    if options.softcap:
        logits = options.softcap * np.tanh(logits / options.softcap)
    t = np.arange(len(keys))
    mask = np.ones((len(query), len(keys)), dtype=bool)
    if options.causal:
        mask &= t <= positions[:, None]
    if layer.window:
        mask &= t > positions[:, None] - layer.window
    logits = np.where(mask[:, None, :], logits, -np.inf)
    if options.sink_logits is not None:
        extra = np.broadcast_to(np.array(options.sink_logits)[None, :, None], (len(query), options.q_heads, 1))
        logits = np.concatenate([logits, extra], axis=2)
        values = np.concatenate([values, np.zeros_like(values[:1])])
    weights = np.exp(logits)
    total = weights.sum(2)
    return np.einsum("iht,thc->ihc", weights / total[:, :, None], values), np.log(total)


OPTIONS = {
    "plain": Attend(2),
    "grouped": Attend(8),
    "scale": Attend(2, scale=0.3),
    "softcap": Attend(4, softcap=1.5),
    "sinks": Attend(4, sink_logits=(1.0, -2.0, 5.0, 0.0)),
    "not causal": Attend(2, causal=False),
}


@pytest.mark.parametrize("with_new", [False, True])
@pytest.mark.parametrize("window", [0, 1, 50, 100])
@pytest.mark.parametrize("what", OPTIONS)
def test_attention_is_the_dense_softmax(what: str, window: int, with_new: bool) -> None:
    options = OPTIONS[what]
    sequence, _, _ = filled(replace(LAYER, window=window), [150])
    query = tokens(3, options.q_heads, 64, 3)
    new = (tokens(3, 2, 64, 4), tokens(3, 2, 32, 5)) if with_new else None
    output, log_sum_exp = attend(sequence, options, query, *(new or ()))
    expected_output, expected_log_sum_exp = dense(sequence, options, query, new)
    assert np.allclose(output, expected_output, rtol=1e-12, atol=1e-13)
    assert np.allclose(log_sum_exp, expected_log_sum_exp, rtol=1e-12)


def test_query_heads_read_their_kv_head() -> None:
    sequence, _, _ = filled(LAYER, [10])
    query = np.repeat(tokens(1, 1, 64, 6), 8, axis=1)
    output, _ = attend(sequence, Attend(8), query)
    assert np.array_equal(output[0, 0], output[0, 3]) and np.array_equal(output[0, 4], output[0, 7])
    assert not np.allclose(output[0, 3], output[0, 4])


def test_a_query_that_sees_nothing_gets_zeros() -> None:
    output, log_sum_exp = attend(Sequence(LAYER), Attend(2, causal=False), tokens(1, 2, 64, 7))
    assert not output.any() and (log_sum_exp == -np.inf).all()


def test_key_centring_is_invisible_to_the_softmax() -> None:
    """Adding one vector to every key of a head shifts all logits of a query alike."""
    layer = replace(LAYER, sink_tokens=0)
    keys, values = tokens(64, 2, 64, 8), tokens(64, 2, 32, 9)
    query, shift = tokens(1, 2, 64, 10), np.float32(8) * tokens(1, 2, 64, 11)
    shifted = keys + shift
    results = []
    for k in (keys, shifted):
        sequence = Sequence(replace(layer, exact_dtype="bf16", recent_blocks=9))
        sequence.tail_keys, sequence.tail_values = k, values
        results.append(attend(sequence, Attend(2), query))
    assert np.allclose(results[0][0], results[1][0], atol=1e-5)


def test_a_page_holds_what_read_returns() -> None:
    sequence, _, _ = filled(LAYER, [140])
    keys, values = decode_page(sequence.pages[1], LAYER)
    read_keys, read_values = sequence.read()
    assert np.array_equal(read_keys[68:132], keys) and np.array_equal(read_values[68:132], values)
