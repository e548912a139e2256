"""The console script `turboquant`. Every command is a module of this package; see `main`."""

from .main import main

__all__ = ["main"]
