"""Operations on the cache against those of DynamicCache: the same tokens in the same rows, within coding error."""

from __future__ import annotations

import copy
from typing import Any

import pytest
from models import config_of, forward, random_model, random_tokens, torch, transformers

import libturboquant as tq
from libturboquant.transformers import TurboQuantCache

EXACT = {"key_format": "f16", "value_format": "f16", "center_keys": False}
ROWS, HEADS, DIM = 3, 2, 64


def fresh(count: int, seed: int, rows: int = ROWS) -> tuple[Any, Any]:
    """Keys and values that 16 bits hold exactly."""
    generator = torch.Generator().manual_seed(seed)
    keys, values = (torch.randn(rows, HEADS, count, DIM, generator=generator).half().float() for _ in range(2))
    return keys, values


class Pair:
    """Our cache and a DynamicCache that get the same."""

    def __init__(self, **options: Any) -> None:
        config = config_of("llama")
        self.ours = TurboQuantCache(config, threads=1, **(options or EXACT))
        self.reference = transformers.DynamicCache(config=config)

    def append(self, count: int, seed: int, rows: int = ROWS) -> None:
        for layer in range(3):
            keys, values = fresh(count, 10 * seed + layer, rows)
            ours = self.ours.update(keys, values, layer)
            reference = self.reference.update(keys, values, layer)
            for a, b in zip(ours, reference, strict=True):
                assert a.shape == b.shape and a.dtype == b.dtype and a.device == b.device
                assert torch.equal(a + 0, b)

    def both(self, name: str, *arguments: Any) -> None:
        getattr(self.ours, name)(*arguments)
        getattr(self.reference, name)(*arguments)

    def check(self) -> None:
        assert self.ours.get_seq_length() == self.reference.get_seq_length()
        for ours, reference in zip(self.ours.layers, self.reference.layers, strict=True):
            assert ours.get_seq_length() == reference.get_seq_length()
            if reference.get_seq_length():
                assert torch.equal(ours.keys, reference.keys)
                assert torch.equal(ours.values, reference.values)


@pytest.fixture
def pair() -> Pair:
    return Pair()


@pytest.mark.parametrize("counts", [(1,), (3, 1, 1), (64, 64, 1), (63, 1, 1, 130), (200,)])
def test_update(pair: Pair, counts: tuple[int, ...]) -> None:
    for seed, count in enumerate(counts):
        pair.append(count, seed)
        pair.check()


@pytest.mark.parametrize("removed", [1, 5, 64, 100, 149, 150, 1000])
def test_crop_from_the_end(pair: Pair, removed: int) -> None:
    pair.append(150, 1)
    pair.ours.crop(-removed)
    pair.reference.crop(-min(removed, 150))
    pair.check()
    if removed < 150:
        pair.append(70, 2)
        pair.check()


@pytest.mark.parametrize("length", [1, 4, 64, 149, 150, 151])
def test_crop_to_a_length(pair: Pair, length: int) -> None:
    pair.append(150, 1)
    pair.ours.crop(length)
    if length < 150:
        pair.reference.crop(length - 150)
    pair.check()


def test_crop_to_zero_does_what_the_installed_dynamic_cache_does(pair: Pair) -> None:
    pair.append(20, 1)
    pair.both("crop", 0)
    pair.check()


@pytest.mark.parametrize("order", [[0, 1, 2], [2, 0, 1], [1, 1, 1], [2, 2, 0]])
def test_reorder(pair: Pair, order: list[int]) -> None:
    pair.append(150, 1)
    for seed in (2, 3, 4):  # as beam search does, after every token
        pair.both("reorder_cache", torch.tensor(order))
        pair.check()
        pair.append(1, seed)
    pair.check()
    assert pair.ours.stats().sequences == ROWS, "rows that nobody continues are freed"


def test_repeat_interleave(pair: Pair) -> None:
    pair.append(100, 1)
    pair.both("batch_repeat_interleave", 3)
    pair.check()
    pair.append(40, 2, 9)
    pair.check()


@pytest.mark.parametrize("indices", [[1], [2, 0], [0, 0, 1, 2], [True, False, True]])
def test_select(pair: Pair, indices: list[Any]) -> None:
    pair.append(100, 1)
    pair.both("batch_select_indices", torch.tensor(indices))
    pair.check()
    pair.append(40, 2, sum(indices) if isinstance(indices[0], bool) else len(indices))
    pair.check()


def test_operations_on_an_empty_cache(pair: Pair) -> None:
    pair.both("reorder_cache", torch.tensor([0]))
    pair.both("batch_repeat_interleave", 2)
    pair.both("batch_select_indices", torch.tensor([0]))
    pair.ours.crop(-1)
    pair.ours.reset()
    pair.check()
    assert pair.ours.layers[0].keys is None
    pair.append(5, 1)
    pair.check()


def test_reset(pair: Pair) -> None:
    pair.append(100, 1)
    pair.both("reset")
    assert pair.ours.get_seq_length() == 0
    assert pair.ours.stats().sequences == 0
    pair.reference = transformers.DynamicCache(config=config_of("llama"))  # before 5 its reset keeps zeros
    pair.append(30, 2, rows=1)
    pair.check()


def test_deepcopy_shares_memory_and_nothing_else(pair: Pair) -> None:
    pair.append(1000, 1)
    once = pair.ours.nbytes
    other = copy.deepcopy(pair.ours)
    assert other.nbytes < 1.1 * once
    keys, values = fresh(5, 7)
    other.update(keys, values, 0)
    other.crop(500)
    pair.check()
    assert other.get_seq_length() == 500
    pair.append(3, 2)
    pair.check()
    assert torch.equal(other.layers[2].keys, pair.reference.layers[2].keys[:, :, :500])


def test_mask_sizes(pair: Pair) -> None:
    pair.append(10, 1)
    assert pair.ours.layers[0].get_mask_sizes(4) == (14, 0)
    assert pair.ours.layers[0].get_mask_sizes(torch.arange(10, 14)) == (14, 0)
    assert pair.ours.layers[0].get_max_cache_shape() == pair.ours.layers[0].get_max_length() == -1
    assert pair.ours.is_sliding == [False] * 3
    assert not pair.ours.is_compileable


def test_attention_that_is_compiled_gets_plain_tensors(pair: Pair) -> None:
    config = config_of("llama")
    config._attn_implementation = "flex_attention"
    pair.ours = TurboQuantCache(config, threads=1, **EXACT)
    pair.append(70, 1)
    pair.append(2, 2)
    pair.check()
    keys, values = fresh(1, 1)
    assert {type(tensor) for tensor in pair.ours.update(keys, values, 0)} == {torch.Tensor}


def test_tokens_that_nobody_attends_to_are_kept(pair: Pair) -> None:
    keys, values = fresh(9, 1)
    for layer in range(3):
        pair.ours.update(keys, values, layer)
    pair.ours.crop(8)
    assert torch.equal(pair.ours.layers[1].values, values[:, :, :8])


def test_a_tensor_of_an_earlier_state_is_refused(pair: Pair) -> None:
    keys, values = fresh(9, 1)
    pair.ours.update(keys, values, 0)
    coded, _ = pair.ours.update(keys, values, 0)
    pair.ours.crop(3)
    with pytest.raises(RuntimeError, match="cropped, reordered or reset"):
        coded.sum()


def test_hybrid_models_keep_the_layers_of_transformers() -> None:
    model = random_model("gemma3")
    cache = TurboQuantCache(model.config, threads=1)
    plain = transformers.DynamicCache(config=model.config)
    kinds = [type(layer).__name__ for layer in cache.layers]
    assert kinds == ["DynamicSlidingWindowLayer", "TurboQuantLayer"] * 2
    tokens = random_tokens(2, 40)
    with torch.no_grad():
        for other in (cache, plain):
            forward(model, tokens, other)
    assert cache.is_sliding == plain.is_sliding
    for other in (cache, plain):
        other.reorder_cache(torch.tensor([1, 0]))
        other.batch_repeat_interleave(2)
        other.batch_select_indices(torch.tensor([0, 3]))
    assert torch.equal(cache.layers[0].keys, plain.layers[0].keys)
    assert torch.allclose(cache.layers[1].keys, plain.layers[1].keys, atol=4e-3)  # the first layers are exact so far
    copied = copy.deepcopy(cache)
    cache.reset()
    assert cache.get_seq_length() == 0
    assert torch.equal(copied.layers[2].keys, plain.layers[2].keys)


def test_options_reach_the_layers() -> None:
    cache = TurboQuantCache(
        config_of("llama"), key_format="tq8", sink_tokens=8, layers={1: {"key_format": "bf16", "sink_tokens": 0}}
    )
    layers = cache._store.cache.layers
    assert [layer.key_format for layer in layers] == ["tq8", "bf16", "tq8"]
    assert [layer.sink_tokens for layer in layers] == [8, 0, 8]
    assert {(layer.kv_heads, layer.key_dim) for layer in layers} == {(2, 64)}


def test_a_profile_describes_every_layer() -> None:
    class Profile:
        layers = (tq.LayerOptions(2, 64, value_format="tq8"), tq.LayerOptions(2, 64), tq.LayerOptions(2, 64))

    for cache in (
        TurboQuantCache(config_of("llama"), profile=Profile()),
        TurboQuantCache(config_of("llama"), layers=list(Profile.layers)),
    ):
        assert cache._store.cache.layers == Profile.layers


def test_a_description_of_all_layers_of_a_hybrid_model() -> None:
    every = [tq.LayerOptions(2, 64, sink_tokens=layer) for layer in range(4)]
    for given in (every, every[1::2]):
        cache = TurboQuantCache(config_of("gemma3"), layers=given)
        assert [layer.sink_tokens for layer in cache._store.cache.layers] == [1, 3]


def test_different_head_sizes_of_keys_and_values() -> None:
    """Multi-head latent attention comes expanded, as in DeepSeek."""
    config = transformers.DeepseekV3Config(
        num_hidden_layers=2,
        num_attention_heads=4,
        num_key_value_heads=4,
        qk_nope_head_dim=32,
        qk_rope_head_dim=16,
        v_head_dim=24,
        kv_lora_rank=8,
    )
    cache = TurboQuantCache(config)
    keys, values = torch.randn(1, 4, 10, 48), torch.randn(1, 4, 10, 24)
    assert torch.equal(cache.update(keys, values, 1)[1] + 0, values)
    assert cache.layers[1].keys.shape == (1, 4, 10, 48)
