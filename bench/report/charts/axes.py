"""Axes: grid lines, labels of ticks that do not touch each other, titles; and the legend of series."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence

from bench.report.charts.marks import mark
from bench.report.charts.scale import Scale, tick_texts
from bench.report.charts.svg import ASCENT, LINE, MIDDLE, Element, el, num, printable, width, words

Swatch = Callable[[float, float], Sequence[Element | None]]  # what is drawn around a point of a key

BELOW = 42.0  # px that the labels and the title of an axis take below a plot
_TICK = 90.0  # px, the longest label of a tick
_APART = 8.0  # px between two labels of ticks
_SWATCH = 14.0  # px


def tick_room(scale: Scale) -> float:
    """The px that labels take to the left of a plot."""
    return min(_TICK, max(map(width, tick_texts(scale))))


def x_axis(scale: Scale, top: float, bottom: float, title: str, room: tuple[float, float]) -> Iterator[Element | None]:
    """Grid lines of a plot between `top` and `bottom` (px), labels and title below; no text leaves `room` (px)."""
    d = "".join(f"M{num(scale(tick))} {num(top)}V{num(bottom)}" for tick in scale.ticks)
    yield el("path", d=d, class_="grid", fill="none")
    until = room[0] - _APART
    for tick, text in zip(scale.ticks, tick_texts(scale), strict=True):
        x, half = scale(tick), min(_TICK, width(text)) / 2
        if x - half >= until + _APART and x + half <= room[1]:
            until = x + half
            yield words(text, x, bottom + 18, 2 * half, "middle", "faint")
    centre = (scale.start + scale.end) / 2
    yield words(title, centre, bottom + 36, 2 * min(centre - room[0], room[1] - centre), "middle")


def y_axis(scale: Scale, left: float, right: float, title: str, room: float) -> Iterator[Element | None]:
    """Grid lines of a plot between `left` and `right` (px), labels to its left, the title above at `left` at most."""
    d = "".join(f"M{num(left)} {num(scale(tick))}H{num(right)}" for tick in scale.ticks)
    yield el("path", d=d, class_="grid", fill="none")
    for tick, text in zip(scale.ticks, tick_texts(scale), strict=True):
        yield words(text, left - 8, scale(tick) + MIDDLE, _TICK, "end", "faint")
    yield words(title, left - room, min(scale.start, scale.end) - 14, right - left + room)


def key(
    entries: Sequence[tuple[str, Swatch]], left: float, right: float, top: float = 0.0
) -> tuple[list[Element | None], float]:
    """Names behind swatches in as many lines as they need between `left` and `right` (px), and their bottom (px).

    A swatch is drawn around the point that it is given (px).
    """
    drawn: list[Element | None] = []
    x, y = left, top
    for name, swatch in entries:
        wide = min(width(printable(name)), 180.0, right - left - _SWATCH - 6)
        if x > left and x + _SWATCH + 6 + wide > right:
            x, y = left, y + LINE + 4
        drawn += swatch(x + _SWATCH / 2, y + _SWATCH / 2)
        drawn.append(words(name, x + _SWATCH + 6, y + ASCENT + 1, wide))
        x += _SWATCH + 6 + wide + 18
    return drawn, y + LINE if entries else top


def marks_key(
    names: Sequence[tuple[str, int]], left: float, right: float, top: float
) -> tuple[list[Element | None], float]:
    """A key of series: their names behind the marks of their indices."""

    def swatch(index: int) -> Swatch:
        return lambda x, y: [mark(index, x, y, radius=4.0)]

    return key([(name, swatch(index)) for name, index in names], left, right, top)
