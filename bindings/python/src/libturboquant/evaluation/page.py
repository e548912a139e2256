"""The report as one HTML file that needs nothing else: style inside, plots as SVG, no scripts."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from html import escape
from importlib.resources import files

import libturboquant as tq

from . import metrics
from .evaluate import Evaluation
from .formats import milliseconds, nats, ratio, share, size
from .needle import DEPTHS, KINDS
from .plots import Series, histograms, line_plot
from .settings import Setting
from .tables import Table, accuracy, costs, heads, layers

STYLES = 8


def page(result: Evaluation, text_name: str) -> str:
    """The whole file."""
    style = (files(__package__) / "report.css").read_text(encoding="utf-8")
    title = f"{result.subject.name}: what a compressed KV cache costs"
    plan = result.plan
    pieces = f"{plan.windows} window{'s' * (plan.windows > 1)}"
    body = [
        f"<h1>{escape(title)}</h1>",
        f'<p class="soft">{pieces} of {plan.context} tokens of {escape(text_name)}; libturboquant '
        f"{tq.version()} on {tq.cpu_target()}. Every setting reads the same passes of 64 tokens and is compared with "
        "the 16-bit cache of the same model.</p>",
        _verdicts(result),
        _section(accuracy(result), result, _ACCURACY),
        _section(costs(result), result, _COST),
        '<h2>Plots</h2><div class="grid2">',
        *(figure.html() for figure in _figures(result)),
        "</div>",
        _section(layers(result), result, _LAYERS),
        _retrieval(result),
        "<h2>Attention error of every layer and head</h2>",
        *(_heads(result, setting) for setting in result.settings if setting.name in result.layers),
        "<footer class=soft>Made by turboquant eval. Times are those of this machine, in this run.</footer>",
    ]
    return (
        '<!DOCTYPE html>\n<html lang="en"><head><meta charset="utf-8">'
        '<meta name="viewport" content="width=device-width, initial-scale=1">'
        f"<title>{escape(title)}</title><style>{style}</style></head>\n<body>{chr(10).join(body)}</body></html>\n"
    )


_ACCURACY = (
    "KL divergence of the next-token distribution from the one with the 16-bit cache, in nats: its mean, median and "
    "quantiles over all positions. Bits per value: of what is coded; the newest and the first tokens stay in 16 bit."
)
_COST = "Bytes of the whole cache, exact tokens and overhead included. Yardsticks are emulated, so no time is given."
_LAYERS = (
    "Rms of the difference / rms of what 16 bit gives, of coded tokens and of attention outputs for the same queries. "
    "Copied: planted tokens that the model finds again when their string's beginning is repeated at the end."
)


def _verdicts(result: Evaluation) -> str:
    kinds = {setting.name: setting.kind for setting in result.settings}
    items = []
    for verdict in result.verdicts:
        marks = ["ours"] if kinds[verdict.setting] == "turboquant" else []
        marks += ["broken"] if verdict.broken else []
        rest = verdict.sentence.removeprefix(verdict.setting)
        items.append(f'<li class="{" ".join(marks)}"><strong>{_name(verdict.setting)}</strong>{_unbroken(rest)}</li>')
    return f'<h2>In words</h2><ul class="verdicts">{"".join(items)}</ul>'


def _section(table: Table, result: Evaluation, note: str) -> str:
    kinds = {setting.name: setting.kind for setting in result.settings}
    rows = "".join(
        f'<tr class="{"ours" if kinds[name] == "turboquant" else ""}"><th scope="row">{_name(name)}</th>'
        + "".join(f"<td>{escape(cell)}</td>" for cell in cells)
        + "</tr>"
        for name, *cells in table.rows
    )
    return f"<h2>{escape(table.title)}</h2>{_table(table.columns, rows)}<p class=soft>{escape(note)}</p>"


def _table(columns: tuple[str, ...], rows: str) -> str:
    head = "".join(f'<th scope="col">{_unbroken(column)}</th>' for column in columns)
    return f'<div class="wide"><table><thead><tr>{head}</tr></thead><tbody>{rows}</tbody></table></div>'


def _series(result: Evaluation, setting: Setting, points: list[tuple[float, float]]) -> Series:
    place = [each.name for each in result.settings].index(setting.name)
    return Series(setting.name, points, place % STYLES, setting.kind == "yardstick")


@dataclass(frozen=True)
class Figure:
    """A drawing, what stands below it, and the lines that need a legend."""

    title: str
    drawing: str
    caption: str
    legend: Sequence[Series] = ()

    def html(self) -> str:
        """Empty if there is nothing to see."""
        if not self.drawing:
            return ""
        items = "".join(
            f'<li><i class="s{line.style} {"dashed" if line.dashed else ""}"></i>{_name(line.name)}</li>'
            for line in self.legend
        )
        legend = f'<ul class="legend">{items}</ul>' if items else ""
        caption = f"<figcaption>{escape(self.caption)}</figcaption>"
        return f"<figure><h3>{escape(self.title)}</h3>{self.drawing}{legend}{caption}</figure>"


def _figures(result: Evaluation) -> list[Figure]:
    every = result.settings
    coded = [setting for setting in every if setting.name in result.layers]
    by_layer = [
        _series(result, s, [(i, float(error)) for i, error in enumerate(result.layers[s.name].attention_by_layer)])
        for s in coded
    ]
    memory = [_series(result, s, list(result.readings[s.name].bytes_at)) for s in every]
    decode = [_series(result, s, list(result.speeds[s.name].decode)) for s in every if s.name in result.speeds]
    histogram = [(_series(result, s, []), metrics.kl_histogram(result.readings[s.name].positions.kl)[1]) for s in coded]
    edges = metrics.kl_histogram(result.reference.positions.kl)[0]
    return [
        Figure(
            "Attention error by layer",
            line_plot("Attention error by layer", by_layer, "layer", "rms error", ratio, logarithmic=True),
            "Relative to the output of the 16-bit cache, over all heads.",
            by_layer,
        ),
        Figure(
            "KL divergence, distribution over positions",
            histograms("KL divergence, distribution over positions", edges, histogram, "KL divergence, nats"),
            "Each row is scaled to its highest bar; at the left end is what is smaller.",
        ),
        Figure(
            "Memory",
            line_plot("Memory", memory, "tokens in the context", "bytes, all layers", size),
            "Of the whole cache while the last window is read.",
            memory,
        ),
        Figure(
            "Time of one decoded token",
            line_plot("Time of one decoded token", decode, "tokens in the context", "time", milliseconds),
            "The whole model, median of 16 tokens.",
            decode,
        ),
    ]


def _name(name: str) -> str:
    """A setting's name, which may be long: it may break after commas."""
    return escape(name).replace(",", ",<wbr>")


def _unbroken(text: str) -> str:
    """Numbers stay with their units."""
    return escape(text).replace(" %", "&nbsp;%").replace(" nats", "&nbsp;nats").replace(" ms", "&nbsp;ms")


def _retrieval(result: Evaluation) -> str:
    needles = result.needles
    if needles is None:
        return "<h2>Retrieval</h2><p>The text or the context is too short to plant anything.</p>"
    lengths = sorted({int(length) for length in needles.lengths})
    parts = ["<h2>Retrieval by depth</h2>"]
    for kind in KINDS:
        what = "random tokens" if kind == "random" else "passages of text"
        places = [(length, depth) for length in lengths for depth in DEPTHS]
        columns = ("setting", *(f"{length} tokens, depth {100 * depth:.0f} %" for length, depth in places))
        rows = ""
        for setting in result.settings:
            cells = [needles.copied(setting.name, kind, *place) for place in places]
            rows += f'<tr><th scope="row">{_name(setting.name)}</th>{"".join(_heat(c, share(c)) for c in cells)}</tr>'
        parts.append(
            f"<h3>Planted {what}</h3>{_table(columns, rows)}<p class=soft>Share of planted tokens that are the most "
            f"likely ones. With 16 bit a planted string is worth {nats(needles.gain(kind))} nats per token.</p>"
        )
    return "".join(parts)


def _heat(value: float, text: str) -> str:
    return f'<td style="background:rgba(var(--heat),{0.45 * min(max(value, 0.0), 1.0):.2f})">{escape(text)}</td>'


def _heads(result: Evaluation, setting: Setting) -> str:
    table, errors = heads(result, setting.name), result.layers[setting.name].attention
    most = float(errors.max()) or 1.0
    rows = "".join(
        f'<tr><th scope="row">{_name(name)}</th>'
        + "".join(_heat(value / most, cell) for value, cell in zip(errors[i], cells, strict=True))
        + "</tr>"
        for i, (name, *cells) in enumerate(table.rows)
    )
    opened = " open" if setting.name == "default" else ""
    return f"<details{opened}><summary>{escape(setting.name)}</summary>{_table(table.columns, rows)}</details>"
