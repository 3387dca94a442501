"""The two questions asked of methods with several seeds on the same items, and their intervals.

*Are these checkpoints better?* The items are the sample, the seeds are combined as they are, and one seed is enough.
*Would training again be better?* The seeds are a sample too; fewer than `FEWEST_SEEDS` cannot say: two leave one degree
of freedom, and an interval more than six times as wide on each side as they lie apart.

Scores are [seeds, items] for each method; `scale` and the coverage of the intervals: see `limits`.
"""

from __future__ import annotations

import math
from collections.abc import Callable

import numpy as np
from numpy.typing import ArrayLike, NDArray

from bench.analysis.statistics import checks, limits
from bench.analysis.statistics.distributions import first_where, t_cdf
from bench.analysis.statistics.intervals import Interval
from bench.analysis.statistics.paired import PairedResult, paired_shares
from bench.analysis.statistics.seeds import apart

Array = NDArray[np.float64]
FEWEST_SEEDS = 3


def score(scores: ArrayLike, scale: float | None, *, level: float = 0.95) -> Interval:
    """These checkpoints: the interval of their mean score on new items. Of one item it is the scale.

    Raises ValueError for no items, a score not finite, level not in (0, 1).
    """
    values = _matrix(scores)
    if values.shape[1] == 1:
        return Interval(0.0 if scale else -math.inf, scale or math.inf, level)
    return _interval(limits.score_limits, level, values, scale)


def difference(a: ArrayLike, b: ArrayLike, scale: float | None, *, level: float = 0.95) -> PairedResult:
    """These checkpoints: the mean of a less that of b on new items, with a two-sided p of no difference.

    One seed of 0 and 1 each: McNemar's exact test and Newcombe's interval. Else Student's t over the items' differences
    and two that are added (`limits.difference_parts`), whose p and interval agree.

    Raises ValueError as `score` does, and for items that differ in number.
    """
    first, second = _pair(a, b)
    if scale == 1 and len(first) == len(second) == 1 and np.isin([first, second], (0.0, 1.0)).all():
        return paired_shares(first[0], second[0], level=level)
    if first.shape[1] == 1:
        return PairedResult(apart(first, second), _anything(scale, level), 1.0, 1, "one item")
    centre, error, df = limits.difference_parts(first, second, scale)
    found = apart(first, second)
    p = 2 * t_cdf(-abs(float(centre)) / float(error), df) if error > 0 else float(found == 0)
    interval = _interval(limits.difference_limits, level, first, second, scale)
    return PairedResult(found, interval, p, first.shape[1], "paired t over items, two added")


def retrained_difference(a: ArrayLike, b: ArrayLike, scale: float | None, *, level: float = 0.95) -> PairedResult:
    """Training again: the same where the seeds of a method with several are a sample; one with a single seed is fixed.

    p is that of the widest interval that does not reach 0.

    Raises ValueError as `difference` does.
    """
    first, second = _pair(a, b)
    found = apart(first, second)
    if first.shape[1] == 1:
        return PairedResult(found, _anything(scale, level), 1.0, 1, "one item")
    of_levels = limits.RetrainedDifference(first, second, scale)

    def excludes_0(tail: Array) -> NDArray[np.bool_]:
        low, high = of_levels.limits(1 - 2 * np.exp(tail))
        return (low > 0) | (high < 0)

    least, most = math.log(1e-12), math.log(0.5 - 1e-9)
    p = 1.0 if found == 0 or not excludes_0(np.asarray(most)) else 2 * math.exp(first_where(excludes_0, least, most))
    interval = _interval(of_levels.limits, level)
    return PairedResult(found, interval, min(1.0, p), first.shape[1], "items and seeds: limits joined by squares, t")


def seeds_half_width(a: ArrayLike, b: ArrayLike, *, level: float = 0.95) -> float:
    """Half of the interval that would be left with items without end: what more items cannot take away.

    Raises ValueError as `difference` does.
    """
    return float(limits.seeds_half_width(*_pair(a, b), level))


def _anything(scale: float | None, level: float) -> Interval:
    """The interval of a difference on one item."""
    return Interval(-(scale or math.inf), scale or math.inf, level)


def _interval(of: Callable[..., tuple[Array, Array]], level: float, *given: object) -> Interval:
    low, high = of(*given, checks.share(level, "level"))
    return Interval(float(low), float(high), level)


def _matrix(scores: ArrayLike) -> Array:
    return checks.matrix(scores, "scores", least=1)


def _pair(a: ArrayLike, b: ArrayLike) -> tuple[Array, Array]:
    first, second = _matrix(a), _matrix(b)
    if first.shape[1] != second.shape[1]:
        raise ValueError(f"a has {first.shape[1]} items and b has {second.shape[1]}; they must be the same items")
    return first, second
