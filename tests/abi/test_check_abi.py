"""Each check of check_abi.py must fail when it should: a guard that nobody has seen fail is none."""

import subprocess
import tempfile
import unittest
from pathlib import Path

import check_abi

HEADER = """
/* TQ_API int tq_in_a_comment(void); */
typedef struct tq_pair { int a, b; void* (*call)(void* user, int n); char text[8]; } tq_pair;
enum { TQ_ONE = 1 };
TQ_API int tq_first(void);
TQ_API const char* tq_second(int x,
                             int y);
"""


class EveryCheckCanFail(unittest.TestCase):
    def setUp(self) -> None:
        folder = tempfile.TemporaryDirectory()
        self.addCleanup(folder.cleanup)
        self.folder = Path(folder.name)

    def file(self, name: str, text: str) -> Path:
        path = self.folder / name
        path.write_text(text)
        return path

    def library(self, source: str) -> Path:
        path = self.folder / "lib.so"
        code = self.file("lib.c", source)
        subprocess.run(["cc", "-shared", "-fPIC", "-o", path, code], check=True)
        return path

    def assert_refused(self, check, left: Path, right: Path, words: str) -> None:
        with self.assertRaises(check_abi.Mismatch) as caught:
            check(left, right)
        self.assertIn(words, str(caught.exception))

    def test_header_and_symbols_agree(self) -> None:
        check_abi.check_header(self.file("h.h", HEADER), self.file("s.txt", "tq_first\ntq_second\n"))

    def test_function_missing_from_symbols(self) -> None:
        header, symbols = self.file("h.h", HEADER), self.file("s.txt", "tq_first\n")
        self.assert_refused(check_abi.check_header, header, symbols, "only in the header: tq_second")

    def test_symbol_missing_from_header(self) -> None:
        header, symbols = self.file("h.h", HEADER), self.file("s.txt", "tq_first\ntq_second\ntq_third\n")
        self.assert_refused(check_abi.check_header, header, symbols, "only in symbols.txt: tq_third")

    def test_unsorted_symbols(self) -> None:
        header, symbols = self.file("h.h", HEADER), self.file("s.txt", "tq_second\ntq_first\n")
        self.assert_refused(check_abi.check_header, header, symbols, "sorted")

    def test_empty_sides(self) -> None:
        self.assert_refused(check_abi.check_header, self.file("h.h", ""), self.file("s.txt", "tq_first\n"), "nothing")
        self.assert_refused(check_abi.check_header, self.file("h.h", HEADER), self.file("s.txt", ""), "nothing")

    def test_library_exports_too_much_and_too_little(self) -> None:
        library = self.library("int tq_first(void) { return 0; } int leaked(void) { return 0; }")
        symbols = self.file("s.txt", "tq_first\ntq_second\n")
        self.assert_refused(check_abi.check_symbols, library, symbols, "only in the library: leaked")
        self.assert_refused(check_abi.check_symbols, library, symbols, "only in symbols.txt: tq_second")

    def test_missing_library(self) -> None:
        self.assertEqual(check_abi.main(["symbols", "/nonexistent.so", str(self.file("s.txt", "tq_first\n"))]), 1)

    def test_layout_pins_everything(self) -> None:
        lines = ["SIZE(tq_pair, 24);", "AT(tq_pair, a, 0);", "AT(tq_pair, b, 4);", "AT(tq_pair, call, 8);"]
        lines += ["AT(tq_pair, text, 16);", "VALUE(TQ_ONE, 1);"]
        header = self.file("h.h", HEADER)
        check_abi.check_layout(header, self.file("layout.c", "\n".join(lines)))
        for forgotten in lines:
            rest = "\n".join(line for line in lines if line != forgotten)
            self.assert_refused(check_abi.check_layout, header, self.file("layout.c", rest), "not pinned")


if __name__ == "__main__":
    unittest.main()
