"""Two methods on the same items: shares, means, corpus metrics. For several training seeds: `seeds`.

The difference is always a less b; both must hold the same items in the same order.
"""

from __future__ import annotations

import math
from collections.abc import Hashable, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray

from bench.analysis.statistics import checks, resampling
from bench.analysis.statistics.distributions import binomial_cdf
from bench.analysis.statistics.intervals import Interval, wilson
from bench.analysis.statistics.resampling import DRAWS, Draws, Statistic

Array = NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class PairedResult:
    """A difference, how sure it is, and how that was found."""

    difference: float  # a less b, in the unit of the scores
    interval: Interval
    p: float  # two-sided, of no difference
    n: int  # items
    method: str


@dataclass(frozen=True, slots=True)
class PairedTable:
    """How many items each method got right."""

    both: int
    only_a: int
    only_b: int
    neither: int

    @property
    def n(self) -> int:
        return self.both + self.only_a + self.only_b + self.neither

    @property
    def discordance(self) -> float:
        """The share of items that one method alone got right, in [0, 1]."""
        return (self.only_a + self.only_b) / self.n


def table(a: ArrayLike, b: ArrayLike) -> PairedTable:
    """The four counts of two methods' 0 and 1, [n] each.

    Raises ValueError for no items, lengths that differ, values other than 0 and 1.
    """
    first, second = checks.pair(a, b, least=1)
    right_a, right_b = checks.binary(first, "a") == 1, checks.binary(second, "b") == 1
    cells = (right_a & right_b, right_a & ~right_b, ~right_a & right_b, ~right_a & ~right_b)
    return PairedTable(*(int(np.count_nonzero(cell)) for cell in cells))


def mcnemar(only_a: int, only_b: int) -> float:
    """Two-sided p of McNemar's exact conditional test, from the two discordant counts.

    Twice the smaller tail of the binomial with share 1/2, at most 1. No discordant item gives 1.

    Raises ValueError for a negative count.
    """
    checks.at_least(only_a, 0, "only_a")
    checks.at_least(only_b, 0, "only_b")
    return min(1.0, 2 * float(binomial_cdf(min(only_a, only_b), only_a + only_b, 0.5)))


def newcombe(counts: PairedTable, *, level: float = 0.95) -> Interval:
    """Newcombe's interval of the difference of two paired shares, in [-1, 1].

    Method 10: Wilson's intervals of both shares, squared and added with the items' correlation phi, whose numerator
    is corrected towards 0 when positive (Newcombe 1998, Statistics in Medicine 17, 2635-2650). Near the
    edge it can leave out 0 where McNemar's p is above 1 - level, or the other way round: the two are not inversions
    of each other.

    Raises ValueError for a negative count, no items, level not in (0, 1).
    """
    for name in ("both", "only_a", "only_b", "neither"):
        checks.at_least(getattr(counts, name), 0, name)
    n, right_a, right_b = counts.n, counts.both + counts.only_a, counts.both + counts.only_b
    of_a, of_b = wilson(right_a, n, level=level), wilson(right_b, n, level=level)
    share_a, share_b, phi = right_a / n, right_b / n, _correlation(counts)
    down = _joined(share_a - of_a.low, of_b.high - share_b, phi)
    up = _joined(of_a.high - share_a, share_b - of_b.low, phi)
    difference = (counts.only_a - counts.only_b) / n
    return Interval(max(-1.0, difference - down), min(1.0, difference + up), level)


def paired_shares(a: ArrayLike, b: ArrayLike, *, level: float = 0.95) -> PairedResult:
    """Difference of the shares of two methods' 0 and 1, [n] each: Newcombe's interval, McNemar's p.

    Raises ValueError as `table` does, and for level not in (0, 1).
    """
    counts = table(a, b)
    return PairedResult(
        difference=(counts.only_a - counts.only_b) / counts.n,
        interval=newcombe(counts, level=level),
        p=mcnemar(counts.only_a, counts.only_b),
        n=counts.n,
        method="McNemar, exact; Newcombe's interval",
    )


def paired_draws(a: ArrayLike, b: ArrayLike, *, groups: Sequence[Hashable] | None = None, draws: int = DRAWS) -> Draws:
    """Differences of the means of two methods' scores, [n] each, by resampling items.

    `groups` (n labels) names items that belong together, such as questions on one document: groups are resampled
    then, and the mean stays that over items (Davison and Hinkley 1997, section 3.8).

    Raises ValueError for lengths that differ, fewer than two items or groups, a score not finite, groups of another
    length, fewer than 100 draws.
    """
    first, second = checks.pair(a, b)
    gap, ones = first - second, np.ones_like(first)
    forward, backward = np.column_stack([gap, ones]), np.column_stack([-gap, ones])
    return _draws(forward, backward, lambda rows: rows[:, 0] / rows[:, 1], groups, draws)


def corpus_draws(
    a: ArrayLike, b: ArrayLike, score: Statistic, *, groups: Sequence[Hashable] | None = None, draws: int = DRAWS
) -> Draws:
    """Differences of a corpus metric from two methods' sufficient statistics, [n, k] each, on the same resamples.

    No text is scored again (Koehn 2004, EMNLP, 388-395). Unit: that of `score`; `groups` as in `paired_draws`.

    Raises ValueError as `paired_draws` does, and for statistics of different width.
    """
    first, second = checks.matrix(a, "a"), checks.matrix(b, "b")
    if first.shape != second.shape:
        raise ValueError(f"a has the shape {first.shape} and b {second.shape}; they must be the same items and counts")
    width = first.shape[1]

    def difference(rows: Array) -> Array:
        return score(rows[:, :width]) - score(rows[:, width:])

    return _draws(np.hstack([first, second]), np.hstack([second, first]), difference, groups, draws)


def _draws(
    forward: Array, backward: Array, statistic: Statistic, groups: Sequence[Hashable] | None, draws: int
) -> Draws:
    rows, sign = resampling.oriented(resampling.summed(forward, groups), resampling.summed(backward, groups))
    return resampling.signed(resampling.resample(rows, statistic, draws), sign)


def _correlation(counts: PairedTable) -> float:
    """Phi of the four counts, 0 where a margin is empty."""
    both, only_a, only_b, neither = counts.both, counts.only_a, counts.only_b, counts.neither
    margins = (both + only_a) * (only_b + neither) * (both + only_b) * (only_a + neither)
    if margins == 0:
        return 0.0
    excess = both * neither - only_a * only_b
    return (max(excess - counts.n / 2, 0.0) if excess > 0 else excess) / math.sqrt(margins)


def _joined(one: float, other: float, phi: float) -> float:
    return math.sqrt(max(one**2 - 2 * phi * one * other + other**2, 0.0))
