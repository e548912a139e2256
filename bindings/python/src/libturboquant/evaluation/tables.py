"""The tables of an evaluation, as cells of text: for the terminal and for the page."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from .evaluate import Evaluation
from .formats import NONE, milliseconds, nats, number, ratio, share
from .needle import KINDS


@dataclass(frozen=True)
class Table:
    """Rows in the order of the settings; the first cell is the setting's name."""

    title: str
    columns: tuple[str, ...]
    rows: list[tuple[str, ...]]


def accuracy(result: Evaluation) -> Table:
    """Distances of next-token distributions from those of the 16-bit cache."""
    rows: list[tuple[str, ...]] = []
    for setting in result.settings:
        reading = result.readings[setting.name]
        summary = reading.positions.summary()
        rows.append(
            (
                setting.name,
                number(reading.cost.bits_per_value, 2),
                nats(summary["kl_mean"]),
                nats(summary["kl_median"]),
                nats(summary["kl_p99"]),
                nats(summary["kl_p999"]),
                share(summary["same_top"]),
                number(summary["perplexity"], 3),
            )
        )
    columns = ("setting", "bits per value", "mean KL", "median", "99 %", "99.9 %", "same top token", "perplexity")
    return Table("Accuracy", columns, rows)


def layers(result: Evaluation) -> Table:
    """Errors inside of layers, and retrieval."""
    rows = []
    for setting in result.settings:
        errors = result.layers.get(setting.name)
        cells = (NONE,) * 4
        if errors is not None:
            cells = (
                ratio(float(errors.keys.mean())),
                ratio(float(errors.values.mean())),
                ratio(errors.mean_attention),
                ratio(float(errors.attention.max())),
            )
        rows.append((setting.name, *cells, *_retrieval(result, setting.name)))
    columns = ("setting", "key error", "value error", "attention error", "of the worst head")
    kinds = tuple(f"copied: {kind}" for kind in KINDS) if result.needles else ()
    return Table("Layers and retrieval", columns + kinds, rows)


def _retrieval(result: Evaluation, name: str) -> tuple[str, ...]:
    return tuple(share(result.needles.copied(name, kind)) for kind in KINDS) if result.needles else ()


def costs(result: Evaluation) -> Table:
    """Bytes and time."""
    rows = []
    exact = result.reference.cost.bytes
    for setting in result.settings:
        cost = result.readings[setting.name].cost
        cells: tuple[str, ...] = (setting.name, number(cost.bytes_per_token, 0), f"{exact / cost.bytes:.2f}x")
        if result.speeds:
            speed = result.speeds.get(setting.name)
            last = speed.decode[-1][1] if speed else None
            cells += (milliseconds(speed.prefill if speed else None), milliseconds(last))
        rows.append(cells)
    columns: tuple[str, ...] = ("setting", "bytes per token", "smaller")
    if result.speeds:
        columns += ("prefill, per token", f"decode at {result.plan.context} tokens")
    return Table(f"Cost at {result.plan.context} tokens", columns, rows)


def all_tables(result: Evaluation) -> list[Table]:
    """In the order of reading."""
    return [accuracy(result), layers(result), costs(result)]


def heads(result: Evaluation, name: str) -> Table:
    """Attention error of every layer and query head of one setting."""
    attention = result.layers[name].attention
    columns = ("layer", *(f"head {head}" for head in range(attention.shape[1])))
    rows = [(str(layer), *(ratio(float(value)) for value in np.asarray(row))) for layer, row in enumerate(attention)]
    return Table(name, columns, rows)
