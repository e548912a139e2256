"""Times of encoding, appending and attending on this machine."""

from __future__ import annotations

import argparse
import os

import numpy as np

import libturboquant as tq

from ._arguments import add_shape
from ._synthetic import make_query, make_tokens
from ._table import print_table
from ._timing import Times, milliseconds, time_calls

BLOCK_TOKENS = 64


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """The sizes of the layer."""
    add_shape(parser, tokens=8192)


def run(options: argparse.Namespace) -> None:
    """Print the table."""
    keys, values = make_tokens(options.tokens, options.kv_heads, options.head_dim)
    query = make_query(options.q_heads, options.head_dim)
    rows = [encode_row(keys[:1024], options.repeat), append_row(keys, values, options.repeat)]
    threads = sorted({1, os.cpu_count() or 1})
    with tq.Cache(layer_count=1, kv_heads=options.kv_heads, key_dim=options.head_dim) as cache:
        sequence = cache.sequence()
        sequence.append(0, keys, values)
        output = np.empty_like(query)
        for count in threads:
            with tq.Pool(count) as pool:
                times = time_calls(lambda: sequence.attend(0, query, out=output, pool=pool), options.repeat)
            rows.append(row(f"attend, {options.tokens} tokens, {count} threads", options.tokens, times))
    title = f"tq4 on {tq.cpu_target()}: one layer, {options.kv_heads} KV heads, {options.q_heads} query heads"
    print_table(title, ("call", "median", "best", "tokens per second"), rows)


def encode_row(keys: np.ndarray[tuple[int, ...], np.dtype[np.float32]], repeat: int) -> tuple[str, ...]:
    """The codec alone."""
    tokens, _, dim = keys.shape
    vectors = np.ascontiguousarray(keys).reshape(-1, dim)
    codec = tq.Codec(dim)
    codes = codec.encode(vectors)
    times = time_calls(lambda: codec.encode(vectors, out=codes), repeat)
    return row(f"encode, {len(vectors)} vectors", tokens, times)


def append_row(
    keys: np.ndarray[tuple[int, ...], np.dtype[np.float32]],
    values: np.ndarray[tuple[int, ...], np.dtype[np.float32]],
    repeat: int,
) -> tuple[str, ...]:
    """A block of tokens at a time; each call codes a whole block."""
    _, kv_heads, dim = keys.shape
    count = min(BLOCK_TOKENS, len(keys))
    with tq.Cache(layer_count=1, kv_heads=kv_heads, key_dim=dim) as cache, cache.sequence() as sequence:
        times = time_calls(lambda: sequence.append(0, keys[:count], values[:count]), repeat)
    return row(f"append, {count} tokens", count, times)


def row(name: str, tokens: int, times: Times) -> tuple[str, ...]:
    """Cells of the table."""
    return (name, milliseconds(times.median), milliseconds(times.best), f"{tokens / times.median:,.0f}")
