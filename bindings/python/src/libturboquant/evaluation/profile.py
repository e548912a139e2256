"""Profiles: the options of a model's layers in a JSON file, which every language reads. docs/profile.md describes it.

The library reads them (`libturboquant.Profile`); here they are written, and held against the model at hand.
"""

from __future__ import annotations

import dataclasses
import json
from collections import Counter
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import libturboquant as tq

from .errors import EvaluationError

FORMAT, VERSION = "libturboquant-profile", 1


def load_profile(path: Path) -> tq.Profile:
    """Read a profile.

    Raises
    ------
    EvaluationError
        If there is none, or the library refuses it; the message names the place.
    """
    try:
        return tq.Profile.load(path)
    except tq.Error as error:
        raise EvaluationError(f"the profile {error}: give a file that turboquant tune wrote") from error


def check_model(profile: tq.Profile, name: str, fingerprint: str) -> None:
    """Refuse a profile that was made for another model."""
    if profile.fingerprint != fingerprint:
        raise EvaluationError(
            f"the profile was made for {profile.name or 'another model'} (fingerprint {profile.fingerprint[:12]}), "
            f"not for {name} ({fingerprint[:12]}): make one with turboquant tune"
        )


def save_profile(
    path: Path, name: str, fingerprint: str, layers: Sequence[tq.LayerOptions], notes: Mapping[str, Any]
) -> None:
    """Write the file, whole or not at all.

    layers: of every layer that has a cache of all its tokens. What most of them have becomes the defaults.
    """
    every = [_fields(layer) for layer in layers]
    defaults = {field: Counter(each[field] for each in every).most_common(1)[0][0] for field in every[0]}
    differing = [
        {"layer": index, **{field: value for field, value in each.items() if value != defaults[field]}}
        for index, each in enumerate(every)
        if each != defaults
    ]
    tree = {
        "format": FORMAT,
        "version": VERSION,
        "model": {"name": name, "fingerprint": fingerprint, "layer_count": len(every)},
        "defaults": defaults,
        "layers": differing,
        "notes": dict(notes),
    }
    draft = path.with_name(path.name + ".part")
    try:
        draft.write_text(json.dumps(tree, indent=1, allow_nan=False) + "\n", encoding="utf-8")
        draft.replace(path)
    except OSError as error:
        raise EvaluationError(f"{path} cannot be written: {error.strerror}: give another path with -o") from error


def _fields(layer: tq.LayerOptions) -> dict[str, Any]:
    """JSON keeps 53 bits of a number in many languages, so the seed is text."""
    return {**dataclasses.asdict(layer), "seed": f"0x{layer.seed:016x}"}
