"""Stacked horizontal bars: what amounts are made up of, with totals."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from bench.report.charts.axes import BELOW, legend, x_axis
from bench.report.charts.chart import WIDTH, About, Chart, blank, chart
from bench.report.charts.marks import colour, mark
from bench.report.charts.scale import Scale, fit, tame
from bench.report.charts.svg import MIDDLE, Element, Show, cut, el, minus, plain, shown, widest, width, words

_ROW, _BAR = 28.0, 18.0  # px
_LABEL, _TOTAL = 200.0, 220.0  # px, the widest label, and the widest total with its note
_GAP = 1.0  # px between two parts
_MARKED = 14.0  # px: a part as wide as this has room for its mark


@dataclass(frozen=True, slots=True)
class BarRow:
    """A bar made up of named parts; a part that is below 0 or not finite is not drawn and not in the total."""

    label: str
    parts: tuple[tuple[str, float], ...]
    note: str = ""


def draw(about: About, rows: Sequence[BarRow], axis: str, *, show: Show = plain) -> Chart:
    """Bars from top to bottom as given, parts in the order in which their names are first met."""
    names = list(dict.fromkeys(name for row in rows for name, _ in row.parts))
    table = [(row.label, *_cells(row, names, show), shown(_total(row), show), row.note) for row in rows]
    columns = ("", *names, axis, "note")
    if not names:
        return blank(about, columns, table)
    left = widest((row.label for row in rows), _LABEL) + 14
    right = WIDTH - 10 - widest((_tail(row, show) for row in rows), _TOTAL)
    key, high = legend(names, left, WIDTH)
    top = high + 10
    bottom = top + _ROW * len(rows)
    scale = fit([_total(row) for row in rows], left, right, zero=True)
    drawn: list[Element | None] = [*key, *x_axis(scale, top, bottom, axis, (0.0, WIDTH))]
    for index, row in enumerate(rows):
        drawn += _bar(row, names, scale, top + _ROW * (index + 0.5), show)
    return chart(about, columns, table, (WIDTH, bottom + BELOW), drawn)


def _amounts(row: BarRow, name: str) -> float:
    """The amount of a name, which a row may have more than once."""
    return sum(max(0.0, tame(amount) or 0.0) for part, amount in row.parts if part == name)


def _total(row: BarRow) -> float:
    return sum(max(0.0, tame(amount) or 0.0) for _, amount in row.parts)


def _cells(row: BarRow, names: Sequence[str], show: Show) -> Iterator[str]:
    for name in names:
        given = [amount for part, amount in row.parts if part == name]
        yield shown(given[0], show) if len(given) == 1 else shown(_amounts(row, name) if given else None, show)


def _tail(row: BarRow, show: Show) -> str:
    total = cut(minus(show(_total(row))), _TOTAL / 2)
    return f"{total}  {row.note}" if row.note else total


def _bar(row: BarRow, names: Sequence[str], scale: Scale, y: float, show: Show) -> Iterator[Element | None]:
    yield words(row.label, scale.start - 10, y + MIDDLE, scale.start - 10, "end")
    done, x = 0.0, scale.start
    for index, name in enumerate(names):
        done += _amounts(row, name)
        wide = scale(done) - x
        if wide < 0.05:  # nothing that could be seen
            continue
        shrunk = max(0.05, wide - _GAP) if wide > 2 * _GAP else wide
        yield el("rect", x=x, y=y - _BAR / 2, width=shrunk, height=_BAR, class_=f"mark {colour(index)}")
        if wide >= _MARKED:
            yield mark(index, x + shrunk / 2, y, "shape", 3.5)
        x += wide
    total = cut(minus(show(_total(row))), _TOTAL / 2)
    yield words(total, x + 6, y + MIDDLE, _TOTAL / 2, None, "strong halo")
    start = x + 6 + width(total) + 8
    yield words(row.note, start, y + MIDDLE, min(_TOTAL, WIDTH - start), None, "faint halo")
