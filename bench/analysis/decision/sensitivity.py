"""What would change the choice: other assumptions, and the volumes from which one method is cheaper than another."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from bench.analysis.decision.candidates import Candidate, line_of
from bench.analysis.decision.lines import BreakEven, below, rounded
from bench.analysis.decision.rule import DRAWS, Differ, Standing, choose, standing
from bench.config.assumptions import Assumptions

_SCAN = 1000.0  # an assumption is varied from a thousandth to a thousand times its value
_VARIED = ("queries_per_month", "updates_per_month", "value_of_right")


@dataclass(frozen=True, slots=True)
class Crossing:
    """From which volume on one candidate is cheaper than another, with what other seeds would have said."""

    a: str
    b: str
    found: BreakEven
    interval: tuple[float, float] | None  # of the volume, 95% over seeds; None where neither has several


@dataclass(frozen=True, slots=True)
class ChoiceFlip:
    """A value of an assumption from which on (or below which) another method is chosen."""

    assumption: str
    value: float
    rises: bool  # whether the assumption has to rise to it
    to: str | None  # None: no method meets the requirements then


def crossings_of(found: Sequence[Candidate], assumed: Assumptions) -> Iterable[Crossing]:
    """For every two candidates; the volume's interval resamples the seeds of both."""
    for i, a in enumerate(found):
        for b in found[i + 1 :]:
            yield Crossing(a.label, b.label, below(a.line(assumed), b.line(assumed)), _between(a, b, assumed))


def _between(a: Candidate, b: Candidate, assumed: Assumptions) -> tuple[float, float] | None:
    if max(len(a.prices), len(b.prices)) < 2:
        return None
    rng = np.random.default_rng(0)
    starts, slopes = np.subtract(resampled(a, assumed, rng), resampled(b, assumed, rng))
    cross = starts * slopes < 0
    if cross.mean() < 0.95:  # in some draws they do not cross at all
        return None
    low, high = np.quantile(-starts[cross] / slopes[cross], (0.025, 0.975))
    return float(low), float(high)


def resampled(one: Candidate, assumed: Assumptions, rng: np.random.Generator) -> NDArray[np.float64]:
    """Start and slope [2, draws] of the candidate's line, with its seeds drawn anew.

    A line is a sum over prices, so that the line of mean prices is the mean of lines; the search is paid once.
    """
    search = one.price.search
    lines = (line_of(replace(price, search=search), one.label, assumed) for price in one.prices)
    own = np.array([(line.start, line.slope) for line in lines])
    drawn: NDArray[np.float64] = own[rng.integers(0, len(own), (DRAWS, len(own)))].mean(axis=1).T
    return drawn


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

        start = now or 1.0 / _SCAN
        for rises in (True, False) if now else (True,):
            edge = _nearest(with_value, start, rises, choice)
            if edge is not None:
                flips.append(ChoiceFlip(name, rounded(edge[0]), rises, edge[1]))
    return sorted(flips, key=lambda one: abs(math.log(one.value / (getattr(assumed, one.assumption) or 1.0))))


def _nearest(
    chosen: Callable[[float], str | None], start: float, rises: bool, now: str | None
) -> tuple[float, str | None] | None:
    """The first value on the way from `start` at which the choice is another, and that choice; None: at none."""
    steps = np.geomspace(start, start * _SCAN if rises else start / _SCAN, 121)
    before = start
    for value in map(float, steps):
        if chosen(value) != now:
            same, other = before, value
            for _ in range(40):
                middle = math.sqrt(same * other)
                same, other = (middle, other) if chosen(middle) == now else (same, middle)
            return other, chosen(other)
        before = value
    return None
