"""Looks for the best setting within a budget of bits per value, by measured KL divergence.

Greedy: the best of a few uniform formats; then one knob after the other; then single sides of single layers, the
largest gain per bit first. A change is kept only if the text shows beyond doubt (paired bootstrap) that it helps.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import Any

from .budget import bits_per_value
from .caches import layers_of
from .calibration import Calibration, OutOfTimeError
from .errors import EvaluationError
from .fields import Value
from .model import Subject
from .settings import DEFAULT, Setting

Fields = dict[str, Value]

UNIFORM: tuple[Fields, ...] = (
    {},
    {"key_group_size": 32, "value_group_size": 32},
    {"value_group_size": 32},
    {"key_format": "tq8"},
    {"value_format": "tq8"},
    {"key_format": "tq8", "value_format": "tq8"},
)
LEAN: tuple[Fields, ...] = ({"center_keys": False},)
"""Tried where the default is above the budget."""
SINKS = (8, 16, 32)
"""They cost 12 bits per value and token once, not for every token of the context, and so count little."""
UPGRADES: tuple[Fields, ...] = (
    {"key_format": "tq8"},
    {"value_format": "tq8"},
    {"key_group_size": 32},
    {"value_group_size": 32},
)


@dataclass
class Step:
    """A setting that was measured: what it changes, mean KL in nats on the calibration text, whether it was kept."""

    change: str
    bits: float
    kl: float
    kept: bool = False


@dataclass
class Search:
    """State of a search; `choice` is the best so far."""

    subject: Subject
    calibration: Calibration
    budget: float
    advance: Callable[[], None]
    choice: Setting = DEFAULT
    steps: list[Step] = field(default_factory=list)
    in_time: bool = True

    def run(self) -> Setting:
        """The best setting that was found before time was out."""
        self._check_budget()
        self.choice = next(setting for setting in self._starts())
        try:
            self._best_start()
            for knob in self._knobs():
                self._best_of(knob)
            self._single_layers()
        except OutOfTimeError:
            self.in_time = False
        return self.choice

    def bits(self, setting: Setting) -> float:
        """Per value that is coded."""
        return bits_per_value(layers_of(self.subject, setting).values())

    def _check_budget(self) -> None:
        least = min(self.bits(DEFAULT.with_fields("", **fields)) for fields in LEAN)
        if self.budget < least:
            raise EvaluationError(
                f"--bits {self.budget:g} is less than libturboquant's leanest setting for this model, which takes "
                f"{least:.3f} bits per value: give at least {least + 0.0005:.3f}"
            )

    def _starts(self) -> Iterator[Setting]:
        for fields in (*UNIFORM, *LEAN):
            setting = DEFAULT.with_fields(_words(fields), **fields)
            if self.bits(setting) <= self.budget:
                yield setting

    def _best_start(self) -> None:
        for setting in self._starts():
            self._consider(setting, setting.name)

    def _knobs(self) -> Iterator[list[Fields]]:
        """Alternatives of one knob at a time."""
        yield [{"sink_tokens": count} for count in SINKS]
        layer = next(iter(layers_of(self.subject, DEFAULT).values()))
        for side, dim in (("key", layer.key_dim), ("value", layer.value_dim or layer.key_dim)):
            largest = dim & -dim
            yield [{f"{side}_rotation_block": largest >> shift} for shift in (1, 2) if largest >> shift >= 8]
            yield [{f"{side}_group_size": 32}]

    def _best_of(self, alternatives: list[Fields]) -> None:
        start = self.choice
        for fields in alternatives:
            changed = start.with_fields("", **fields)
            if changed.fields != self.choice.fields and self.bits(changed) <= self.budget:
                self._consider(changed, _words(fields))

    def _consider(self, setting: Setting, change: str) -> None:
        """Measure; take it if it is better for certain."""
        kl = float(self.calibration.measure(setting).kl.mean())
        self.advance()
        step = Step(change, self.bits(setting), kl)
        self.steps.append(step)
        if setting is not self.choice and self.calibration.difference(setting, self.choice).high < 0:
            self.choice, step.kept = setting, True

    def _single_layers(self) -> None:
        """Measure each affordable upgrade alone, then take them together, in the order of gain per bit."""
        start, gains = self.choice, []
        before = float(self.calibration.measure(start).kl.mean())
        for layer in layers_of(self.subject, start):
            for fields in UPGRADES:
                changed = _upgraded(start, [(layer, fields)])
                cost = self.bits(changed) - self.bits(start)
                if cost <= 0 or self.bits(changed) > self.budget:
                    continue
                kl = float(self.calibration.measure(changed).kl.mean())
                self.advance()
                self.steps.append(Step(f"layer {layer}: {_words(fields)}", self.bits(changed), kl))
                if kl < before:
                    gains.append(((before - kl) / cost, layer, fields))
        taken: list[tuple[int, Fields]] = []
        for _, layer, fields in sorted(gains, key=lambda gain: -gain[0]):
            if self.bits(_upgraded(start, [*taken, (layer, fields)])) <= self.budget:
                taken.append((layer, fields))
        if taken:
            together = "; ".join(f"layer {layer}: {_words(fields)}" for layer, fields in taken)
            self._consider(_upgraded(start, taken), together)


def _upgraded(setting: Setting, upgrades: list[tuple[int, Fields]]) -> Setting:
    layers: dict[int, dict[str, Any]] = {index: dict(fields) for index, fields in setting.layers.items()}
    for layer, fields in upgrades:
        layers.setdefault(layer, {}).update(fields)
    return Setting("tuned", "turboquant", setting.fields, layers, setting.attention)


def _words(fields: Fields) -> str:
    return ", ".join(f"{name}={str(value).lower()}" for name, value in fields.items()) or "default"
