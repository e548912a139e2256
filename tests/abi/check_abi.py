"""Compares the three places that spell out the C ABI: the header, capi/symbols.txt and the built library.

    check_abi.py symbols LIBRARY SYMBOLS_TXT     what the .so exports is what was reviewed
    check_abi.py header HEADER SYMBOLS_TXT       what was reviewed is what the header declares
    check_abi.py layout HEADER LAYOUT_C          layout.c pins every struct, field and enumerator of the header

Prints what differs and exits with 1. An empty side is an error, never a match.
"""

import os
import re
import subprocess
import sys
from pathlib import Path


class Mismatch(Exception):
    """The two sides differ; the message says how."""


def compare(left_name: str, left: set[str], right_name: str, right: set[str]) -> None:
    for name, side in ((left_name, left), (right_name, right)):
        if not side:
            raise Mismatch(f"{name}: found nothing to compare")
    lines = [f"only in {left_name}: {item}" for item in sorted(left - right)]
    lines += [f"only in {right_name}: {item}" for item in sorted(right - left)]
    if lines:
        raise Mismatch("\n".join(lines))


def reviewed_symbols(path: Path) -> set[str]:
    names = path.read_text().split()
    if names != sorted(set(names)):
        raise Mismatch(f"{path.name}: must be sorted and free of duplicates")
    return set(names)


def exported_symbols(library: Path) -> set[str]:
    """Names of the dynamic symbol table, without the nodes of the version script (type A)."""
    nm = os.environ.get("NM", "nm")
    listing = subprocess.run(
        [nm, "-D", "--defined-only", "--format=posix", library], check=True, capture_output=True, text=True
    ).stdout
    fields = [line.split() for line in listing.splitlines()]
    return {name.split("@")[0] for name, kind, *_ in fields if kind != "A"}


def without_comments(source: str) -> str:
    return re.sub(r"/\*.*?\*/", "", source, flags=re.DOTALL)


def declared_functions(header: Path) -> set[str]:
    source = re.sub(r"^\s*#.*$", "", without_comments(header.read_text()), flags=re.MULTILINE)
    return set(re.findall(r"\bTQ_API\b[^;(]*?\b(tq_\w+)\s*\(", source))


def declared_layout(header: Path) -> set[str]:
    """`struct`, `struct.field` and enumerator names."""
    source = without_comments(header.read_text())
    found = set()
    for name, body in re.findall(r"typedef struct (\w+) \{(.*?)\} \w+;", source, flags=re.DOTALL):
        found.add(name)
        for declaration in filter(None, (" ".join(part.split()) for part in body.split(";"))):
            found.update(f"{name}.{field}" for field in declared_fields(declaration))
    for body in re.findall(r"\benum \{(.*?)\};", source, flags=re.DOTALL):
        found.update(re.findall(r"\b(TQ_\w+)\s*=", body))
    return found


def declared_fields(declaration: str) -> list[str]:
    """`size_t a, b` -> [a, b];  `char c[8]` -> [c];  `void (*d)(int)` -> [d]"""
    callback = re.match(r".*?\(\*(\w+)\)\s*\(", declaration)
    if callback:
        return [callback.group(1)]
    declaration = re.sub(r"\[[^]]*\]", "", declaration)
    return [re.search(r"(\w+)\s*$", part).group(1) for part in declaration.split(",")]


def pinned_layout(layout: Path) -> set[str]:
    source = without_comments(layout.read_text())
    found = set(re.findall(r"^SIZE\((tq_\w+),", source, flags=re.MULTILINE))
    found |= {f"{s}.{f}" for s, f in re.findall(r"^AT\((\w+), (\w+),", source, flags=re.MULTILINE)}
    return found | set(re.findall(r"^VALUE\((\w+),", source, flags=re.MULTILINE))


def check_symbols(library: Path, symbols: Path) -> None:
    compare("symbols.txt", reviewed_symbols(symbols), "the library", exported_symbols(library))


def check_header(header: Path, symbols: Path) -> None:
    compare("symbols.txt", reviewed_symbols(symbols), "the header", declared_functions(header))


def check_layout(header: Path, layout: Path) -> None:
    declared = declared_layout(header)
    missing = declared - pinned_layout(layout)
    if not declared:
        raise Mismatch("the header: found no struct")
    if missing:
        raise Mismatch("\n".join(f"not pinned in layout.c: {item}" for item in sorted(missing)))


CHECKS = {"symbols": check_symbols, "header": check_header, "layout": check_layout}


def main(arguments: list[str]) -> int:
    if len(arguments) != 3 or arguments[0] not in CHECKS:
        print(__doc__)
        return 2
    try:
        CHECKS[arguments[0]](Path(arguments[1]), Path(arguments[2]))
    except (Mismatch, OSError, subprocess.CalledProcessError) as problem:
        print(problem)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
