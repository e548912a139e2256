"""Two settings on the same text: paired differences with confidence intervals, and how they write on."""

from __future__ import annotations

from dataclasses import asdict, dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

from .bootstrap import Interval, paired_interval
from .caches import check_settings, make_cache
from .formats import nats
from .lockstep import CHUNK, Reading, read_windows
from .model import Subject, cut_windows
from .progress import progress
from .settings import REFERENCE, Setting

NOTICEABLE_BYTES = 0.005
"""Share by which bytes must differ to be called different."""


@dataclass(frozen=True)
class ComparePlan:
    """How much is measured: windows of text; prompts, and the tokens written after each."""

    windows: int = 4
    context: int = 1024
    prompts: int = 3
    tokens: int = 48


@dataclass
class Continuation:
    """What each setting writes after one prompt, always the most likely token."""

    prompt: str
    tokens: dict[str, list[int]]
    texts: dict[str, str]

    def agreement(self, a: str, b: str) -> int:
        """Tokens until they part."""
        pairs = zip(self.tokens[a], self.tokens[b], strict=True)
        return next((i for i, (x, y) in enumerate(pairs) if x != y), len(self.tokens[a]))


@dataclass
class Comparison:
    """Differences are those of b minus a.

    Attributes
    ----------
    kl : Interval
        Mean KL divergence from the 16-bit cache, nats.
    loss : Interval
        Mean loss of the text's tokens, nats.
    """

    a: str
    b: str
    plan: ComparePlan
    readings: dict[str, Reading]
    kl: Interval
    loss: Interval
    continuations: list[Continuation] = field(default_factory=list)

    @property
    def bytes_change(self) -> float:
        """Bytes of b / bytes of a - 1."""
        return self.readings[self.b].cost.bytes / self.readings[self.a].cost.bytes - 1

    def sentence(self) -> str:
        """Such as "B is worse by 0.004 ± 0.001 nats; 12 % fewer bytes.\" """
        change = f"{nats(abs(self.kl.mean))} ± {nats(self.kl.half_width)} nats"
        if self.kl.decided:
            first = f"{self.b} is {'worse' if self.kl.mean > 0 else 'better'} than {self.a} by {change}"
        else:
            first = f"{self.b} is neither better nor worse than {self.a} for certain: they differ by {change}"
        if abs(self.bytes_change) < NOTICEABLE_BYTES:
            return f"{first}; as many bytes."
        return f"{first}; {abs(self.bytes_change):.0%} {'fewer' if self.bytes_change < 0 else 'more'} bytes.".replace(
            "%", " %"
        )

    def tree(self) -> dict[str, Any]:
        """For JSON."""
        each = {
            name: {**reading.positions.summary(), "bytes_per_token": reading.cost.bytes_per_token}
            for name, reading in self.readings.items()
        }
        return {
            "format": "libturboquant-comparison",
            "version": 1,
            "a": self.a,
            "b": self.b,
            "plan": asdict(self.plan),
            "settings": each,
            "kl_difference": asdict(self.kl),
            "loss_difference": asdict(self.loss),
            "bytes_change": self.bytes_change,
            "continuations": [{"prompt": c.prompt, **c.texts} for c in self.continuations],
            "verdict": self.sentence(),
        }


def compare(subject: Subject, text: NDArray[np.int64], a: Setting, b: Setting, plan: ComparePlan) -> Comparison:
    """Read the text with both settings and 16 bit, and write on from prompts of it.

    Raises
    ------
    EvaluationError
        If a setting does not fit the model, the text is too short, or the context too long.
    """
    windows = cut_windows(subject, text, plan.windows, plan.context)
    reference = Setting(REFERENCE, "16bit")
    settings = [each for each in (a, b) if each.kind != "16bit"]
    check_settings(subject, settings)
    readings = read_windows(subject, windows, [reference, *settings])
    one, other = readings[a.name].positions, readings[b.name].positions
    result = Comparison(
        a.name,
        b.name,
        plan,
        readings,
        paired_interval(other.kl - one.kl, one.segment),
        paired_interval(other.loss - one.loss, one.segment),
    )
    with progress("writing", plan.prompts * (1 + len(settings))) as advance:
        for window in _prompts(windows, plan):
            tokens = {}
            for setting in (reference, *settings):
                tokens[setting.name] = write_on(subject, window, setting, plan.tokens)
                advance()
            decode = subject.tokenizer.decode
            texts = {name: decode(ids, skip_special_tokens=True) for name, ids in tokens.items()}
            result.continuations.append(Continuation(decode(window, skip_special_tokens=True), tokens, texts))
    return result


def _prompts(windows: list[NDArray[np.int64]], plan: ComparePlan) -> list[NDArray[np.int64]]:
    """Beginnings of windows, of different lengths, leaving room to write."""
    room = max(plan.context - plan.tokens, 1)
    return [windows[i % len(windows)][: max(room * (i + 1) // plan.prompts, 1)] for i in range(plan.prompts)]


def write_on(subject: Subject, prompt: NDArray[np.int64], setting: Setting, count: int) -> list[int]:
    """The most likely token, `count` times."""
    cache = make_cache(subject, setting)
    for start in range(0, len(prompt), CHUNK):
        logits = subject.logits(prompt[start : start + CHUNK], cache)
    written = [int(logits[-1].argmax())]
    while len(written) < count:
        logits = subject.logits(np.array(written[-1:], np.int64), cache)
        written.append(int(logits[-1].argmax()))
    return written
