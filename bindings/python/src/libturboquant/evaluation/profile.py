"""Profiles: the settings of a model's layers in a JSON file. The C API, Rust and Go read the same file.

    {
      "format": "libturboquant-profile", "version": 1,
      "model": {"name": "..", "fingerprint": "..", "layer_count": 4},
      "defaults": {every field of LayerOptions},
      "layers": [{"layer": 0, the fields that differ from the defaults}, ..],
      "notes": {anything; readers ignore it}
    }
"""

from __future__ import annotations

import dataclasses
import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from . import fields
from .errors import EvaluationError

FORMAT = "libturboquant-profile"
VERSION = 1


@dataclass(frozen=True)
class Profile:
    """What a profile's file holds.

    Attributes
    ----------
    model, fingerprint, layer_count
        The model that it was made for; `fingerprint` as `model_fingerprint` computes it.
    defaults : mapping
        Fields of LayerOptions, for all layers.
    layers : mapping
        Layer index to the fields that differ from the defaults.
    notes : mapping
        For people.
    """

    model: str
    fingerprint: str
    layer_count: int
    defaults: Mapping[str, fields.Value]
    layers: Mapping[int, Mapping[str, fields.Value]] = field(default_factory=dict)
    notes: Mapping[str, Any] = field(default_factory=dict)

    def setting_fields(self) -> dict[str, fields.Value]:
        """The defaults without what the model decides."""
        return {name: value for name, value in self.defaults.items() if name in fields.TUNABLE}

    def setting_layers(self) -> dict[int, dict[str, fields.Value]]:
        """The same of single layers."""
        return {
            index: {name: value for name, value in layer.items() if name in fields.TUNABLE}
            for index, layer in self.layers.items()
        }

    def check_model(self, name: str, fingerprint: str, layer_count: int) -> None:
        """Refuse a model that the profile was not made for."""
        if (self.fingerprint, self.layer_count) != (fingerprint, layer_count):
            raise EvaluationError(
                f"the profile was made for {self.model or 'another model'} ({self.layer_count} layers, fingerprint "
                f"{self.fingerprint[:12]}), not for {name} ({layer_count} layers, {fingerprint[:12]}): make one with "
                f"turboquant tune"
            )


def save_profile(path: Path, profile: Profile) -> None:
    """Write the file, whole or not at all."""
    tree = {
        "format": FORMAT,
        "version": VERSION,
        "model": {"name": profile.model, "fingerprint": profile.fingerprint, "layer_count": profile.layer_count},
        "defaults": dict(profile.defaults),
        "layers": [{"layer": index, **profile.layers[index]} for index in sorted(profile.layers)],
        "notes": dict(profile.notes),
    }
    draft = path.with_name(path.name + ".part")
    draft.write_text(json.dumps(tree, indent=1, allow_nan=False) + "\n", encoding="utf-8")
    draft.replace(path)


def load_profile(path: Path) -> Profile:
    """Read a profile.

    Raises
    ------
    EvaluationError
        If it is not one, is newer than this version, or has fields that do not exist; the message names the place.
    """
    try:
        tree = json.loads(path.read_text(encoding="utf-8"), object_pairs_hook=_no_duplicates)
    except OSError as error:
        raise EvaluationError(f"{path}: {error.strerror}: give the path of a profile") from error
    except ValueError as error:
        raise EvaluationError(f"{path} is not JSON: {error}") from error
    try:
        return _parse(tree)
    except EvaluationError as error:
        raise EvaluationError(f"{path}: {error}") from error


def _parse(tree: Any) -> Profile:
    top = _object(tree, "the file", ("format", "version", "model", "defaults", "layers", "notes"))
    if top.get("format") != FORMAT:
        raise EvaluationError(f"format is {top.get('format')!r}, not {FORMAT!r}: give a file that turboquant tune wrote")
    if top.get("version") != VERSION:
        raise EvaluationError(f"version is {top.get('version')!r}, this libturboquant reads {VERSION}: update it")
    model = _object(top.get("model"), "model", ("name", "fingerprint", "layer_count"))
    count = model.get("layer_count")
    if isinstance(count, bool) or not isinstance(count, int) or count < 1:
        raise EvaluationError(f"model.layer_count is {count!r}: it must be a whole number above 0")
    for name in ("name", "fingerprint"):
        if not isinstance(model.get(name), str):
            raise EvaluationError(f"model.{name} is {model.get(name)!r}: it must be a string")
    defaults = _fields(_object(top.get("defaults"), "defaults", fields.FIELDS), "defaults")
    return Profile(
        model["name"], model["fingerprint"], count, defaults, _layers(top.get("layers", []), count), _notes(top)
    )


def _layers(entries: Any, count: int) -> dict[int, dict[str, fields.Value]]:
    if not isinstance(entries, list):
        raise EvaluationError(f"layers is {entries!r:.40}: it must be a list")
    layers: dict[int, dict[str, fields.Value]] = {}
    for position, entry in enumerate(entries):
        place = f"layers[{position}]"
        given = _object(entry, place, ("layer", *fields.FIELDS))
        index = given.pop("layer", None)
        if isinstance(index, bool) or not isinstance(index, int) or not 0 <= index < count:
            raise EvaluationError(f"{place}.layer is {index!r}: the model has layers 0 to {count - 1}")
        if index in layers:
            raise EvaluationError(f"{place}.layer is {index} a second time: describe each layer once")
        layers[index] = _fields(given, place)
    return layers


def _fields(given: dict[str, Any], place: str) -> dict[str, fields.Value]:
    try:
        return {name: fields.checked(name, value) for name, value in given.items()}
    except EvaluationError as error:
        raise EvaluationError(f"{place}.{error}") from error


def _notes(top: dict[str, Any]) -> dict[str, Any]:
    notes = top.get("notes", {})
    if not isinstance(notes, dict):
        raise EvaluationError(f"notes is {notes!r:.40}: it must be an object")
    return notes


def _object(value: Any, place: str, known: tuple[str, ...]) -> dict[str, Any]:
    if not isinstance(value, dict):
        raise EvaluationError(f"{place} is {value!r:.40}: it must be an object")
    for name in value:
        if name not in known:
            raise EvaluationError(f"{place} has the unknown field '{name}': known are {', '.join(known)}")
    return dict(value)


def _no_duplicates(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    names = [name for name, _ in pairs]
    for name in names:
        if names.count(name) > 1:
            raise EvaluationError(f"the field '{name}' occurs twice")
    return dict(pairs)


def full_defaults(**given: fields.Value) -> dict[str, fields.Value]:
    """Every field of LayerOptions: those given, defaults for the rest."""
    every = {f.name: given.get(f.name, fields.DEFAULTS.get(f.name)) for f in dataclasses.fields(fields.LayerOptions)}
    return {name: fields.checked(name, value) for name, value in every.items()}
