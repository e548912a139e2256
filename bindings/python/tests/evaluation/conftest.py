"""What holds for all tests of evaluation. Those that need torch are skipped without it."""

from __future__ import annotations

import pytest


@pytest.fixture(autouse=True)
def wide_terminal(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("COLUMNS", "200")


@pytest.fixture(autouse=True, scope="session")
def one_thread() -> None:
    """Many small matrices: more threads would wait for each other."""
    try:
        import torch
    except ImportError:
        return
    torch.set_num_threads(1)
