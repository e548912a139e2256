"""What the numbers mean, in one sentence per setting, and whether a setting is broken."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from libturboquant import LayerOptions

from .attention_error import LayerErrors
from .formats import nats, share
from .lockstep import Reading
from .needle import KINDS, Needles

MAX_KL = 0.05
"""Nats, mean. Correct settings of 4 bits stay far below on models of any size; wrong codes are far above."""
LEAST_COPIED = 0.7
"""Share of the planted tokens that 16 bit copies; below it a setting no longer retrieves."""
LEAST_TO_JUDGE = 0.25
"""Share of the planted tokens that 16 bit must copy for that to be judged."""
MOST_LOST = 0.5
"""Share of what the model gains from a planted string that a setting may lose."""
LEAST_GAIN = 0.2
"""Nats per token that the model must gain for that to be judged."""

MOST_ERROR = {"tq4": 0.12, "tq8": 0.02, "f16": 0.01, "bf16": 0.01}
"""Rms error of coded values, relative: codes of rotated vectors lose 8.5 % (tq4) and 0.6 % (tq8) in every model."""
LEAST_ROTATION = 32
"""Shorter rotations leave structure in vectors, so nothing can be said about their error in advance."""

_WORDS = ((0.0005, "nothing to notice"), (0.002, "hardly anything"), (0.01, "little"), (float("inf"), "noticeable"))


@dataclass(frozen=True)
class Verdict:
    """One setting. `broken` makes the command fail for libturboquant's settings."""

    setting: str
    sentence: str
    broken: bool


def judge(
    reading: Reading,
    exact: Reading,
    needles: Needles | None,
    max_kl: float,
    layers: Mapping[int, LayerOptions] | None = None,
    errors: LayerErrors | None = None,
) -> Verdict:
    """Of a setting that is not the reference; layers and errors: of one of libturboquant's."""
    name = reading.setting.name
    kl, same = float(reading.positions.kl.mean()), float(reading.positions.same_top.mean())
    smaller = exact.cost.bytes / reading.cost.bytes
    measured = (
        f"mean KL {nats(kl)} nats, the same top token at {share(same)} of positions, {smaller:.2f} times fewer bytes"
    )
    reasons = []
    if not kl <= max_kl:
        reasons.append(f"its mean KL is above {max_kl:g}")
    reasons += _lost(name, needles)
    if layers is not None and errors is not None:
        reasons += _miscoded(layers, errors)
    if reasons:
        return Verdict(name, f"{name} is BROKEN: {' and '.join(reasons)} ({measured}).", True)
    words = next(words for most, words in _WORDS if kl <= most)
    return Verdict(name, f"{name} costs {words}: {measured}.", False)


def _miscoded(layers: Mapping[int, LayerOptions], errors: LayerErrors) -> list[str]:
    """Layers whose values lose more than their format can."""
    for index, layer in layers.items():
        dim = layer.value_dim or layer.key_dim
        rotation = layer.value_rotation_block or dim & -dim
        error = float(errors.values[index])
        if rotation >= LEAST_ROTATION and not error <= MOST_ERROR[layer.value_format]:
            return [f"the values of layer {index} are off by {share(error)}, more than {layer.value_format} can be"]
    return []


def _lost(name: str, needles: Needles | None) -> list[str]:
    if needles is None:
        return []
    reasons = []
    for kind in KINDS:
        exact, copied = (needles.copied(each, kind) for each in ("16bit", name))
        what = "random strings" if kind == "random" else "passages"
        loss, gain = needles.loss(name, kind), needles.gain(kind)
        if exact >= LEAST_TO_JUDGE and copied < LEAST_COPIED * exact and loss.low > 0:
            reasons.append(f"it copies {share(copied)} of planted {what} where 16 bit copies {share(exact)}")
        elif gain >= LEAST_GAIN and loss.mean > MOST_LOST * gain and loss.low > 0:
            reasons.append(f"it loses {loss.mean:.2f} of the {gain:.2f} nats that planted {what} are worth")
    return reasons
