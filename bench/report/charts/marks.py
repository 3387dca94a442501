"""Marks of series. Each has its own shape as well as its colour, so that nothing depends on seeing colours.

Who draws several charts of the same methods gives each method the same index in all of them.
"""

from __future__ import annotations

import math

from bench.report.charts.svg import Element, el, path

COLOURS = 8
NEUTRAL = -1  # the index of a series that is no method
RADIUS = 4.5  # px


def colour(index: int) -> str:
    """The class that gives the series of this index its colour."""
    return "neutral" if index == NEUTRAL else f"s{index % COLOURS}"


def mark(index: int, x: float, y: float, class_: str = "mark", radius: float = RADIUS) -> Element:
    """The mark of a series, centred at x, y (px), in its own colour.

    Shapes shift once colours repeat, so that 64 series have marks of their own.
    """
    classes = f"{class_} {colour(index)}"
    shape = 0 if index == NEUTRAL else (index + index // COLOURS) % len(_SHAPES)
    if not shape:
        return el("circle", cx=x, cy=y, r=radius, class_=classes)
    corners = [(x + radius * dx, y + radius * dy) for dx, dy in _SHAPES[shape]]
    return el("path", d=path(corners, closed=True), class_=classes)


def _plus(arm: float, half: float) -> tuple[tuple[float, float], ...]:
    """A plus with arms of a length and half a width, clockwise from its upper left."""
    a, h = arm, half
    return ((-h, -a), (h, -a), (h, -h), (a, -h), (a, h), (h, h), (h, a), (-h, a), (-h, h), (-a, h), (-a, -h), (-h, -h))


def _turned(corners: tuple[tuple[float, float], ...]) -> tuple[tuple[float, float], ...]:
    """An eighth of a turn."""
    part = math.sqrt(0.5)
    return tuple(((x - y) * part, (x + y) * part) for x, y in corners)


def _star() -> tuple[tuple[float, float], ...]:
    spokes = ((1.35 if i % 2 == 0 else 0.58, math.pi * (i / 5 - 0.5)) for i in range(10))
    return tuple((reach * math.cos(turn), reach * math.sin(turn)) for reach, turn in spokes)


_SHAPES: tuple[tuple[tuple[float, float], ...], ...] = (  # corners in radii; sized to look equally large
    (),  # circle
    ((-0.9, -0.9), (0.9, -0.9), (0.9, 0.9), (-0.9, 0.9)),
    ((0, -1.15), (1.15, 0.95), (-1.15, 0.95)),
    ((0, -1.3), (1.3, 0), (0, 1.3), (-1.3, 0)),
    _plus(1.25, 0.42),
    _turned(_plus(1.3, 0.42)),
    _star(),
    ((0, 1.15), (1.15, -0.95), (-1.15, -0.95)),
)
