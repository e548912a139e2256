"""What settings of the cache cost your model on your text, in accuracy, bytes and time.

Reads the text with a 16-bit cache and with every setting side by side. A setting is 16bit, default, fields of
LayerOptions such as k=tq8,v=tq4,sinks=0, a profile written by `turboquant tune`, or one of the yardsticks int8, int4,
int4-rotated, int4-rotated-refit. Exit status: 0, 1 if a setting of libturboquant is broken, 2 if the request is.
"""

from __future__ import annotations

import argparse
from pathlib import Path

from libturboquant.evaluation.settings import STANDARD, unique_settings

from ._evaluation import add_subject, check_folders, load, write_json, write_text
from ._table import print_table

MAX_KL = 0.05


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """The model, the text, the settings, the files."""
    parser.add_argument("model", help="folder of a transformers model, or its name on the hub")
    add_subject(parser, windows=4)
    parser.add_argument("--setting", action="append", metavar="S", help=f"repeatable (default: {' '.join(STANDARD)})")
    parser.add_argument("--json", type=Path, metavar="PATH", help="write all numbers")
    parser.add_argument("--html", type=Path, metavar="PATH", help="write a report, one file that needs no other")
    parser.add_argument(
        "--max-kl", type=float, default=MAX_KL, help="mean KL in nats that counts as broken (default: %(default)s)"
    )
    parser.add_argument("--no-retrieval", action="store_true", help="plant no strings")
    parser.add_argument("--no-speed", action="store_true", help="measure no times")


def run(options: argparse.Namespace) -> int:
    """Measure, print, write."""
    check_folders(options.json, options.html)
    settings = unique_settings(options.setting or list(STANDARD))
    subject, text = load(options, options.model)
    from libturboquant.evaluation.evaluate import Plan, evaluate
    from libturboquant.evaluation.tables import all_tables

    plan = Plan(options.windows, options.context, options.max_kl, not options.no_retrieval, not options.no_speed)
    result = evaluate(subject, text, settings, plan)
    for table in all_tables(result):
        print_table(table.title, table.columns, table.rows)
        print()
    for verdict in result.verdicts:
        print(verdict.sentence)
    write_json(options.json, result.tree())
    if options.html is not None:
        from libturboquant.evaluation.page import page

        write_text(options.html, page(result, options.text.name))
    return 1 if result.broken else 0
