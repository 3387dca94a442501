"""What would change the choice: other assumptions, and the volumes from which one method is cheaper than another."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, replace
from itertools import pairwise

import numpy as np

from bench.analysis.decision.candidates import Candidate, line_of
from bench.analysis.decision.lines import BreakEven, Line, below, rounded
from bench.analysis.decision.rule import Differ, Standing, choose, standing
from bench.config.assumptions import Assumptions

SCAN = 1000.0  # an assumption is varied from 0 to a thousand times its value, or to a thousand where that is 0
_VARIED = ("queries_per_month", "updates_per_month", "value_of_right")


@dataclass(frozen=True, slots=True)
class Crossing:
    """From which volume on one candidate is cheaper than another, and the range of what single seeds say."""

    a: str
    b: str
    found: BreakEven
    range: (
        tuple[float, float] | None
    )  # lowest and highest of any two seeds; None where neither has several, or some never cross


@dataclass(frozen=True, slots=True)
class ChoiceFlip:
    """A value of an assumption from which on (or below which) another method is chosen."""

    assumption: str
    value: float
    rises: bool  # whether the assumption has to rise to it
    to: str | None  # None: no method meets the requirements then


def crossings_of(found: Sequence[Candidate], assumed: Assumptions) -> Iterable[Crossing]:
    """For every two candidates; with the volume's range over the seeds of both."""
    for i, a in enumerate(found):
        for b in found[i + 1 :]:
            yield Crossing(a.label, b.label, below(a.line(assumed), b.line(assumed)), _between(a, b, assumed))


def _between(a: Candidate, b: Candidate, assumed: Assumptions) -> tuple[float, float] | None:
    if max(len(a.prices), len(b.prices)) < 2:
        return None
    found = [below(one, other) for one in lines_of(a, assumed) for other in lines_of(b, assumed)]
    volumes = [one.x for one in found if one.x is not None]
    return (min(volumes), max(volumes)) if len(volumes) == len(found) else None


def lines_of(one: Candidate, assumed: Assumptions) -> list[Line]:
    """The line of each seed; the search is paid once, whichever seed it is."""
    search = one.price.search
    return [line_of(replace(price, search=search), one.method, assumed) for price in one.prices]


def flips_of(
    found: Sequence[Candidate],
    standings: Sequence[Standing],
    differ: Differ,
    assumed: Assumptions,
    choice: str | None,
) -> list[ChoiceFlip]:
    """The nearest value above and below of each assumption at which another method is chosen."""
    known = {one.label: one for one in standings}

    def chosen(changed: Assumptions) -> str | None:
        again = []
        for one in found:
            cost = one.line(changed).at(changed.queries_per_month)
            own = known[one.label]
            again.append(standing(one, own.interval, cost, own.on_front, changed))
        return choose(again, differ, changed)

    flips = []
    for name in _VARIED:
        now = getattr(assumed, name)
        if now is None:
            continue

        def with_value(value: float, name: str = name) -> str | None:
            return chosen(assumed.model_copy(update={name: value}))

        for rises in (True, False) if now else (True,):
            edge = _nearest(with_value, _steps(now, rises), choice)
            if edge is not None:
                flips.append(ChoiceFlip(name, rounded(edge[0]), rises, edge[1]))
    return sorted(flips, key=lambda one: _ratio(one.value, getattr(assumed, one.assumption) or 1.0))


def _ratio(value: float, now: float) -> float:
    """How far a value lies from what is assumed, as a factor of at least 1; one a month stands in for none."""
    return max(value / now, now / value) if value else math.inf


def _steps(now: float, rises: bool) -> list[float]:
    """The values of an assumption that are tried, the nearest first: up to a thousand times it, or down to 0."""
    if not now:
        return [0.0, *np.geomspace(1.0, SCAN, 121).tolist()]
    if rises:
        return list(np.geomspace(now, now * SCAN, 121).tolist())
    return [*np.geomspace(now, now / SCAN, 121).tolist(), 0.0]


def _nearest(
    chosen: Callable[[float], str | None], steps: Sequence[float], now: str | None
) -> tuple[float, str | None] | None:
    """The first value on the way at which the choice is another, and that choice; None: at none."""
    for same, other in pairwise(steps):
        if chosen(other) != now:
            for _ in range(60):
                middle = math.sqrt(same * other) if same and other else (same + other) / 2
                same, other = (middle, other) if chosen(middle) == now else (same, middle)
            return other, chosen(other)
    return None
