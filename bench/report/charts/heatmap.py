"""A table in colours: how far values lie above or below 0, each with its number."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from bench.report.charts.chart import About, Chart, blank, chart
from bench.report.charts.scale import tame
from bench.report.charts.svg import LINE, MIDDLE, Element, Show, el, minus, plain, shown, widest, width, words, wrap
from bench.report.table import NOTHING

LEVELS = ("n4", "n3", "n2", "n1", "z", "p1", "p2", "p3", "p4")  # classes, from far below 0 to far above

_LABEL = 200.0  # px, the widest label of a row
_ROW, _NARROW, _WIDE = 28.0, 56.0, 110.0  # px: height of a cell, its least and its most width
_HEAD, _HEAD_NARROW = 3, 6  # lines of a column's name
_ABOVE = 20.0  # px above the cells of a row for its name, in a narrow chart
_KEY = 30.0  # px, a step of the legend
_GAP = 2.0  # px between two cells


@dataclass(frozen=True, slots=True)
class Grid:
    """Values by row and column; None where there is none."""

    rows: tuple[str, ...]
    columns: tuple[str, ...]
    values: tuple[tuple[float | None, ...], ...]

    def __post_init__(self) -> None:
        if len(self.values) != len(self.rows) or any(len(line) != len(self.columns) for line in self.values):
            raise ValueError(f"values are not {len(self.rows)} rows of {len(self.columns)} columns")


def draw(
    about: About,
    grid: Grid,
    what: str,
    *,
    limit: float | None = None,
    show: Show = plain,
    least: float = _NARROW,
    signed: bool = True,
) -> Chart:
    """Cells coloured in nine steps from -`limit` to `limit` (by default the value furthest from 0) of `what`.

    `least` is the least width of a cell (px). `signed`: whether values may lie below 0.
    """
    known = [value for line in grid.values for value in map(tame, line) if value is not None]
    heads = ("", *grid.columns)
    table = [(name, *(shown(v, show) for v in line)) for name, line in zip(grid.rows, grid.values, strict=True)]
    if not grid.rows or not grid.columns:
        return blank(about, heads, table)
    end = tame(limit) or max((abs(value) for value in known), default=0.0)
    left = 0.0 if about.narrow else widest(grid.rows, _LABEL) + 14
    above = _ABOVE if about.narrow else 0.0
    cell = _cell_width(grid, about.width - left, show, least)
    wide = max(about.width, left + cell * len(grid.columns))
    names = [wrap(name, cell - 6, _HEAD_NARROW if about.narrow else _HEAD) for name in grid.columns]
    top = LINE * max(len(lines) for lines in names) + 6
    drawn: list[Element | None] = []
    for column, (name, lines) in enumerate(zip(grid.columns, names, strict=True)):
        drawn += _head(name, lines, left + cell * (column + 0.5), top, cell)
    for row, (name, line) in enumerate(zip(grid.rows, grid.values, strict=True)):
        y = top + (_ROW + above) * row + above
        if about.narrow:
            drawn.append(words(name, 0, y - 6, wide))
        else:
            drawn.append(words(name, left - 10, y + _ROW / 2 + MIDDLE, left - 10, "end"))
        for column, value in enumerate(line):
            drawn += _cell(value, left + cell * column, y, cell, end, show)
    bottom = top + (_ROW + above) * len(grid.rows)
    drawn += _key(left, bottom + 14, wide, end, what, show, about.narrow, signed)
    return chart(about, heads, table, (wide, bottom + 14 + (3 if about.narrow else 2) * LINE + 6), drawn)


def _cell_width(grid: Grid, room: float, show: Show, least: float) -> float:
    """Cells share the width of the chart, as long as that leaves room for their numbers."""
    numbers = widest((shown(value, show) for line in grid.values for value in line), _WIDE - 8) + 8
    return max(least, numbers, min(_WIDE, room / len(grid.columns)))


def level(value: float, limit: float) -> str:
    """The class of a value: nine equal steps from -`limit` to `limit`, `z` around 0; what lies outside is at an end."""
    share = min(1.0, max(-1.0, value / limit)) if limit else 0.0
    return LEVELS[min(8, int((share + 1) * 4.5))]


def _head(name: str, lines: Sequence[str], x: float, top: float, cell: float) -> Iterator[Element | None]:
    """The name of a column, its last line right above the cells."""
    for index, line in enumerate(lines):
        whole = name if width(line) > cell - 6 else None
        yield words(line, x, top - 6 - LINE * (len(lines) - 1 - index), cell - 6, "middle", whole=whole)


def _cell(value: float | None, x: float, y: float, cell: float, limit: float, show: Show) -> Iterator[Element | None]:
    known = tame(value)
    step = "none" if known is None else level(known, limit)
    size = (cell - _GAP, _ROW - _GAP)
    yield el("rect", x=x, y=y, width=size[0], height=size[1], rx=2.0, class_=f"cell {step}")
    text = NOTHING if known is None else shown(known, show)
    yield words(text, x + size[0] / 2, y + size[1] / 2 + MIDDLE, size[0], "middle", f"on-{step}")


def _key(
    left: float, y: float, right: float, limit: float, what: str, show: Show, below: bool, signed: bool
) -> Iterator[Element | None]:
    """The steps with the values at their ends; `what` beside them, or below them. Not `signed`: those from 0 up."""
    levels = LEVELS if signed else LEVELS[len(LEVELS) // 2 :]
    ends = ((minus(show(-limit)), None), ("0", "middle")) if signed else (("0", None),)
    wide = _KEY * len(levels)
    if not below:
        left = max(0.0, min(left, right - wide - 14 - width(what)))  # further left if `what` needs the room
    for index, step in enumerate(levels):
        yield el("rect", x=left + _KEY * index, y=y, width=_KEY, height=10.0, class_=f"cell {step}")
    for index, (text, anchor) in enumerate((*ends, (minus(show(limit)), "end"))):
        yield words(text if limit else "", left + wide * index / len(ends), y + 26, wide / 2 - 12, anchor, "faint")
    if below:
        yield words(what, left, y + 26 + LINE, right - left)
    else:
        yield words(what, left + wide + 14, y + 10, right - left - wide - 14)
