"""The fields of LayerOptions as text: which there are, what they may hold, short names."""

from __future__ import annotations

import dataclasses
import re
from typing import Literal, get_args, get_origin, get_type_hints

from libturboquant._options import LayerOptions

from .errors import EvaluationError

Value = str | int | bool

SHAPE = ("kv_heads", "key_dim", "value_dim", "window")
"""Fields that the model decides; a setting cannot change them."""

_SHORT: dict[str, tuple[str, ...]] = {
    "k": ("key_format",),
    "v": ("value_format",),
    "format": ("key_format", "value_format"),
    "group": ("key_group_size", "value_group_size"),
    "group_size": ("key_group_size", "value_group_size"),
    "rotation": ("key_rotation_block", "value_rotation_block"),
    "rotation_block": ("key_rotation_block", "value_rotation_block"),
    "center": ("center_keys",),
    "search": ("scale_search",),
    "sinks": ("sink_tokens",),
    "recent": ("recent_blocks",),
}

_TYPES = get_type_hints(LayerOptions)
_CHOICES: dict[str, tuple[Value, ...]] = {
    "key_group_size": (64, 32),
    "value_group_size": (64, 32),
    **{name: get_args(kind) for name, kind in _TYPES.items() if get_origin(kind) is Literal},
}
_RANGES: dict[str, tuple[int, int]] = {
    "key_rotation_block": (0, 1024),
    "value_rotation_block": (0, 1024),
    "sink_tokens": (0, 64),
    "recent_blocks": (0, 1024),
    "seed": (0, 2**64 - 1),
}
_SWITCHES: dict[str, bool] = {"on": True, "true": True, "1": True, "off": False, "false": False, "0": False}

DEFAULTS: dict[str, Value] = {
    field.name: field.default for field in dataclasses.fields(LayerOptions) if field.default is not dataclasses.MISSING
}
TUNABLE = tuple(field.name for field in dataclasses.fields(LayerOptions) if field.name not in SHAPE)


def expand(name: str) -> tuple[str, ...]:
    """The fields that a name in a setting stands for."""
    names = _SHORT.get(name, (name,))
    if any(each not in TUNABLE for each in names):
        known = ", ".join((*_SHORT, *TUNABLE))
        raise EvaluationError(f"'{name}' is not a field of a setting: choose from {known}")
    return names


def from_text(name: str, text: str) -> Value:
    """The value of a field as it is written on a command line."""
    if _TYPES[name] is bool:
        if text.lower() not in _SWITCHES:
            raise EvaluationError(f"{name} is '{text}': write on or off")
        return _SWITCHES[text.lower()]
    if _TYPES[name] is int:
        if not re.fullmatch(r"\d{1,20}", text):
            raise EvaluationError(f"{name} is '{text}': write a whole number")
        return _checked(name, int(text))
    return _checked(name, text)


def _checked(name: str, value: int | str) -> Value:
    choices = _CHOICES.get(name)
    if choices is not None:
        if value not in choices:
            raise EvaluationError(f"{name} is {value!r}: choose from {', '.join(map(str, choices))}")
        return value
    least, most = _RANGES[name]
    if not isinstance(value, int) or not least <= value <= most:
        raise EvaluationError(f"{name} is {value!r}: choose a whole number from {least} to {most}")
    if name.endswith("rotation_block") and value & (value - 1):
        raise EvaluationError(f"{name} is {value}: choose a power of two, or 0 for the largest")
    return value
