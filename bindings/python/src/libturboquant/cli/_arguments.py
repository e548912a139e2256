"""Argument types that several commands share."""

from __future__ import annotations

import argparse


def positive(text: str) -> int:
    """A whole number above 0."""
    try:
        number = int(text)
    except ValueError:
        number = 0
    if number < 1:
        raise argparse.ArgumentTypeError(f"{text!r} is not a whole number above 0")
    return number


def add_shape(parser: argparse.ArgumentParser, tokens: int) -> None:
    """The sizes of one layer of a model."""
    parser.add_argument("--tokens", type=positive, default=tokens, help="in the cache (default: %(default)s)")
    parser.add_argument("--q-heads", type=positive, default=32, help="query heads (default: %(default)s)")
    parser.add_argument("--kv-heads", type=positive, default=8, help="key/value heads (default: %(default)s)")
    parser.add_argument("--head-dim", type=positive, default=128, help="numbers per head (default: %(default)s)")
    parser.add_argument("--repeat", type=positive, default=20, help="timed calls (default: %(default)s)")
