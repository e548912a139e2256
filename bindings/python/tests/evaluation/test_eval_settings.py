"""Settings as they are written on a command line."""

from __future__ import annotations

from pathlib import Path

import pytest

from libturboquant.evaluation import EvaluationError, parse_setting
from libturboquant.evaluation.settings import STANDARD, unique_settings


def test_kinds() -> None:
    assert parse_setting("16bit").kind == "16bit"
    assert parse_setting("default").kind == "turboquant"
    assert parse_setting("default").fields == {}
    assert [setting.kind for setting in unique_settings(list(STANDARD))].count("yardstick") == 4


@pytest.mark.parametrize(
    ("text", "fields"),
    [
        ("k=tq8", {"key_format": "tq8"}),
        (" k = tq8 , v = tq4 ", {"key_format": "tq8", "value_format": "tq4"}),
        ("default,sinks=0", {"sink_tokens": 0}),
        ("format=tq8", {"key_format": "tq8", "value_format": "tq8"}),
        ("group=32,key_rotation_block=16", {"key_group_size": 32, "value_group_size": 32, "key_rotation_block": 16}),
        ("center=off,search=on", {"center_keys": False, "scale_search": True}),
        ("seed=18446744073709551615,recent=2", {"seed": 2**64 - 1, "recent_blocks": 2}),
        ("exact_dtype=bfloat16", {"exact_dtype": "bfloat16"}),
    ],
)
def test_fields(text: str, fields: dict[str, object]) -> None:
    setting = parse_setting(text)
    assert setting.kind == "turboquant"
    assert setting.fields == fields
    assert setting.name == text.strip()


def test_attention() -> None:
    assert parse_setting("default").attention is None
    assert parse_setting("default,attention=codes").attention == "codes"
    assert parse_setting("k=tq8,attention=decoded").attention == "decoded"
    with pytest.raises(EvaluationError, match="attention is 'both': write codes or decoded"):
        parse_setting("attention=both")


def test_yardsticks_keep_what_libturboquant_keeps_unless_told() -> None:
    assert parse_setting("int4").fields == {"codes": "int4", "sink_tokens": 4, "tail": True}
    assert parse_setting("int8,sinks=0,tail=off").fields == {"codes": "int8", "sink_tokens": 0, "tail": False}


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "'' in the setting '' is not understood: write 16bit, default"),
        ("tq4", "'tq4' in the setting"),
        ("k=tq3", "key_format is 'tq3': choose from tq4, tq8, f16, bf16"),
        ("group=48", "key_group_size is 48: choose from 64, 32"),
        ("sinks=65", "sink_tokens is 65: choose a whole number from 0 to 64"),
        ("sinks=-1", "sink_tokens is '-1': write a whole number"),
        ("rotation=48", "key_rotation_block is 48: choose a power of two"),
        ("center=maybe", "center_keys is 'maybe': write on or off"),
        ("k=tq8,key_format=tq4", "key_format occurs twice"),
        ("kv_heads=2", "'kv_heads' is not a field of a setting: choose from k, v,"),
        ("seed=18446744073709551616", "seed is 18446744073709551616"),
        ("int4,tail=maybe", "'tail=maybe' is not an option of int4"),
        ("no-such.json", "cannot be read: No such file"),
    ],
)
def test_refused(text: str, message: str) -> None:
    with pytest.raises(EvaluationError, match=".*") as caught:
        parse_setting(text)
    assert message in str(caught.value)


def test_lists() -> None:
    assert [setting.name for setting in unique_settings(["default"])] == ["16bit", "default"]
    assert [setting.name for setting in unique_settings(["default", "16bit"])] == ["default", "16bit"]
    with pytest.raises(EvaluationError, match="'default' is given twice"):
        unique_settings(["default", "default"])


def test_a_profile_with_an_unknown_field(tmp_path: Path) -> None:
    path = tmp_path / "p.json"
    path.write_text(
        '{"format": "libturboquant-profile", "version": 1, "model": {"name": "m", "fingerprint": "f", '
        '"layer_count": 1}, "defaults": {"kv_heads": 1, "key_dim": 64, "key_formatt": "tq8"}, "layers": []}'
    )
    with pytest.raises(EvaluationError, match="key_formatt"):
        parse_setting(str(path))
