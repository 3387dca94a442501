"""Axes: grid lines, labels of ticks that do not touch each other, titles; and the legend of series."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from bench.report.charts.marks import colour, mark
from bench.report.charts.scale import Scale, tick_texts
from bench.report.charts.svg import ASCENT, LINE, MIDDLE, Element, el, num, width, words

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


def legend(names: Sequence[str], left: float, right: float) -> tuple[list[Element | None], float]:
    """Swatches with names in as many lines as they need between `left` and `right` (px), and their height (px)."""
    drawn: list[Element | None] = []
    x, y = left, 0.0
    for index, name in enumerate(names):
        wide = min(width(name), 180.0)
        if x > left and x + _SWATCH + 6 + wide > right:
            x, y = left, y + LINE + 4
        drawn.append(el("rect", x=x, y=y, width=_SWATCH, height=_SWATCH, rx=2.0, class_=f"mark {colour(index)}"))
        drawn.append(mark(index, x + _SWATCH / 2, y + _SWATCH / 2, "shape", 3.5))
        drawn.append(words(name, x + _SWATCH + 6, y + ASCENT + 1, wide))
        x += _SWATCH + 6 + wide + 18
    return drawn, y + LINE if names else 0.0
