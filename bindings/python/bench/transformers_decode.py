"""Decoding with TurboQuantCache and attention on codes, against transformers' DynamicCache and sdpa: time and memory.

Models with the attention of a large one (random weights, few layers) take steps of one token in turn, so that a slow
moment of the machine meets all. Per step three times are taken: the attention function alone; that and the update of
the cache, which for DynamicCache copies all of it and for ours codes the new token; and the whole step.

"sdpa, packed" is what PyTorch can do at best: query heads that share a kv head become rows of one matrix product.
transformers does not always call it like that.

    python3 bindings/python/bench/transformers_decode.py [--context 8192] [--threads 1] [--help]
"""

from __future__ import annotations

import argparse
import statistics
import time
import warnings
from collections import defaultdict
from collections.abc import Callable
from typing import Any

import torch
import transformers
from transformers.masking_utils import ALL_MASK_ATTENTION_FUNCTIONS, AttentionMaskInterface
from transformers.modeling_utils import ALL_ATTENTION_FUNCTIONS, AttentionInterface

import libturboquant as tq
from libturboquant.evaluation.model import cache_argument
from libturboquant.transformers import TurboQuantCache

CHUNK = 1024
PARTS = ("attention", "attention and update", "whole step")
Times = dict[str, list[int]]


def packed_attention(module: Any, query: Any, key: Any, value: Any, mask: Any, **options: Any) -> tuple[Any, None]:
    """sdpa of one token, with the query heads of a kv head as rows."""
    batch, heads, _, dim = query.shape
    packed = query.reshape(batch, key.shape[1], heads // key.shape[1], dim)
    output = torch.nn.functional.scaled_dot_product_attention(packed, key, value, attn_mask=mask)
    return output.reshape(batch, 1, heads, dim), None


AttentionInterface.register("packed", packed_attention)
AttentionMaskInterface.register("packed", ALL_MASK_ATTENTION_FUNCTIONS["sdpa"])


class Contestant:
    """A cache, the implementation of attention that reads it, and the time that they took."""

    def __init__(self, name: str, implementation: str, cache: Any) -> None:
        self.name = name
        self.implementation = f"timed_{implementation}"
        self.cache = cache
        self.spent: Times = defaultdict(list)
        self.step: dict[str, int] = defaultdict(int)
        attention = self.timed("attention", ALL_ATTENTION_FUNCTIONS[implementation])
        AttentionInterface.register(self.implementation, attention)
        AttentionMaskInterface.register(self.implementation, ALL_MASK_ATTENTION_FUNCTIONS[implementation])

    def timed(self, part: str, function: Callable[..., Any]) -> Callable[..., Any]:
        def run(*arguments: Any, **options: Any) -> Any:
            start = time.perf_counter_ns()
            result = function(*arguments, **options)
            self.step[part] += time.perf_counter_ns() - start
            return result

        return run

    def fill(self, config: Any, tokens: int, dtype: Any) -> None:
        """Made-up keys and values; both contestants get the same."""
        generator = torch.Generator().manual_seed(1)
        for first in range(0, tokens, CHUNK):
            shape = (1, config.num_key_value_heads, min(CHUNK, tokens - first), config.head_dim)
            for layer in range(config.num_hidden_layers):
                keys, values = (torch.randn(shape, generator=generator).to(dtype) for _ in range(2))
                self.cache.update(keys, values, layer)
        self.cache.update = self.timed("update", self.cache.update)

    def take_step(self, model: Any, token: Any) -> None:
        model.set_attn_implementation(self.implementation)
        self.step.clear()
        name = cache_argument(model)
        start = time.perf_counter_ns()
        model(token, **{name: self.cache})
        self.spent["whole step"].append(time.perf_counter_ns() - start)
        self.spent["attention"].append(self.step["attention"])
        self.spent["attention and update"].append(self.step["attention"] + self.step["update"])


def make_model(given: argparse.Namespace, dtype: Any) -> Any:
    torch.manual_seed(1)
    config = transformers.LlamaConfig(
        vocab_size=1000,
        hidden_size=1024,
        intermediate_size=1024,
        num_hidden_layers=given.layers,
        num_attention_heads=given.heads,
        num_key_value_heads=given.kv_heads,
        head_dim=given.head_dim,
        max_position_embeddings=2 * given.context,
    )
    return transformers.LlamaForCausalLM(config).eval().to(dtype)


def race(given: argparse.Namespace, dtype: Any) -> list[Contestant]:
    model = make_model(given, dtype)
    contestants = [
        Contestant("DynamicCache, sdpa", "sdpa", transformers.DynamicCache(config=model.config)),
        Contestant("DynamicCache, sdpa, packed", "packed", transformers.DynamicCache(config=model.config)),
        Contestant("TurboQuantCache", "turboquant", TurboQuantCache(model.config, threads=given.threads)),
    ]
    token = torch.tensor([[1]])
    with torch.no_grad():
        for contestant in contestants:
            contestant.fill(model.config, given.context, dtype)
            for _ in range(2):
                contestant.take_step(model, token)
            contestant.spent.clear()
        for _ in range(given.steps):
            for contestant in contestants:
                contestant.take_step(model, token)
    return contestants


def bytes_of(cache: Any) -> int:
    if isinstance(cache, TurboQuantCache):
        return cache.nbytes
    return sum(tensor.nbytes for layer in cache.layers for tensor in (layer.keys, layer.values))


def report(dtype: Any, contestants: list[Contestant]) -> None:
    """One line each: minimum and median of the times, bytes of the cache."""
    print(
        f"\n{str(dtype).removeprefix('torch.'):28s}"
        + "".join(f"{part + ', ms':>27s}" for part in PARTS)
        + "   cache, MB"
    )
    for contestant in contestants:
        cells = ""
        for part in PARTS:
            times = contestant.spent[part]
            cells += f"{min(times) / 1e6:16.2f} {statistics.median(times) / 1e6:10.2f}"
        print(f"{contestant.name:28s}{cells}{bytes_of(contestant.cache) / 1e6:12.2f}")
    ours = contestants[-1]
    for other in contestants[:-1]:
        faster = statistics.median(other.spent["attention"]) / statistics.median(ours.spent["attention"])
        share = bytes_of(ours.cache) / bytes_of(other.cache)
        print(f"against {other.name}: attention {faster:.1f} times faster, {share:.3f} of the bytes")


def main() -> None:
    """Print one table per type."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").split("\n")[0])
    for name, value in (
        ("context", 8192),
        ("steps", 30),
        ("threads", 1),
        ("layers", 2),
        ("heads", 32),
        ("kv-heads", 8),
        ("head-dim", 128),
    ):
        parser.add_argument(f"--{name}", type=int, default=value, help=f"default {value}")
    parser.add_argument(
        "--dtype", nargs="*", default=["bfloat16", "float16"], choices=["bfloat16", "float16", "float32"]
    )
    given = parser.parse_args()
    warnings.filterwarnings("ignore", category=FutureWarning)
    torch.set_num_threads(given.threads)
    print(
        f"transformers {transformers.__version__}, torch {torch.__version__}, libturboquant {tq.version()} "
        f"({tq.cpu_target()})\n{given.layers} layers, {given.heads} query heads, {given.kv_heads} kv heads of "
        f"{given.head_dim}, {given.context} tokens, {given.threads} thread(s), {given.steps} steps: minimum and "
        "median, summed over layers"
    )
    for name in given.dtype:
        dtype = getattr(torch, name)
        report(dtype, race(given, dtype))


if __name__ == "__main__":
    main()
