"""eval, tune and compare from end to end, on the model that lies in the repository."""

from __future__ import annotations

import json
import re
import xml.etree.ElementTree as xml
from html.parser import HTMLParser
from pathlib import Path

import pytest

pytest.importorskip("torch")
pytest.importorskip("transformers")

from eval_support import MODEL, TEXT  # noqa: E402

import libturboquant as tq  # noqa: E402
from libturboquant.cli import main  # noqa: E402

VOID = {"meta", "br", "wbr", "img", "link", "input", "hr"}


class Checker(HTMLParser):
    """Every element that is opened is closed in its order; collects what a browser would fetch."""

    def __init__(self) -> None:
        super().__init__()
        self.open: list[str] = []
        self.fetched: list[str] = []
        self.seen: set[str] = set()

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.seen.add(tag)
        self.fetched += [name for name, _ in attrs if name in ("src", "href", "srcset", "action", "data")]
        if tag not in VOID:
            self.open.append(tag)

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.seen.add(tag)

    def handle_endtag(self, tag: str) -> None:
        assert self.open, f"</{tag}> closes nothing"
        assert self.open.pop() == tag


def test_eval(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    report, numbers = tmp_path / "report.html", tmp_path / "numbers.json"
    settings = ["16bit", "default", "k=tq8,v=tq8", "int4"]
    chosen = [part for setting in settings for part in ("--setting", setting)]
    files = ["--json", str(numbers), "--html", str(report)]
    assert main(["eval", str(MODEL), "--text", str(TEXT), "--windows", "2", *chosen, *files]) == 0

    text = capsys.readouterr().out
    assert re.search(r"^default costs .*: mean KL 0\.000\d\d nats, the same top token at 9\d\.\d %", text, re.M)
    tree = json.loads(numbers.read_text())
    assert [entry["name"] for entry in tree["settings"]] == settings
    exact, default, cautious, int4 = tree["settings"]
    assert exact["kl_mean"] == 0
    assert exact["bits_per_value"] == 16
    assert exact["bytes_per_token"] == 5 * 2 * 2 * 64 * 2  # layers, keys and values, heads, numbers, bytes
    assert 0 < default["kl_mean"] < 0.0012
    assert cautious["kl_mean"] < default["kl_mean"] / 20
    assert default["same_top"] > 0.98
    assert default["bytes_per_token"] < int4["bytes_per_token"] < exact["bytes_per_token"] / 3
    assert int4["bits_per_value"] == 4.5
    assert default["bits_per_value"] == pytest.approx(4.22, abs=0.02)
    assert len(default["attention_error"]) == 5
    assert all(len(heads) == 4 and 0 < min(heads) < max(heads) < 0.3 for heads in default["attention_error"])
    assert default["value_error"] == pytest.approx([0.0855] * 5, rel=0.05)  # what docs/numerics.md says of tq4
    assert [at for at, _ in default["decode_seconds_per_token"]] == [256, 512, 1024]
    assert "decode_seconds_per_token" not in int4
    assert default["retrieval"]["passage"]["copied"] > 0.3
    check_page(report.read_text(encoding="utf-8"), settings)


def check_page(page: str, settings: list[str]) -> None:
    checker = Checker()
    checker.feed(page)
    checker.close()
    assert checker.open == []
    assert checker.fetched == []
    assert "script" not in checker.seen
    assert not re.search(r"url\(|@import|https?:", page)
    assert all(setting in page for setting in settings)
    drawings = re.findall(r"<svg .*?</svg>", page, re.S)
    assert len(drawings) == 4
    for drawing in drawings:
        assert len(list(xml.fromstring(drawing).iter())) > 20
    assert "prefers-color-scheme: dark" in page
    assert 'name="viewport"' in page


def test_tune_and_use_the_profile(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = tmp_path / "tuned.json"
    arguments = ["--text", str(TEXT), "--windows", "1", "--held-out", "2", "-o", str(path)]
    assert main(["tune", str(MODEL), "--bits", "5", *arguments]) == 0
    text = capsys.readouterr().out
    assert "layer 2: key_format=tq8" in text
    assert re.search(r"^The (tuned setting is better than the )?default ", text, re.M)
    profile = tq.Profile.load(path)
    assert len(profile.layers) == 5
    notes = json.loads(path.read_text())["notes"]
    assert notes["bits_per_value"] <= 5
    assert notes["held_out_kl"] <= notes["held_out_kl_of_default"]
    assert all(step["bits"] <= 5 for step in notes["measured"])

    few = ["--text", str(TEXT), "--windows", "2", "--prompts", "1", "--tokens", "4"]
    assert main(["compare", "k=tq8,v=tq8", str(path), "--model", str(MODEL), *few]) == 0
    assert "tuned is worse than k=tq8,v=tq8 by" in capsys.readouterr().out


def test_tune_says_when_the_default_is_as_good(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = tmp_path / "tuned.json"
    arguments = ["--text", str(TEXT), "--windows", "1", "--held-out", "1", "-o", str(path), "--minutes", "0"]
    assert main(["tune", str(MODEL), *arguments]) == 0
    text = capsys.readouterr().out
    assert "The search ended after 0 minutes" in text
    assert "The default is as good" in text
    assert tq.Profile.load(path).layers == (tq.LayerOptions(2, 64),) * 5


def test_compare(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = tmp_path / "numbers.json"
    few = ["--text", str(TEXT), "--windows", "2", "--prompts", "2", "--tokens", "6", "--json", str(path)]
    assert main(["compare", "k=tq8,v=tq8", "default", "--model", str(MODEL), *few]) == 0
    text = capsys.readouterr().out
    wanted = r"^default is worse than k=tq8,v=tq8 by 0\.000\d\d ± 0\.000\d\d nats; 4\d % fewer bytes\.$"
    assert re.search(wanted, text, re.M)
    tree = json.loads(path.read_text())
    assert 0 < tree["kl_difference"]["low"] < tree["kl_difference"]["mean"] < tree["kl_difference"]["high"]
    assert -0.5 < tree["bytes_change"] < -0.4
    assert len(tree["continuations"]) == 2
    assert all(tree["continuations"][0][name] for name in ("prompt", "16bit", "default"))


def test_compare_what_is_the_same(capsys: pytest.CaptureFixture[str]) -> None:
    few = ["--text", str(TEXT), "--windows", "2", "--context", "256", "--prompts", "1", "--tokens", "2"]
    assert main(["compare", "default", "sinks=4", "--model", str(MODEL), *few]) == 0
    text = capsys.readouterr().out
    same = "neither better nor worse than default for certain: they differ by 0 ± 0 nats; as many bytes."
    assert f"sinks=4 is {same}" in text
    assert "A and B write the same 2 of 2 tokens" in text


def test_compare_with_16_bit(capsys: pytest.CaptureFixture[str]) -> None:
    few = ["--text", str(TEXT), "--windows", "2", "--context", "512", "--prompts", "1", "--tokens", "2"]
    assert main(["compare", "16bit", "default", "--model", str(MODEL), *few]) == 0
    assert re.search(r"^default is worse than 16bit by .* nats; 6\d % fewer bytes\.$", capsys.readouterr().out, re.M)
