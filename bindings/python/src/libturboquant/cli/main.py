"""Finds the commands and runs one of them."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence

import libturboquant as tq
from libturboquant.evaluation.errors import EvaluationError

from . import bench, compare, demo, eval, info, inspect, tune

COMMANDS = (info, demo, inspect, bench, eval, tune, compare)


def parser() -> argparse.ArgumentParser:
    """The command line with all commands."""
    top = argparse.ArgumentParser(prog="turboquant", description="4-bit KV cache for LLM inference")
    top.add_argument("--version", action="version", version=tq.version())
    commands = top.add_subparsers(metavar="COMMAND", required=True)
    for module in COMMANDS:
        name = module.__name__.rpartition(".")[2]
        summary = (module.__doc__ or "").splitlines()[0]
        command = commands.add_parser(name, help=summary, description=module.__doc__)
        module.add_arguments(command)
        command.set_defaults(run=module.run)
    return top


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command line; the exit status: 0, 1 after an error or a bad verdict, 2 for wrong usage."""
    options = parser().parse_args(arguments)
    try:
        return int(options.run(options) or 0)
    except (tq.Error, OSError) as error:
        print(f"turboquant: {error}", file=sys.stderr)
        return 1
    except EvaluationError as error:
        print(f"turboquant: {error}", file=sys.stderr)
        return 2
