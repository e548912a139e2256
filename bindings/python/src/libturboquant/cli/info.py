"""Version, instruction set and formats."""

from __future__ import annotations

import argparse
from typing import get_args

import libturboquant as tq
from libturboquant._options import Format

from ._arguments import positive
from ._table import print_table


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """The head size that the table is for."""
    parser.add_argument("--head-dim", type=positive, default=128, help="numbers per vector (default: %(default)s)")


def run(options: argparse.Namespace) -> None:
    """Print the table."""
    print(f"libturboquant {tq.version()}, instruction set {tq.cpu_target()}")
    rows = []
    for name in get_args(Format):
        for group_size in (64, 32) if name.startswith("tq") else (64,):
            codec = tq.Codec(options.head_dim, format=name, group_size=group_size)
            size = codec.vector_bytes
            rows.append(
                (
                    f"{name}, groups of {group_size}" if name.startswith("tq") else name,
                    str(size),
                    f"{8 * size / options.head_dim:.2f}",
                    f"{2 * options.head_dim / size:.2f}x",
                )
            )
    title = f"One vector of {options.head_dim} numbers"
    print_table(title, ("format", "bytes", "bits per number", "smaller than 16 bit"), rows)
