"""Settings: what a cache may be, and how that is written on a command line.

``16bit``                     the reference
``default``                   libturboquant as it is
``k=tq8,v=tq4,sinks=0``       libturboquant with fields of LayerOptions changed
``k=tq8,attention=codes``     the same with ``attn_implementation="turboquant"``: attention on the codes
``profile.json``              what ``turboquant tune`` wrote
``int4``, ``int4-rotated``, ``int4-rotated-refit``, ``int8``
                              yardsticks: one fp16 scale per 32 values, as in ggml's q4_0 and q8_0;
                              ``int4,sinks=0,tail=off`` keeps no token in 16 bit
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from types import MappingProxyType
from typing import Literal

import libturboquant as tq

from . import fields as known
from .errors import EvaluationError
from .profile import load_profile

YARDSTICKS = ("int8", "int4", "int4-rotated", "int4-rotated-refit")
REFERENCE = "16bit"
SINKS = known.DEFAULTS["sink_tokens"]

Kind = Literal["16bit", "turboquant", "yardstick"]
Attention = Literal["codes", "decoded"]


@dataclass(frozen=True)
class Setting:
    """One way to keep a cache.

    Attributes
    ----------
    name : str
        As written.
    kind : {"16bit", "turboquant", "yardstick"}
    fields : mapping
        Of all layers, what differs from the defaults of LayerOptions. Yardsticks: "sink_tokens" and "tail".
    layers : mapping
        Of single layers, what differs from `fields`.
    attention : {"codes", "decoded"}, optional
        On what attention is computed. Unless told, texts are read with attention on decoded tokens, which every model
        can do, and times are measured with attention on codes.
    profile : libturboquant.Profile, optional
        Describes all layers; then `fields` and `layers` are empty.
    """

    name: str
    kind: Kind
    fields: Mapping[str, known.Value] = field(default_factory=lambda: MappingProxyType({}))
    layers: Mapping[int, Mapping[str, known.Value]] = field(default_factory=lambda: MappingProxyType({}))
    attention: Attention | None = None
    profile: tq.Profile | None = None

    def with_fields(self, name: str, **changed: known.Value) -> Setting:
        """The same with other fields for all layers."""
        return Setting(name, self.kind, {**self.fields, **changed}, self.layers, self.attention)


DEFAULT = Setting("default", "turboquant")
STANDARD = ("16bit", "default", "k=tq8,v=tq4", "k=tq8,v=tq8", *YARDSTICKS)
"""What `turboquant eval` measures unless told."""


def parse_setting(text: str) -> Setting:
    """Read a setting as it is written on a command line.

    Raises
    ------
    EvaluationError
        If the text is no setting; the message names the part.
    """
    text = text.strip()
    if text == REFERENCE:
        return Setting(text, "16bit")
    if text.endswith(".json"):
        return Setting(Path(text).stem, "turboquant", profile=load_profile(Path(text)))
    head, *rest = (part.strip() for part in text.split(","))
    if head in YARDSTICKS:
        return Setting(text, "yardstick", _yardstick_fields(head, rest))
    parts = rest if head == "default" else [head, *rest]
    given: dict[str, known.Value] = {}
    attention: Attention | None = None
    for part in parts:
        name, equals, value = (piece.strip() for piece in part.partition("="))
        if not equals:
            raise EvaluationError(
                f"'{part}' in the setting '{text}' is not understood: write 16bit, default, name=value pairs such as "
                f"k=tq8,v=tq4,sinks=0, a profile's .json file, or one of {', '.join(YARDSTICKS)}"
            )
        if name == "attention":
            attention = _attention(value)
            continue
        for each in known.expand(name):
            if each in given:
                raise EvaluationError(f"{each} occurs twice in the setting '{text}'")
            given[each] = known.from_text(each, value)
    return Setting(text, "turboquant", given, attention=attention)


def _attention(value: str) -> Attention:
    if value == "codes":
        return "codes"
    if value == "decoded":
        return "decoded"
    raise EvaluationError(f"attention is '{value}': write codes or decoded")


def _yardstick_fields(codes: str, parts: list[str]) -> dict[str, known.Value]:
    """A yardstick keeps the tokens in 16 bit that libturboquant keeps, unless told."""
    given: dict[str, known.Value] = {"codes": codes, "sink_tokens": SINKS, "tail": True}
    for part in parts:
        name, _, value = (piece.strip() for piece in part.partition("="))
        if name in ("sinks", "sink_tokens"):
            given["sink_tokens"] = known.from_text("sink_tokens", value)
        elif name == "tail" and value in ("on", "off"):
            given["tail"] = value == "on"
        else:
            raise EvaluationError(f"'{part}' is not an option of {codes}: choose sinks=0 to 64 and tail=on or off")
    return given


def unique_settings(texts: list[str]) -> list[Setting]:
    """Settings of a command line in their order, the reference always among them."""
    settings = [parse_setting(text) for text in texts]
    if not any(setting.kind == "16bit" for setting in settings):
        settings.insert(0, parse_setting(REFERENCE))
    names = [setting.name for setting in settings]
    for name in names:
        if names.count(name) > 1:
            raise EvaluationError(f"the setting '{name}' is given twice")
    return settings
