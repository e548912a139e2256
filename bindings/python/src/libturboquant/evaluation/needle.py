"""Finds out whether a model still retrieves: strings are planted in a text, whose end repeats the beginning of one.

Two kinds of strings: random tokens, which nobody can guess (models of a billion parameters copy them, very small ones
do not), and passages of other text, which small models continue better if they have seen them before. What counts is
the comparison with the 16-bit cache of the same model, next to what the model gains from the planted string at all.

Every text holds a string of each kind at each depth. It is read once; then the cache is copied, and each copy is asked
for one string.
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
KINDS: tuple[Kind, ...] = ("random", "passage")
CUE, ANSWER = 8, 12
"""Tokens of a string that are repeated at the end, and that the model has to find after them."""
DEPTHS = (0.0, 0.33, 0.67, 1.0)
TEXTS = 2
"""Texts of every length, each with strings of its own."""
CHUNK = 256
Ids = NDArray[np.int64]


@dataclass(frozen=True)
class Haystack:
    """One text.

    Attributes
    ----------
    tokens : array
        With all strings planted; with a string's cue and answer after it `length` tokens.
    without : array
        As many tokens with nothing planted.
    kinds, depths
        Of every string. Depth 0: at the start; 1: so near the end that it is just in coded blocks.
    strings : array [strings, CUE + ANSWER]
    """

    length: int
    tokens: Ids
    without: Ids
    kinds: tuple[Kind, ...]
    depths: tuple[float, ...]
    strings: Ids


@dataclass
class Retrieval:
    """What a setting retrieved; arrays are [strings of all texts, ANSWER].

    Attributes
    ----------
    log_probability : array
        Of the planted tokens, each given those before it.
    copied : array of bool
        Whether the planted token is the most likely one.
    """

    log_probability: metrics.F64
    copied: NDArray[np.bool_]


@dataclass
class Needles:
    """All settings, and the 16-bit cache with nothing planted; kinds, lengths and depths by string."""

    kinds: NDArray[np.str_]
    lengths: NDArray[np.int64]
    depths: metrics.F64
    exact: Retrieval
    without: Retrieval
    found: dict[str, Retrieval]

    def gain(self, kind: Kind) -> float:
        """Nats per token by which a planted string helps the model with its 16-bit cache."""
        use = self.kinds == kind
        return float((self.exact.log_probability - self.without.log_probability)[use].mean())

    def loss(self, name: str, kind: Kind) -> Interval:
        """Nats per planted token by which 16 bit is better than a setting."""
        use = self.kinds == kind
        difference = (self.exact.log_probability - self.found[name].log_probability)[use]
        return paired_interval(difference.ravel(), np.repeat(np.arange(len(difference)), ANSWER))

    def copied(self, name: str, kind: Kind, length: int | None = None, depth: float | None = None) -> float:
        """Share of planted tokens that are copied exactly."""
        use = self.kinds == kind
        if length is not None:
            use &= self.lengths == length
        if depth is not None:
            use &= self.depths == depth
        return float(self.found[name].copied[use].mean())


def lengths_for(context: int, tokens: int) -> list[int]:
    """Half the context and all of it, as far as the text reaches; at least a block of filler around the strings."""
    least = (len(KINDS) * len(DEPTHS) + 1) * (CUE + ANSWER) + 2 * BLOCK
    most = min(context, tokens * 2 // 3)
    return sorted({length for length in (context // 2, most) if least <= length <= most})


def make_haystacks(subject: Subject, text: Ids, lengths: list[int], seed: int = 1) -> list[Haystack]:
    """The fillers are from the first two thirds of the text, passages from the rest."""
    draw = np.random.default_rng(seed)
    special = np.array(sorted(set(getattr(subject.tokenizer, "all_special_ids", []))), np.int64)
    ordinary = np.setdiff1d(np.arange(int(subject.config.vocab_size)), special)
    size, border = CUE + ANSWER, len(text) * 2 // 3
    haystacks = []
    for length in lengths:
        for _ in range(TEXTS):
            strings: list[Ids] = []
            kinds: list[Kind] = []
            depths: list[float] = []
            for depth in DEPTHS:
                start = int(draw.integers(border, len(text) - size + 1))
                strings += [draw.choice(ordinary, size), text[start : start + size]]
                kinds += KINDS
                depths += [depth] * len(KINDS)
            start = int(draw.integers(0, border - length + 1))
            filler = text[start : start + length]
            haystacks.append(_plant(subject, filler, np.stack(strings), tuple(kinds), tuple(depths)))
    return haystacks


def _plant(subject: Subject, filler: Ids, strings: Ids, kinds: tuple[Kind, ...], depths: tuple[float, ...]) -> Haystack:
    first = np.array([] if subject.bos is None else [subject.bos], np.int64)
    size = strings.shape[1]
    room = len(filler) - len(first) - size  # what the query sees before it
    plain = room - strings.size
    tokens, done = [first], 0
    for string, depth in zip(strings, depths, strict=True):
        at = int(depth * (plain - BLOCK))
        tokens += [filler[done:at], string]
        done = at
    tokens.append(filler[done:plain])
    return Haystack(len(filler), np.concatenate(tokens), np.concatenate([first, filler[:room]]), kinds, depths, strings)


def retrieve(subject: Subject, haystacks: list[Haystack], setting: Setting, planted: bool = True) -> Retrieval:
    """Read every text and ask for every string."""
    probabilities, copied = [], []
    for haystack in haystacks:
        cache = make_cache(subject, setting)
        tokens = haystack.tokens if planted else haystack.without
        logits = _ask(subject, tokens, haystack.strings, cache)
        found = metrics.log_softmax(logits)
        answers = haystack.strings[:, CUE:]
        probabilities.append(np.take_along_axis(found, answers[..., None], axis=2)[..., 0])
        copied.append(found.argmax(axis=2) == answers)
    return Retrieval(np.concatenate(probabilities), np.concatenate(copied))


def _ask(subject: Subject, tokens: Ids, strings: Ids, cache: Any) -> NDArray[np.float32]:
    """[strings, ANSWER, vocabulary]: of the places before every token of the answers."""
    for start in range(0, len(tokens), CHUNK):
        subject.forward(torch.from_numpy(tokens[None, start : start + CHUNK]), cache, logits_to_keep=1)
    cache.batch_repeat_interleave(len(strings))
    logits = subject.forward(torch.from_numpy(strings), cache).logits
    return logits[:, CUE - 1 : -1].float().cpu().numpy()  # type: ignore[no-any-return]


def run_needles(subject: Subject, text: Ids, context: int, settings: list[Setting]) -> Needles | None:
    """All settings; None if the text or the context is too short to plant anything."""
    lengths = lengths_for(context, len(text))
    if not lengths:
        return None
    haystacks = make_haystacks(subject, text, lengths)
    reference = Setting("16bit", "16bit")
    with progress("retrieval", len(settings) + 1) as advance:
        exact = retrieve(subject, haystacks, reference)
        without = retrieve(subject, haystacks, reference, planted=False)
        advance()
        found = {}
        for setting in settings:
            found[setting.name] = exact if setting.kind == "16bit" else retrieve(subject, haystacks, setting)
            advance()
    kinds = np.array([kind for haystack in haystacks for kind in haystack.kinds])
    depths = np.array([depth for haystack in haystacks for depth in haystack.depths])
    per_text = len(KINDS) * len(DEPTHS)
    return Needles(kinds, np.repeat([h.length for h in haystacks], per_text), depths, exact, without, found)
