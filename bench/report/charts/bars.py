"""Stacked horizontal bars: what amounts are made up of, with totals."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from bench.report.charts.axes import BELOW, Swatch, key, x_axis
from bench.report.charts.chart import About, Chart, blank, chart
from bench.report.charts.marks import mark
from bench.report.charts.scale import Scale, fit, tame
from bench.report.charts.svg import LINE, MIDDLE, Element, Show, cut, el, minus, plain, shown, widest, width, words

_ROW, _BAR = 28.0, 18.0  # px
_ABOVE = 36.0  # px above a bar for its label, in a narrow chart
_MARK = 16.0  # px for the mark in front of a label
_TINTS = 6  # of parts; they are grey, since colours are those of methods
_LABEL, _TOTAL = 200.0, 220.0  # px, the widest label, and the widest total with its note
_GAP = 1.0  # px between two parts
_MARKED = 14.0  # px: a part as wide as this has room for its number


@dataclass(frozen=True, slots=True)
class BarRow:
    """A bar made up of named parts; a part that is below 0 or not finite is not drawn and not in the total.

    `index` is that of the mark in front of its label.
    """

    label: str
    parts: tuple[tuple[str, float], ...]
    note: str = ""
    index: int | None = None


def draw(about: About, rows: Sequence[BarRow], axis: str, *, show: Show = plain) -> Chart:
    """Bars from top to bottom as given, parts in the order in which their names are first met."""
    names = list(dict.fromkeys(name for row in rows for name, _ in row.parts))
    table = [(row.label, *_cells(row, names, show), shown(_total(row), show), row.note) for row in rows]
    columns = ("", *names, axis, "note")
    if not names:
        return blank(about, columns, table)
    marked = _MARK if any(row.index is not None for row in rows) else 0.0
    left = 8.0 if about.narrow else widest((row.label for row in rows), _LABEL) + 14 + marked
    tail = widest((_tail(row, show) for row in rows), _TOTAL)
    entries = [(name, _swatch(number)) for number, name in enumerate(names)]
    legend, high = key(entries, left, about.width)
    row_height = _ROW + (_ABOVE if about.narrow else 0)
    top = high + 10
    bottom = top + row_height * len(rows)
    right = about.width - 10 - (10 if about.narrow else tail)
    scale = fit([_total(row) for row in rows], left, right, zero=True, count=3 if about.narrow else 5)
    drawn: list[Element | None] = [*legend, *x_axis(scale, top, bottom, axis, (0.0, about.width))]
    for index, row in enumerate(rows):
        y = top + row_height * (index + 1) - _ROW / 2
        drawn += _label(row, scale, y, show, marked) if about.narrow else _beside(row, scale, y, show, about.width)
        drawn += _bar(row, names, scale, y)
    return chart(about, columns, table, (about.width, bottom + BELOW), drawn)


def _swatch(number: int) -> Swatch:
    """The tint of a part with its number."""

    def draw_at(x: float, y: float) -> Sequence[Element | None]:
        half = _BAR / 2 - 2
        return [
            el("rect", x=x - half, y=y - half, width=2 * half, height=2 * half, rx=2.0, class_=_tint(number)),
            words(str(number + 1), x, y + MIDDLE, 2 * half, "middle", f"on-k{number % _TINTS}"),
        ]

    return draw_at


def _tint(number: int) -> str:
    return f"part k{number % _TINTS}"


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
    total = _number(row, show)
    return f"{total}  {row.note}" if row.note else total


def _beside(row: BarRow, scale: Scale, y: float, show: Show, right: float) -> Iterator[Element | None]:
    """The label at the left of a bar, its total and note at the right."""
    if row.index is not None:
        yield mark(row.index, 6, y, radius=4.0)
    room = scale.start - 10 - (0.0 if row.index is None else _MARK)
    yield words(row.label, scale.start - 10, y + MIDDLE, room, "end")
    total = _number(row, show)
    x = scale(_total(row)) + 6
    yield words(total, x, y + MIDDLE, _TOTAL / 2, None, "strong halo")
    start = x + width(total) + 8
    yield words(row.note, start, y + MIDDLE, min(_TOTAL, right - start), None, "faint halo")


def _label(row: BarRow, scale: Scale, y: float, show: Show, left: float) -> Iterator[Element | None]:
    """The label above a bar, its total and note below the label."""
    base = y - _BAR / 2 - 6
    if row.index is not None:
        yield mark(row.index, 6, base - LINE - MIDDLE, radius=4.0)
    room = scale.end - left
    total = _number(row, show)
    yield words(row.label, left, base - LINE, room, None, "halo")
    yield words(total, left, base, room, None, "strong halo")
    start = width(total) + 8
    yield words(row.note, left + start, base, room - start, None, "faint halo")


def _number(row: BarRow, show: Show) -> str:
    return cut(minus(show(_total(row))), _TOTAL / 2)


def _bar(row: BarRow, names: Sequence[str], scale: Scale, y: float) -> Iterator[Element | None]:
    done, x = 0.0, scale.start
    for number, name in enumerate(names):
        done += _amounts(row, name)
        wide = scale(done) - x
        if wide < 0.05:  # nothing that could be seen
            continue
        shrunk = max(0.05, wide - _GAP) if wide > 2 * _GAP else wide
        yield el("rect", x=x, y=y - _BAR / 2, width=shrunk, height=_BAR, class_=_tint(number))
        if wide >= _MARKED:
            yield words(str(number + 1), x + shrunk / 2, y + MIDDLE, shrunk, "middle", f"on-k{number % _TINTS}")
        x += wide
