"""Curves: points joined in the order given, with bands, labels at their ends, and marked values of x."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from itertools import pairwise

from bench.report.charts.axes import BELOW, marks_key, tick_room, x_axis, y_axis
from bench.report.charts.chart import About, Chart, blank, chart
from bench.report.charts.labels import Curve, beside, column, end_together
from bench.report.charts.marks import colour, mark
from bench.report.charts.scale import Scale, fit, tame
from bench.report.charts.svg import ASCENT, LINE, Element, Show, el, num, path, plain, shown, widest, width, words

_TALL = 320.0  # px of the plot, unless so many labels stand at its right that they need more
_LABEL, _RULE_LABEL = 190.0, 260.0  # px, the widest label of a curve and of a rule
_RULE = 120.0  # px at the right of a plot with rules, so that the label of one at its edge has room
_EDGE = 24.0  # px at the right of a plot whose labels stand inside of it
_MARKS = 25  # a curve of more points has marks on some of them alone
_START = "hollow mark: start of the path"


@dataclass(frozen=True, slots=True)
class At:
    """A point of a curve, with an interval of y if both bounds are known."""

    x: float
    y: float
    low: float | None = None
    high: float | None = None


@dataclass(frozen=True, slots=True)
class Series:
    """A curve. Its points are joined as given, so that it may also be a path that turns back.

    `index` is that of its colour and marks, by default its place among the curves.
    """

    label: str
    points: tuple[At, ...]
    index: int | None = None


@dataclass(frozen=True, slots=True)
class _Plot:
    """Scales to px; and of each rule its x (px), its label and the line of text that this stands in, 0 the lowest."""

    x: Scale
    y: Scale
    rules: tuple[tuple[float, str, int], ...]

    def curves(self, series: Sequence[Series]) -> list[Curve]:
        """Every series as a curve (px)."""
        return [self._curve(index, one) for index, one in enumerate(series)]

    def _curve(self, index: int, one: Series) -> Curve:
        """The parts of a curve (px) between points that cannot be drawn."""
        parts: list[list[tuple[float, float]]] = [[]]
        xs = []
        for at in one.points:
            x, y = tame(at.x), tame(at.y)
            if x is None or y is None:
                parts.append([])
            else:
                parts[-1].append((self.x(x), self.y(y)))
                xs.append(x)
        turns = any(a > b for a, b in pairwise(xs))
        return Curve(_index(index, one), one.label, tuple(tuple(part) for part in parts if part), turns)


def draw(
    about: About,
    series: Sequence[Series],
    x_title: str,
    y_title: str,
    *,
    log_x: bool = False,
    log_y: bool = False,
    whole_x: bool = False,
    rules: Sequence[tuple[float, str]] = (),
    show_x: Show = plain,
    show_y: Show = plain,
) -> Chart:
    """Curves in one plot. An axis is logarithmic if that is asked for and all its values are above 0.

    `whole_x`: x counts something, so that its ticks are whole numbers.
    `rules` are values of x marked by a vertical line with a label. A point that is not finite interrupts its curve.
    """
    columns = ("", x_title, y_title, "low", "high")
    table = [
        (one.label, shown(at.x, show_x), *(shown(value, show_y) for value in (at.y, at.low, at.high)))
        for one in series
        for at in one.points
    ] + [(label, shown(x, show_x), "", "", "") for x, label in rules]
    known = [at for one in series for at in one.points if _drawable(at)]
    if not known:
        return blank(about, columns, table)
    axes = _Axes(about.width, series, known, rules, (log_x, log_y), whole_x)
    labels: Sequence[Element | None] | None = None
    if about.narrow:
        plot, labels = _plot(axes, _EDGE), []
    else:
        plot = _plot(axes, widest((one.label for one in series), _LABEL) + 40)
        if not end_together(plot.curves(series), plot.x):
            wide = _plot(axes, _EDGE)
            labels = beside(wide.curves(series), wide.x, wide.y, about.width)
            plot = plot if labels is None else wide
        if labels is None:
            labels = column(plot.curves(series), plot.x, plot.y, about.width)
    return _drawn(about, columns, table, series, plot, (x_title, y_title), labels)


def _index(place: int, one: Series) -> int:
    return place if one.index is None else one.index


@dataclass(frozen=True, slots=True)
class _Axes:
    """What scales have to hold."""

    width: float
    series: Sequence[Series]
    known: Sequence[At]
    rules: Sequence[tuple[float, str]]
    log: tuple[bool, bool]
    whole: bool


def _drawn(
    about: About,
    columns: Sequence[str],
    table: Sequence[Sequence[str]],
    series: Sequence[Series],
    plot: _Plot,
    titles: tuple[str, str],
    labels: Sequence[Element | None],
) -> Chart:
    x_title, y_title = (
        title + (" (log scale)" if scale.log else "") for title, scale in zip(titles, (plot.x, plot.y), strict=True)
    )
    drawn: list[Element | None] = [
        *x_axis(plot.x, plot.y.end, plot.y.start, x_title, (0.0, about.width)),
        *y_axis(plot.y, plot.x.start, plot.x.end, "", plot.x.start),
        words(y_title, 0, 14, about.width),
        *_rules(plot, about.width),
    ]
    curves = plot.curves(series)
    for index, one in enumerate(series):
        drawn += _bands(_index(index, one), one, plot)
    for curve in curves:
        drawn += _line(curve)
    drawn += labels
    height = plot.y.start + BELOW
    if any(curve.turns for curve in curves):
        height += LINE + 2
        drawn.append(words(_START, 0, height - 6, about.width, None, "faint"))
    if about.narrow:
        names = [(curve.label, curve.index) for curve in curves if curve.parts]
        below, height = marks_key(names, 0.0, about.width, height + 4)
        drawn += below
    return chart(about, columns, table, (about.width, height), drawn)


def _plot(axes: _Axes, right: float) -> _Plot:
    """The scales of a plot that leaves `right` px free at its right; rules that are not finite are left out."""
    marked = [(tame(x), label) for x, label in axes.rules]
    there = [(x, label) for x, label in marked if x is not None]
    known = axes.known
    log_y = axes.log[1] and min(at.y for at in known) > 0
    bounds = [bound for at in known for bound in (at.low, at.high) if not log_y or (bound or 0.0) > 0]
    tall = max(_TALL, LINE * float(len(axes.series)))
    y = fit([*(at.y for at in known), *bounds], tall, 0.0, log=log_y)
    right = max(right, min(_RULE, axes.width / 4)) if there else right
    back = any(a.x > b.x for one in axes.series for a, b in pairwise(one.points))  # labels may then stand on any side
    xs = [*(at.x for at in known), *(x for x, _ in there)]
    x = fit(xs, tick_room(y) + 10, axes.width - right, log=axes.log[0], tight=not back, whole=axes.whole)
    placed = _rule_rows(there, x)
    top = 34.0 + (LINE * (1 + max(row for _, _, row in placed)) if placed else 0)
    return _Plot(x, replace(y, start=top + tall, end=top), tuple(placed))


def _drawable(at: At) -> bool:
    return tame(at.x) is not None and tame(at.y) is not None


def _line(curve: Curve) -> Iterator[Element | None]:
    d = "".join(path(part) for part in curve.parts if len(part) > 1)
    if d:
        yield el("path", d=d, class_=f"line {colour(curve.index)}", fill="none")
    spots = [spot for part in curve.parts for spot in part]
    every = -(-len(spots) // _MARKS)
    for number, (x, y) in enumerate(spots):
        start = curve.turns and not number
        if start or (len(spots) - 1 - number) % every == 0:  # the last point always has a mark
            yield mark(curve.index, x, y, "hollow" if start else "mark", 4.0)


def _bands(index: int, one: Series, plot: _Plot) -> Iterator[Element | None]:
    """The area between the bounds of neighbouring points; a bar where a point has no neighbour with bounds."""
    run: list[tuple[float, float, float]] = []
    for at in [*one.points, None]:
        x, low, high = (tame(at.x), tame(at.low), tame(at.high)) if at and _drawable(at) else (None, None, None)
        if x is not None and low is not None and high is not None:
            run.append((plot.x(x), plot.y(low), plot.y(high)))
            continue
        if len(run) == 1:
            d = f"M{num(run[0][0])} {num(run[0][1])}V{num(run[0][2])}"
            yield el("path", d=d, class_=f"line {colour(index)}", fill="none")
        elif run:
            outline = [(x, high) for x, _, high in run] + [(x, low) for x, low, _ in reversed(run)]
            yield el("path", d=path(outline, closed=True), class_=f"band {colour(index)}")
        run = []


def _rule_rows(marked: Sequence[tuple[float, str]], scale: Scale) -> list[tuple[float, str, int]]:
    """For each rule its x (px), label and line of text above the plot, the lowest 0, the rightmost rule first.

    A label stands at the right of its rule, above those of the rules further right that it would run into: these end
    below it and so cross no label.
    """
    found: list[tuple[float, str, int]] = []
    for value, label in sorted(marked, reverse=True):
        x = scale(value)
        reach = x + min(_RULE_LABEL, width(label)) + 10
        found.append((x, label, max((row + 1 for other, _, row in found if other < reach), default=0)))
    return found


def _rules(plot: _Plot, right: float) -> Iterator[Element | None]:
    for x, label, row in plot.rules:
        y = plot.y.end - 12 - row * LINE
        yield el("path", d=f"M{num(x)} {num(y - ASCENT)}V{num(plot.y.start)}", class_="rule", fill="none")
        yield words(label, x + 4, y, min(_RULE_LABEL, right - x - 4), None, "faint")
