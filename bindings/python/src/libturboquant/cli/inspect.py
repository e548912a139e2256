"""What each format costs and loses on your own keys or values: a .npy file of shape [tokens, kv_heads, head_dim]."""

from __future__ import annotations

import argparse
from typing import Any, get_args

import numpy as np
from numpy.typing import NDArray

import libturboquant as tq
from libturboquant._options import Format

from ._table import print_table

BLOCK_TOKENS = 64


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """The file."""
    parser.add_argument("file", metavar="FILE.npy", help="float32 or float16, [tokens, kv_heads, head_dim]")


def run(options: argparse.Namespace) -> None:
    """Print the table."""
    array = load(options.file)
    tokens, kv_heads, dim = array.shape
    coded = tokens // BLOCK_TOKENS * BLOCK_TOKENS
    if coded == 0:
        raise tq.InvalidArgument(f"{options.file} has {tokens} tokens; expected at least {BLOCK_TOKENS}, one block")
    rows = [row_of(name, array[:coded]) for name in get_args(Format)]
    title = f"{options.file}: {coded} of {tokens} tokens (whole blocks of {BLOCK_TOKENS}), {kv_heads} heads of {dim}"
    columns = ("format", "error as keys", "error as values", "bytes per token", "smaller than 16 bit")
    print_table(title, columns, rows)
    print("error: rms of the difference / rms of the array. Keys are coded relative to the mean of their block.")
    print("bytes per token: one layer, the array once as keys and once as values.")


def load(file: str) -> NDArray[Any]:
    """The array, or an error that says what is wrong with it."""
    try:
        array = np.load(file, allow_pickle=False)
    except ValueError as error:
        raise tq.InvalidArgument(f"{file}: {error}") from error
    if not isinstance(array, np.ndarray):
        raise tq.InvalidArgument(f"{file} is an archive of arrays; expected one array (.npy)")
    if array.ndim != 3 or array.dtype not in (np.float32, np.float16) or 0 in array.shape:
        raise tq.InvalidArgument(
            f"{file} is {array.dtype} of shape {array.shape}; expected float32 or float16 [tokens, kv_heads, head_dim]"
        )
    return np.ascontiguousarray(array)


def row_of(name: Format, array: NDArray[Any]) -> tuple[str, ...]:
    """Codes the array with one format and compares."""
    tokens, kv_heads, dim = array.shape
    layer = tq.LayerOptions(kv_heads, dim, key_format=name, value_format=name, sink_tokens=0)
    with tq.Cache(layer) as cache, cache.sequence() as sequence:
        try:
            sequence.append(0, array, array)
        except tq.InvalidArgument as error:
            if name in ("f16", "bf16") or np.isfinite(array).all():
                return (name, "refused", str(error), "-", "-")
            raise
        keys, values = sequence.read(0)
        stats = cache.stats()
    errors = (f"{relative_error(array, side):.2e}" for side in (keys, values))
    return (name, *errors, f"{stats.coded_bytes / tokens:.1f}", f"{stats.ratio_coded:.2f}x")


def relative_error(wanted: NDArray[Any], got: NDArray[Any]) -> float:
    """Rms of the difference, relative to the rms of what is wanted."""
    exact = wanted.astype(np.float64)
    size = float(np.sqrt(np.mean(exact**2)))
    return float(np.sqrt(np.mean((got - exact) ** 2))) / size if size else 0.0
