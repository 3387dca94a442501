"""Dots with intervals: one value a row on a shared axis, which rows are not significantly different, and the best."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import pairwise

from bench.report.charts.axes import BELOW, x_axis
from bench.report.charts.chart import About, Chart, blank, chart
from bench.report.charts.marks import colour, mark
from bench.report.charts.scale import Scale, fit, tame
from bench.report.charts.svg import LINE, MIDDLE, Element, Show, el, notes, num, plain, printable, shown, widest, words

_ROW, _LETTER, _LETTERS = 24.0, 14.0, 8  # px of a row, px of a letter, most letters drawn
_ABOVE = 32.0  # px above the interval for label and value, in a narrow chart
_REFERENCE = 170.0  # px that the label of the reference has at least
_LABEL, _VALUE = 220.0, 180.0  # px, the widest label and the widest value
_SHARED = "rows that share a letter are not significantly different"
_BEST = "bold: best"


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
    index: int = 0  # of its mark


@dataclass(frozen=True, slots=True)
class _Layout:
    """Where the columns are (px): labels from 0 to `left` - 12, the plot, values and letters."""

    left: float
    top: float
    bottom: float
    values: float
    letters: float
    scale: Scale
    width: float
    row: float  # height of one; intervals are at the bottom of their rows

    def y(self, index: int) -> float:
        """Of an interval."""
        return self.top + self.row * (index + 1) - _ROW / 2


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
    at = (_narrow if about.narrow else _wide)(about.width, rows, letters, show, known, reference)
    drawn = [*_frame(at, axis, reference)]
    for index, row in enumerate(rows):
        drawn += _row(row, at, at.y(index), show, about.narrow)
    drawn += _ties(rows, letters, at)
    wanted = [text for text, there in ((_BEST, any(row.best for row in rows)), (_SHARED, bool(letters))) if there]
    below, height = notes(wanted, at.bottom + BELOW + LINE - 4, about.width)
    return chart(about, columns, table, (about.width, height - LINE + 6), [*drawn, *below])


_Reference = tuple[float, str] | None


def _wide(
    width: float, rows: Sequence[DotRow], letters: Sequence[str], show: Show, known: list[float], reference: _Reference
) -> _Layout:
    left = widest((row.label for row in rows), _LABEL) + 14
    letters_from = width - _LETTER * len(letters) - 2
    values = letters_from - widest((_value(row, show) for row in rows), _VALUE) - (12 if letters else 0)
    top = 22.0 if reference else 4.0
    scale = fit([*known, *([reference[0]] if reference else [])], left + 6, values - 22)
    return _Layout(left, top, top + _ROW * len(rows), values, letters_from, scale, width, _ROW)


def _narrow(
    width: float, rows: Sequence[DotRow], letters: Sequence[str], _: Show, known: list[float], reference: _Reference
) -> _Layout:
    """The plot has the whole width; labels and values stand above the intervals."""
    letters_from = width - _LETTER * len(letters) - 2
    top = 22.0 if reference else 4.0
    scale = fit([*known, *([reference[0]] if reference else [])], 8, width - 12, count=4)
    row = _ROW + _ABOVE
    return _Layout(letters_from, top, top + row * len(rows), 0.0, letters_from, scale, width, row)


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
    yield from x_axis(at.scale, at.top, at.bottom, axis, (0.0, at.width))
    value = tame(reference[0]) if reference else None
    if reference and value is not None:
        x = at.scale(value)
        yield el("path", d=f"M{num(x)} {num(at.top - 4)}V{num(at.bottom)}", class_="rule", fill="none")
        x = min(max(x, _REFERENCE / 2), at.width - _REFERENCE / 2)  # its label may stand beside it
        half = min(x - 2, at.width - 2 - x, 150.0)
        yield words(reference[1], x, at.top - 8, 2 * half, "middle", "faint")


def _row(row: DotRow, at: _Layout, y: float, show: Show, narrow: bool) -> Iterator[Element | None]:
    strong = "strong" if row.best else None
    halo = "strong halo" if row.best else "halo"
    if row.best:
        top = y + _ROW / 2 - at.row + 1
        yield el("rect", x=0.0, y=top, width=at.width, height=at.row - 2, rx=3.0, class_="highlight")
    if narrow:
        yield words(row.label, 0, y - _ROW / 2 - LINE - 4, at.left - 8, None, halo)
        yield words(_value(row, show), 0, y - _ROW / 2 - 4, at.left - 8, None, halo)
    else:
        yield words(row.label, 6, y + MIDDLE, at.left - 14, None, strong)
        yield words(_value(row, show), at.values, y + MIDDLE, _VALUE, None, strong)
    low, high, value = tame(row.low), tame(row.high), tame(row.value)
    if low is not None and high is not None:
        ends = [at.scale(low), at.scale(high)]
        caps = "".join(f"M{num(x)} {num(y - 4)}v8" for x in ends)
        d = f"M{num(ends[0])} {num(y)}H{num(ends[1])}{caps}"
        yield el("path", d=d, class_=f"line {colour(row.index)}", fill="none")
    if value is not None:
        yield mark(row.index, at.scale(value), y)


def _ties(rows: Sequence[DotRow], letters: Sequence[str], at: _Layout) -> Iterator[Element | None]:
    """A column for each letter: the letter in the rows of its group, joined by a line."""
    for column, letter in enumerate(letters):
        x = at.letters + _LETTER * (column + 0.5)
        ys = [at.y(index) - (at.row - _ROW) for index, row in enumerate(rows) if letter in row.group]
        gaps = [f"M{num(x)} {num(a + 7)}V{num(b - 7)}" for a, b in pairwise(ys)]
        if gaps:
            yield el("path", d="".join(gaps), class_="tie", fill="none")
        for y in ys:
            yield words(letter, x, y + MIDDLE, _LETTER, "middle")
