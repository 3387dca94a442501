"""Learning curves: a method's scores by its number of training items, and three ways to go on with them.

A power law with an offset, loss = offset + gain × size^-exponent, is what most learning curves follow (Viering and Loog
2023, IEEE TPAMI 45, 7799-7819). It has no phase before the power law, which fine-tuned language models have; the
rectified law, loss = B / (D + size^exponent) + E, has one (Lin et al. 2024, arXiv 2402.02314). About one curve in seven
is no such curve at all (Yan, Mohr and Viering 2025, LCDB 1.1, arXiv 2505.15657). So both stand beside the last value
carried forward, and curves that contradict them are refused.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from bench.core.record import Record
from bench.metrics import NAMES

Array = NDArray[np.float64]
FEWEST_SIZES = 3  # a power law with an offset has three unknowns
MOST_TIMES = 4.0  # as many training items as the largest pilot, at most; farther was not tried (docs/forecast.md)
_EXPONENTS = np.linspace(0.05, 1.0, 96)  # of sizes; what is published lies between 0.1 and 1
_LEAST_SHARE = 0.005  # of a perfect score: what none and all of some hundred items are taken for in log-odds


@dataclass(frozen=True, slots=True)
class Point:
    """What a method scored with so many training items."""

    size: int
    scores: tuple[float, ...]  # of each seed, on the metric's own scale

    @property
    def mean(self) -> float:
        """Over seeds."""
        return float(np.mean(self.scores))


@dataclass(frozen=True, slots=True)
class Curve:
    """A method on a task with a model."""

    model: str
    task: str
    method: str  # as the suite names it
    metric: str
    points: tuple[Point, ...]  # the smallest size first

    @property
    def name(self) -> str:
        """What people read."""
        return f"{self.method} on {self.task} with {self.model}"

    @property
    def last(self) -> Point:
        """The largest size."""
        return self.points[-1]

    def up_to(self, size: float) -> Curve:
        """Its points of at most so many training items."""
        return replace(self, points=tuple(point for point in self.points if point.size <= size))

    def at(self, size: int) -> Point | None:
        """The point of a size; None where it was not measured."""
        return next((point for point in self.points if point.size == size), None)


def curves(measured: Iterable[tuple[Record, int | None]]) -> list[Curve]:
    """The learning curve of each method, from records each with its training items (None: it uses none, no curve)."""
    found: dict[tuple[str, str, str], dict[int, list[float]]] = {}
    metric: dict[tuple[str, str, str], str] = {}
    for record, size in measured:
        if record.status != "ok" or size is None:
            continue
        name, score = next(iter(record.scores.items()))
        which = record.model, record.task, record.suite_method or record.method
        metric[which] = name
        found.setdefault(which, {}).setdefault(size, []).append(score.value)
    return [
        Curve(*which, metric[which], tuple(Point(size, tuple(sizes[size])) for size in sorted(sizes)))
        for which, sizes in found.items()
    ]


@dataclass(frozen=True, slots=True)
class PowerLaw:
    """loss(size) = offset + gain × size^-exponent; the gain is that at the size `at`, so that it has a unit."""

    offset: float
    gain: float
    exponent: float
    at: int

    def loss(self, size: float) -> float:
        """What is lost with so many training items."""
        return float(self.offset + self.gain * (size / self.at) ** -self.exponent)


def fit(sizes: Sequence[int], losses: Sequence[float], weights: Sequence[float] | None = None) -> PowerLaw:
    """The power law of least squares with an offset and a gain of at least 0, over a grid of exponents.

    `sizes`, `losses` and `weights` (of squares; all 1) are of one length, at least two. Below 0 neither can be: more
    items do no harm, and nothing is better than a perfect score.

    Raises:
        ValueError: fewer than two points.
    """
    from scipy.optimize import nnls  # type: ignore[import-untyped]  # scipy ships no types

    if len(sizes) < 2:
        raise ValueError("a power law needs two sizes or more")
    at, root = max(sizes), np.sqrt(np.ones(len(sizes)) if weights is None else np.asarray(weights, dtype=np.float64))
    relative, target = np.asarray(sizes, dtype=np.float64) / at, np.asarray(losses, dtype=np.float64)
    best = PowerLaw(float(target[-1]), 0.0, 1.0, at)
    least = math.inf
    for exponent in _EXPONENTS:
        columns = np.column_stack([np.ones_like(relative), relative**-exponent])
        (offset, gain), left = nnls(columns * root[:, None], target * root)
        if left < least - 1e-12:
            best, least = PowerLaw(float(offset), float(gain), float(exponent), at), left
    return best


def loss_of(metric: str, score: float) -> float:
    """How far a score is from a perfect one, in the unit of the metric; falls as a method gets better."""
    info = NAMES[metric]
    return info.scale - score if info.higher_is_better else score


def score_of(metric: str, loss: float) -> float:
    """The score of a loss: the inverse of `loss_of`."""
    info = NAMES[metric]
    return info.scale - loss if info.higher_is_better else loss


def by_power_law(curve: Curve, size: int) -> float:
    """The score with so many items by the power law through all points, each weighed by its seeds."""
    losses = [loss_of(curve.metric, point.mean) for point in curve.points]
    law = fit([point.size for point in curve.points], losses, [len(point.scores) for point in curve.points])
    return score_of(curve.metric, law.loss(size))


def by_last_value(curve: Curve) -> float:
    """The score of the largest size, carried forward."""
    return curve.last.mean


def is_rectifiable(metric: str) -> bool:
    """Whether the rectified law can be fitted: scores from 0 to the metric's scale, of which more is better."""
    return NAMES[metric].bounded and NAMES[metric].higher_is_better


def by_rectified_law(curve: Curve, size: int) -> float:
    """The score with so many items by the rectified law with E = 0 and B = D: without items all is lost.

    Then score / loss = size^exponent / D: the log-odds of the score are a line in the logarithm of the size, which
    weighted least squares find through the last three sizes, as what came before may be another phase. A point weighs
    as its size, its seeds and the variance of its share do. The line may be level, and does not fall.

    Raises:
        ValueError: one point, or a metric that `is_rectifiable` says no to.
    """
    if len(curve.points) < 2 or not is_rectifiable(curve.metric):
        raise ValueError("the rectified law needs two sizes or more and a bounded metric")
    scale = NAMES[curve.metric].scale
    points = curve.points[-FEWEST_SIZES:]
    shares = np.clip([point.mean / scale for point in points], _LEAST_SHARE, 1 - _LEAST_SHARE)
    x, y = np.log([point.size for point in points]), np.log(shares / (1 - shares))
    weights = np.array([point.size * len(point.scores) for point in points]) * shares * (1 - shares)
    centre = np.average(x, weights=weights)
    slope = max(0.0, float((weights * (x - centre) * y).sum() / (weights * (x - centre) ** 2).sum()))
    odds = math.exp(np.average(y, weights=weights) + slope * (math.log(size) - centre))
    return scale * odds / (1 + odds)
