"""Differences asked for in one direction, against any value: is a lower than b, lower by more than a margin, or not?

Every kind of difference (shares, means, corpus metrics, seeds × items) answers the same three questions, so that a rule
about regressions or about non-inferiority need not know which kind it has. A difference is always a less b.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Hashable, Sequence
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import ArrayLike, NDArray

from bench.analysis.statistics import checks, resampling, seeds
from bench.analysis.statistics.distributions import binomial_cdf, bisect, normal_cdf, normal_quantile, t_cdf, t_quantile
from bench.analysis.statistics.intervals import Interval
from bench.analysis.statistics.paired import PairedTable, corpus_draws, paired_draws, table
from bench.analysis.statistics.randomisation import Exchanged, exchanged_corpus, exchanged_means
from bench.analysis.statistics.resampling import DRAWS, Draws, Statistic

_ZERO = 1e-12  # a null of a share nearer to 0 is 0


@dataclass(frozen=True, slots=True)
class OneSided:
    """A difference with its tails, in the unit of the scores."""

    difference: float
    error: float  # standard error
    units: int  # items, or groups of items, that were drawn
    method: str
    below: Callable[[float], float]  # p of a difference of `null` or more: small where it is below null
    above: Callable[[float], float]  # p of a difference of `null` or less: small where it is above null
    interval: Callable[[float], Interval]  # two-sided, of a level
    discordance: float | None = None  # share of items that one alone got right; None for what is no share


def tango(only_a: int, only_b: int, n: int, null: float) -> float:
    """Score statistic of a paired difference of shares against `null`, in (-1, 1); about standard normal there.

    The variance is that of the constrained maximum likelihood estimate (Tango 1998, Statistics in Medicine 17,
    891-908, equations 7 to 9); at `null` 0 it is McNemar's. 0 where neither the counts nor `null` leave any spread.
    """
    a = 2 * n
    b = (2 * n + only_b - only_a) * null - only_a - only_b
    c = -only_b * null * (1 - null)
    share = (math.sqrt(max(b * b - 4 * a * c, 0.0)) - b) / (2 * a)  # of items that b alone gets right, under `null`
    variance = n * (2 * share + null * (1 - null))
    gap = only_a - only_b - n * null
    if variance <= 0:
        return math.copysign(math.inf, gap) if gap else 0.0
    return gap / math.sqrt(variance)


def shares(a: ArrayLike, b: ArrayLike) -> OneSided:
    """Of two methods' 0 and 1, [n] each.

    Against 0, McNemar's exact test, one-sided; against any other value, and for the interval, Tango's score.

    Raises ValueError for no items, lengths that differ, values other than 0 and 1.
    """
    return of_counts(table(a, b))


def of_counts(counts: PairedTable) -> OneSided:
    """The same from the four counts."""
    n, gained, lost = counts.n, counts.only_a, counts.only_b
    difference = (gained - lost) / n

    def below(null: float) -> float:
        return _exact(gained, gained + lost) if abs(null) < _ZERO else normal_cdf(tango(gained, lost, n, null))

    def above(null: float) -> float:
        return _exact(lost, gained + lost) if abs(null) < _ZERO else normal_cdf(-tango(gained, lost, n, null))

    def interval(level: float) -> Interval:
        z = normal_quantile((1 + level) / 2)
        low = bisect(lambda null: tango(gained, lost, n, null) <= z, -1.0, 1.0, 60)
        high = bisect(lambda null: tango(gained, lost, n, null) <= -z, -1.0, 1.0, 60)
        return Interval(low, high, level)

    error = math.sqrt(max(counts.discordance - difference**2, 0.0) / n)
    method = "McNemar, exact, one-sided; Tango's score"
    return OneSided(difference, error, n, method, below, above, interval, counts.discordance)


def means(a: ArrayLike, b: ArrayLike, *, groups: Sequence[Hashable] | None = None, draws: int = DRAWS) -> OneSided:
    """Of two methods' scores, [n] each: against 0 by exchanging items or groups, else by resampling them.

    Raises ValueError as `paired.paired_draws` does.
    """
    found = paired_draws(a, b, groups=groups, draws=draws)
    return _of_draws(found, exchanged_means(a, b, groups=groups, draws=draws), groups)


def corpus(
    a: ArrayLike, b: ArrayLike, score: Statistic, *, groups: Sequence[Hashable] | None = None, draws: int = DRAWS
) -> OneSided:
    """Of a corpus metric from sufficient statistics, [n, k] each, in the same two ways.

    Raises ValueError as `paired.corpus_draws` does.
    """
    found = corpus_draws(a, b, score, groups=groups, draws=draws)
    return _of_draws(found, exchanged_corpus(a, b, score, groups=groups, draws=draws), groups)


def _of_draws(draws: Draws, swapped: Exchanged, groups: Sequence[Hashable] | None) -> OneSided:
    """The same from the draws of a bootstrap and an exchange test; no p is smaller than about 1 / draws."""
    what = "items" if groups is None else "groups"
    return OneSided(
        difference=draws.observed,
        error=float(np.std(draws.values)),
        units=draws.units,
        method=f"exchange of {draws.units} {what}; paired bootstrap of them, expanded",
        below=lambda null: swapped.below if null == 0 else resampling.above(draws, null),
        above=lambda null: swapped.above if null == 0 else resampling.below(draws, null),
        interval=lambda level: Interval(*resampling.limits(draws, level), level),
    )


def crossed(a: ArrayLike, b: ArrayLike) -> OneSided:
    """Of scores [seeds_a, n] and [seeds_b, n], where both seeds and items vary.

    The less certain of two answers: that of `seeds.crossed_means`, for new seeds and new items; and Student's t-test of
    the seeds' means with their pooled variance, which is exact where nothing changed, also far out in the tail, where
    the former with three seeds rejects two to three times too often (0.003 at 0.001 in simulations).

    Raises ValueError as `seeds.crossed_means` does.
    """
    found = seeds.components(a, b)
    pooled, df = seeds.pooled_error(a, b)
    return _symmetric(
        (found.difference, found.error, found.n),
        "variance components of seeds and items, t; pooled t of seeds",
        lambda distance: max(found.p(distance) / 2, _student(distance, pooled, df)),
        lambda side: max(found.half_width(side), -t_quantile(side, df) * pooled if df else 0.0),
    )


def items(a: ArrayLike, b: ArrayLike) -> OneSided:
    """Of the same scores, where the items alone vary: each seed's checkpoint is taken as it is. Paired t over items.

    Raises ValueError as `seeds.crossed_means` does.
    """
    found = replace(seeds.components(a, b), seeds=None)
    return _symmetric(
        (found.difference, found.error, found.n),
        "paired t over items, seeds combined",
        lambda distance: found.p(distance) / 2,
        found.half_width,
    )


def of_seeds(a: ArrayLike, b: ArrayLike) -> OneSided:
    """Of one figure for each seed, [seeds_a] and [seeds_b], where seeds alone vary: Student's t, pooled variance.

    Figures that no seed moves differ for certain where they differ at all.

    Raises ValueError for a figure that is not finite, or a single seed on both sides.
    """
    first, second = checks.vector(a, "a", least=1), checks.vector(b, "b", least=1)
    df = checks.at_least(len(first) + len(second) - 2, 1, "degrees of freedom")
    squares = sum(float(((side - side.mean()) ** 2).sum()) for side in (first, second))
    error = math.sqrt(squares / df * (1 / len(first) + 1 / len(second)))
    return _symmetric(
        (float(first.mean() - second.mean()), error, len(first) + len(second)),
        "pooled t of seeds",
        lambda distance: _student(distance, error, df) if error or distance else 0.5,
        lambda side: -t_quantile(side, df) * error,
    )


def _symmetric(
    figures: tuple[float, float, int], method: str, p: Callable[[float], float], half_width: Callable[[float], float]
) -> OneSided:
    """A difference, its error and units, whose tails are alike; `p`: one-sided, of a null so far away."""
    difference, error, units = figures

    def tail(distance: float) -> float:
        """One-sided p of a difference that lies `distance` on the far side of its null."""
        return p(distance) if distance > 0 else 1 - p(-distance)

    def interval(level: float) -> Interval:
        width = half_width((1 - level) / 2)
        return Interval(difference - width, difference + width, level)

    return OneSided(
        difference=difference,
        error=error,
        units=units,
        method=method,
        below=lambda null: tail(null - difference),
        above=lambda null: tail(difference - null),
        interval=interval,
    )


def _student(distance: float, error: float, df: int) -> float:
    """One-sided p of Student's t; 0 where there is no error to speak of, as other parts have theirs."""
    return t_cdf(-distance / error, df) if df and error > 0 else 0.0


def _exact(fewer: int, discordant: int) -> float:
    """P(X <= fewer) of a fair coin thrown `discordant` times."""
    found: NDArray[np.float64] = binomial_cdf(fewer, discordant, 0.5)
    return float(found)
