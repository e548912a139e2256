"""The console script: every command runs, prints what it promises, and refuses bad input with a message."""

from __future__ import annotations

import builtins
from pathlib import Path

import numpy as np
import pytest

import libturboquant as tq
from libturboquant.cli import main

SMALL = ["--tokens", "200", "--q-heads", "4", "--kv-heads", "2", "--head-dim", "64", "--repeat", "2"]


@pytest.fixture(autouse=True)
def wide_terminal(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("COLUMNS", "200")


@pytest.fixture(params=[True, False], ids=["rich", "plain"])
def rich(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> None:
    if request.param:
        return
    real = builtins.__import__

    def without_rich(name: str, *arguments: object, **named: object) -> object:
        if name.startswith("rich"):
            raise ImportError(name)
        return real(name, *arguments, **named)  # type: ignore[arg-type]

    monkeypatch.setattr(builtins, "__import__", without_rich)


@pytest.mark.usefixtures("rich")
def test_info(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["info"]) == 0
    text = capsys.readouterr().out
    assert tq.version() in text
    assert tq.cpu_target() in text
    assert "67" in text  # bytes of 128 numbers in tq4
    assert "3.82x" in text


@pytest.mark.usefixtures("rich")
@pytest.mark.parametrize("command", ["demo", "bench"])
def test_commands_that_measure(command: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert main([command, *SMALL]) == 0
    text = capsys.readouterr().out
    assert "tq4" in text
    assert "ms" in text


def test_inspect(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    file = tmp_path / "keys.npy"
    np.save(file, np.random.default_rng(1).standard_normal((130, 2, 64), dtype=np.float32))
    assert main(["inspect", str(file)]) == 0
    text = capsys.readouterr().out
    assert "128 of 130 tokens" in text
    assert all(name in text for name in ("tq4", "tq8", "f16", "bf16"))


@pytest.mark.parametrize(
    ("array", "message"),
    [
        (np.zeros((64, 64), np.float32), "shape (64, 64)"),
        (np.zeros((64, 2, 64), np.int32), "int32"),
        (np.zeros((63, 2, 64), np.float32), "63 tokens"),
        (np.full((64, 2, 64), np.nan, np.float32), "nan"),
    ],
)
def test_inspect_refuses(
    array: np.ndarray, message: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    file = tmp_path / "bad.npy"
    np.save(file, array)
    assert main(["inspect", str(file)]) == 1
    assert message in capsys.readouterr().err.lower()


def test_inspect_refuses_a_missing_file(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["inspect", "no-such-file.npy"]) == 1
    assert "no-such-file.npy" in capsys.readouterr().err


def test_wrong_usage(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit, match="2"):
        main(["demo", "--tokens", "0"])
    assert "'0' is not a whole number above 0" in capsys.readouterr().err
    assert main(["demo", "--tokens", "64", "--q-heads", "3", "--kv-heads", "2"]) == 1
    assert "--q-heads is 3" in capsys.readouterr().err
