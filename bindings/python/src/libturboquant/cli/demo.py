"""Memory, error and time of attention on the compressed cache, compared with 16-bit attention in NumPy.

The keys and values are made up: normally distributed, with loud channels and a shared bias in the keys, as real models
show them. A real model's own numbers: `turboquant inspect`.
"""

from __future__ import annotations

import argparse
from typing import Any

import numpy as np
from numpy.typing import NDArray

import libturboquant as tq
from libturboquant._options import Format

from ._arguments import add_shape
from ._synthetic import make_query, make_tokens, numpy_attention
from ._table import print_table
from ._timing import Times, milliseconds, time_calls
from .inspect import relative_error

COLUMNS = ("one token attends", "bytes", "smaller than 16 bit", "relative error", "median time", "best time")


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """The sizes of the layer."""
    add_shape(parser, tokens=4096)


def run(options: argparse.Namespace) -> None:
    """Print the table."""
    keys, values = make_tokens(options.tokens, options.kv_heads, options.head_dim)
    query = make_query(options.q_heads, options.head_dim)
    if options.q_heads % options.kv_heads:
        raise tq.InvalidArgument(f"--q-heads is {options.q_heads}; expected a multiple of {options.kv_heads}")
    by_head = [np.ascontiguousarray(side.transpose(1, 0, 2)) for side in (keys, values)]
    exact = numpy_attention(query.astype(np.float64), by_head[0], by_head[1])

    rows = [numpy_row(dtype, query, exact, by_head, options.repeat) for dtype in (np.float32, np.float16)]
    names: tuple[Format, ...] = ("bf16", "tq8", "tq4")
    rows += [cache_row(name, query, exact, keys, values, options.repeat) for name in names]
    title = f"{options.tokens} tokens, {options.kv_heads} KV heads, {options.q_heads} query heads of {options.head_dim}"
    print_table(title, COLUMNS, rows)
    print("error: rms of the difference from attention in float64 on the uncompressed data / rms of that.")
    print(f"One thread of libturboquant ({tq.cpu_target()}); NumPy's BLAS uses as many as it likes.")


def numpy_row(
    dtype: type[np.float32] | type[np.float16],
    query: NDArray[np.float32],
    exact: NDArray[np.float32],
    by_head: list[NDArray[np.float32]],
    repeat: int,
) -> tuple[str, ...]:
    """What a program without this library would do. float16 arrays are widened in every call, which NumPy does slowly;
    float32 arrays take twice the memory and show the products alone."""
    converted: list[NDArray[Any]] = [side.astype(dtype) for side in by_head]
    keys, values = converted
    times = time_calls(lambda: numpy_attention(query, keys, values), repeat)
    size = keys.nbytes + values.nbytes
    ratio = 2 / np.dtype(dtype).itemsize
    error = relative_error(exact, numpy_attention(query, keys, values))
    return row(f"NumPy, {dtype.__name__}", size, ratio, error, times)


def cache_row(
    name: Format,
    query: NDArray[np.float32],
    exact: NDArray[np.float32],
    keys: NDArray[np.float32],
    values: NDArray[np.float32],
    repeat: int,
) -> tuple[str, ...]:
    """The same by libturboquant."""
    _, kv_heads, dim = keys.shape
    layer = tq.LayerOptions(kv_heads, dim, key_format=name, value_format=name)
    with tq.Cache(layer) as cache, cache.sequence() as sequence:
        sequence.append(0, keys, values)
        output = np.empty_like(query)
        times = time_calls(lambda: sequence.attend(0, query, out=output), repeat)
        stats = cache.stats()
    return row(f"libturboquant, {name}", stats.bytes, stats.ratio, relative_error(exact, output), times)


def row(name: str, size: int, ratio: float, error: float, times: Times) -> tuple[str, ...]:
    """Cells of the table."""
    medians = (milliseconds(times.median), milliseconds(times.best))
    return (name, f"{size:,}", f"{ratio:.2f}x", f"{error:.2e}", *medians)
