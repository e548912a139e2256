"""Compares two settings of the cache on the same text: how sure is it that one is better, and how do they write?

A and B are settings as for `turboquant eval`, or profiles. Differences are paired, position by position; their
intervals hold the true mean with 95 % (bootstrap over passes of 64 tokens).
"""

from __future__ import annotations

import argparse
import shutil
import textwrap
from itertools import zip_longest
from pathlib import Path
from typing import TYPE_CHECKING

from libturboquant.evaluation.errors import EvaluationError
from libturboquant.evaluation.settings import parse_setting

from ._arguments import positive
from ._evaluation import add_subject, check_folders, load, write_json
from ._table import print_table

if TYPE_CHECKING:
    from libturboquant.evaluation.bootstrap import Interval
    from libturboquant.evaluation.compare import Comparison


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """The settings, the model, the text."""
    parser.add_argument("a", metavar="A", help="a setting or a profile's .json file")
    parser.add_argument("b", metavar="B", help="another")
    parser.add_argument("--model", required=True, help="folder of a transformers model, or its name on the hub")
    add_subject(parser, windows=4)
    parser.add_argument("--prompts", type=positive, default=3, help="to write on from (default: %(default)s)")
    parser.add_argument("--tokens", type=positive, default=48, help="to write after each (default: %(default)s)")
    parser.add_argument("--json", type=Path, metavar="PATH", help="write all numbers")


def run(options: argparse.Namespace) -> int:
    """Measure, print, write."""
    check_folders(options.json)
    a, b = parse_setting(options.a), parse_setting(options.b)
    if a.name == b.name:
        raise EvaluationError(f"A and B are both '{a.name}': give two settings, or rename one of the profiles")
    subject, text = load(options, options.model)
    from libturboquant.evaluation.compare import ComparePlan, compare

    if options.tokens >= options.context:
        raise EvaluationError(
            f"--tokens {options.tokens} leaves no prompt in a context of {options.context}: give less"
        )
    plan = ComparePlan(options.windows, options.context, options.prompts, options.tokens)
    result = compare(subject, text, a, b, plan)
    print_numbers(result)
    print_continuations(result)
    print(result.sentence())
    write_json(options.json, result.tree())
    return 0


def print_numbers(result: Comparison) -> None:
    """A and B, and B - A."""
    from libturboquant.evaluation.formats import nats, number, share

    rows = []
    for name in (result.a, result.b):
        reading = result.readings[name]
        summary = reading.positions.summary()
        cells = (nats(summary["kl_mean"]), nats(summary["kl_p99"]), share(summary["same_top"]))
        rows.append((name, *cells, number(summary["perplexity"], 3), number(reading.cost.bytes_per_token, 0)))
    columns = ("setting", "mean KL", "99 %", "same top token", "perplexity", "bytes per token")
    print_table("Against 16 bit", columns, rows)
    print()
    print(f"KL divergence from 16 bit, {result.b} - {result.a}: {interval(result.kl)}")
    print(f"Loss of the text,          {result.b} - {result.a}: {interval(result.loss)}")
    print()


def interval(value: Interval) -> str:
    """Such as "+0.00012 nats (95 %: +0.00009 .. +0.00015)"."""
    return f"{value.mean:+.5f} nats ({value.level:.0%}: {value.low:+.5f} .. {value.high:+.5f})".replace("%", " %")


def print_continuations(result: Comparison) -> None:
    """In two columns."""
    from libturboquant.evaluation.settings import REFERENCE

    width = max((min(shutil.get_terminal_size().columns, 140) - 3) // 2, 20)
    for number, each in enumerate(result.continuations, 1):
        end = " ".join(each.prompt.split())[-60:]
        parted = each.agreement(result.a, result.b)
        print(f'Prompt {number}, ending in "..{end}": A and B write the same {parted} of {result.plan.tokens} tokens')
        columns = []
        for name in (result.a, result.b):
            same = each.agreement(name, REFERENCE)
            head = f"{name} (as 16 bit for {same} tokens)"
            columns.append([*textwrap.wrap(head, width), *textwrap.wrap(" ".join(each.texts[name].split()), width)])
        for left, right in zip_longest(*columns, fillvalue=""):
            print(f"{left:<{width}} | {right}")
        print()
