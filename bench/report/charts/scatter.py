"""Points of two measures, what lies on the Pareto front, and its border. Less is better on x, more on y by default."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Literal

from bench.report.charts.axes import BELOW, tick_room, x_axis, y_axis
from bench.report.charts.chart import WIDTH, About, Chart, blank, chart
from bench.report.charts.labels import Anchor, Box, around, labelled, place, trail
from bench.report.charts.marks import mark
from bench.report.charts.scale import fit, tame
from bench.report.charts.svg import LINE, MIDDLE, Element, Show, cut, el, path, plain, printable, shown, width, words
from bench.report.table import NOTHING

_TALL = 360.0  # px of the plot
_LABEL = 240.0  # px, the widest label
_DECADES = 1.5  # x that span more than this are drawn on a logarithmic scale
_MOST = 40  # labels tried; a plot with more points than this cannot be read label by label
_CHANCE = "(0.90): probability of being Pareto-optimal"

Spot = tuple[float, float]


@dataclass(frozen=True, slots=True)
class ScatterPoint:
    """A method, say, with its cost `x` and its quality `y`; `chance` is that of being on the front, 0 to 1."""

    label: str
    x: float
    y: float
    on_front: bool = False
    chance: float | None = None


def draw(
    about: About,
    points: Sequence[ScatterPoint],
    x_title: str,
    y_title: str,
    *,
    y_better: Literal["higher", "lower"] = "higher",
    show_x: Show = plain,
    show_y: Show = plain,
) -> Chart:
    """Points with labels that do not touch. A point that is not finite is in the table alone."""
    columns = ("", x_title, y_title, "Pareto-optimal", "probability")
    table = [
        (one.label, shown(one.x, show_x), shown(one.y, show_y), "yes" if one.on_front else "no", _chance(one))
        for one in points
    ]
    known = [one for one in points if tame(one.x) is not None and tame(one.y) is not None]
    if not known:
        return blank(about, columns, table)
    xs = [tame(one.x) or 0.0 for one in known]
    log = min(xs) > 0 and max(xs) / min(xs) > 10**_DECADES
    y_scale = fit([one.y for one in known], 36 + _TALL, 36.0)
    room = tick_room(y_scale) + 10
    x_scale = fit(xs, room, WIDTH - 24, log=log)
    spots = [(x_scale(tame(one.x) or 0.0), y_scale(tame(one.y) or 0.0)) for one in known]
    bottom = y_scale.start
    drawn: list[Element | None] = [
        *x_axis(x_scale, y_scale.end, bottom, x_title + (" (log scale)" if log else ""), (0.0, WIDTH)),
        *y_axis(y_scale, room, x_scale.end, y_title, room),
    ]
    steps = _steps([spot for one, spot in zip(known, spots, strict=True) if one.on_front], x_scale.end)
    if steps:
        drawn.append(el("path", d=path(steps), class_="front", fill="none"))
    marks = [
        mark(0, x, y) if one.on_front else mark(1, x, y, "hollow", tint=6)
        for one, (x, y) in zip(known, spots, strict=True)
    ]
    labels, left_out = _labels(known, spots, Box(room + 2, y_scale.end, x_scale.end, bottom), steps)
    drawn += [*labels[0], *marks, *labels[1]]
    notes = [_CHANCE] if any(one.chance is not None for one in known) else []
    notes += [f"{left_out} without a label"] if left_out else []
    drawn += _legend(bottom + BELOW + LINE, bool(steps), y_better, notes)
    return chart(about, columns, table, (WIDTH, bottom + BELOW + LINE + 8), drawn)


def _chance(one: ScatterPoint) -> str:
    return NOTHING if one.chance is None or tame(one.chance) is None else f"{one.chance:.2f}"


def _steps(spots: list[Spot], right: float) -> list[Spot]:
    """The border of what the front offers: at every cost the quality of the last point that costs no more."""
    corners: list[Spot] = []
    for x, y in sorted(spots):
        if corners:
            corners.append((x, corners[-1][1]))
        corners.append((x, y))
    return [*corners, (right, corners[-1][1])] if corners else []


def _labels(
    known: Sequence[ScatterPoint], spots: Sequence[Spot], area: Box, steps: Sequence[Spot]
) -> tuple[tuple[list[Element | None], list[Element | None]], int]:
    """Leader lines, which go below the marks, and labels, which go above; and how many found no place."""
    order = sorted(range(len(known)), key=lambda index: (not known[index].on_front, spots[index], index))[:_MOST]
    texts = [_label(known[index]) for index in order]
    anchors = [Anchor(*spots[index], width(text)) for index, text in zip(order, texts, strict=True)]
    border = [box for a, b in pairwise(steps) for box in trail(a, b)]
    boxes = place(anchors, area, [around(x, y, 6) for x, y in spots], border)
    drawn = [
        (element, known[index])
        for index, anchor, box, text in zip(order, anchors, boxes, texts, strict=True)
        if box is not None
        for element in labelled(anchor, box, text, _label(known[index], math.inf))
    ]
    found = [element for element, _ in drawn if element is not None]
    below: list[Element | None] = [element for element in found if element.name == "path"]
    above: list[Element | None] = [element for element in found if element.name == "text"]
    return (below, above), len(known) - sum(box is not None for box in boxes)


def _label(one: ScatterPoint, most: float = _LABEL) -> str:
    tail = "" if _chance(one) == NOTHING else f" ({_chance(one)})"
    return cut(printable(one.label), most - width(tail)) + tail


def _legend(y: float, front: bool, y_better: str, notes: Sequence[str]) -> Iterator[Element | None]:
    x = 8.0
    if front:
        yield mark(0, x, y - MIDDLE)
        better = "higher" if y_better == "higher" else "lower"
        text = f"on the Pareto front (left and {better} is better)"
        yield words(text, x + 10, y, 340, None, "faint")
        x += 28 + min(340.0, width(text))
    yield mark(1, x, y - MIDDLE, "hollow", tint=6)
    text = "; ".join(["others", *notes])
    yield words(text, x + 10, y, WIDTH - x - 10, None, "faint")
