"""Profiles: the golden files, wrong arguments, and the way from a file to a cache."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import pytest

import libturboquant as tq
from golden import layer_options
from support import GOLDEN, golden_cases

EXAMPLE = GOLDEN / "profiles" / "read_the_example_of_the_documentation.json"


@pytest.mark.parametrize("case", golden_cases("profiles.json"))
def test_golden_profile(case: dict[str, Any]) -> None:
    path, fingerprint = GOLDEN / case["file"], case["fingerprint"]
    calls = (lambda: tq.Profile.load(path, fingerprint), lambda: tq.Profile.parse(path.read_bytes(), fingerprint))
    for call, source in zip(calls, (path.name, "text"), strict=True):
        if case["status"] == "TQ_OK":
            profile = call()
            assert (profile.name, profile.fingerprint) == (case["model_name"], case["model_fingerprint"])
            assert profile.layers == tuple(layer_options(fields) for fields in case["layers"])
            assert tq.Cache(profile.layers).layers == profile.layers
            continue
        with pytest.raises(tq.Error) as caught:
            call()
        assert caught.value.status_name == case["status"]
        assert all(words in str(caught.value) for words in (source, *case["message"])), str(caught.value)


def test_paths_and_text_of_every_kind() -> None:
    expected = tq.Profile.load(EXAMPLE)
    assert expected.layers[0].key_format == "tq8" and expected.layers[1].key_format == "tq4"
    assert expected == tq.Profile.load(str(EXAMPLE)) == tq.Profile.load(os.fsencode(EXAMPLE))
    assert expected == tq.Profile.parse(EXAMPLE.read_text())
    assert expected == tq.Profile.load(EXAMPLE, fingerprint=expected.fingerprint)


def test_files_that_cannot_be_read(tmp_path: Path) -> None:
    with pytest.raises(tq.NotFound, match="none.json: cannot be read: No such file"):
        tq.Profile.load(tmp_path / "none.json")
    with pytest.raises(tq.InvalidArgument, match="cannot be read: Is a directory"):
        tq.Profile.load(tmp_path)
    strange = os.fsencode(tmp_path) + b"/\xff\xfe.json"
    with pytest.raises(tq.NotFound, match="\ufffd\ufffd.json: cannot be read"):
        tq.Profile.load(strange)
    Path(os.fsdecode(strange)).write_bytes(EXAMPLE.read_bytes())
    assert tq.Profile.load(strange).name == "books-tiny"


@pytest.mark.parametrize(
    ("arguments", "error", "message"),
    [
        ((3,), TypeError, "path is 3; expected str, bytes or os.PathLike"),
        ((None,), TypeError, "path is None"),
        (("a\0b",), tq.InvalidArgument, "path is 'a.x00b'; expected no NUL"),
        ((EXAMPLE, 3), TypeError, "fingerprint is 3; expected str or None"),
        ((EXAMPLE, b"x"), TypeError, "fingerprint is an object of type bytes"),
        ((EXAMPLE, "a\0b"), tq.InvalidArgument, "fingerprint is 'a.x00b'"),
    ],
)
def test_wrong_arguments(arguments: Any, error: type[Exception], message: str) -> None:
    with pytest.raises(error, match=message):
        tq.Profile.load(*arguments)


def test_text_that_is_none() -> None:
    with pytest.raises(TypeError, match="text is None; expected str or bytes"):
        tq.Profile.parse(None)  # type: ignore[arg-type]
    with pytest.raises(UnicodeEncodeError):
        tq.Profile.parse("\ud800")
