"""Bad requests: one sentence that says what and what to do, exit status 2, no traceback."""

from __future__ import annotations

import importlib.util
import json
import shutil
from pathlib import Path
from typing import Any

import pytest
from eval_support import MODEL, TEXT

from libturboquant.cli import main

torch = pytest.importorskip("torch")
transformers = pytest.importorskip("transformers")


def refusal(capsys: pytest.CaptureFixture[str], *arguments: str) -> str:
    assert main(list(arguments)) == 2
    captured = capsys.readouterr()
    assert captured.out == ""
    lines = captured.err.strip().splitlines()
    assert len(lines) == 1, captured.err
    assert lines[0].startswith("turboquant: ")
    return lines[0]


def config_only(folder: Path, **config: Any) -> str:
    folder.mkdir()
    (folder / "config.json").write_text(json.dumps(config))
    return str(folder)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--context", "4096"], "--context 4096 is more than the 1024 positions of model: give at most that"),
        (["--context", "1"], "--context 1 leaves nothing to predict: give at least 2"),
        (["--windows", "6"], "windows of 1024 take 6138: give a longer text or --windows 5"),
        (["--setting", "k=tq3"], "key_format is 'tq3'"),
        (["--setting", "frog"], "'frog' in the setting 'frog' is not understood"),
        (["--setting", "rotation=128"], "the setting 'rotation=128' does not fit model: key_rotation_block is 128"),
        (["--setting", "none.json"], "the profile none.json: cannot be read"),
        (["--json", "none/x.json"], "none/x.json lies in no folder that exists: give the path of a file"),
        (["--html", "."], ". is a folder: give the path of a file"),
    ],
)
def test_eval(arguments: list[str], message: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert message in refusal(capsys, "eval", str(MODEL), "--text", str(TEXT), *arguments)


def test_texts(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    short, binary = tmp_path / "short.txt", tmp_path / "binary.txt"
    short.write_text("Too short.")
    binary.write_bytes(b"abc\xff")
    found = refusal(capsys, "eval", str(MODEL), "--text", str(short))
    assert "and 4 windows of 1024 take 4092: give a longer text or less --context" in found
    assert "is not UTF-8 at byte 3: convert it" in refusal(capsys, "eval", str(MODEL), "--text", str(binary))
    assert "no such file: give a UTF-8 text file" in refusal(capsys, "eval", str(MODEL), "--text", "none.txt")


def test_models(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    def of(model: str) -> str:
        return refusal(capsys, "eval", model, "--text", str(TEXT))

    assert "has no config.json: give the folder of a transformers model" in of(str(tmp_path))
    assert "has no config.json" in of(str(tmp_path / "none"))
    wide = config_only(tmp_path / "wide", model_type="llama", head_dim=2048, hidden_size=64, num_attention_heads=2)
    assert "has heads of 2048 numbers: libturboquant holds 1 to 1024" in of(wide)
    sliding = config_only(tmp_path / "sliding", model_type="mistral", sliding_window=128)
    assert "only layers of the types sliding_attention" in of(sliding)
    encoder = config_only(tmp_path / "encoder", model_type="t5")
    assert "is an encoder-decoder model (t5): give a decoder-only one" in of(encoder)
    recurrent = config_only(tmp_path / "recurrent", model_type="mamba")
    assert "has no attention heads: give a model with a KV cache" in of(recurrent)
    unknown = config_only(tmp_path / "unknown", model_type="no-such-model")
    assert "cannot be loaded: " in of(unknown)
    empty = tmp_path / "empty"
    shutil.copytree(MODEL, empty, ignore=shutil.ignore_patterns("*.safetensors"))
    assert f"the model {empty} cannot be loaded: " in of(str(empty))


def test_a_profile_of_another_model(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    other = tmp_path / "other"
    shutil.copytree(MODEL, other)
    model = transformers.AutoModelForCausalLM.from_pretrained(MODEL, dtype=torch.float16)
    with torch.no_grad():
        model.model.norm.weight[3] += 1
    model.save_pretrained(other)
    path = tmp_path / "p.json"
    assert main(["tune", str(other), "--text", str(TEXT), "--minutes", "0", "--context", "64", "-o", str(path)]) == 0
    capsys.readouterr()
    found = refusal(capsys, "eval", str(MODEL), "--text", str(TEXT), "--setting", str(path))
    assert "the profile was made for other (fingerprint " in found
    assert found.endswith("make one with turboquant tune")
    tree = json.loads(path.read_text())
    tree["defaults"]["key_fromat"] = "tq8"
    path.write_text(json.dumps(tree))
    assert "key_fromat" in refusal(capsys, "eval", str(MODEL), "--text", str(TEXT), "--setting", str(path))


def test_fingerprints_do_not_depend_on_the_precision(capsys: pytest.CaptureFixture[str]) -> None:
    from libturboquant.evaluation.model import load_model

    prints = {load_model(str(MODEL), dtype).fingerprint() for dtype in ("float32", "bfloat16", "float16")}
    assert len(prints) == 1


def test_tune_and_compare(capsys: pytest.CaptureFixture[str]) -> None:
    text = ["--text", str(TEXT)]
    found = refusal(capsys, "tune", str(MODEL), *text, "--bits", "4")
    assert "--bits 4 is less than libturboquant's leanest setting for this model" in found
    assert "6 windows of 1024 take 6138" in refusal(capsys, "tune", str(MODEL), *text, "--windows", "4")
    compare = ["compare", "default", "int4", "--model", str(MODEL), *text]
    assert "--tokens 64 leaves no prompt in a context of 64" in refusal(
        capsys, *compare, "--context", "64", "--tokens", "64"
    )
    assert "A and B are both 'default'" in refusal(capsys, "compare", "default", "default", *compare[3:])


def test_a_missing_extra(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    real = importlib.util.find_spec
    monkeypatch.setattr(importlib.util, "find_spec", lambda name, *more: None if name == "torch" else real(name, *more))
    for command in (["eval", str(MODEL)], ["tune", str(MODEL)], ["compare", "default", "int4", "--model", str(MODEL)]):
        found = refusal(capsys, *command, "--text", str(TEXT))
        assert found == "turboquant: torch not installed: pip install 'libturboquant[eval]'"
