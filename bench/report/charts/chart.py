"""What every chart is: a picture that names itself, and a table that says the same in text."""

from __future__ import annotations

import math
import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace

from bench.metrics.formats import clean
from bench.report.charts.svg import SIZE, Element, el, words
from bench.report.table import ReportTable, Text

WIDTH, NARROW = 720.0, 344.0  # px of a chart and of its variant for phones, save of a heatmap with many columns

_ID = re.compile(r"[A-Za-z][A-Za-z0-9_-]*")


@dataclass(frozen=True, slots=True)
class About:
    """What a chart is called. `id` is the start of ids in the page, so no two charts of a page may share it.

    A narrow chart has values under their labels, and labels of curves and points below the plot.
    """

    id: str
    title: str
    description: str = ""
    narrow: bool = False

    def __post_init__(self) -> None:
        if not _ID.fullmatch(self.id):
            raise ValueError(f"{self.id!r} cannot be an id: letters, digits, - and _ after a letter")

    @property
    def width(self) -> float:
        """Of the chart (px)."""
        return NARROW if self.narrow else WIDTH

    def as_narrow(self) -> About:
        """The same for the variant for phones, with an id of its own."""
        return replace(self, id=f"{self.id}-narrow", narrow=True)


@dataclass(frozen=True, slots=True)
class Chart:
    """A chart for an HTML page: `svg` is markup to be written as it is, everything else is text to be escaped."""

    title: str
    description: str
    svg: str
    table: ReportTable
    height: float  # px


def chart(
    about: About,
    columns: Sequence[str],
    rows: Iterable[Sequence[str]],
    size: tuple[float, float],
    drawn: Iterable[Element | None],
) -> Chart:
    """A chart of width and height `size` (px) from what is drawn, with its data table."""
    title, description = clean(about.title), clean(about.description)
    table = ReportTable(title, tuple(columns), tuple(tuple(Text(clean(cell)) for cell in row) for row in rows))
    wide, high = map(math.ceil, size)
    ids = (f"{about.id}-title", f"{about.id}-desc")
    root = el(
        "svg",
        el("title", title, id=ids[0]),
        el("desc", description, id=ids[1]),
        *drawn,
        id=about.id,
        class_="chart narrow" if about.narrow else "chart wide",
        role="img",
        aria_labelledby=" ".join(ids),
        viewBox=f"0 0 {wide} {high}",
        width=wide,
        height=high,
        font_size=float(SIZE),
        direction="ltr",
    )
    return Chart(title, description, str(root), table, float(high))


def blank(about: About, columns: Sequence[str], rows: Iterable[Sequence[str]] = ()) -> Chart:
    """The chart where there is nothing that could be drawn."""
    note = words("nothing to draw", about.width / 2, 34, about.width, "middle", "faint")
    return chart(about, columns, rows, (about.width, 60.0), [note])
