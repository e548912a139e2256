"""The quick start of README.md, word for word, and what it says it prints."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

README = Path(__file__).resolve().parents[1] / "README.md"


def test_quick_start() -> None:
    found = re.search(r"<!-- quick start -->\n```python\n((?:.*\n)*?)```\n\n((?:    .*\n)+)", README.read_text())
    assert found
    program, printed = found.groups()
    result = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=False)
    assert result.returncode == 0, result.stderr
    assert result.stdout == "".join(line[4:] + "\n" for line in printed.splitlines())
