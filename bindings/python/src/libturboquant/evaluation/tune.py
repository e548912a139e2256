"""Chooses a setting for a model within a budget of bits per value, and checks the choice on text it has not seen."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

import libturboquant as tq

from .bootstrap import Interval
from .caches import check_settings, layers_of
from .calibration import Calibration
from .fields import DEFAULTS
from .formats import nats
from .model import Subject, cut_windows
from .progress import progress
from .search import Search, Step
from .settings import DEFAULT, Setting


@dataclass(frozen=True)
class TunePlan:
    """How much is measured.

    Attributes
    ----------
    bits : float
        Most bits per value: of all that is coded. Tokens kept in 16 bit come on top.
    windows, held_out : int
        Windows of text to choose on, and the following ones to check on.
    minutes : float
        After which the search ends with what it has.
    """

    bits: float
    windows: int = 2
    held_out: int = 2
    context: int = 1024
    minutes: float = 15.0


@dataclass
class Tuning:
    """What was chosen.

    Attributes
    ----------
    setting : Setting
        What the profile holds: the default, if nothing is better for certain.
    found : Setting
        What the search found.
    default_bits, found_bits : float
        Per value.
    difference : Interval
        Mean KL of `found` minus that of the default, on held-out text; nats.
    """

    subject: Subject
    plan: TunePlan
    setting: Setting
    found: Setting
    default_bits: float
    found_bits: float
    default_kl: float
    found_kl: float
    difference: Interval
    steps: list[Step]
    in_time: bool

    @property
    def default_is_kept(self) -> bool:
        return self.setting is DEFAULT

    def layers(self) -> list[tq.LayerOptions]:
        """Of the setting, for `save_profile`."""
        return list(layers_of(self.subject, self.setting).values())

    def sentence(self) -> str:
        """The outcome in words."""
        change = f"{nats(abs(self.difference.mean))} ± {nats(self.difference.half_width)} nats"
        sizes = f"{self.found_bits:.2f} bits per value, the default {self.default_bits:.2f}"
        sinks = sorted({layer.sink_tokens for layer in self.layers()} - {DEFAULTS["sink_tokens"]})
        sizes += f"; it keeps {sinks[-1]} first tokens in 16 bit" if sinks else ""
        measured = f"mean KL {nats(self.found_kl)} against {nats(self.default_kl)} on held-out text"
        if self.found is DEFAULT or _same(self.found, DEFAULT):
            return (
                f"The default is as good as anything within {self.plan.bits:g} bits per value: of {len(self.steps)} "
                f"settings none was better for certain (mean KL {nats(self.default_kl)} on held-out text)."
            )
        if self.default_is_kept:
            return (
                f"The default is as good: on held-out text, what the search found differs from it by {change}, which "
                "may be chance, or worse. The profile holds the default."
            )
        if self.default_bits > self.plan.bits:
            return f"The default is above the budget. The tuned setting takes {sizes}: {measured}."
        return f"The tuned setting is better than the default by {change}: {measured}. It takes {sizes}."

    def notes(self, text: str) -> dict[str, Any]:
        """For the profile."""
        return {
            "made_by": f"turboquant tune, libturboquant {tq.version()}",
            "text": text,
            "plan": asdict(self.plan),
            "outcome": self.sentence(),
            "bits_per_value": self.default_bits if self.default_is_kept else self.found_bits,
            "held_out_kl": self.default_kl if self.default_is_kept else self.found_kl,
            "held_out_kl_of_default": self.default_kl,
            "measured": [asdict(step) for step in self.steps],
        }


def tune(subject: Subject, text: NDArray[np.int64], plan: TunePlan) -> Tuning:
    """Search on the first windows of the text, check on the following ones.

    Raises
    ------
    EvaluationError
        If the budget is below the leanest setting, the text too short, or the context too long.
    """
    cut_windows(subject, text, plan.windows + plan.held_out, plan.context)  # refuses before anything is measured
    check_settings(subject, [DEFAULT])
    windows = cut_windows(subject, text, plan.windows, plan.context)
    held_out = cut_windows(subject, text, plan.held_out, plan.context, first=plan.windows)
    with progress("searching", 20 + 4 * subject.layer_count) as advance:
        search = Search(subject, Calibration(subject, windows, 60 * plan.minutes), plan.bits, advance)
        found = search.run()
    check = Calibration(subject, held_out)
    difference = check.difference(found, DEFAULT)
    default_fits = search.bits(DEFAULT) <= plan.bits
    keep_default = default_fits and (_same(found, DEFAULT) or difference.high >= 0)
    return Tuning(
        subject,
        plan,
        DEFAULT if keep_default else found,
        found,
        search.bits(DEFAULT),
        search.bits(found),
        float(check.measure(DEFAULT).kl.mean()),
        float(check.measure(found).kl.mean()),
        difference,
        search.steps,
        search.in_time,
    )


def _same(a: Setting, b: Setting) -> bool:
    return not (a.layers or b.layers) and dict(a.fields) == dict(b.fields)
