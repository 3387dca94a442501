"""Scores of each label, and which labels are taken for which, of choice tasks whose items share their labels."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import numpy as np

from bench.analysis.labels import NO_ANSWER, Confusion, confusions
from bench.core.record import Record
from bench.metrics.formats import clean
from bench.report.cases import Case
from bench.report.charts import heatmap
from bench.report.charts.chart import About
from bench.report.html.blocks import Block, More, Table, figure
from bench.report.table import ReportTable, Text

_MATRIX = 24  # labels: a larger matrix is no longer read
_PAIRS = 15  # commonest confusions that are listed in place of one
_LONGEST = 60  # characters of a label
_CELL = 30.0  # px of a cell of a matrix


def blocks(case: Case) -> Iterator[Block]:
    """Both, where predictions hold the labels; the matrix is that of the method that leads."""
    methods: dict[str, list[Record]] = {}
    for record in case.records:
        if record.status == "ok" and record.kind == "choice":
            methods.setdefault(record.method, []).append(record)
    found = confusions(case.run, {one.label: methods[one.label] for one in case.answers if one.label in methods})
    if not found:
        return
    leads = case.headline.leads if case.headline else None
    first = leads.label if leads and leads.label in found else next(iter(found))
    matrix = _matrix(case, first, found[first]) if len(found[first].labels) <= _MATRIX else _pairs(first, found[first])
    yield More("Labels: scores of each, and what is taken for what", (Table(_scores(case, found)), matrix))


def _scores(case: Case, found: dict[str, Confusion]) -> ReportTable:
    any_one = next(iter(found.values()))
    every = [confusion.scores()[:, 2] for confusion in found.values()]
    items = any_one.counts.sum(axis=1) / max(1, _seeds(case, next(iter(found))))
    rows = tuple(
        (Text(_name(label)), Text(f"{items[at]:,.0f}"), *(Text(f"{f1[at]:.3f}") for f1 in every))
        for at, label in enumerate(any_one.labels)
    )
    heads = ("label", "test\nitems", *(clean(name) for name in found))
    note = "F1 of each label over all seeds, from 0 to 1: precision and recall count alike"
    return ReportTable(f"{case.title}: F1 of each label", heads, rows, (note,))


def _seeds(case: Case, method: str) -> int:
    return sum(record.status == "ok" and record.method == method for record in case.records)


def _matrix(case: Case, method: str, found: Confusion) -> Block:
    """Shares of the items of a label, in percent."""
    whole = found.counts.sum(axis=1, keepdims=True)
    shares = 100 * np.divide(found.counts, whole, out=np.zeros(found.counts.shape), where=whole > 0)
    some = found.counts[:, -1].any()  # items without an answer
    columns = [str(at + 1) for at in range(len(found.labels))] + ([NO_ANSWER] if some else [])
    values = tuple(tuple(_cell(value) for value in line[: len(columns)]) for line in shares.tolist())
    names = tuple(f"{at + 1} {_name(label)}" for at, label in enumerate(found.labels))
    about = About(
        f"{case.id}-confusion",
        f"{case.title}: right label and answer, {clean(method)}",
        "Rows: the label that is right. Columns: the label that was answered, by its number. Percent of the items of "
        "the row, over all seeds; – is none.",
    )
    grid = heatmap.Grid(names, tuple(columns), values)
    return figure(
        heatmap.draw, about, grid, "percent of the row", limit=100.0, show=_percent, least=_CELL, signed=False
    )


def _name(label: str) -> str:
    kept = clean(label[: 2 * _LONGEST])
    return kept if len(kept) <= _LONGEST else f"{kept[:_LONGEST]}…"


def _cell(value: float) -> float | None:
    return value or None


def _percent(value: float) -> str:
    return f"{value:.0f}"


def _pairs(method: str, found: Confusion) -> Block:
    counts = found.counts[:, :-1].copy()
    np.fill_diagonal(counts, 0)
    rows: list[Sequence[Text]] = []
    for place in np.argsort(-counts, axis=None, kind="stable")[:_PAIRS].tolist():
        right, answer = divmod(place, counts.shape[1])
        if counts[right, answer]:
            share = counts[right, answer] / found.counts[right].sum()
            texts = (_name(found.labels[right]), _name(found.labels[answer]), f"{share:.0%}")
            rows.append(tuple(map(Text, texts)))
    title = f"Commonest confusions of {clean(method)}"
    return Table(ReportTable(title, ("right label", "answer", "of the label's items"), tuple(map(tuple, rows))))
