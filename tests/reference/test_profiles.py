"""docs/profile.schema.json and docs/profile.md agree with the golden profiles."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

import jsonschema
import pytest

import golden_profiles
import make_golden

DOCS = Path(__file__).resolve().parents[2] / "docs"
TEXTS = golden_profiles.texts()
# What a schema cannot say (docs/profile.md), or JSON Schema sees otherwise: 2.0 is an integer there.
BEYOND_SCHEMA = {
    "a layer beyond the last",
    "a layer twice",
    "kv_heads 2.0",
    "no key_dim in one layer",
    "no kv_heads",
    "nested too deep",
    "value_rotation_block 128",
}
# Python's json takes these.
BEYOND_PARSER = {"a field twice", "an infinite number", "not a number"}


def validator() -> Any:
    schema = json.loads((DOCS / "profile.schema.json").read_text(encoding="utf-8"))
    jsonschema.Draft202012Validator.check_schema(schema)
    return jsonschema.Draft202012Validator(schema)


def cases() -> list[Any]:
    kept = (case for case in golden_profiles.cases() if case["fingerprint"] is None)
    return [pytest.param(case, id=case["name"]) for case in kept if case["name"] not in BEYOND_PARSER]


@pytest.mark.parametrize("case", cases())
def test_schema_accepts_what_the_library_reads(case: dict[str, Any]) -> None:
    try:
        content = json.loads(TEXTS[case["file"]])
    except (UnicodeDecodeError, json.JSONDecodeError):
        assert case["message"] == ["not JSON"]
        return
    expected = case["status"] == "TQ_OK" or case["name"] in BEYOND_SCHEMA
    assert validator().is_valid(content) == expected


def test_exceptions_are_cases() -> None:
    assert {case["name"] for case in golden_profiles.cases()} >= BEYOND_SCHEMA | BEYOND_PARSER


def test_documentation_shows_the_example() -> None:
    shown = re.search(r"```json\n(.*?)```", (DOCS / "profile.md").read_text(encoding="utf-8"), flags=re.DOTALL)
    assert shown and json.loads(shown[1]) == golden_profiles.EXAMPLE


def test_check_sees_a_changed_a_missing_and_an_unknown_profile(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "profiles").mkdir()
    for name, text in TEXTS.items():
        (tmp_path / name).write_bytes(text)
    assert make_golden.check_texts(tmp_path) == 0
    first, second = sorted(TEXTS)[:2]
    for spoil, message in (
        (lambda: (tmp_path / "profiles" / "zzz.json").touch(), "profiles/zzz.json: no case makes this file"),
        (lambda: (tmp_path / second).write_bytes(TEXTS[second] + b" "), f"{second}: would change"),
        (lambda: (tmp_path / first).unlink(), f"{first}: missing"),
    ):
        spoil()
        assert make_golden.check_texts(tmp_path) == 1
        assert message in capsys.readouterr().err
