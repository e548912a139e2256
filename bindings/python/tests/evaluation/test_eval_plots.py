"""Plots are well-formed SVG with every series in it, and draw nothing out of nothing."""

from __future__ import annotations

import xml.etree.ElementTree as xml

import pytest

from libturboquant.evaluation.plots import HEIGHT, WIDTH, Axis, Series, histograms, line_plot


def test_lines() -> None:
    lines = [Series("a < b", [(0, 0.001), (1, 0.5)], 1), Series("c", [(0, 0.02), (1, 0.03)], 2, dashed=True)]
    tree = xml.fromstring(line_plot("errors & more", lines, "layer", "error", lambda x: f"{x:g}", logarithmic=True))
    assert tree.attrib["aria-label"] == "errors & more"
    paths = tree.findall("path")
    assert [path.attrib["class"] for path in paths] == ["line s1", "line s2 dashed"]
    dots = tree.findall("circle")
    assert len(dots) == 4
    assert all(0 <= float(dot.attrib["cx"]) <= WIDTH and 0 <= float(dot.attrib["cy"]) <= HEIGHT for dot in dots)
    assert float(dots[0].attrib["cy"]) > float(dots[1].attrib["cy"])  # more is higher
    assert dots[0].find("title").text == "a < b: 0, 0.001"


def test_histograms() -> None:
    edges = [1e-6, 1e-5, 1e-4, 1e-3]
    tree = xml.fromstring(histograms("h", edges, [(Series("x", [], 3), [0.25, 0.75, 0.0])], "nats"))
    bars = tree.findall("rect")
    assert len(bars) == 2
    assert float(bars[1].attrib["height"]) == pytest.approx(3 * float(bars[0].attrib["height"]), rel=0.01)


def test_nothing_to_draw() -> None:
    assert line_plot("", [], "x", "y", str) == ""
    assert line_plot("", [Series("zero", [(1, 0.0)], 0)], "x", "y", str) == ""
    assert histograms("", [1.0, 2.0], [], "x") == ""


def test_one_point() -> None:
    assert xml.fromstring(line_plot("", [Series("p", [(3, 5.0)], 0)], "x", "y", str)).findall("circle")


def test_ticks_are_round() -> None:
    assert Axis(0, 1024, 0, 100).ticks() == [0, 250, 500, 750, 1000]
    assert Axis(0.002, 0.15, 0, 100, True).ticks() == [0.003, 0.01, 0.03, 0.1]
    assert Axis(1e-9, 1, 0, 100, True).place(1e-3) > Axis(1e-9, 1, 0, 100, True).place(1e-6)
