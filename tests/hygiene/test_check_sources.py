"""The rules of check_sources.py, each seen to fail."""

import shutil
import subprocess
import tempfile
import unittest
from pathlib import Path

import check_sources

# Written in two parts, so that this file obeys the rules that it tests.
NATIVE = "-march=" + "native"
SOMEBODYS = "/ho" + "me/somebody/src"


def problems_of(name: str, text: str) -> list[str]:
    return list(check_sources.problems_of(name, text))


class EveryRuleCanFail(unittest.TestCase):
    def test_native_code_in_build_files(self) -> None:
        for name in ("CMakeLists.txt", "core/CMakeLists.txt", "a.cmake", "CMakePresets.json", "dev", "a/build.rs"):
            self.assertEqual(len(problems_of(name, f"add({NATIVE})")), 1, name)
            self.assertEqual(len(problems_of(name, "add(-ffast" + "-math)")), 1, name)
        self.assertEqual(problems_of("README.md", f"we never use {NATIVE}"), [])
        self.assertEqual(problems_of("CMakeLists.txt", f"  # never {NATIVE}"), [])

    def test_long_files(self) -> None:
        self.assertEqual(problems_of("a.cpp", "x\n" * 500), [])
        self.assertEqual(len(problems_of("a.cpp", "x\n" * 501)), 1)
        self.assertEqual(problems_of("tests/golden/v1/a.json", "x\n" * 501), [])

    def test_private_folders(self) -> None:
        self.assertEqual(len(problems_of("a.md", f"see {SOMEBODYS}")), 1)
        self.assertEqual(len(problems_of("a.md", SOMEBODYS)), 1)
        self.assertEqual(problems_of("a.md", "see bindings/home/page and $HOME/x"), [])

    @unittest.skipUnless(shutil.which("git"), "needs git")
    def test_a_checkout_without_files(self) -> None:
        with tempfile.TemporaryDirectory() as folder:
            subprocess.run(["git", "init", "-q", folder], check=True)
            self.assertEqual(check_sources.main([folder]), 1)
            (Path(folder) / "CMakeLists.txt").write_text(f"add({NATIVE})\n")
            subprocess.run(["git", "-C", folder, "add", "."], check=True)
            self.assertEqual(check_sources.main([folder]), 1)
            (Path(folder) / "CMakeLists.txt").write_text("add(-O2)\n")
            self.assertEqual(check_sources.main([folder]), 0)


if __name__ == "__main__":
    unittest.main()
