"""A broken codec is found, loudly; and the same machinery with right codes is not called broken."""

from __future__ import annotations

import numpy as np
import pytest

torch = pytest.importorskip("torch")
pytest.importorskip("transformers")

import eval_broken as broken  # noqa: E402
from eval_models import copier  # noqa: E402
from eval_support import MODEL, TEXT  # noqa: E402

from libturboquant.cli import main  # noqa: E402
from libturboquant.evaluation.evaluate import Plan, evaluate  # noqa: E402
from libturboquant.evaluation.settings import unique_settings  # noqa: E402

EVERY_BYTE = 1 << 20
QUICK = ["--text", str(TEXT), "--windows", "1", "--setting", "default", "--no-speed"]


def run(capsys: pytest.CaptureFixture[str], *more: str) -> tuple[int, str]:
    status = main(["eval", str(MODEL), *QUICK, *more])
    sentence = next(line for line in capsys.readouterr().out.splitlines() if line.startswith("default "))
    return status, sentence


def test_right_codes(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    broken.install(monkeypatch, 0)
    status, sentence = run(capsys)
    assert status == 0
    assert "BROKEN" not in sentence


def test_swapped_nibbles(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    broken.install(monkeypatch, EVERY_BYTE)
    status, sentence = run(capsys)
    assert status == 1
    assert sentence.startswith("default is BROKEN: its mean KL is above 0.05 and ")
    assert "the values of layer 0 are off by" in sentence


def test_two_swapped_nibbles_of_sixty_four(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    """Next-token distributions hardly show it; the error of the values does."""
    broken.install(monkeypatch, 1)
    status, sentence = run(capsys)
    assert status == 1
    assert "more than tq4 can be" in sentence


@pytest.mark.parametrize("swapped_bytes", [0, EVERY_BYTE])
def test_retrieval(swapped_bytes: int, monkeypatch: pytest.MonkeyPatch) -> None:
    """On a model that copies, with nothing but retrieval to judge by."""
    broken.install(monkeypatch, swapped_bytes)
    subject = copier()
    text = np.random.default_rng(5).permutation(np.arange(1, 2500))
    plan = Plan(windows=1, context=768, max_kl=float("inf"), speed=False)
    result = evaluate(subject, text, unique_settings(["default"]), plan)
    assert result.needles is not None
    for kind in ("random", "passage"):
        assert result.needles.copied("16bit", kind) > 0.85
        assert result.needles.gain(kind) > 10
        copied = result.needles.copied("default", kind)
        assert copied < 0.2 if swapped_bytes else copied > 0.85
    sentence = result.verdicts[0].sentence
    assert result.broken == bool(swapped_bytes)
    assert ("of planted random strings where 16 bit copies" in sentence) == bool(swapped_bytes)


def test_a_limit_of_ones_own(capsys: pytest.CaptureFixture[str]) -> None:
    status, sentence = run(capsys, "--no-retrieval", "--max-kl", "0.0001")
    assert status == 1
    assert "its mean KL is above 0.0001" in sentence


def test_yardsticks_do_not_make_the_command_fail(capsys: pytest.CaptureFixture[str]) -> None:
    arguments = ["--no-retrieval", "--max-kl", "0.0006", "--setting", "int4,sinks=0,tail=off"]
    assert main(["eval", str(MODEL), *QUICK, *arguments]) == 0
    assert "int4,sinks=0,tail=off is BROKEN" in capsys.readouterr().out
