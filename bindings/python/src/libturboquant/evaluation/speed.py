"""Time per token in prefill and in decoding, against the length of the context, and the bytes at that length.

Here 16 bit means transformers' own DynamicCache in the model's compute type, with the attention the model was loaded
with; libturboquant's settings use `attn_implementation="turboquant"`, attention on the codes, unless told. Yardsticks
are emulated: their time says nothing and is not measured.
"""

from __future__ import annotations

import statistics
import time
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray
from transformers import DynamicCache

from .caches import attention_on, make_cache
from .model import Subject
from .progress import progress
from .settings import Setting

STEPS = 16
"""Tokens decoded at every length; the median counts."""
CHUNK = 256


@dataclass
class Speed:
    """Seconds of one setting.

    Attributes
    ----------
    prefill : float
        Per token, over the longest context, in passes of 256 tokens.
    decode : list of (tokens, seconds)
        Median time of one token after a context of so many tokens.
    """

    prefill: float = float("nan")
    decode: list[tuple[int, float]] = field(default_factory=list)


def lengths_of(context: int) -> list[int]:
    """Contexts that decoding is timed at: a quarter, a half, all of it."""
    return sorted({max(context * part // 4, STEPS + 1) for part in (1, 2, 4)})


def measure(subject: Subject, window: NDArray[np.int64], settings: list[Setting]) -> dict[str, Speed]:
    """Of every setting but yardsticks."""
    timed = [setting for setting in settings if setting.kind != "yardstick"]
    results = {}
    with progress("time", len(timed)) as advance:
        for setting in timed:
            cache = DynamicCache(config=subject.config) if setting.kind == "16bit" else make_cache(subject, setting)
            codes = setting.kind == "turboquant" and setting.attention != "decoded"
            with attention_on(subject, codes):
                results[setting.name] = _measure(subject, window, cache)
            advance()
    return results


def _measure(subject: Subject, window: NDArray[np.int64], cache: Any) -> Speed:
    speed, prefill, done = Speed(), 0.0, 0
    counted = 0
    for length in lengths_of(len(window)):
        while done < length - STEPS:
            chunk = window[done : min(done + CHUNK, length - STEPS)]
            seconds = _timed(subject, chunk, cache)
            if done:  # the first pass pays for fresh memory
                prefill, counted = prefill + seconds, counted + len(chunk)
            done += len(chunk)
        times = [_timed(subject, window[i : i + 1], cache) for i in range(done, length)]
        speed.decode.append((length, statistics.median(times)))
        done = length
    speed.prefill = prefill / counted if counted else float("nan")
    return speed


def _timed(subject: Subject, tokens: NDArray[np.int64], cache: Any) -> float:
    start = time.perf_counter()
    subject.logits(tokens, cache)
    return time.perf_counter() - start
