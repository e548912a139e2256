"""check_kernel_object.py NAME OBJECT: a kernel object exports `tq_kernels_NAME` and nothing else.

Why it matters: the file is compiled for a newer CPU than the rest. A weak symbol in it (an inline function, a template
of std::, a vtable) may be the copy that the linker keeps for the whole program, which then crashes on an older CPU. And
a kernel allocates nothing and throws nothing, so it has no business with those functions either.

Prints what is wrong and exits with 1; so does a missing object or one without symbols.
"""

import os
import re
import subprocess
import sys

# Undefined symbols that betray allocation, exceptions or std:: in a kernel.
FORBIDDEN_CALL = re.compile(
    r"^(_Zn[wa]|_Zd[la]|_ZS|_ZNS|_ZNKS|__cxa_|__gxx_personality|_Unwind_|(malloc|calloc|free)$)"
)


def symbols(path: str) -> list[tuple[str, str]]:
    """(name, nm type letter) of every symbol of the object, in the order nm lists them."""
    nm = os.environ.get("NM", "nm")
    listing = subprocess.run([nm, "--format=posix", path], check=True, capture_output=True, text=True).stdout
    fields = [line.split() for line in listing.splitlines()]
    return [(name, kind) for name, kind, *_ in fields]


def problems(name: str, listed: list[tuple[str, str]]) -> list[str]:
    if not listed:
        return ["the object has no symbols at all"]
    wanted = re.compile(rf"^_ZN?(2tq)?{len('tq_kernels_' + name)}tq_kernels_{name}E?$")
    found = [f"weak symbol: {symbol}" for symbol, kind in listed if kind in "WwVvu"]
    found += [f"must not call {symbol}" for symbol, kind in listed if kind == "U" and FORBIDDEN_CALL.match(symbol)]
    exported = [symbol for symbol, kind in listed if kind.isupper() and kind not in "UWV"]
    found += [f"must not export {symbol}" for symbol in exported if not wanted.match(symbol)]
    if sum(1 for symbol in exported if wanted.match(symbol)) != 1:
        found.append(f"does not export tq::tq_kernels_{name}")
    return found


def main(arguments: list[str]) -> int:
    if len(arguments) != 2:
        print(__doc__)
        return 2
    name, path = arguments
    try:
        found = problems(name, symbols(path))
    except (OSError, subprocess.CalledProcessError) as error:
        found = [f"cannot read the object: {error}"]
    for problem in found:
        print(f"{path}: {problem}")
    return 1 if found else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
