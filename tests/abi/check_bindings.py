"""check_bindings.py [ROOT]: docs/bindings.md names every C function in every language, and the names exist.

The table has the columns C, Python, Rust, Go. Names stand in backquotes, prose around them is free. Of a name such as
`Sequence.append` or `Sequence::append` each word must occur in the sources of its language; tests and examples do not
count. Prints what is wrong and exits with 1; with 77 (skipped) if that is only because a language is not in this copy.
"""

import re
import sys
from collections.abc import Iterator
from pathlib import Path

SKIPPED = 77
HEADER = ["C", "Python", "Rust", "Go"]
# The folder of each language's sources and the names of source files below it.
SOURCES = {
    "Python": ("bindings/python", r"\.(py|pyi|cpp|hpp)$"),
    "Rust": ("bindings/rust/libturboquant/src", r"\.rs$"),
    "Go": ("bindings/go", r"(?<!_test)\.go$"),
}
NOT_SOURCES = {"tests", "bench", "benches", "examples", "internal", "target", "build"}


def table_rows(text: str) -> list[list[str]]:
    """The cells of the rows below the line whose cells are HEADER."""
    lines = [[cell.strip() for cell in line.strip().strip("|").split("|")] for line in text.splitlines()]
    starts = [i for i, cells in enumerate(lines) if cells == HEADER]
    if len(starts) != 1:
        raise ValueError(f"found {len(starts)} tables with the columns {HEADER}; expected 1")
    rows = []
    for cells in lines[starts[0] + 2 :]:
        if len(cells) != len(HEADER):
            break
        rows.append(cells)
    return rows


def names_in(cell: str) -> list[str]:
    return re.findall(r"`([^`]+)`", cell)


def sources_of(root: Path, language: str) -> str | None:
    """All sources of a language, one after another; None if its folder is missing."""
    folder, pattern = root / SOURCES[language][0], re.compile(SOURCES[language][1])
    if not folder.is_dir():
        return None
    files = (path for path in sorted(folder.rglob("*")) if path.is_file() and pattern.search(path.name))
    kept = (path for path in files if not NOT_SOURCES & set(path.relative_to(folder).parts[:-1]))
    return "\n".join(path.read_text(encoding="utf-8") for path in kept)


def missing_words(name: str, source: str) -> list[str]:
    words = re.findall(r"\w+", name)
    return [word for word in words if not re.search(rf"\b{word}\b", source)]


def problems_of_functions(symbols: list[str], rows: list[list[str]]) -> Iterator[str]:
    listed = [name for row in rows for name in names_in(row[0])]
    for name in symbols:
        if listed.count(name) != 1:
            yield f"{name} stands in {listed.count(name)} rows; expected 1"
    for name in listed:
        if name not in symbols:
            yield f"{name} is no function of the C ABI"


def problems_of_names(rows: list[list[str]], column: int, source: str) -> Iterator[str]:
    language = HEADER[column]
    for row in rows:
        names = names_in(row[column])
        if not names:
            yield f"{row[0]}: no name for {language}"
        for name in names:
            for word in missing_words(name, source):
                yield f"{row[0]}: {language} has no {word} (of {name})"


def check(root: Path) -> tuple[list[str], list[str]]:
    """What is wrong, and the languages that could not be checked."""
    symbols = (root / "capi/symbols.txt").read_text(encoding="utf-8").split()
    rows = table_rows((root / "docs/bindings.md").read_text(encoding="utf-8"))
    if not symbols or not rows:
        return [f"nothing to compare: {len(symbols)} symbols, {len(rows)} rows"], []
    problems, absent = list(problems_of_functions(symbols, rows)), []
    for column, language in enumerate(HEADER[1:], 1):
        source = sources_of(root, language)
        if source is None:
            absent.append(language)
        else:
            problems += problems_of_names(rows, column, source)
    return problems, absent


def main(arguments: list[str]) -> int:
    root = Path(arguments[0]) if arguments else Path(__file__).resolve().parents[2]
    try:
        problems, absent = check(root)
    except (OSError, ValueError) as problem:
        problems, absent = [str(problem)], []
    for line in problems:
        print(line)
    for language in absent:
        print(f"skipped: {SOURCES[language][0]} is not in this copy, so the names for {language} were not checked")
    if problems:
        return 1
    return SKIPPED if absent else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
