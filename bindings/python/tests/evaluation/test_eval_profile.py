"""Profiles that are written are read again by the library, layer by layer."""

from __future__ import annotations

import dataclasses
import json
from pathlib import Path

import pytest

import libturboquant as tq
from libturboquant.evaluation import EvaluationError, load_profile, save_profile
from libturboquant.evaluation.profile import check_model

PLAIN = tq.LayerOptions(2, 64)
CHANGED = tq.LayerOptions(2, 96, 80, "tq8", "bf16", 32, 64, 16, 8, False, False, 64, 3, "bfloat16", 4096, 2**64 - 1)


def test_round_trip(tmp_path: Path) -> None:
    layers = [PLAIN, CHANGED, PLAIN, dataclasses.replace(PLAIN, sink_tokens=0)]
    path = tmp_path / "profile.json"
    save_profile(path, "naïve model", "ab" * 32, layers, {"why": ["measured", 0.5]})
    profile = load_profile(path)
    assert (profile.name, profile.fingerprint) == ("naïve model", "ab" * 32)
    assert list(profile.layers) == layers
    tree = json.loads(path.read_text(encoding="utf-8"))
    assert [entry["layer"] for entry in tree["layers"]] == [1, 3]
    assert tree["layers"][1] == {"layer": 3, "sink_tokens": 0}
    assert tree["notes"] == {"why": ["measured", 0.5]}
    assert [child.name for child in tmp_path.iterdir()] == ["profile.json"]


def test_every_field_is_written(tmp_path: Path) -> None:
    path = tmp_path / "profile.json"
    save_profile(path, "m", "f", [CHANGED], {})
    assert set(json.loads(path.read_text())["defaults"]) == {field.name for field in dataclasses.fields(CHANGED)}


def test_another_model(tmp_path: Path) -> None:
    path = tmp_path / "profile.json"
    save_profile(path, "mine", "1" * 64, [PLAIN], {})
    check_model(load_profile(path), "mine", "1" * 64)
    with pytest.raises(EvaluationError, match="made for mine .fingerprint 111111111111., not for yours"):
        check_model(load_profile(path), "yours", "2" * 64)


def test_a_folder_that_is_not_there(tmp_path: Path) -> None:
    with pytest.raises(EvaluationError, match="cannot be written: No such file or directory"):
        save_profile(tmp_path / "none" / "profile.json", "m", "f", [PLAIN], {})
