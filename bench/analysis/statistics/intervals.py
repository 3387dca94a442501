"""Intervals, Wilson's of a share, and corpus metrics spread over their items."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray

from bench.analysis.statistics import checks
from bench.analysis.statistics.distributions import normal_quantile
from bench.analysis.statistics.resampling import Statistic

Array = NDArray[np.float64]
POWER = 0.8


@dataclass(frozen=True, slots=True)
class Interval:
    """A confidence interval, in the unit of what it is an interval of."""

    low: float  # lower limit
    high: float  # upper limit
    level: float  # 0.95 for 95%

    def covers(self, value: float) -> bool:
        """Whether `value` lies inside, limits included."""
        return self.low <= value <= self.high


def wilson(successes: int, n: int, *, level: float = 0.95) -> Interval:
    """Wilson's score interval of a share, `successes` of `n` items, in [0, 1].

    Newcombe 1998, Statistics in Medicine 17, 857-872, method 3; Wilson 1927, JASA 22, 209-212. Holds its level for
    small n and for shares near 0 and 1, where a bootstrap is too short or has no width at all.

    Raises ValueError for no items, successes not in [0, n], level not in (0, 1).
    """
    checks.at_least(n, 1, "n")
    if not 0 <= successes <= n:
        raise ValueError(f"successes are {successes} of {n}; they must lie between 0 and {n}")
    z2 = normal_quantile((1 + checks.share(level, "level")) / 2) ** 2
    middle = 2 * successes + z2
    spread = math.sqrt(z2 * (z2 + 4 * successes * (n - successes) / n))
    low, high = (middle - spread) / (2 * (n + z2)), (middle + spread) / (2 * (n + z2))
    return Interval(low if successes else 0.0, high if successes < n else 1.0, level)


def pseudo_values(statistics: ArrayLike, score: Statistic) -> Array:
    """A corpus metric spread over its items: n times the score less n - 1 times the score without each item, [n].

    Their mean is the score, free of its bias of order 1/n, and they vary as the terms of a mean do (Tukey 1958;
    Efron and Tibshirani 1993, chapter 11): what is said of means over items, `seeds` above all, can so be said of
    BLEU. `statistics` [n, k]; the unit is that of `score`.

    Raises ValueError for fewer than two items, or one not finite.
    """
    rows = checks.matrix(statistics, "statistics")
    n, whole = len(rows), rows.sum(axis=0)
    return n * score(whole[None]) - (n - 1) * score(whole - rows)


def mdd_interval(interval: Interval) -> float:
    """Minimum detectable difference from an interval of a difference, in its unit, at alpha = 1 - its level.

    "Detectable": a two-sided p of at most alpha with a chance of `POWER`. Half the width is taken as z_(1-alpha/2)
    standard errors; with few seeds it is somewhat too large.
    """
    critical = normal_quantile((1 + interval.level) / 2)
    return (interval.high - interval.low) / 2 * (1 + normal_quantile(POWER) / critical)
