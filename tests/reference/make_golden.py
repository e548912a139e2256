"""Writes tests/golden/v1 from the reference; with --check only tells whether anything would change."""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import golden_attention
import golden_cache
import golden_codec
import golden_profiles
from golden_inputs import FORMULAS

FOLDER = Path(__file__).resolve().parent.parent / "golden" / "v1"
Case = dict[str, Any]

ROTATION_COMMENT = "Signs and the unnormalised transform R(x) of docs/format.md, section 1."
CODEC_COMMENT = "Standalone vectors (tq_codec): codes are what tq_encode writes, decoded what tq_decode returns as f32."
CACHE_COMMENT = "Cache pages: the bytes of every coded block after the steps, and what tq_cache_read returns as f32."

FILES: dict[str, tuple[str, Callable[[], Iterator[Case]]]] = {
    "rotation": (ROTATION_COMMENT, golden_codec.rotation_cases),
    "codec_tq4": (CODEC_COMMENT, lambda: golden_codec.coded_cases("tq4")),
    "codec_tq8": (CODEC_COMMENT, lambda: golden_codec.coded_cases("tq8")),
    "codec_16bit": (CODEC_COMMENT, golden_codec.exact_cases),
    "codec_hard": (CODEC_COMMENT, golden_codec.hard_cases),
    "cache_sizes": (CACHE_COMMENT, golden_cache.size_cases),
    "cache_formats": (CACHE_COMMENT, golden_cache.format_cases),
    "cache_steps": (CACHE_COMMENT, golden_cache.step_cases),
    "cache_hard": (CACHE_COMMENT, golden_cache.hard_cases),
    "attention": (golden_attention.COMMENT, golden_attention.cases),
    "profiles": (golden_profiles.COMMENT, golden_profiles.cases),
}


def document(name: str) -> Case:
    comment, cases = FILES[name]
    made = list(cases())
    names = [case["name"] for case in made]
    assert len(set(names)) == len(names), f"{name}: two cases with the same name"
    for case in made:
        if "input_dtype" in case:
            golden_codec.check_representable(case)
    return {
        "comment": comment + " Schema: tests/golden/README.md. Made by tests/reference/make_golden.py; do not edit.",
        "version": 1,
        "formulas": FORMULAS,
        "cases": made,
    }


def line(value: Any) -> str:
    return json.dumps(value, sort_keys=True, allow_nan=False)


def to_text(content: Case) -> str:
    """Sorted keys, one field per line: a change shows up as the lines of the fields that changed."""
    cases = []
    for case in content["cases"]:
        lines = ",\n".join(f"   {line(key)}: {line(case[key])}" for key in sorted(case))
        cases.append("  {\n" + lines + "\n  }")
    head = ",\n".join(f" {line(key)}: {line(content[key])}" for key in sorted(content) if key != "cases")
    return '{\n "cases": [\n' + ",\n".join(cases) + "\n ],\n" + head + "\n}\n"


def is_same(old: Any, new: Any) -> bool:
    """Equal, but for the last digits of floats: exp and matrix products differ between builds of NumPy."""
    if isinstance(old, float) and isinstance(new, float):
        return abs(old - new) <= 1e-7 * max(1.0, abs(new))
    if isinstance(old, list) and isinstance(new, list):
        return len(old) == len(new) and all(map(is_same, old, new))
    if isinstance(old, dict) and isinstance(new, dict):
        return old.keys() == new.keys() and all(is_same(old[key], new[key]) for key in old)
    return type(old) is type(new) and old == new


def first_difference(old: Case, new: Case) -> str | None:
    """Where a file differs from what would be written now; None if it does not."""
    old_cases = {case["name"]: case for case in old["cases"]}
    for case in new["cases"]:
        before = old_cases.get(case["name"])
        if before is None:
            return f"case '{case['name']}' is missing"
        for field in sorted(case.keys() | before.keys()):
            if not is_same(before.get(field), case.get(field)):
                return f"case '{case['name']}': field '{field}' would change"
    return None if is_same(old, new) else "the case list or a header field would change"


def check(folder: Path) -> int:
    extra = {path.name for path in folder.glob("*.json")} - {f"{name}.json" for name in FILES}
    if extra:
        print(f"make_golden.py: {sorted(extra)[0]}: no case list makes this file", file=sys.stderr)
        return 1
    for name in FILES:
        path = folder / f"{name}.json"
        if not path.is_file():
            print(f"make_golden.py: {path.name}: missing", file=sys.stderr)
            return 1
        new = to_text(document(name))
        old = path.read_text(encoding="utf-8")
        difference = None if old == new else first_difference(json.loads(old), json.loads(new))
        if difference:
            print(f"make_golden.py: {path.name}: {difference}", file=sys.stderr)
            return 1
    return check_texts(folder) if "profiles" in FILES else 0


def check_texts(folder: Path) -> int:
    """The files that profiles.json names, byte by byte."""
    expected = golden_profiles.texts()
    found = {path.relative_to(folder).as_posix(): path.read_bytes() for path in folder.glob("profiles/*")}
    for name in sorted(expected.keys() | found.keys()):
        if expected.get(name) == found.get(name):
            continue
        change = "would change" if name in expected else "no case makes this file"
        print(f"make_golden.py: {name}: {change if name in found else 'missing'}", file=sys.stderr)
        return 1
    return 0


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--check", action="store_true", help="write nothing; exit 1 if a file would change")
    parser.add_argument("--folder", type=Path, default=FOLDER)
    arguments = parser.parse_args()
    if arguments.check:
        return check(arguments.folder)
    arguments.folder.mkdir(parents=True, exist_ok=True)
    for name in FILES:
        path = arguments.folder / f"{name}.json"
        path.write_text(to_text(document(name)), encoding="utf-8")
        print(f"{path.name}: {path.stat().st_size} bytes")
    (arguments.folder / "profiles").mkdir(exist_ok=True)
    for name, text in golden_profiles.texts().items():
        (arguments.folder / name).write_bytes(text)
    return 0


if __name__ == "__main__":
    sys.exit(main())
