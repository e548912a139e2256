"""What several tests need: random tensors, bfloat16 bits, attention in float64."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

ROOT = Path(__file__).resolve().parents[3]
GOLDEN = ROOT / "tests" / "golden" / "v1"
F32 = NDArray[np.float32]
Anything = NDArray[Any]


def gaussian(*shape: int, seed: int = 1) -> F32:
    return np.random.default_rng(seed).standard_normal(shape, dtype=np.float32)


def exact(*shape: int, seed: int = 1) -> F32:
    """Multiples of 1/8 up to 2 in size: exact in float16 and bfloat16."""
    return np.random.default_rng(seed).integers(-16, 17, shape).astype(np.float32) / 8


def bfloat16_bits(values: F32) -> NDArray[np.uint16]:
    """Of values that bfloat16 holds exactly."""
    bits = np.ascontiguousarray(values).view(np.uint32)
    assert not (bits & 0xFFFF).any()
    return (bits >> 16).astype(np.uint16)


def floats_of_bits(bits: NDArray[np.uint16]) -> F32:
    return (bits.astype(np.uint32) << 16).view(np.float32)


def attention(query: Anything, keys: Anything, values: Anything, first: int | None = None) -> NDArray[np.float64]:
    """Causal softmax attention; query i stands at first + i, by default at the end."""
    query, keys, values = (np.asarray(x, np.float64) for x in (query, keys, values))
    share = query.shape[1] // keys.shape[1]
    keys, values = np.repeat(keys, share, axis=1), np.repeat(values, share, axis=1)
    logits = np.einsum("ihc,thc->iht", query, keys) / np.sqrt(query.shape[2])
    if first is None:
        first = len(keys) - len(query)
    hidden = np.arange(len(keys)) > first + np.arange(len(query))[:, None]
    logits = np.where(hidden[:, None, :], -np.inf, logits)
    weights = np.exp(logits - logits.max(2, keepdims=True))
    return np.einsum("iht,thc->ihc", weights / weights.sum(2, keepdims=True), values)


def golden_cases(*files: str) -> list[Any]:
    """Every case of these golden files as a parameter of a test."""
    return [
        pytest.param(case, id=f"{file.removesuffix('.json')}: {case['name']}")
        for file in files
        for case in json.loads((GOLDEN / file).read_text())["cases"]
    ]
