"""Labels at the ends of curves: in a column at the right where all curves end there, else beside their ends."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise

from bench.report.charts.marks import mark
from bench.report.charts.place import Anchor, Box, around, labelled, place, spread, trail
from bench.report.charts.scale import Scale
from bench.report.charts.svg import Element, el, path, printable
from bench.report.charts.text import LINE, MIDDLE, cut, width, words

_NEAR_END = 0.12  # of the plot's width: curves that end within this of each other are labelled in a column
_BESIDE = 200.0  # px, the widest label beside the end of a curve
_MOST = 15  # more curves than this are labelled in a column wherever they end


@dataclass(frozen=True, slots=True)
class Curve:
    """A curve as drawn: its parts (px) between gaps; `turns` if its x also goes back."""

    index: int
    label: str
    parts: tuple[tuple[tuple[float, float], ...], ...]
    turns: bool

    @property
    def end(self) -> tuple[float, float]:
        """Its last point (px)."""
        return self.parts[-1][-1]


def end_together(curves: Sequence[Curve], x_scale: Scale) -> bool:
    """Whether all curves end at the right edge of the plot or near it."""
    most = _NEAR_END * (x_scale.end - x_scale.start)
    return all(x_scale.end - curve.end[0] <= most for curve in curves if curve.parts)


def beside(curves: Sequence[Curve], x_scale: Scale, y_scale: Scale, right: float) -> list[Element | None] | None:
    """Labels beside the ends of curves, left of `right` (px), none touching another; None if there is no room."""
    drawn = [curve for curve in curves if curve.parts]
    if len(drawn) > _MOST:
        return None
    anchors = [Anchor(*curve.end, width(_text(curve))) for curve in drawn]
    area = Box(x_scale.start + 2, y_scale.end, right, y_scale.start)
    marks = [around(x, y, 5) for curve in drawn for part in curve.parts for x, y in part]
    boxes = place(anchors, area, marks, _lines(drawn))
    found: list[Element | None] = []
    for curve, anchor, box in zip(drawn, anchors, boxes, strict=True):
        if box is None:
            return None
        found += labelled(anchor, box, _text(curve), curve.label)
    return found


def _text(curve: Curve) -> str:
    return cut(printable(curve.label), _BESIDE)


def _lines(curves: Sequence[Curve]) -> list[Box]:
    parts = [part for curve in curves for part in curve.parts]
    return [box for part in parts for a, b in pairwise(part) for box in trail(a, b)]


def column(curves: Sequence[Curve], x_scale: Scale, y_scale: Scale, right: float) -> list[Element | None]:
    """Labels one below the other at the right of the plot, each with its mark and a leader from its curve's end.

    They reach to `right` (px), and keep the order of the ends.
    """
    curves = [curve for curve in curves if curve.parts]
    found: list[Element | None] = []
    left = x_scale.end + 22
    places = spread([curve.end[1] for curve in curves], LINE, y_scale.end, y_scale.start)
    for curve, y in zip(curves, places, strict=True):
        x, at = curve.end
        if abs(at - y) > 3 or left - x > 40:
            d = path([(x + 5, at), (max(x + 5, x_scale.end + 4), at), (left - 8, y)])
            found.append(el("path", d=d, class_="leader", fill="none"))
        found.append(mark(curve.index, left, y, radius=4.0))
        found.append(words(curve.label, left + 10, y + MIDDLE, right - left - 12))
    return found
