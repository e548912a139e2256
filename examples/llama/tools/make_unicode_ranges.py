#!/usr/bin/env python3
"""Writes src/unicode_ranges.inc: the code points that the tokenizer has to tell apart, as sorted closed ranges.

    pip install unicodedata2==16.0.0
    python3 tools/make_unicode_ranges.py > src/unicode_ranges.inc

Unicode 16 is what version 0.23 of the Hugging Face tokenizers package knows.
"""

import unicodedata2 as unicodedata


def ranges(wanted):
    result = []
    for code in range(0x110000):
        if not wanted(chr(code)):
            continue
        if result and result[-1][1] == code - 1:
            result[-1][1] = code
        else:
            result.append([code, code])
    return result


def composing_marks():
    """Characters that NFC may merge with what stands before them."""
    marks = set()
    for code in range(0x110000):
        parts = unicodedata.normalize("NFD", chr(code))
        if len(parts) > 1 and unicodedata.normalize("NFC", parts) == chr(code):
            marks.update(parts[1:])
    return marks


def print_table(name, comment, table):
    print(f"\n// {comment}\nconstexpr CodePointRange {name}[] = {{")
    line = "   "
    for first, last in table:
        item = f" {{0x{first:X}, 0x{last:X}}},"
        if len(line) + len(item) > 120:
            print(line)
            line = "   "
        line += item
    print(line)
    print("};")


def main():
    marks = composing_marks()
    print(f"// Written by tools/make_unicode_ranges.py from Unicode {unicodedata.unidata_version}; do not edit.")
    print("// clang-format off")
    print_table("kLetters", r"\p{L}", ranges(lambda c: unicodedata.category(c).startswith("L")))
    print_table("kNumbers", r"\p{N}", ranges(lambda c: unicodedata.category(c).startswith("N")))
    print_table("kNotSurelyNfc", "NFC changes these, or may merge them with what stands before them.",
                ranges(lambda c: c in marks or unicodedata.normalize("NFC", c) != c))
    print_table("kCombining", "NFC puts several of these in a row into a fixed order.",
                ranges(lambda c: unicodedata.combining(c) != 0))
    print("// clang-format on")


main()
