"""Agreement of two raters on the same things: Cohen's kappa, plain or weighted, with its interval."""

from __future__ import annotations

import math
from collections.abc import Hashable, Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from bench.analysis.statistics import checks
from bench.analysis.statistics.distributions import t_quantile
from bench.analysis.statistics.intervals import Interval, pseudo_values
from bench.analysis.statistics.resampling import Statistic, summed

Array = NDArray[np.float64]
Weights = Literal["equal", "quadratic"]
_BY_CHANCE = 2  # things added on which the raters agree as often as chance has it, so that no interval has width 0


@dataclass(frozen=True, slots=True)
class Agreement:
    """How far two raters agree."""

    kappa: float  # 1: always; 0: as often as by chance
    interval: Interval
    share: float  # of the things that both called the same
    count: int  # of things


def kappa(
    a: Sequence[int],
    b: Sequence[int],
    categories: int,
    *,
    weights: Weights = "equal",
    groups: Sequence[Hashable] | None = None,
    level: float = 0.95,
) -> Agreement:
    """Cohen's kappa of two raters, whose ratings are numbers of categories from 0.

    Cohen 1960, Educational and Psychological Measurement 20, 37-46; with quadratic weights, for categories in order,
    Cohen 1968, Psychological Bulletin 70, 213-220. The interval is a jackknife's with Student's t over things, or over
    `groups` of them, two of which are added at the agreement of chance. Where one rater calls everything the same,
    kappa is 0.

    Raises ValueError for ratings that differ in number, fewer than two of them or of groups, a rating that is no
    category, a level not in (0, 1), and raters who both call everything the same, of whom nothing is known.
    """
    first, second = (checks.vector(ratings, name).astype(np.intp) for ratings, name in ((a, "a"), (b, "b")))
    if first.size != second.size:
        raise ValueError(f"a has {first.size} ratings and b has {second.size}; they must be of the same things")
    if min(first.min(), second.min()) < 0 or max(first.max(), second.max()) >= categories:
        raise ValueError(f"ratings must be whole numbers from 0 to {categories - 1}")
    if first.min() == first.max() == second.min() == second.max():
        raise ValueError("both raters call everything the same: kappa has no value")
    rows = np.zeros((first.size, categories * categories))
    rows[np.arange(first.size), first * categories + second] = 1.0
    statistic = _statistic(categories, weights)
    units = summed(rows, groups)
    table = rows.sum(axis=0).reshape(categories, categories)
    chance = np.outer(table.sum(axis=1), table.sum(axis=0)).ravel() / table.sum() ** 2
    value = float(statistic(rows.sum(axis=0)[None])[0])
    interval = jackknifed(np.vstack([units, np.tile(chance, (_BY_CHANCE, 1))]), statistic, level)
    limited = Interval(max(-1.0, interval.low), min(1.0, max(value, interval.high)), level)
    return Agreement(value, limited, float((first == second).mean()), first.size)


def jackknifed(units: Array, statistic: Statistic, level: float = 0.95) -> Interval:
    """The interval of a statistic of summed rows [units, k], by Student's t over its pseudo-values.

    Tukey 1958; Efron and Tibshirani 1993, chapter 11.

    Raises ValueError for fewer than two units, or a level not in (0, 1).
    """
    values = pseudo_values(units, statistic)
    reach = t_quantile((1 + checks.share(level, "level")) / 2, len(values) - 1)
    half = reach * float(values.std(ddof=1)) / math.sqrt(len(values))
    return Interval(float(values.mean()) - half, float(values.mean()) + half, level)


def _statistic(categories: int, weights: Weights) -> Statistic:
    """Kappa of tables [m, categories²] of counts."""
    places = np.arange(categories)
    apart = places[:, None] - places[None, :]
    costs = (apart != 0).astype(np.float64) if weights == "equal" else apart.astype(np.float64) ** 2

    def of_tables(sums: Array) -> Array:
        tables = sums.reshape(-1, categories, categories)
        totals = tables.sum(axis=(1, 2))
        seen = (tables * costs).sum(axis=(1, 2)) * totals
        chance = np.einsum("mi,mj,ij->m", tables.sum(axis=2), tables.sum(axis=1), costs)
        return np.where(chance > 0, 1 - seen / np.where(chance > 0, chance, 1.0), 0.0)

    return of_tables
