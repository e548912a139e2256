"""Progress bars on a terminal: by rich where it is installed, nothing otherwise."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager

Advance = Callable[[], None]


def nothing() -> None:
    """An `Advance` that shows nothing."""


@contextmanager
def progress(title: str, steps: int) -> Iterator[Advance]:
    """A bar of `steps` steps on stderr; yields what moves it on by one. Nothing where stderr is no terminal."""
    if not sys.stderr.isatty():
        yield nothing
        return
    try:
        from rich.console import Console
        from rich.progress import Progress
    except ImportError:
        print(f"{title} ..", file=sys.stderr)
        yield nothing
        return
    with Progress(console=Console(stderr=True), transient=True) as bars:
        task = bars.add_task(title, total=steps)
        yield lambda: bars.advance(task)
