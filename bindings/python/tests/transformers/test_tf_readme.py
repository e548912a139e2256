"""The example for transformers in README.md, word for word."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

from models import BOOKS

PYTHON = Path(__file__).resolve().parents[2]
ROOT = PYTHON.parents[1]


def test_example() -> None:
    found = re.search(r"<!-- transformers -->\n```python\n((?:.*\n)*?)```\n", (PYTHON / "README.md").read_text())
    assert found
    program = found.group(1)
    assert str(BOOKS.relative_to(ROOT)) in program
    result = subprocess.run([sys.executable, "-c", program], cwd=ROOT, capture_output=True, text=True, check=False)
    assert result.returncode == 0, result.stderr
    assert result.stdout.startswith("It was a dark and stormy night, and")
    assert len(result.stdout) > 100
