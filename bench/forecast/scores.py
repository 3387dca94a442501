"""A score with more training items, with an interval, from a curve of pilots; or the reason why there is none.

Three ways to go on with a curve are combined by their record: each weighs as the inverse of its mean squared error
where the largest size of a curve is held out (Bates and Granger 1969, Operational Research Quarterly 20, 451-468).
The interval joins the noise of seeds with a share of how far the ways lie apart. That share, and the record that a run
starts from, were measured on the curves of docs/forecast.md.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Literal, TypeAlias, get_args

import numpy as np

from bench.analysis.statistics.distributions import normal_quantile
from bench.forecast.curves import (
    FEWEST_SIZES,
    MOST_TIMES,
    Curve,
    Point,
    by_last_value,
    by_power_law,
    by_rectified_law,
    is_rectifiable,
)
from bench.metrics import NAMES

Way: TypeAlias = Literal["last value", "power law", "rectified law"]
WAYS: tuple[Way, ...] = get_args(Way)
LEVEL = 0.8  # of the intervals
_BEYOND_NOISE = 2.6  # standard errors by which a curve may fall: a one-sided chance of 0.005
_APART = 0.5  # standard deviations of the error for the distance between the ways, as measured
_LEAST_FALL = 0.015  # of the scale: what seeds vary by at least, where some happen to agree
_LEAST_NOISE = 0.03  # of the scale: what the mean of a size is known to at best, as measured


@dataclass(frozen=True, slots=True)
class Record:
    """How each way did on held-out points: squared errors, in shares of the metric's scale, and their number."""

    squares: Mapping[Way, float]
    cases: Mapping[Way, int]

    def joined(self, other: Record) -> Record:
        """Both together."""
        return Record(
            {way: self.squares.get(way, 0.0) + other.squares.get(way, 0.0) for way in WAYS},
            {way: self.cases.get(way, 0) + other.cases.get(way, 0) for way in WAYS},
        )

    def weights(self, ways: Iterable[Way]) -> dict[Way, float]:
        """Shares that sum to 1, of ways that each have a case at least."""
        inverse = {way: self.cases[way] / max(self.squares[way], 1e-12) for way in ways}
        return {way: each / sum(inverse.values()) for way, each in inverse.items()}


# Of docs/forecast.md, as eight cases: what a run's own curves say counts more once there are more of them.
SHIPPED = Record(
    {"last value": 8 * 0.0131, "power law": 8 * 0.0096, "rectified law": 8 * 0.0031}, dict.fromkeys(WAYS, 8)
)


@dataclass(frozen=True, slots=True)
class ScoreForecast:
    """A score that was not measured, on the metric's own scale, as the mean over the seeds that are to come."""

    size: int  # training items
    value: float
    sd: float  # of the error that is to be expected
    low: float  # limits of the interval at LEVEL
    high: float
    seed_sd: float  # between seeds
    ways: Mapping[Way, float]  # what each of them says
    weights: Mapping[Way, float]


def ways_of(curve: Curve, size: int) -> dict[Way, float]:
    """What each way says; without the rectified law where the metric has no bounds."""
    found: dict[Way, float] = {"last value": by_last_value(curve), "power law": by_power_law(curve, size)}
    if is_rectifiable(curve.metric):
        found["rectified law"] = by_rectified_law(curve, size)
    return found


def record(curves: Iterable[Curve]) -> Record:
    """The record on curves of at least four sizes, the largest of each held out."""
    squares, cases = dict.fromkeys(WAYS, 0.0), dict.fromkeys(WAYS, 0)
    for curve in curves:
        if len(curve.points) <= FEWEST_SIZES:
            continue
        pilots, held_out = curve.up_to(curve.last.size - 1), curve.last
        for way, value in ways_of(pilots, held_out.size).items():
            squares[way] += ((value - held_out.mean) / NAMES[curve.metric].scale) ** 2
            cases[way] += 1
    return Record(squares, cases)


def seed_variance(curves: Sequence[Curve]) -> float | None:
    """Variance between seeds of one size, pooled over sizes and curves; None where no size has two seeds."""
    groups = [point.scores for curve in curves for point in curve.points if len(point.scores) > 1]
    freedom = sum(len(scores) - 1 for scores in groups)
    return sum(float(np.var(scores)) * len(scores) for scores in groups) / freedom if freedom else None


def refusal(curve: Curve, size: int, variance: float | None) -> str | None:
    """Why nothing can be said of a curve at a size, in a sentence; None where something can.

    `variance`: between seeds, of this curve or of others on the task.
    """
    sizes = [point.size for point in curve.points]
    if len(sizes) < FEWEST_SIZES:
        measured = f"{len(sizes)} training {'size' if len(sizes) == 1 else 'sizes'} measured ({_listed(sizes)})"
        return f"too few sizes: {measured}; a curve needs {FEWEST_SIZES}"
    if size > MOST_TIMES * sizes[-1] * 1.001:
        return f"too far: {size:,} items are {size / sizes[-1]:.3g} times the largest pilot; {MOST_TIMES:g} at most"
    if variance is None:
        return "no seeds to tell noise by: no size on this task was measured with two seeds"
    fall = _fall(curve, variance)
    if fall:
        high, low = fall
        return f"not monotone: it gets worse from {high.size:,} to {low.size:,} items, by more than seeds explain"
    return None


def _fall(curve: Curve, variance: float) -> tuple[Point, Point] | None:
    """Two points the larger of which is worse beyond noise."""
    sign = 1.0 if NAMES[curve.metric].higher_is_better else -1.0
    least = (_LEAST_FALL * NAMES[curve.metric].scale) ** 2
    for at, small in enumerate(curve.points):
        for large in curve.points[at + 1 :]:
            error = math.sqrt(max(variance, least) * (1 / len(small.scores) + 1 / len(large.scores)))
            if sign * (small.mean - large.mean) > _BEYOND_NOISE * error:
                return small, large
    return None


def forecast(
    curve: Curve, size: int, variance: float, known: Record, seeds: int = 1, level: float = LEVEL
) -> ScoreForecast:
    """The mean score of `seeds` cells with `size` training items, by a curve that `refusal` lets pass."""
    scale, bounded = NAMES[curve.metric].scale, NAMES[curve.metric].bounded
    ways = ways_of(curve, size)
    weights = known.weights(ways)
    value = sum(weights[way] * each for way, each in ways.items())
    apart = max(ways.values()) - min(ways.values())
    noise = variance * (1 / seeds + 1 / len(curve.last.scores)) + (_LEAST_NOISE * scale) ** 2
    sd = math.sqrt(noise + (_APART * apart) ** 2)
    half = normal_quantile(0.5 + level / 2) * sd
    low, high = value - half, value + half
    if bounded:
        low, high = max(0.0, low), min(scale, high)
    return ScoreForecast(size, value, sd, low, high, math.sqrt(variance), ways, weights)


def _listed(sizes: Sequence[int]) -> str:
    return ", ".join(f"{size:,}" for size in sizes)
