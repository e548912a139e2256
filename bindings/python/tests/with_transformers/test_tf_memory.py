"""What the cache takes at long contexts, and that nothing keeps tokens in 16 bit beside it."""

from __future__ import annotations

import gc
import weakref
from typing import Any

import pytest
from models import config_of, forward, random_model, random_tokens, torch, transformers

from libturboquant import OutOfMemory
from libturboquant.transformers import TurboQuantCache

TOKENS, LAYERS, HEADS, DIM = 4096, 4, 4, 128


def long_config() -> Any:
    return config_of("llama", num_hidden_layers=LAYERS, num_key_value_heads=HEADS, head_dim=DIM)


def fill(cache: Any, chunk: int = 512) -> None:
    generator = torch.Generator().manual_seed(1)
    for _ in range(0, TOKENS, chunk):
        for layer in range(LAYERS):
            keys, values = (torch.randn(1, HEADS, chunk, DIM, generator=generator).bfloat16() for _ in range(2))
            cache.update(keys, values, layer)


def bytes_of_live_tensors() -> int:
    gc.collect()
    tensors = [x for x in gc.get_objects() if isinstance(x, torch.Tensor) and type(x) is torch.Tensor]
    return sum({x.data_ptr(): x.untyped_storage().nbytes() for x in tensors}.values())


def test_at_most_0_30_of_a_dynamic_cache_and_no_tensors_beside_it() -> None:
    config = long_config()
    before = bytes_of_live_tensors()
    cache = TurboQuantCache(config, threads=1)
    fill(cache)
    assert cache.get_seq_length() == TOKENS
    ours = cache.nbytes
    assert bytes_of_live_tensors() - before < 4096, "no copy in 16 bit"
    plain = transformers.DynamicCache(config=config)
    fill(plain)
    reference = sum(x.nbytes for layer in plain.layers for x in (layer.keys, layer.values))
    assert reference == 2 * 2 * TOKENS * LAYERS * HEADS * DIM
    assert bytes_of_live_tensors() - before >= reference, "the measure sees what a DynamicCache keeps"
    assert ours < 0.30 * reference
    assert ours == cache.stats().bytes


@pytest.mark.parametrize("kind", ["llama", "gemma3"])
def test_nothing_decoded_outlives_a_forward_pass(kind: str, implementation: str) -> None:
    model = random_model(kind)
    model.set_attn_implementation(implementation)
    cache = TurboQuantCache(model.config, threads=1)
    made: list[Any] = []
    ours = [layer for layer in cache.layers if type(layer).__name__ == "TurboQuantLayer"]
    for layer in ours:
        inner = layer.update

        def update(*arguments: Any, inner: Any = inner, **options: Any) -> Any:
            result = inner(*arguments, **options)
            made.extend(weakref.ref(x) for x in (*result, result[0].step, *arguments[:2]))
            return result

        layer.update = update
    tokens = random_tokens(1, 300)
    with torch.no_grad():
        for part in (tokens[:, :250], tokens[:, 250:299], tokens[:, 299:]):
            forward(model, part, cache)
    gc.collect()
    assert len(made) == 3 * 5 * len(ours)
    assert [x for x in made if x() is not None] == []


def test_the_budget_is_kept_and_the_cache_can_be_used_again() -> None:
    budget = 1_000_000
    cache = TurboQuantCache(long_config(), threads=1, byte_budget=budget)
    with pytest.raises(OutOfMemory, match=r"layer \d+, tokens \d+ to \d+ of each row.*byte_budget"):
        fill(cache)
    keys = torch.randn(1, HEADS, 1, DIM)
    with pytest.raises(RuntimeError, match="crop the cache to a length"):
        cache.update(keys, keys, 0)
    assert 0 < cache.stats().bytes <= budget
    cache.reset()
    cache.update(keys, keys, 0)
    assert cache.layers[0].keys.shape[2] == 1
