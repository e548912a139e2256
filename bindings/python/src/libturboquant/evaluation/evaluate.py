"""Everything that `turboquant eval` measures, as one call."""

from __future__ import annotations

import math
from dataclasses import asdict, dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

import libturboquant as tq

from . import metrics
from .attention_error import LayerErrors, layer_errors
from .caches import check_settings, layers_of
from .lockstep import Reading, read_windows
from .model import Subject, cut_windows
from .needle import DEPTHS, KINDS, Needles, run_needles
from .settings import Setting
from .speed import Speed, measure
from .verdict import MAX_KL, Verdict, judge


@dataclass(frozen=True)
class Plan:
    """How much is measured.

    Attributes
    ----------
    windows, context : int
        Windows of text, and tokens in each; the first token is BOS if the model has one.
    max_kl : float
        Mean KL divergence in nats above which a setting is called broken.
    retrieval, speed : bool
        Whether to plant strings; whether to time.
    """

    windows: int = 4
    context: int = 1024
    max_kl: float = MAX_KL
    retrieval: bool = True
    speed: bool = True


@dataclass
class Evaluation:
    """What was measured; `settings` in the order given, the reference among them."""

    subject: Subject
    plan: Plan
    settings: list[Setting]
    readings: dict[str, Reading]
    layers: dict[str, LayerErrors]
    needles: Needles | None
    speeds: dict[str, Speed]
    verdicts: list[Verdict] = field(default_factory=list)

    @property
    def reference(self) -> Reading:
        return next(reading for reading in self.readings.values() if reading.setting.kind == "16bit")

    @property
    def broken(self) -> bool:
        """Whether a setting of libturboquant is."""
        ours = {setting.name for setting in self.settings if setting.kind == "turboquant"}
        return any(verdict.broken and verdict.setting in ours for verdict in self.verdicts)

    def tree(self) -> dict[str, Any]:
        """For JSON; numbers that were not measured are null."""
        tree = {
            "format": "libturboquant-evaluation",
            "version": 1,
            "libturboquant": tq.version(),
            "cpu_target": tq.cpu_target(),
            "model": self.subject.name,
            "fingerprint": self.subject.fingerprint(),
            "plan": asdict(self.plan),
            "settings": [self._setting(setting) for setting in self.settings],
            "retrieval_gain": {kind: self.needles.gain(kind) for kind in KINDS} if self.needles else None,
            "broken": self.broken,
        }
        return _finite(tree)  # type: ignore[no-any-return]

    def _setting(self, setting: Setting) -> dict[str, Any]:
        reading, name = self.readings[setting.name], setting.name
        tree: dict[str, Any] = {"name": name, "kind": setting.kind, **reading.positions.summary()}
        tree["bits_per_value"] = reading.cost.bits_per_value
        tree["bytes_per_token"] = reading.cost.bytes_per_token
        tree["bytes_at"] = [list(pair) for pair in reading.bytes_at]
        tree["kl_histogram"] = dict(zip(("edges", "shares"), metrics.kl_histogram(reading.positions.kl), strict=True))
        if name in self.layers:
            errors = self.layers[name]
            tree["key_error"], tree["value_error"] = errors.keys.tolist(), errors.values.tolist()
            tree["attention_error"] = errors.attention.tolist()
            tree["attention_error_mean"] = errors.mean_attention
        if name in self.speeds:
            tree["prefill_seconds_per_token"] = self.speeds[name].prefill
            tree["decode_seconds_per_token"] = [list(pair) for pair in self.speeds[name].decode]
        if self.needles is not None:
            tree["retrieval"] = _retrieval(self.needles, name)
        tree["verdict"] = next((v.sentence for v in self.verdicts if v.setting == name), None)
        return tree


def evaluate(subject: Subject, text: NDArray[np.int64], settings: list[Setting], plan: Plan) -> Evaluation:
    """Measure settings on a model and a text.

    Parameters
    ----------
    text : array of int
        Token ids without special tokens; see `read_text`.
    settings : list
        One of them of kind "16bit".

    Raises
    ------
    EvaluationError
        If the text is too short, the context too long, or a profile was made for another model.
    """
    windows = cut_windows(subject, text, plan.windows, plan.context)
    check_settings(subject, settings)
    readings = read_windows(subject, windows, settings)
    layers = layer_errors(subject, windows[:1], settings)
    needles = run_needles(subject, text, plan.context, settings) if plan.retrieval else None
    speeds = measure(subject, windows[0], settings) if plan.speed else {}
    result = Evaluation(subject, plan, settings, readings, layers, needles, speeds)
    result.verdicts = [_judge(result, setting) for setting in settings if setting.kind != "16bit"]
    return result


def _judge(result: Evaluation, setting: Setting) -> Verdict:
    reading, errors = result.readings[setting.name], result.layers[setting.name]
    if setting.kind != "turboquant":
        return judge(reading, result.reference, result.needles, result.plan.max_kl)
    options = layers_of(result.subject, setting)
    return judge(reading, result.reference, result.needles, result.plan.max_kl, options, errors)


def _retrieval(needles: Needles, name: str) -> dict[str, Any]:
    tree: dict[str, Any] = {}
    for kind in KINDS:
        loss = needles.loss(name, kind)
        tree[kind] = {
            "copied": needles.copied(name, kind),
            "loss": loss.mean,
            "loss_interval": [loss.low, loss.high],
            "copied_at": [
                [int(length), depth, needles.copied(name, kind, int(length), depth)]
                for length in np.unique(needles.lengths)
                for depth in DEPTHS
            ],
        }
    return tree


def _finite(tree: Any) -> Any:
    """JSON has no NaN and no infinity."""
    if isinstance(tree, dict):
        return {str(key): _finite(value) for key, value in tree.items()}
    if isinstance(tree, list | tuple):
        return [_finite(value) for value in tree]
    if isinstance(tree, np.floating | float):
        return float(tree) if math.isfinite(tree) else None
    return int(tree) if isinstance(tree, np.integer) else tree
