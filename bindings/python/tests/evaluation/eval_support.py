"""The model that lies in the repository, and its text."""

from __future__ import annotations

from pathlib import Path

ROOT = Path(__file__).resolve().parents[4]
MODEL = ROOT / "examples" / "llama" / "model"
TEXT = MODEL / "heldout.txt"
