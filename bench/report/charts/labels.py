"""Where labels go so that they touch neither each other nor the edge: beside points, and at the ends of curves.

Curves are labelled in a column at the right where all end there, else beside their ends.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import pairwise

from bench.report.charts.marks import mark
from bench.report.charts.scale import Scale
from bench.report.charts.svg import ASCENT, DESCENT, LINE, MIDDLE, Element, cut, el, path, printable, width, words

HEIGHT = float(ASCENT + DESCENT + 1)  # px of a label
NEAR = 12.0  # px: a label further away from its point gets a leader line

_GAP = 2.0  # px between two labels
_DISTANCES = (8.0, 15.0, 24.0, 36.0, 52.0)
_SIDES = ((1, 0), (-1, 0), (0, -1), (0, 1), (1, -1), (1, 1), (-1, -1), (-1, 1))  # the best first
_POOR = 50.0  # px: a place worse than this is looked for all over the plot
_ON_MARK, _ON_LEADER, _ON_LINE = 60.0, 40.0, 10.0  # what touching something costs, in px of distance
_NEAR_END = 0.12  # of the plot's width: curves that end within this of each other are labelled in a column
_BESIDE = 200.0  # px, the widest label beside the end of a curve
_MOST_BESIDE = 15  # more curves than this are labelled in a column wherever they end


@dataclass(frozen=True, slots=True)
class Box:
    """A rectangle (px)."""

    left: float
    top: float
    right: float
    bottom: float

    def touches(self, other: Box, gap: float = 0.0) -> bool:
        """Whether the two are less than `gap` px apart."""
        across = self.left < other.right + gap and other.left < self.right + gap
        return across and self.top < other.bottom + gap and other.top < self.bottom + gap

    def inside(self, other: Box) -> bool:
        """Whether no part of this lies outside the other."""
        across = other.left <= self.left and self.right <= other.right
        return across and other.top <= self.top and self.bottom <= other.bottom

    def nearest(self, x: float, y: float) -> tuple[float, float]:
        """The point of this box that is the nearest to a point."""
        return min(self.right, max(self.left, x)), min(self.bottom, max(self.top, y))

    def distance(self, x: float, y: float) -> float:
        """From a point to this box (px)."""
        nearest = self.nearest(x, y)
        return math.hypot(nearest[0] - x, nearest[1] - y)


@dataclass(frozen=True, slots=True)
class Anchor:
    """A point that wants a label of some width (px)."""

    x: float
    y: float
    width: float


def around(x: float, y: float, radius: float) -> Box:
    """The box of a mark."""
    return Box(x - radius, y - radius, x + radius, y + radius)


def trail(start: tuple[float, float], end: tuple[float, float]) -> list[Box]:
    """A straight line as small boxes, which labels can be kept off."""
    steps = max(1, math.ceil(math.dist(start, end) / 8))
    shares = (index / steps for index in range(steps + 1))
    return [around(start[0] + s * (end[0] - start[0]), start[1] + s * (end[1] - start[1]), 1.0) for s in shares]


def place(anchors: Sequence[Anchor], area: Box, marks: Sequence[Box], lines: Sequence[Box]) -> list[Box | None]:
    """A box for the label of each point, the first points first; none touch and none leaves `area`.

    Each label takes the best place that is left: near its point, off marks, lines and the leaders of other labels.
    None for a point whose label has no place left at all.
    """
    placed: list[Box] = []
    leaders: list[Box] = []
    found: list[Box | None] = []
    for anchor in anchors:
        around_it = [box for box in _beside(anchor) if _free(box, area, placed)]
        costs = [(_cost(anchor, box, placed, leaders, marks, lines), box) for box in around_it]
        if not costs or min(cost for cost, _ in costs) > _POOR:
            elsewhere = (box for box in _anywhere(anchor, area) if _free(box, area, placed))
            costs += [(box.distance(anchor.x, anchor.y) + _ON_MARK * _touched(box, marks), box) for box in elsewhere]
        best = min(costs, key=lambda pair: pair[0])[1] if costs else None
        found.append(best)
        if best is not None:
            placed.append(best)
            leaders += _leader(anchor, best)
    return found


def _free(box: Box, area: Box, placed: Sequence[Box]) -> bool:
    return box.inside(area) and not any(box.touches(other, _GAP) for other in placed)


def _cost(
    anchor: Anchor, box: Box, placed: Sequence[Box], leaders: Sequence[Box], marks: Sequence[Box], lines: Sequence[Box]
) -> float:
    """How poor a place is (px)."""
    crossed = any(one.touches(other) for one in _leader(anchor, box) for other in placed)
    return (
        box.distance(anchor.x, anchor.y)
        + _ON_MARK * _touched(box, marks)
        + _ON_LINE * _touched(box, lines)
        + _ON_LEADER * (_touched(box, leaders) + crossed)
    )


def _leader(anchor: Anchor, box: Box) -> list[Box]:
    """The line from a point to its label, none where it is near."""
    if box.distance(anchor.x, anchor.y) <= NEAR:
        return []
    return trail((anchor.x, anchor.y), box.nearest(anchor.x, anchor.y))


def _touched(box: Box, others: Sequence[Box]) -> int:
    return sum(box.touches(other) for other in others)


def _beside(anchor: Anchor) -> Iterator[Box]:
    """Places around a point, the nearest first and of those the best side first."""
    for distance in _DISTANCES:
        for across, down in _SIDES:
            reach = distance * (0.75 if across and down else 1)
            x = anchor.x + across * reach - (0 if across > 0 else anchor.width if across < 0 else anchor.width / 2)
            y = anchor.y + down * reach - (0 if down > 0 else HEIGHT if down < 0 else HEIGHT / 2)
            yield Box(x, y, x + anchor.width, y + HEIGHT)


def _anywhere(anchor: Anchor, area: Box) -> Iterator[Box]:
    """Places all over the plot."""
    for row in range(int((area.bottom - area.top - HEIGHT) // 8) + 1):
        for column in range(int((area.right - area.left - anchor.width) // 16) + 1):
            x, y = area.left + 16 * column, area.top + 8 * row
            yield Box(x, y, x + anchor.width, y + HEIGHT)


def labelled(anchor: Anchor, box: Box, text: str, whole: str) -> Iterator[Element | None]:
    """A label in its box, with a leader line to its point where it is not right beside it.

    `whole` is what the tooltip says where `text` is not all of it.
    """
    if box.distance(anchor.x, anchor.y) > NEAR:
        d = path([(anchor.x, anchor.y), box.nearest(anchor.x, anchor.y)])
        yield el("path", d=d, class_="leader", fill="none")
    before = box.right <= anchor.x  # the true width of a text differs from the estimate: keep the near end fixed
    middle = box.left < anchor.x < box.right
    x, side = (anchor.x, "middle") if middle else (box.right, "end") if before else (box.left, None)
    if middle:
        x = (box.left + box.right) / 2
    yield words(text, x, box.top + ASCENT, box.right - box.left, side, "halo", whole=whole)


def spread(wanted: Sequence[float], apart: float, low: float, high: float) -> list[float]:
    """Places between `low` and `high` near the wanted ones, in their order and at least `apart` from each other.

    Where there is no room for that many, they are evenly closer.
    """
    count = len(wanted)
    if count > 1:
        apart = min(apart, (high - low) / (count - 1))
    order = sorted(range(count), key=lambda index: (wanted[index], index))
    groups: list[tuple[float, int]] = []  # mean wish and size of labels that lie against each other
    for rank, index in enumerate(order):
        mean, size = wanted[index] - rank * apart, 1  # less what the labels above it take, so that order is all to keep
        while groups and groups[-1][0] >= mean:
            above, more = groups.pop()
            mean, size = (mean * size + above * more) / (size + more), size + more
        groups.append((mean, size))
    means = (mean for mean, size in groups for _ in range(size))
    highest = max(low, high - max(0, count - 1) * apart)
    found = [0.0] * count
    for rank, (index, mean) in enumerate(zip(order, means, strict=True)):
        found[index] = min(highest, max(low, mean)) + rank * apart
    return found


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
    if len(drawn) > _MOST_BESIDE:
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
