"""Paths and fixtures of all tests."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

import libturboquant as tq

ROOT = Path(__file__).resolve().parents[3]
sys.path.insert(0, str(ROOT / "tests" / "reference"))  # the formulas of the golden inputs


@pytest.fixture
def cache() -> tq.Cache:
    """Two layers of two kv heads; keys of 64 numbers, values of 32."""
    return tq.Cache(layer_count=2, kv_heads=2, key_dim=64, value_dim=32)


@pytest.fixture
def sequence(cache: tq.Cache) -> tq.Sequence:
    return tq.Sequence(cache)
