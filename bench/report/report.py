"""report.py JSON OUT.md [--docs]: turns the JSON of tq_bench into Markdown and SVG charts.

Charts go into a folder named like OUT without its ending. --docs adds the explanation that docs/benchmarks.md has.
"""

import argparse
import json
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import charts
import targets

Case = dict[str, Any]

FAMILIES = [  # prefix of the names, heading
    ("attend/", "Decode attention"),
    ("batch/", "Batches of 16 sequences"),
    ("prefill/", "Prefill"),
    ("scores/", "Scores of all keys"),
    ("encode/", "Encoding"),
    ("decode/", "Decoding"),
    ("fwht/", "Walsh-Hadamard transform"),
]
CHARTS = [  # file, title, names of the cases
    ("attend-4k", "Decode attention, 4k tokens", [f"attend/d128/g{g}/4096" for g in (1, 4, 8)]),
    ("attend-64k", "Decode attention, 64k tokens", [f"attend/d128/g{g}/65536" for g in (1, 4, 8)]),
    ("prefill", "Prefill behind 4k tokens", [f"prefill/d128/g4/{n}x4096" for n in (64, 512)]),
    ("scores", "Scores of 16k keys", [f"scores/d128/g{g}/16384" for g in (1, 4, 8)]),
    ("fwht", "Walsh-Hadamard transform", [f"fwht/{n}" for n in (64, 128, 256)]),
]
EXPLANATION = Path(__file__).with_name("explanation.md")


def table(head: list[str], rows: list[list[str]]) -> Iterator[str]:
    yield "| " + " | ".join(head) + " |"
    yield "|" + "---|" * len(head)
    for row in rows:
        yield "| " + " | ".join(row) + " |"


def machine_lines(machine: Case) -> Iterator[str]:
    caches = [f"{name} {machine[key] // 1024} KB" for name, key in
              (("L1d", "l1d_bytes"), ("L2", "l2_bytes"), ("L3", "l3_bytes")) if machine.get(key, 0) > 0]
    yield f"- CPU: {machine['cpu']}, {machine['cores']} cores; {', '.join(caches)}"
    yield f"- compiler: {machine['compiler']}, `-O3`, flags per instruction set, no `-march=native`"
    yield f"- library: {machine['library']}, target `{machine['target']}`; baselines: `{machine['baselines']}`"
    if machine.get("load_average", 0) > 0.5:
        yield f"- **other programs were running** (load average {machine['load_average']}): worse and unsteady numbers"
    yield f"- dot-product limit: `{machine['dot_instruction']}`"
    if "ggml" in machine:
        yield "- ggml: the CPU backend of the Python package llama-cpp-python, built on this machine for this machine"


def baseline_cell(other: Case, case: Case) -> str:
    cell = f"{other['name']} {other['ns'] / case['ns']:.2f}"
    return f"{cell} ({100 * other['of_limit']:.0f} %)" if "of_limit" in other else cell


def case_row(case: Case) -> list[str]:
    limit = f"{100 * case['of_limit']:.0f} % {case['limit']}" if "of_limit" in case else ""
    others = ", ".join(baseline_cell(other, case) for other in case.get("baselines", []) if other["name"] != "fwht")
    if "transforms" in case:
        others = f"as long as {case['transforms']:.2f} transforms"
    return [f"`{case['name']}`", charts.number(case["ns"]), charts.number(case["ns_median"]),
            f"{case['ns_per_unit']:.4g}", limit, others]


def family_lines(heading: str, cases: list[Case]) -> Iterator[str]:
    yield f"## {heading}"
    yield ""
    yield from table(["case", "min", "median", f"ns per {cases[0]['unit']}", "of the limit",
                      "times faster than (its own share of its limit)"], [case_row(case) for case in cases])
    yield ""


def write_charts(cases: dict[str, Case], folder: Path) -> Iterator[str]:
    for file, title, names in CHARTS:
        found = [cases[name] for name in names if name in cases]
        if found:
            folder.mkdir(parents=True, exist_ok=True)
            (folder / f"{file}.svg").write_text(charts.chart(title, found), encoding="utf-8")
            yield f"![{title}]({folder.name}/{file}.svg)"
            yield ""


def page(results: Case, folder: Path, docs: bool) -> str:
    cases = {case["name"]: case for case in results["cases"]}
    lines = ["# Benchmarks", ""]
    if docs:
        lines += [EXPLANATION.read_text(encoding="utf-8"), "## The last full run", ""]
    lines += [*machine_lines(results["machine"]), ""]
    lines += write_charts(cases, folder)
    goals = targets.rows(cases)
    if goals:
        lines += ["## Targets", "", targets.__doc__ or "", ""]
        lines += [*table(["what", "target", "measured", "met"], goals), ""]
    for prefix, heading in FAMILIES:
        found = [case for name, case in cases.items() if name.startswith(prefix)]
        if found:
            lines += family_lines(heading, found)
    return "\n".join(lines).rstrip() + "\n"


def main(arguments: list[str]) -> int:
    parser = argparse.ArgumentParser(description="Markdown and SVG from the JSON of tq_bench")
    parser.add_argument("json", type=Path)
    parser.add_argument("out", type=Path)
    parser.add_argument("--docs", action="store_true", help="with the explanation that docs/benchmarks.md has")
    given = parser.parse_args(arguments)
    results = json.loads(given.json.read_text(encoding="utf-8"))
    if not results["cases"]:
        print(f"{given.json} has no cases", file=sys.stderr)
        return 1
    given.out.write_text(page(results, given.out.with_suffix(""), given.docs), encoding="utf-8")
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
