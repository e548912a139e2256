"""The attention function by itself, against attention in float64 on the decoded tokens of the same cache.

With 16-bit formats nothing is rounded but the output. With 4-bit codes query and weights are rounded to 8 bits
(docs/numerics.md), which costs some percent of the spread of the outputs at most.
"""

from __future__ import annotations

import copy
from types import SimpleNamespace
from typing import Any

import pytest
from models import config_of, torch

from libturboquant.transformers import TurboQuantCache, _attention, _codes, _decoded, _masks
from libturboquant.transformers._step import CodedTensor

HEADS, KV_HEADS, DIM = 8, 2, 64
MODULE = SimpleNamespace(is_causal=True, num_key_value_groups=HEADS // KV_HEADS)


def draw(*shape: int, seed: int = 1, dtype: Any = torch.float32) -> Any:
    return torch.randn(shape, generator=torch.Generator().manual_seed(seed)).to(dtype)


def cache_with(tokens: int, rows: int = 1, dtype: Any = torch.float32, **options: Any) -> TurboQuantCache:
    cache = TurboQuantCache(config_of("llama", num_attention_heads=HEADS), threads=1, **options)
    if tokens:
        keys, values = (draw(rows, KV_HEADS, tokens, DIM, seed=s, dtype=dtype) for s in (2, 3))
        cache.update(keys, values, 0)
        cache._store.flush()
    return cache


def new_tokens(cache: TurboQuantCache, count: int, rows: int = 1, dtype: Any = torch.float32) -> tuple[Any, Any, Any]:
    """Query, and what update gives for as many keys and values."""
    query = draw(rows, HEADS, count, DIM, seed=4, dtype=dtype)
    keys, values = (draw(rows, KV_HEADS, count, DIM, seed=s, dtype=dtype) for s in (5, 6))
    return (query, *cache.update(keys, values, 0))


def reference(
    query: Any, keys: Any, values: Any, visible: Any, scaling: float, softcap: float = 0.0, sinks: Any = None
) -> Any:
    query, keys, values = (x.double() for x in (query, keys, values))
    keys, values = (x.repeat_interleave(HEADS // KV_HEADS, dim=1) for x in (keys, values))
    logits = query @ keys.transpose(2, 3) * scaling
    if softcap:
        logits = softcap * torch.tanh(logits / softcap)
    logits = logits.masked_fill(~visible, float("-inf"))
    if sinks is not None:
        logits = torch.cat([logits, sinks.double().reshape(1, -1, 1, 1).expand(*logits.shape[:3], 1)], dim=-1)
    weights = logits.softmax(-1)[..., : keys.shape[2]]
    return (weights @ values).transpose(1, 2)


EXACT = {"key_format": "f16", "value_format": "f16"}


def assert_close(output: Any, expected: Any, largest: float = 0.15, typical: float = 0.02) -> None:
    """As shares of the standard deviation."""
    difference = (output.double() - expected) / expected.std()
    assert difference.abs().max() < largest
    assert difference.square().mean().sqrt() < typical


def causal(count: int, total: int) -> Any:
    return torch.ones(count, total, dtype=torch.bool).tril(total - count)[None, None]


def decoded_twin(cache: TurboQuantCache, count: int, **options: Any) -> tuple[Any, Any]:
    twin = copy.deepcopy(cache)
    _, keys, values = new_tokens(twin, count, **options)
    return keys.plain(), values.plain()


@pytest.fixture
def on_codes(monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """Counts the calls that were computed on codes."""
    calls: list[int] = []

    def counting(*arguments: Any) -> Any:
        calls.append(1)
        return _codes.attend_to_step(*arguments)

    monkeypatch.setattr(_attention, "attend_to_step", counting)
    return calls


@pytest.mark.parametrize("dtype", [torch.float32, torch.float16, torch.bfloat16])
@pytest.mark.parametrize("count", [1, 2, 33])
@pytest.mark.parametrize("extra", [{}, {"softcap": 2.0}, {"s_aux": torch.linspace(-1, 4, HEADS)}])
@pytest.mark.parametrize("formats", [{}, EXACT], ids=["tq4", "f16"])
def test_on_codes(on_codes: list[int], count: int, dtype: Any, extra: dict[str, Any], formats: dict[str, str]) -> None:
    cache = cache_with(300, dtype=dtype, **formats)
    keys, values = decoded_twin(cache, count, dtype=dtype)
    query, k, v = new_tokens(cache, count, dtype=dtype)
    output, weights = _attention.turboquant_attention(
        MODULE, query, k, v, causal(count, 300 + count), scaling=0.2, **extra
    )
    expected = reference(
        query, keys, values, causal(count, 300 + count), 0.2, extra.get("softcap", 0.0), extra.get("s_aux")
    )
    assert weights is None and output.dtype == dtype and output.shape == (1, count, HEADS, DIM)
    if formats:
        assert_close(output, expected, 0.03, 0.005)
    else:
        assert_close(output, expected)
    assert on_codes == [1]
    assert cache.get_seq_length() == cache._store.rows[0].length(0) == 300 + count


def test_no_mask_means_causal(on_codes: list[int]) -> None:
    cache = cache_with(100)
    keys, values = decoded_twin(cache, 5)
    query, k, v = new_tokens(cache, 5)
    output, _ = _attention.turboquant_attention(MODULE, query, k, v, None)
    expected = reference(query, keys, values, causal(5, 105), DIM**-0.5)
    assert_close(output, expected)
    assert on_codes == [1]


INEXPRESSIBLE = {
    "a hole": lambda: causal(4, 104) & (torch.arange(104) != 50),
    "a window": lambda: causal(4, 104).triu(81),
    "not causal": lambda: torch.ones(1, 1, 4, 104, dtype=torch.bool),
    "one per head": lambda: causal(4, 104).repeat(1, HEADS, 1, 1),
    "additive": lambda: torch.zeros(1, 1, 4, 104).masked_fill(~causal(4, 104), float("-inf")),
}


@pytest.mark.parametrize("name", INEXPRESSIBLE)
@pytest.mark.parametrize("extra", [{}, {"softcap": 2.0}, {"s_aux": torch.linspace(-1, 4, HEADS)}])
def test_other_masks_are_computed_on_decoded_tokens(on_codes: list[int], name: str, extra: dict[str, Any]) -> None:
    mask = INEXPRESSIBLE[name]()
    cache = cache_with(100)
    keys, values = decoded_twin(cache, 4)
    query, k, v = new_tokens(cache, 4)
    output, _ = _attention.turboquant_attention(MODULE, query, k, v, mask, scaling=0.2, **extra)
    visible = mask if mask.dtype is torch.bool else mask == 0
    expected = reference(query, keys, values, visible, 0.2, extra.get("softcap", 0.0), extra.get("s_aux"))
    assert torch.allclose(output.double(), expected, atol=1e-4)
    assert on_codes == []
    assert cache.get_seq_length() == cache._store.rows[0].length(0) == 104


def test_not_causal_by_request(on_codes: list[int]) -> None:
    cache = cache_with(100)
    keys, values = decoded_twin(cache, 4)
    query, k, v = new_tokens(cache, 4)
    output, _ = _attention.turboquant_attention(MODULE, query, k, v, None, is_causal=False)
    everything = torch.ones(1, 1, 4, 104, dtype=torch.bool)
    assert torch.allclose(output.double(), reference(query, keys, values, everything, DIM**-0.5), atol=1e-4)
    assert on_codes == []


def test_gradients_flow_through_new_tokens(on_codes: list[int]) -> None:
    cache = cache_with(100)
    decoded = decoded_twin(cache, 3)
    query, keys, values = (
        draw(1, heads, 3, DIM, seed=seed).requires_grad_() for heads, seed in ((HEADS, 4), (KV_HEADS, 5), (KV_HEADS, 6))
    )
    output, _ = _attention.turboquant_attention(MODULE, query, *cache.update(keys, values, 0), None)
    assert torch.allclose(output.double(), reference(query, *decoded, causal(3, 103), DIM**-0.5), atol=1e-4)
    output.sum().backward()
    assert on_codes == []
    assert all(x.grad is not None and x.grad.abs().sum() > 0 for x in (query, keys, values))


def test_outputs_are_not_overwritten_by_the_next_call() -> None:
    cache = cache_with(100)
    first, _ = _attention.turboquant_attention(MODULE, *new_tokens(cache, 1), None)
    kept = first.clone()
    query, k, v = new_tokens(cache, 1)
    _attention.turboquant_attention(MODULE, 2 * query, k, v, None)
    assert torch.equal(first, kept)


def test_layers_that_share_keys_attend_twice(on_codes: list[int]) -> None:
    """Some models give the keys and values of one layer to later ones as well."""
    cache = cache_with(100)
    keys, values = decoded_twin(cache, 1)
    query, k, v = new_tokens(cache, 1)
    first, _ = _attention.turboquant_attention(MODULE, query, k, v, None)
    second, _ = _attention.turboquant_attention(MODULE, query, k, v, None)
    expected = reference(query, keys, values, causal(1, 101), DIM**-0.5)
    for output in (first, second):
        assert_close(output, expected)
    assert on_codes == [1, 1] and cache.get_seq_length() == 101


def test_tensors_of_an_earlier_step(on_codes: list[int]) -> None:
    cache = cache_with(100)
    keys, values = decoded_twin(cache, 1)
    query, k, v = new_tokens(cache, 1)
    cache.update(keys[:, :, :9], values[:, :, :9], 0)  # by somebody who does not wait for attention
    output, _ = _attention.turboquant_attention(MODULE, query, k, v, None)
    assert_close(output, reference(query, keys, values, causal(1, 101), DIM**-0.5))
    assert on_codes == []
    cache.crop(50)
    with pytest.raises(RuntimeError, match="cropped, reordered or reset"):
        _attention.turboquant_attention(MODULE, query, k, v, None)


def test_plain_tensors_are_left_to_sdpa() -> None:
    query, keys, values = draw(1, HEADS, 7, DIM), draw(1, KV_HEADS, 7, DIM, seed=2), draw(1, KV_HEADS, 7, DIM, seed=3)
    for extra in ({}, {"softcap": 3.0}, {"s_aux": torch.linspace(-1, 4, HEADS)}):
        output, _ = _attention.turboquant_attention(MODULE, query, keys, values, None, **extra)
        expected = reference(
            query, keys, values, causal(7, 7), DIM**-0.5, extra.get("softcap", 0.0), extra.get("s_aux")
        )
        assert torch.allclose(output.double(), expected, atol=1e-5)


def test_a_row_that_sees_nothing_gives_zeros() -> None:
    nothing = torch.zeros(1, 1, 2, 5, dtype=torch.bool)
    output, _ = _decoded.attention(
        MODULE,
        draw(1, HEADS, 2, DIM),
        draw(1, KV_HEADS, 5, DIM),
        draw(1, KV_HEADS, 5, DIM),
        nothing,
        causal=True,
        softcap=1.0,
    )
    assert torch.equal(output, torch.zeros_like(output))


def padded_mask(first: list[int], queries: int, tokens: int) -> Any:
    return causal(queries, tokens) & (torch.arange(tokens) >= torch.tensor(first)[:, None, None, None])


def test_leading_padding_is_recognised() -> None:
    for first in ([0, 0], [3, 0], [0, 7], [10, 2]):
        for queries in (1, 2, 10):
            mask = padded_mask(first, queries, 10)
            assert _masks.leading_padding(mask, 2, queries, 10) == first
            memory = _masks.MaskMemory()
            assert [memory.leading_padding(mask, 2, queries, 10) for _ in range(2)] == [first, first]
            mask[0, 0, -1, 9] = ~mask[0, 0, -1, 9]  # in place: not the mask it was
            assert memory.leading_padding(mask, 2, queries, 10) != first
    assert _masks.leading_padding(padded_mask([4], 3, 10), 2, 3, 10) == [4, 4]
    assert _masks.leading_padding(padded_mask([4], 3, 10), 1, 3, 11) is None


@pytest.mark.parametrize("pieces", [[60], [10, 50], [35, 10, 15], [1] * 60])
def test_padding_in_pieces(pieces: list[int], on_codes: list[int]) -> None:
    """Prompts that come in chunks, some of which are nothing but padding for a row."""
    first, rows = [0, 5, 40], 3
    cache = cache_with(0, rows, **EXACT)
    query, keys, values = (draw(rows, h, 61, DIM, seed=h) for h in (HEADS, KV_HEADS, KV_HEADS))
    exact = reference(query, keys, values, padded_mask(first, 61, 61) | torch.eye(61, dtype=torch.bool), DIM**-0.5)
    start = 0
    for count in [*pieces, 1]:
        end = start + count
        k, v = cache.update(keys[:, :, start:end], values[:, :, start:end], 0)
        mask = padded_mask(first, count, end)
        output, _ = _attention.turboquant_attention(MODULE, query[:, :, start:end], k, v, mask)
        for row in range(rows):
            seen = slice(max(first[row] - start, 0), None)
            assert torch.allclose(output[row, seen].double(), exact[row, start:end][seen], atol=5e-3)
        start = end
    assert cache._store.padding == first
    assert [row.length(0) for row in cache._store.rows] == [61, 56, 21]
    assert on_codes


def test_a_mask_that_shows_padding_is_refused() -> None:
    cache = cache_with(0, 2)
    query, k, v = new_tokens(cache, 20, 2)
    _attention.turboquant_attention(MODULE, query, k, v, padded_mask([5, 0], 20, 20))
    for mask in (None, padded_mask([4, 0], 1, 21), torch.zeros(2, 1, 1, 21)):
        with pytest.raises(ValueError, match="row 0.*padding"):
            _attention.turboquant_attention(MODULE, *_one_more(cache), mask)
    hidden = torch.zeros(2, 1, 1, 21).masked_fill(~padded_mask([5, 0], 1, 21), torch.finfo(torch.float32).min)
    assert _attention.turboquant_attention(MODULE, *_one_more(cache), hidden)[0].isfinite().all()


def _one_more(cache: TurboQuantCache) -> tuple[Any, Any, Any]:
    cache.crop(20)
    return new_tokens(cache, 1, 2)


def test_coded_tensors_know_their_shape_without_decoding(monkeypatch: pytest.MonkeyPatch) -> None:
    cache = cache_with(100)
    _, k, v = new_tokens(cache, 2)
    monkeypatch.setattr(type(k.step), "decode", lambda *_: pytest.fail("decoded"))
    assert k.shape == v.shape == (1, KV_HEADS, 102, DIM) and k.size(-2) == 102 and k.dim() == k.ndim == 4
    assert k.dtype is torch.float32 and k.device.type == "cpu" and not k.requires_grad
    assert "keys, layer=0" in repr(k)


OPERATIONS = {
    "arithmetic": lambda x: x * 2,
    "index": lambda x: x[:, :, -1],
    "view": lambda x: x.transpose(1, 2).contiguous(),
    "cat": lambda x: torch.cat([x, x], dim=2),
    "numpy": lambda x: torch.from_numpy(x.numpy()),
    "list": lambda x: torch.tensor(x.tolist()),
    "pad": lambda x: torch.nn.functional.pad(x, (0, 3)),
    "out": lambda x: torch.add(x, 1, out=torch.empty(x.shape)),
    "copy_": lambda x: torch.zeros(x.shape).copy_(x),
    "to": lambda x: x.to(torch.float64),
    "einsum": lambda x: torch.einsum("bhtd,bhsd->bhts", x, x),
}


@pytest.mark.parametrize("name", OPERATIONS)
def test_any_operation_decodes(name: str) -> None:
    cache = cache_with(100)
    keys, _ = decoded_twin(cache, 2)
    _, k, _ = new_tokens(cache, 2)
    result = OPERATIONS[name](k)
    assert not isinstance(result, CodedTensor)
    assert torch.equal(result, OPERATIONS[name](keys))
