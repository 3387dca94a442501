"""Dots with intervals: one value a row on a shared axis, which rows are not significantly different, and the best."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import pairwise

from bench.report.charts.axes import BELOW, x_axis
from bench.report.charts.chart import WIDTH, About, Chart, blank, chart
from bench.report.charts.marks import mark
from bench.report.charts.scale import Scale, fit, tame
from bench.report.charts.svg import LINE, MIDDLE, Element, Show, el, num, plain, printable, shown, widest, words

_ROW, _LETTER, _LETTERS = 24.0, 14.0, 8  # px of a row, px of a letter, most letters drawn
_LABEL, _VALUE = 220.0, 180.0  # px, the widest label and the widest value
_SHARED = "rows that share a letter are not significantly different"
_BEST = "diamond and bold: best"


@dataclass(frozen=True, slots=True)
class DotRow:
    """A value with its interval; a bound that is not finite is not drawn.

    `group` holds the letters of the tie groups that the row is in: rows that share one are not significantly different.
    """

    label: str
    value: float
    low: float
    high: float
    group: str = ""
    best: bool = False


@dataclass(frozen=True, slots=True)
class _Layout:
    """Where the columns are (px): labels from 0 to `left` - 12, the plot, values and letters."""

    left: float
    top: float
    bottom: float
    values: float
    letters: float
    scale: Scale


def draw(
    about: About, rows: Sequence[DotRow], axis: str, *, show: Show = plain, reference: tuple[float, str] | None = None
) -> Chart:
    """Rows from top to bottom as given. `axis` says what the values are; `reference` is a value to compare with."""
    columns = ("", axis, "low", "high", "tie group")
    table = [(row.label, shown(row.value, show), *_bounds(row, show), row.group) for row in rows]
    known = [value for row in rows for value in (row.value, row.low, row.high)]
    if all(tame(value) is None for value in known):
        return blank(about, columns, table)
    letters = _letters(rows)
    at = _layout(rows, letters, show, reference, known)
    drawn = [*_frame(at, axis, reference)]
    for index, row in enumerate(rows):
        drawn += _row(row, at, at.top + _ROW * (index + 0.5), show)
    drawn += _ties(rows, letters, at)
    notes = [text for text, wanted in ((_BEST, any(row.best for row in rows)), (_SHARED, bool(letters))) if wanted]
    height = at.bottom + BELOW + (LINE + 2 if notes else 0)
    drawn.append(words("; ".join(notes), 0, height - 6, WIDTH, None, "faint"))
    return chart(about, columns, table, (WIDTH, height), drawn)


def _layout(
    rows: Sequence[DotRow], letters: Sequence[str], show: Show, reference: tuple[float, str] | None, known: list[float]
) -> _Layout:
    left = widest((row.label for row in rows), _LABEL) + 14
    letters_from = WIDTH - _LETTER * len(letters) - 2
    values = letters_from - widest((_value(row, show) for row in rows), _VALUE) - (12 if letters else 0)
    if reference:
        known = [*known, reference[0]]
    top = 22.0 if reference else 4.0
    return _Layout(left, top, top + _ROW * len(rows), values, letters_from, fit(known, left + 6, values - 22))


def _bounds(row: DotRow, show: Show) -> tuple[str, str]:
    return shown(row.low, show), shown(row.high, show)


def _value(row: DotRow, show: Show) -> str:
    low, high = _bounds(row, show)
    interval = "" if tame(row.low) is None and tame(row.high) is None else f" [{low}, {high}]"
    return shown(row.value, show) + interval


def _letters(rows: Sequence[DotRow]) -> list[str]:
    """The letters of tie groups, in the order of the rows; those that there is no room for are in the table alone."""
    found = dict.fromkeys(letter for row in rows for letter in printable(row.group) if letter != " ")
    return list(found)[:_LETTERS]


def _frame(at: _Layout, axis: str, reference: tuple[float, str] | None) -> Iterator[Element | None]:
    yield from x_axis(at.scale, at.top, at.bottom, axis, (0.0, WIDTH))
    value = tame(reference[0]) if reference else None
    if reference and value is not None:
        x = at.scale(value)
        yield el("path", d=f"M{num(x)} {num(at.top - 4)}V{num(at.bottom)}", class_="rule", fill="none")
        half = min(x - 2, WIDTH - 2 - x, 150.0)
        yield words(reference[1], x, at.top - 8, 2 * half, "middle", "faint")


def _row(row: DotRow, at: _Layout, y: float, show: Show) -> Iterator[Element | None]:
    strong = "strong" if row.best else None
    if row.best:
        yield el("rect", x=0.0, y=y - _ROW / 2 + 1, width=WIDTH, height=_ROW - 2, rx=3.0, class_="highlight")
    yield words(row.label, 6, y + MIDDLE, at.left - 14, None, strong)
    low, high, value = tame(row.low), tame(row.high), tame(row.value)
    tint = 1 if row.best else 0
    if low is not None and high is not None:
        ends = [at.scale(low), at.scale(high)]
        caps = "".join(f"M{num(x)} {num(y - 4)}v8" for x in ends)
        yield el("path", d=f"M{num(ends[0])} {num(y)}H{num(ends[1])}{caps}", class_=f"line s{tint}", fill="none")
    if value is not None:
        yield mark(3 if row.best else 0, at.scale(value), y, tint=tint)
    yield words(_value(row, show), at.values, y + MIDDLE, _VALUE, None, strong)


def _ties(rows: Sequence[DotRow], letters: Sequence[str], at: _Layout) -> Iterator[Element | None]:
    """A column for each letter: the letter in the rows of its group, joined by a line."""
    for column, letter in enumerate(letters):
        x = at.letters + _LETTER * (column + 0.5)
        ys = [at.top + _ROW * (index + 0.5) for index, row in enumerate(rows) if letter in row.group]
        gaps = [f"M{num(x)} {num(a + 7)}V{num(b - 7)}" for a, b in pairwise(ys)]
        if gaps:
            yield el("path", d="".join(gaps), class_="tie", fill="none")
        for y in ys:
            yield words(letter, x, y + MIDDLE, _LETTER, "middle")
