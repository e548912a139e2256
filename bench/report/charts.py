"""Bar charts as SVG: ns per unit by implementation, a dashed line where the library's physical limit is."""

from collections.abc import Iterator
from html import escape
from typing import Any

WIDTH, LABEL, VALUE = 480, 92, 96  # of the drawing, of the names on the left, of the numbers on the right
BAR, GAP, HEAD, GROUP_HEAD = 18, 4, 52, 28
LABELS = {"ggml_f16": "ggml f16", "ggml_q8_0": "ggml q8_0", "ggml_q4_0": "ggml q4_0", "ggml_f16_rows": "ggml rows"}
STYLE = """
text { font: 14px system-ui, sans-serif; fill: #1b1f24 }
.title { font-weight: 600; font-size: 16px } .small { fill: #57606a }
.ours { fill: #0969da } .baseline { fill: #8c959f } .other { fill: #c69026 }
.limit { stroke: #cf222e; stroke-width: 2; stroke-dasharray: 4 3 } .key { fill: #cf222e }
.page { fill: #ffffff }
@media (prefers-color-scheme: dark) {
 text { fill: #e6edf3 } .small { fill: #9198a1 } .page { fill: #0d1117 }
 .ours { fill: #4493f8 } .baseline { fill: #768390 } .limit { stroke: #f85149 } .key { fill: #f85149 }
}
"""


def bars_of(case: dict[str, Any]) -> list[tuple[str, float]]:
    """(name, ns per unit) of the library and of its baselines; single-thread variants of our own are left out."""
    others = [other for other in case.get("baselines", []) if not other["name"].startswith("tq_")]
    named = [("libturboquant", case), *((LABELS.get(other["name"], other["name"]), other) for other in others)]
    return [(name, timing["ns"] / case["units"]) for name, timing in named]


def kind_of(name: str) -> str:
    if name == "libturboquant":
        return "ours"
    return "other" if name.startswith("ggml") or name == "naive" else "baseline"


def number(ns: float) -> str:
    if ns >= 1e6:
        return f"{ns / 1e6:.3g} ms"
    if ns >= 1e4:
        return f"{ns / 1e3:.3g} µs"
    return f"{ns:.0f} ns" if ns >= 1e3 else f"{ns:.3g} ns"


def group(case: dict[str, Any], y: float, longest: float) -> Iterator[str]:
    room = WIDTH - LABEL - VALUE
    yield f'<text x="12" y="{y + 18}" class="small">{escape(case["name"])}</text>'
    y += GROUP_HEAD
    for name, ns in bars_of(case):
        cut = ns > longest
        length = room if cut else max(1.0, room * ns / longest)
        label = name if name != "libturboquant" else "this"
        yield f'<text x="{LABEL - 6}" y="{y + 14}" text-anchor="end">{escape(label)}</text>'
        yield f'<rect x="{LABEL}" y="{y}" width="{length:.1f}" height="{BAR}" class="{kind_of(name)}"/>'
        if cut:  # the bar goes on beyond the scale
            at = LABEL + room - 14
            yield f'<path d="M{at} {y - 1} l6 {BAR + 2} h5 l-6 -{BAR + 2} z" class="page"/>'
        yield f'<text x="{LABEL + length + 6:.1f}" y="{y + 14}">{number(ns)}</text>'
        if name == "libturboquant" and "limit_ns" in case:
            at = LABEL + room * case["limit_ns"] / case["units"] / longest
            yield f'<path d="M{at:.1f} {y - 3} v{BAR + 6}" class="limit"/>'
        y += BAR + GAP


def height_of(case: dict[str, Any]) -> float:
    return GROUP_HEAD + len(bars_of(case)) * (BAR + GAP)


def chart(title: str, cases: list[dict[str, Any]]) -> str:
    """One drawing; all cases share its scale, and what is longer than our own baselines is cut."""
    own = [ns for case in cases for name, ns in bars_of(case) if kind_of(name) != "other"]
    longest = 1.05 * max(own)
    height = HEAD + sum(height_of(case) for case in cases) + 12
    parts = [
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {height:.0f}" width="100%" '
        f'style="max-width:{WIDTH * 1.5:.0f}px" role="img">',
        f"<title>{escape(title)}</title><style>{STYLE}</style>",
        f'<rect class="page" width="{WIDTH}" height="{height:.0f}" rx="6"/>',
        f'<text x="12" y="24" class="title">{escape(title)}</text>',
        f'<text x="12" y="44" class="small">per {escape(cases[0]["unit"])}; shorter is better; '
        f'<tspan class="key">dashed: physical limit</tspan></text>',
    ]
    y: float = HEAD
    for case in cases:
        parts += group(case, y, longest)
        y += height_of(case)
    return "\n".join([*parts, "</svg>", ""])
