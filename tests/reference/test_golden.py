"""The golden files can be made again, and the check that says so can fail."""

from __future__ import annotations

import json
import re
import shutil
from pathlib import Path

import numpy as np
import pytest

import make_golden
from golden_inputs import FORMULAS, integers_and_exponents, tensor
from golden_text import bits_hex, fnv1a64


@pytest.mark.parametrize("name", make_golden.FILES)
def test_file_is_reproducible(name: str) -> None:
    stored = json.loads((make_golden.FOLDER / f"{name}.json").read_text(encoding="utf-8"))
    assert make_golden.first_difference(stored, json.loads(make_golden.to_text(make_golden.document(name)))) is None


@pytest.fixture
def copy(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder with two of the files, so that each check is short."""
    kept = {name: make_golden.FILES[name] for name in ("rotation", "attention")}
    monkeypatch.setattr(make_golden, "FILES", kept)
    for name in kept:
        shutil.copy(make_golden.FOLDER / f"{name}.json", tmp_path)
    return tmp_path


def edit(path: Path, old: str, new: str) -> None:
    text = path.read_text(encoding="utf-8")
    assert old in text
    path.write_text(text.replace(old, new, 1), encoding="utf-8")


def test_check_passes_on_a_copy(copy: Path) -> None:
    assert make_golden.check(copy) == 0


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        ('"0x74757262', '"0x74757263', "rotation.json: case 'd1 n1': field 'seed'"),
        ('"d1 n1"', '"d1 n2"', "rotation.json: case 'd1 n1' is missing"),
        ('"version": 1', '"version": 2', "rotation.json: the case list or a header field"),
    ],
)
def test_check_names_the_first_difference(
    copy: Path, capsys: pytest.CaptureFixture[str], old: str, new: str, message: str
) -> None:
    edit(copy / "rotation.json", old, new)
    assert make_golden.check(copy) == 1
    assert message in capsys.readouterr().err


def test_check_sees_a_changed_float_and_a_missing_file(copy: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = copy / "attention.json"
    number = re.search(r'"output": \[\[\[(-?[0-9.]+)', path.read_text(encoding="utf-8"))
    assert number
    edit(path, number[1], str(float(number[1]) + 1e-5))
    assert make_golden.check(copy) == 1
    assert "field 'output' would change" in capsys.readouterr().err
    path.unlink()
    assert make_golden.check(copy) == 1
    assert "attention.json: missing" in capsys.readouterr().err


def test_check_sees_a_file_that_nothing_makes(copy: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (copy / "more.json").write_text("{}", encoding="utf-8")
    assert make_golden.check(copy) == 1
    assert "more.json: no case list makes this file" in capsys.readouterr().err


def test_readme_lists_every_kind_and_file() -> None:
    readme = (make_golden.FOLDER.parent / "README.md").read_text(encoding="utf-8")
    assert all(f"| `{kind}` |" in readme for kind in FORMULAS if kind != "base")
    assert all(f"`{name}.json`" in readme for name in make_golden.FILES)


def test_inputs_have_8_significant_bits() -> None:
    t, h, j = np.meshgrid(np.arange(80), np.arange(9), np.arange(200), indexing="ij")
    for kind in FORMULAS.keys() - {"base", "integers", "fine"}:
        spec = {"kind": kind, "seed": 3, "integer": 255, "span": 41}
        integer, _ = integers_and_exponents(spec, t, h, j, 200)
        odd = np.abs(np.atleast_1d(integer))
        while (even := (odd % 2 == 0) & (odd > 0)).any():
            odd = np.where(even, odd // 2, odd)
        assert odd.max() < 256, kind


def test_numbers_as_text() -> None:
    assert bits_hex(np.array([1, -2], dtype=np.float32)) == "0000803f000000c0"
    assert fnv1a64(b"a") == "0xaf63dc4c8601ec8c"  # published test vector
    one = tensor({"kind": "pattern", "seed": 1, "exponent": -6}, 2, 1, 2, 4)[0, 1, 3]
    assert one == ((131 * 2 + 37 + 71 * 3 + 3 * 6 + 5 * 9 + 101) % 509 - 254) / 64
