"""Finds out whether a model still retrieves: a string is planted into a text, and its beginning is repeated at the end.

Two kinds of strings: random tokens, which nobody can guess (models of a billion parameters copy them, very small ones
do not), and passages of the text, which small models continue better if they have seen them before. What counts is the
comparison with the 16-bit cache of the same model, and what the model gains from the planted string at all: its
log-probability with the string minus that without it.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
import torch
from numpy.typing import NDArray

from . import metrics
from .bootstrap import Interval, paired_interval
from .caches import BLOCK, make_cache
from .model import Subject
from .progress import progress
from .settings import Setting

Kind = Literal["random", "passage"]
CUE, ANSWER = 8, 12
"""Tokens of the string that are repeated at the end, and that the model has to find after them."""
DEPTHS = (0.0, 1 / 3, 2 / 3, 1.0)
STRINGS = 2
CHUNK = 256
Ids = NDArray[np.int64]


@dataclass(frozen=True)
class Trial:
    """One text of `length` tokens with a string planted at `depth` (0: start, 1: so near the end that it is just coded)."""

    kind: Kind
    length: int
    depth: float
    tokens: Ids
    without: Ids
    answer: Ids


@dataclass
class Retrieval:
    """What a setting retrieved. Arrays are [trials, ANSWER], trials in the order of `trials`.

    Attributes
    ----------
    log_probability : array
        Of the planted tokens, each given those before it.
    copied : array of bool
        Whether the planted token is the most likely one.
    """

    trials: list[Trial]
    log_probability: metrics.F64
    copied: NDArray[np.bool_]

    def where(self, kind: Kind, length: int | None = None, depth: float | None = None) -> NDArray[np.bool_]:
        """The trials of a kind, a length, a depth."""
        return np.array(
            [t.kind == kind and length in (None, t.length) and depth in (None, t.depth) for t in self.trials], bool
        )

    def loss_against(self, exact: Retrieval, kind: Kind) -> Interval:
        """Nats per planted token by which 16 bit is better."""
        use = self.where(kind)
        difference = (exact.log_probability - self.log_probability)[use]
        return paired_interval(difference.ravel(), np.repeat(np.arange(len(difference)), difference.shape[1]))


def make_trials(subject: Subject, text: Ids, lengths: list[int], seed: int = 1) -> list[Trial]:
    """Trials of every kind, length and depth. Passages are drawn from the last third of the text, the filler is its start."""
    draw = np.random.default_rng(seed)
    special = set(getattr(subject.tokenizer, "all_special_ids", []))
    ordinary = np.setdiff1d(np.arange(int(subject.config.vocab_size)), np.array(sorted(special), np.int64))
    size = CUE + ANSWER
    trials = []
    for length in lengths:
        for kind in ("random", "passage"):
            for depth in DEPTHS * STRINGS:
                if kind == "random":
                    string = draw.choice(ordinary, size)
                else:
                    start = int(draw.integers(len(text) * 2 // 3, len(text) - size))
                    string = text[start : start + size]
                trials.append(_plant(subject, text, string, length, depth, kind))
    return trials


def _plant(subject: Subject, text: Ids, string: Ids, length: int, depth: float, kind: str) -> Trial:
    start = np.array([] if subject.bos is None else [subject.bos], np.int64)
    filler = text[: length - len(start) - 2 * len(string)]
    at = int(depth * (len(filler) - BLOCK))
    head, tail = filler[:at], filler[at:]
    planted = np.concatenate([start, head, string, tail, string])
    without = np.concatenate([start, text[: length - len(start) - len(string)], string])
    return Trial("random" if kind == "random" else "passage", length, depth, planted, without, string[CUE:])


def lengths_for(context: int, tokens: int) -> list[int]:
    """A quarter of the context and all of it, as far as the text reaches; at least a block of filler around the string."""
    least = 2 * (CUE + ANSWER) + 2 * BLOCK
    most = min(context, tokens * 2 // 3)
    return sorted({length for length in (context // 4, most) if least <= length <= most})


def retrieve(subject: Subject, trials: list[Trial], setting: Setting, planted: bool = True) -> Retrieval:
    """Run all trials; those of one length go together as a batch."""
    rows: dict[int, tuple[metrics.F64, NDArray[np.bool_]]] = {}
    for length in sorted({trial.length for trial in trials}):
        group = [index for index, trial in enumerate(trials) if trial.length == length]
        tokens = np.stack([trials[i].tokens if planted else trials[i].without for i in group])
        answers = np.stack([trials[i].answer for i in group])
        found = metrics.log_softmax(_last_logits(subject, tokens, make_cache(subject, setting)))
        chosen = np.take_along_axis(found, answers[..., None], axis=2)[..., 0]
        copied = found.argmax(axis=2) == answers
        rows.update({i: (chosen[j], copied[j]) for j, i in enumerate(group)})
    order = range(len(trials))
    return Retrieval(trials, np.stack([rows[i][0] for i in order]), np.stack([rows[i][1] for i in order]))


def _last_logits(subject: Subject, tokens: Ids, cache: Any) -> NDArray[np.float32]:
    """[trials, ANSWER, vocabulary]: of the places before every token of the answer. The cue comes in a pass of its own."""
    ids = torch.from_numpy(tokens)
    end = ids.shape[1] - CUE - ANSWER
    for start in range(0, end, CHUNK):
        subject.forward(ids[:, start : min(start + CHUNK, end)], cache, logits_to_keep=1)
    logits = subject.forward(ids[:, end:], cache).logits
    return logits[:, CUE - 1 : -1].float().cpu().numpy()  # type: ignore[no-any-return]


@dataclass
class Needles:
    """All settings, and the 16-bit cache with nothing planted."""

    trials: list[Trial]
    exact: Retrieval
    without: Retrieval
    found: dict[str, Retrieval]

    def gain(self, kind: Kind) -> float:
        """Nats per token by which a planted string helps the model with its 16-bit cache."""
        use = self.exact.where(kind)
        return float((self.exact.log_probability - self.without.log_probability)[use].mean())


def run_needles(subject: Subject, text: Ids, context: int, settings: list[Setting]) -> Needles | None:
    """All settings; None if the text or the context is too short to plant anything."""
    lengths = lengths_for(context, len(text))
    if not lengths:
        return None
    trials = make_trials(subject, text, lengths)
    reference = Setting("16bit", "16bit")
    with progress("retrieval", len(settings) + 2) as advance:
        exact = retrieve(subject, trials, reference)
        advance()
        without = retrieve(subject, trials, reference, planted=False)
        advance()
        found = {}
        for setting in settings:
            found[setting.name] = exact if setting.kind == "16bit" else retrieve(subject, trials, setting)
            advance()
    return Needles(trials, exact, without, found)
