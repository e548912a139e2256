"""Version, instruction set and formats."""

from __future__ import annotations

import argparse

import libturboquant as tq


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """No arguments."""


def run(options: argparse.Namespace) -> None:
    """Print the table."""
    print(f"libturboquant {tq.version()} on {tq.cpu_target()}")
