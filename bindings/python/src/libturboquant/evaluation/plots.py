"""Plots as inline SVG: text only, no scripts, no fonts of its own; colours come from the page's style sheet.

The drawing is 440 units wide, so that its letters can still be read when a telephone shrinks it to 360 pixels.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from html import escape

WIDTH, HEIGHT = 440, 280
LEFT, RIGHT, TOP, BOTTOM = 58, 12, 14, 44
TICKS = 5

Format = Callable[[float], str]


@dataclass(frozen=True)
class Series:
    """One line. `style` is its number in the style sheet; dashed for yardsticks."""

    name: str
    points: Sequence[tuple[float, float]]
    style: int
    dashed: bool = False


@dataclass(frozen=True)
class Axis:
    """From numbers to the drawing."""

    low: float
    high: float
    start: float
    end: float
    logarithmic: bool = False

    def place(self, value: float) -> float:
        """Of a number, in the drawing."""
        low, high, at = self.low, self.high, value
        if self.logarithmic:
            low, high, at = math.log10(low), math.log10(high), math.log10(max(value, self.low))
        return self.start + (self.end - self.start) * (at - low) / (high - low)

    def ticks(self) -> list[float]:
        """Round numbers; powers of ten on a logarithmic axis, with 3 between them if there is room."""
        if self.logarithmic:
            first, last = math.floor(math.log10(self.low)), math.ceil(math.log10(self.high))
            factors = (1.0, 3.0) if last - first <= 3 else (1.0,)
            every = [factor * 10.0**power for power in range(first, last + 1) for factor in factors]
            return [tick for tick in every if self.low * 0.999 <= tick <= self.high * 1.001]
        step = _round_step((self.high - self.low) / TICKS)
        first = math.ceil(self.low / step - 1e-9)
        return [i * step for i in range(first, math.floor(self.high / step + 1e-9) + 1)]


def _round_step(step: float) -> float:
    power = 10.0 ** math.floor(math.log10(step))
    return next(power * factor for factor in (1, 2, 2.5, 5, 10) if power * factor >= step * 0.999)


def line_plot(
    title: str, series: Sequence[Series], x_label: str, y_label: str, y_format: Format, *, logarithmic: bool = False
) -> str:
    """Lines with a dot at every point; "" if there is nothing to draw."""
    points = [point for line in series for point in line.points if point[1] > 0]
    if not points:
        return ""
    xs, ys = [x for x, _ in points], [y for _, y in points]
    x_low, x_high = min(xs), max(xs)
    if x_high == x_low:
        x_low, x_high = x_low - 0.5, x_high + 0.5
    low, high = (min(ys) / 1.3, max(ys) * 1.3) if logarithmic else (0.0, max(ys) * 1.08)
    x = Axis(x_low, x_high, LEFT, WIDTH - RIGHT)
    y = Axis(low, high, HEIGHT - BOTTOM, TOP, logarithmic)
    body = [_grid(x, y, y_format), *(_line(line, x, y, y_format) for line in series), _labels(x_label, y_label)]
    return _svg(title, HEIGHT, body)


def _grid(x: Axis, y: Axis, y_format: Format) -> str:
    parts = []
    for tick in y.ticks():
        at = y.place(tick)
        parts.append(f'<line class="grid" x1="{LEFT}" x2="{WIDTH - RIGHT}" y1="{at:.1f}" y2="{at:.1f}"/>')
        parts.append(_text("tick", LEFT - 6, at + 4, y_format(tick), "end"))
    whole = [tick for tick in x.ticks() if tick == int(tick)]
    for tick in whole:
        at = x.place(tick)
        parts.append(_text("tick", at, HEIGHT - BOTTOM + 16, f"{tick:.0f}", "middle"))
    parts.append(f'<line class="axis" x1="{LEFT}" x2="{WIDTH - RIGHT}" y1="{y.start}" y2="{y.start}"/>')
    return "".join(parts)


def _line(line: Series, x: Axis, y: Axis, y_format: Format) -> str:
    places = [(x.place(a), y.place(b), a, b) for a, b in line.points if b > 0]
    path = "M" + "L".join(f"{a:.1f} {b:.1f}" for a, b, _, _ in places)
    dots = "".join(
        f'<circle class="s{line.style}" cx="{a:.1f}" cy="{b:.1f}" r="2.6">'
        f"<title>{escape(line.name)}: {u:g}, {escape(y_format(v))}</title></circle>"
        for a, b, u, v in places
    )
    dashed = " dashed" if line.dashed else ""
    return f'<path class="line s{line.style}{dashed}" d="{path}"/>{dots}' if places else ""


def _labels(x_label: str, y_label: str) -> str:
    middle = (TOP + HEIGHT - BOTTOM) / 2
    turned = _text("label", 0, 0, y_label, "middle")
    return (
        _text("label", (LEFT + WIDTH - RIGHT) / 2, HEIGHT - 8, x_label, "middle")
        + f'<g transform="translate(12 {middle}) rotate(-90)">{turned}</g>'
    )


def _text(kind: str, x: float, y: float, text: str, anchor: str = "start") -> str:
    return f'<text class="{kind}" text-anchor="{anchor}" x="{x:.1f}" y="{y:.1f}">{escape(text)}</text>'


ROW = 44


def histograms(title: str, edges: Sequence[float], rows: Sequence[tuple[Series, Sequence[float]]], x_label: str) -> str:
    """One small histogram under the other on a common logarithmic axis; the points of the Series mark mean and 99 %."""
    used = [i for _, shares in rows for i, share in enumerate(shares) if share > 0]
    if not used:
        return ""
    first, last = min(used), max(used) + 1
    height = TOP + ROW * len(rows) + BOTTOM
    x = Axis(edges[first], edges[last], 24, WIDTH - 24, True)
    body = [_histogram(series, shares, edges, x, TOP + ROW * (i + 1)) for i, (series, shares) in enumerate(rows)]
    bottom = TOP + ROW * len(rows)
    for tick in x.ticks():
        name = f"{tick:.0e}".replace("e-0", "e-").replace("e+00", "").replace("e+0", "e")
        body.append(_text("tick", x.place(tick), bottom + 16, name, "middle"))
    body.append(_text("label", WIDTH / 2, height - 8, x_label, "middle"))
    return _svg(title, height, body)


def _histogram(series: Series, shares: Sequence[float], edges: Sequence[float], x: Axis, base: float) -> str:
    most = max(shares)
    parts = [f'<line class="axis" x1="{x.start}" x2="{x.end}" y1="{base}" y2="{base}"/>']
    for share, low, high in zip(shares, edges, edges[1:], strict=False):
        if share > 0 and low >= x.low * 0.999:
            tall = max((ROW - 18) * share / most, 0.7)
            left, right = x.place(low), x.place(high)
            parts.append(
                f'<rect class="s{series.style}" x="{left + 0.4:.1f}" y="{base - tall:.1f}" '
                f'width="{right - left - 0.8:.1f}" height="{tall:.1f}">'
                f"<title>{low:.1e} to {high:.1e}: {share:.2%}</title></rect>"
            )
    parts.append(_text("tick", x.start, base - ROW + 14, series.name))
    return "".join(parts)


def _svg(title: str, height: float, body: Sequence[str]) -> str:
    return f'<svg viewBox="0 0 {WIDTH} {height:g}" role="img" aria-label="{escape(title)}">' f'{"".join(body)}</svg>'
