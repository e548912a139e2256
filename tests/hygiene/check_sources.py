"""check_sources.py [FOLDER]: rules that every committed text file obeys.

- Build files never ask for -march=native or -ffast-math: the library runs on other CPUs and adds in a fixed order.
- No file is longer than 500 lines; data (JSON, golden files, lock files) excepted.
- No text names a folder of somebody's own machine.

Prints file:line and the rule; exits with 1 if there is anything, or if there is no file to check.
"""

import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

LONGEST = 500
BUILD_FILE = re.compile(
    r"(^|/)(CMakeLists\.txt|CMakePresets\.json|Makefile|meson\.build|build\.rs|Cargo\.toml|setup\.py|pyproject\.toml"
    r"|dev|\.ci/run|[^/]+\.(cmake|cmake\.in|pc\.in|mk|sh|go|yml|yaml))$"
)
DATA = re.compile(r"\.(json|lock|sum|svg)$|(^|/)golden/")
FORBIDDEN_FLAG = re.compile(r"-march=native|-mcpu=native|-mtune=native|-ffast-math|-Ofast|-funsafe-math")
PRIVATE_FOLDER = re.compile(r"(?<![\w.~$}>-])/(root|home|Users|work)/")


def committed(folder: Path) -> list[Path]:
    listing = subprocess.run(
        ["git", "-C", folder, "ls-files", "-z"], check=True, capture_output=True, text=True
    ).stdout
    return [Path(name) for name in listing.split("\0") if name and (folder / name).is_file()]


def problems_of(name: str, text: str) -> Iterator[str]:
    lines = text.splitlines()
    if len(lines) > LONGEST and not DATA.search(name):
        yield f"{name}: {len(lines)} lines, more than {LONGEST}: split it"
    for number, line in enumerate(lines, 1):
        if BUILD_FILE.search(name) and not line.lstrip().startswith("#") and FORBIDDEN_FLAG.search(line):
            yield f"{name}:{number}: a flag that nothing we ship may use: {line.strip()}"
        if PRIVATE_FOLDER.search(line):
            yield f"{name}:{number}: names a folder of one machine: {line.strip()}"


def problems(folder: Path) -> list[str]:
    found, checked = [], 0
    for name in committed(folder):
        try:
            text = (folder / name).read_text(encoding="utf-8")
        except UnicodeDecodeError:
            continue  # binary
        checked += 1
        found += problems_of(name.as_posix(), text)
    return found if checked else [f"{folder}: no committed file to check"]


def main(arguments: list[str]) -> int:
    folder = Path(arguments[0]) if arguments else Path(__file__).resolve().parents[2]
    try:
        found = problems(folder)
    except (OSError, subprocess.CalledProcessError):
        print(f"skipped: {folder} is not a git checkout")
        return 77
    print("\n".join(found), end="\n" if found else "")
    return 1 if found else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
