"""check_bindings.py must fail when it should: a guard that nobody has seen fail is none."""

import contextlib
import io
import tempfile
import unittest
from pathlib import Path

import check_bindings

TABLE = """# Title

| A | B |
|---|---|
| `not` | this one |

| C | Python | Rust | Go |
|---|---|---|---|
| `tq_first` | `first` | `Box::first` | `First` |
| `tq_second` | garbage collection of a `Box` | dropping a `Box` | `Box.Close` |

Prose | with | bars | `in` it.
"""

FILES = {
    "docs/bindings.md": TABLE,
    "capi/symbols.txt": "tq_first\ntq_second\n",
    "bindings/python/core.cpp": 'module.def("first", &first); class_<Box>(module, "Box");',
    "bindings/rust/libturboquant/src/lib.rs": "pub struct Box; impl Box { pub fn first() {} }",
    "bindings/go/box.go": "func First() {}\ntype Box struct{}\nfunc (b *Box) Close() {}\n",
}


class EveryCheckCanFail(unittest.TestCase):
    def setUp(self) -> None:
        folder = tempfile.TemporaryDirectory()
        self.addCleanup(folder.cleanup)
        self.root = Path(folder.name)
        for name, text in FILES.items():
            self.write(name, text)

    def write(self, name: str, text: str) -> None:
        path = self.root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text, encoding="utf-8")

    def change(self, name: str, old: str, new: str) -> None:
        self.assertIn(old, FILES[name])
        self.write(name, FILES[name].replace(old, new))

    def run_check(self) -> tuple[int, str]:
        output = io.StringIO()
        with contextlib.redirect_stdout(output):
            status = check_bindings.main([str(self.root)])
        return status, output.getvalue()

    def assert_refused(self, words: str) -> None:
        status, output = self.run_check()
        self.assertEqual(status, 1, output)
        self.assertIn(words, output)

    def test_everything_is_there(self) -> None:
        self.assertEqual(self.run_check(), (0, ""))

    def test_a_new_function_that_is_not_listed(self) -> None:
        self.write("capi/symbols.txt", "tq_first\ntq_second\ntq_third\n")
        self.assert_refused("tq_third stands in 0 rows")

    def test_a_function_that_is_listed_twice(self) -> None:
        self.change("docs/bindings.md", "`tq_second`", "`tq_first`")
        self.assert_refused("tq_first stands in 2 rows")

    def test_a_function_that_is_none(self) -> None:
        self.change("capi/symbols.txt", "tq_second\n", "")
        self.assert_refused("tq_second is no function")

    def test_names_that_do_not_exist(self) -> None:
        for language, old, new, words in (
            ("Python", "| `first`", "| `fist`", "Python has no fist"),
            ("Rust", "`Box::first`", "`Box::fist`", "Rust has no fist (of Box::fist)"),
            ("Go", "`Box.Close`", "`Box.Clos`", "Go has no Clos (of Box.Clos)"),
        ):
            with self.subTest(language):
                self.change("docs/bindings.md", old, new)
                self.assert_refused(words)

    def test_a_cell_without_a_name(self) -> None:
        self.change("docs/bindings.md", "`First`", "none")
        self.assert_refused("`tq_first`: no name for Go")

    def test_names_in_tests_do_not_count(self) -> None:
        self.write("bindings/go/box.go", "type Box struct{}\nfunc (b *Box) Close() {}\n")
        self.write("bindings/go/box_test.go", "func First() {}\n")
        self.write("bindings/go/internal/other/other.go", "func First() {}\n")
        self.assert_refused("Go has no First")

    def test_no_table_and_an_empty_one(self) -> None:
        self.change("docs/bindings.md", "| C | Python |", "| C | Perl |")
        self.assert_refused("found 0 tables")
        self.write("docs/bindings.md", "| C | Python | Rust | Go |\n|---|---|---|---|\n")
        self.assert_refused("nothing to compare")

    def test_missing_files(self) -> None:
        (self.root / "docs/bindings.md").unlink()
        self.assert_refused("bindings.md")

    def test_a_language_that_is_not_there_is_skipped_but_not_forgotten(self) -> None:
        (self.root / "bindings/go/box.go").unlink()
        (self.root / "bindings/go").rmdir()
        status, output = self.run_check()
        self.assertEqual(status, check_bindings.SKIPPED)
        self.assertIn("names for Go were not checked", output)
        self.change("docs/bindings.md", "`Box::first`", "`Box::fist`")
        self.assert_refused("Rust has no fist")


if __name__ == "__main__":
    unittest.main()
