"""One thread, so that numbers repeat; models that several tests use. Without PyTorch every module here is skipped."""

from __future__ import annotations

import importlib.util
from typing import Any

import pytest


def pytest_configure() -> None:
    if importlib.util.find_spec("torch") is not None:
        import torch

        torch.set_num_threads(1)


@pytest.fixture(scope="session")
def books() -> Any:
    """The small trained model of the repository, in float32."""
    from models import trained

    return trained()


@pytest.fixture(params=["sdpa", "turboquant"])
def implementation(request: pytest.FixtureRequest) -> str:
    """Attention on decoded tokens, attention on codes."""
    return str(request.param)
