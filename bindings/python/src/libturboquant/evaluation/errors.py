"""What is wrong with a request, in one sentence that says what to do."""

from __future__ import annotations

import importlib.util


class EvaluationError(Exception):
    """A request that cannot be met as it is: a model, a text, a setting or a profile. Commands end with status 2."""


def require_extra() -> None:
    """Refuse with a sentence unless torch and transformers are installed."""
    missing = [name for name in ("torch", "transformers") if importlib.util.find_spec(name) is None]
    if missing:
        raise EvaluationError(f"{' and '.join(missing)} not installed: pip install 'libturboquant[eval]'")
