"""Numbers as people read them."""

from __future__ import annotations

import math

NONE = "-"


def nats(value: float | None) -> str:
    """Such as 0.00047; small ones as 3.9e-06."""
    if value is None or math.isnan(value):
        return NONE
    if value == 0:
        return "0"
    return f"{value:.5f}" if abs(value) >= 9.95e-5 else f"{value:.1e}"


def share(value: float | None) -> str:
    """Such as 99.2 %."""
    return NONE if value is None or math.isnan(value) else f"{100 * value:.1f} %"


def ratio(value: float | None) -> str:
    """Of errors, three digits."""
    return NONE if value is None or math.isnan(value) else f"{value:.3g}"


def number(value: float, digits: int) -> str:
    """With a fixed number of digits after the point."""
    return NONE if math.isnan(value) else f"{value:,.{digits}f}"


def milliseconds(seconds: float | None) -> str:
    """Such as 1.23 ms."""
    return NONE if seconds is None or math.isnan(seconds) else f"{1e3 * seconds:.3g} ms"


def size(bytes_: float) -> str:
    """Such as 1.5 MB."""
    for unit in ("B", "kB", "MB"):
        if bytes_ < 1000:
            return f"{bytes_:.3g} {unit}"
        bytes_ /= 1000
    return f"{bytes_:.3g} GB"
