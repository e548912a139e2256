"""What `eval`, `tune` and `compare` share: arguments, loading, files. torch is imported only when a command runs."""

from __future__ import annotations

import argparse
import json
from pathlib import Path
from typing import TYPE_CHECKING, Any

from libturboquant.evaluation.errors import EvaluationError, require_extra

from ._arguments import positive

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    from libturboquant.evaluation.model import Subject


def add_subject(parser: argparse.ArgumentParser, windows: int) -> None:
    """The text, and how much of it is read."""
    parser.add_argument("--text", type=Path, required=True, help="UTF-8 text that the model would be used on")
    parser.add_argument("--windows", type=positive, default=windows, help="pieces of text (default: %(default)s)")
    parser.add_argument(
        "--context", type=positive, default=None, help="tokens in each (default: 1024, or the model's limit)"
    )
    parser.add_argument(
        "--dtype",
        choices=("float32", "bfloat16", "float16"),
        default="float32",
        help="what the model computes in (default: %(default)s, so that nothing but the cache rounds)",
    )
    parser.add_argument("--threads", type=positive, help="default: as many as PyTorch takes")


def load(options: argparse.Namespace, model: str) -> tuple[Subject, NDArray[np.int64]]:
    """The model and the tokens of the text; also fills in the default of --context."""
    require_extra()
    import torch

    from libturboquant.evaluation.model import check_context, load_model, read_text

    if options.threads:
        torch.set_num_threads(options.threads)
    if not options.text.is_file():
        raise EvaluationError(f"--text {options.text}: no such file: give a UTF-8 text file")
    subject = load_model(model, options.dtype)
    if options.context is None:
        options.context = min(1024, subject.limit or 1024)
    if options.context < 2:
        raise EvaluationError(f"--context {options.context} leaves nothing to predict: give at least 2")
    check_context(subject, options.context)
    return subject, read_text(subject, options.text)


def check_folders(*paths: Path | None) -> None:
    """Refuse files that cannot be written before anything is measured."""
    for path in paths:
        if path is not None and (path.is_dir() or not path.parent.is_dir()):
            reason = "is a folder" if path.is_dir() else "lies in no folder that exists"
            raise EvaluationError(f"{path} {reason}: give the path of a file")


def write_json(path: Path | None, tree: Any) -> None:
    """If a path was given."""
    if path is not None:
        write_text(path, json.dumps(tree, indent=1, allow_nan=False) + "\n")


def write_text(path: Path, text: str) -> None:
    """Or an error that says why it cannot be written."""
    try:
        path.write_text(text, encoding="utf-8")
    except OSError as error:
        raise EvaluationError(f"{path} cannot be written: {error.strerror}: give another path") from error
