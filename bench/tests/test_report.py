"""Tests of report.py: Markdown and charts from JSON, first made up, then from the program itself.

test_report.py [TQ_BENCH]
"""

import json
import subprocess
import sys
import tempfile
import unittest
import xml.etree.ElementTree as ET
from pathlib import Path

HERE = Path(__file__).resolve().parent
sys.path.insert(0, str(HERE.parent / "report"))

import charts  # noqa: E402
import report  # noqa: E402
import targets  # noqa: E402

MACHINE = {"cpu": "A CPU", "cores": 2, "l1d_bytes": 32768, "l2_bytes": 1 << 20, "l3_bytes": 0, "compiler": "g++ 12",
           "library": "0.1.0", "target": "avx2", "baselines": "avx2", "dot_instruction": "vpmaddubsw"}


def case(name: str, ns: float, fp16: float) -> report.Case:
    return {"name": name, "ns": ns, "ns_median": ns, "units": 10, "unit": "token", "ns_per_unit": ns / 10,
            "limit": "read", "limit_ns": ns / 2, "of_limit": 0.5, "vs_fp16": fp16 / ns,
            "baselines": [{"name": "fp16", "ns": fp16, "ns_median": fp16, "of_limit": 0.9},
                          {"name": "tq_one_thread", "ns": 2 * ns}, {"name": "ggml_q4_0", "ns": 50 * ns}]}


class Report(unittest.TestCase):
    def setUp(self) -> None:
        folder = tempfile.TemporaryDirectory()
        self.addCleanup(folder.cleanup)
        self.folder = Path(folder.name)

    def write(self, cases: list[report.Case], *more: str) -> tuple[int, str]:
        source, out = self.folder / "in.json", self.folder / "out.md"
        source.write_text(json.dumps({"machine": MACHINE, "cases": cases}), encoding="utf-8")
        status = report.main([str(source), str(out), *more])
        return status, out.read_text(encoding="utf-8") if out.exists() else ""

    def test_page_has_every_case_and_its_ratios(self) -> None:
        status, page = self.write([case("attend/d128/g1/65536", 1000, 4000), case("fwht/64", 100, 150)])
        self.assertEqual(status, 0)
        self.assertIn("| `attend/d128/g1/65536` | 1000 ns | 1000 ns | 100 | 50 % read | fp16 4.00 (90 %), ", page)
        self.assertIn("| `fwht/64` |", page)
        self.assertIn("L2 1024 KB", page)
        self.assertNotIn("L3 0", page)

    def test_explanation_only_with_docs(self) -> None:
        self.assertNotIn("## Protocol", self.write([case("fwht/64", 100, 150)])[1])
        self.assertIn("## Protocol", self.write([case("fwht/64", 100, 150)], "--docs")[1])

    def test_targets_say_what_is_missed(self) -> None:
        found = targets.rows({"attend/d128/g1/65536": case("attend/d128/g1/65536", 1000, 4000)})
        self.assertIn(["attention, G = 1, 64k tokens, fraction of the limit", "≥ 0.88", "0.5", "**no**"], found)
        self.assertIn(["the same against fp16", "≥ 3.5", "4", "yes"], found)

    def test_no_cases_is_an_error(self) -> None:
        self.assertEqual(self.write([])[0], 1)

    def test_charts_are_svg_with_bars_to_scale(self) -> None:
        self.write([case("attend/d128/g1/65536", 1000, 4000)])
        tree = ET.parse(self.folder / "out" / "attend-64k.svg")
        bars = [r for r in tree.iter("{http://www.w3.org/2000/svg}rect") if r.get("class") != "page"]
        ours, fp16, ggml = (float(bar.get("width", 0)) for bar in bars)  # and none for tq_one_thread
        self.assertAlmostEqual(fp16 / ours, 4, places=1)
        self.assertAlmostEqual(ggml, charts.WIDTH - charts.LABEL - charts.VALUE)  # cut
        self.assertEqual(len(list(tree.iter("{http://www.w3.org/2000/svg}path"))), 2)  # the cut and the limit


class Program(unittest.TestCase):
    tq_bench = ""

    def test_json_of_the_program_makes_a_report(self) -> None:
        if not self.tq_bench:
            self.skipTest("no tq_bench given")
        with tempfile.TemporaryDirectory() as name:
            folder = Path(name)
            source, out = folder / "bench.json", folder / "report.md"
            command = [self.tq_bench, "--quick", "--filter", "^fwht/(64|128)$", "--json", str(source)]
            subprocess.run(command, check=True, stdout=subprocess.DEVNULL)
            cases = json.loads(source.read_text(encoding="utf-8"))["cases"]
            self.assertEqual([c["name"] for c in cases], ["fwht/64", "fwht/128"])
            for fields in cases:
                self.assertLessEqual({"ns", "ns_median", "limit_ns", "of_limit", "vs_naive", "vs_tuned"}, fields.keys())
            self.assertEqual(report.main([str(source), str(out)]), 0)
            self.assertTrue((folder / "report" / "fwht.svg").exists())

    def test_mistakes_are_named(self) -> None:
        if not self.tq_bench:
            self.skipTest("no tq_bench given")
        for arguments, words in ((["--filter", "("], "--filter '('"), (["--filter", "nothing"], "no case matches"),
                                 (["--colour"], "unknown argument '--colour'"), (["--json"], "--json needs a value")):
            done = subprocess.run([self.tq_bench, *arguments], capture_output=True, text=True, check=False)
            self.assertNotEqual(done.returncode, 0)
            self.assertIn(words, done.stderr)


if __name__ == "__main__":
    if len(sys.argv) > 1 and not sys.argv[1].startswith("-"):
        Program.tq_bench = sys.argv.pop(1)
    unittest.main()
