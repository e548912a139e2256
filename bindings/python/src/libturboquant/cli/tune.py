"""Chooses a setting of the cache for your model and text, within a budget of bits per value; writes a profile.

Measures the KL divergence from the 16-bit cache on the first windows of the text, changes formats, scale groups,
rotation, centring and exact first tokens, for all layers and for single ones, and keeps what helps beyond doubt. Then
checks the choice on the windows that follow. If the default is as good, it says so and writes the default.
"""

from __future__ import annotations

import argparse
from pathlib import Path

from ._arguments import positive
from ._evaluation import add_subject, check_folders, load
from ._table import print_table


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """The model, the text, the budget, the file."""
    parser.add_argument("model", help="folder of a transformers model, or its name on the hub")
    add_subject(parser, windows=2)
    parser.add_argument("--held-out", type=positive, default=2, help="windows to check on (default: %(default)s)")
    parser.add_argument("--bits", type=float, default=4.25, help="most bits per value (default: %(default)s)")
    parser.add_argument("--minutes", type=float, default=15.0, help="most time to search (default: %(default)s)")
    parser.add_argument(
        "-o", "--output", type=Path, default=Path("profile.json"), help="the profile (default: %(default)s)"
    )


def run(options: argparse.Namespace) -> int:
    """Search, check, write, print."""
    check_folders(options.output)
    subject, text = load(options, options.model)
    from libturboquant.evaluation.formats import nats
    from libturboquant.evaluation.profile import save_profile
    from libturboquant.evaluation.tune import TunePlan, tune

    plan = TunePlan(options.bits, options.windows, options.held_out, options.context, options.minutes)
    result = tune(subject, text, plan)
    save_profile(options.output, subject.name, subject.fingerprint(), result.layers(), result.notes(options.text.name))
    rows = [(step.change, f"{step.bits:.3f}", nats(step.kl), "kept" if step.kept else "") for step in result.steps]
    print_table("Tried on the calibration text", ("change", "bits per value", "mean KL", ""), rows)
    if not result.in_time:
        print(f"The search ended after {options.minutes:g} minutes, before everything was tried.")
    print(result.sentence())
    print(f"Written to {options.output}; use it as --setting {options.output}, or see docs/profile.md.")
    return 0
