"""Points of two measures, what lies on the Pareto front, and its border. Less is better on x, more on y by default."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Literal

from bench.report.charts.axes import BELOW, tick_room, x_axis, y_axis
from bench.report.charts.chart import About, Chart, blank, chart
from bench.report.charts.labels import Anchor, Box, around, labelled, place, trail
from bench.report.charts.marks import mark
from bench.report.charts.scale import fit, tame
from bench.report.charts.svg import (
    LINE,
    MIDDLE,
    Element,
    Show,
    cut,
    el,
    notes,
    path,
    plain,
    printable,
    shown,
    width,
    words,
)
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
    index: int = 0  # of its mark


def draw(
    about: About,
    points: Sequence[ScatterPoint],
    x_title: str,
    y_title: str,
    *,
    y_better: Literal["higher", "lower"] = "higher",
    show_x: Show = plain,
    show_y: Show = plain,
    border: bool = True,
) -> Chart:
    """Points with labels that do not touch. A point that is not finite is in the table alone.

    `border`: draw the line of what the front offers, which is right where x and y are all that it is made of.
    """
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
    x_scale = fit(xs, room, about.width - 24, log=log, count=3 if about.narrow else 5)
    spots = [(x_scale(tame(one.x) or 0.0), y_scale(tame(one.y) or 0.0)) for one in known]
    bottom = y_scale.start
    drawn: list[Element | None] = [
        *x_axis(x_scale, y_scale.end, bottom, x_title + (" (log scale)" if log else ""), (0.0, about.width)),
        *y_axis(y_scale, room, x_scale.end, y_title, room),
    ]
    fronts = [spot for one, spot in zip(known, spots, strict=True) if one.on_front]
    steps = _steps(fronts, x_scale.end) if border else []
    if steps:
        drawn.append(el("path", d=path(steps), class_="front", fill="none"))
    marks = [mark(one.index, *spot, _look(one)) for one, spot in zip(known, spots, strict=True)]
    y = bottom + BELOW + LINE
    more = [_CHANCE] if any(one.chance is not None for one in known) else []
    if about.narrow:
        below, y = _listed(known, y, about.width, lambda one: _values(one, (x_title, y_title), show_x, show_y))
        drawn += [*marks, *below]
    else:
        labels, left_out = _labels(known, spots, Box(room + 2, y_scale.end, x_scale.end, bottom), steps)
        drawn += [*labels[0], *marks, *labels[1]]
        more += [f"{left_out} without a label"] if left_out else []
    said, y = notes([_front(y_better, bool(fronts)), *more], y, about.width)
    drawn += said
    return chart(about, columns, table, (about.width, y - LINE + 8), drawn)


def _look(one: ScatterPoint) -> str:
    return "mark" if one.on_front else "hollow"


def _listed(
    known: Sequence[ScatterPoint], y: float, right: float, values: Callable[[ScatterPoint], str]
) -> tuple[list[Element | None], float]:
    """Every point with its mark, and its values under its label; and where the next line stands (px)."""
    drawn: list[Element | None] = []
    for one in known:
        drawn.append(mark(one.index, 6, y - MIDDLE, _look(one)))
        drawn.append(words(_label(one, right - 18), 18, y, right - 18))
        drawn.append(words(values(one), 18, y + LINE, right - 18, None, "faint"))
        y += 2 * LINE + 4
    return drawn, y


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


def _values(one: ScatterPoint, titles: tuple[str, str], show_x: Show, show_y: Show) -> str:
    """Both values with what they are, in short."""
    x, y = (title.partition(",")[0] for title in titles)
    return f"{y} {shown(one.y, show_y)}; {shown(one.x, show_x)} {x}"


def _front(y_better: str, some: bool) -> str:
    better = "higher" if y_better == "higher" else "lower"
    return f"filled: on the Pareto front (left and {better} is better)" if some else ""
