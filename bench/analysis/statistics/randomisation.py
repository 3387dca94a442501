"""Exchange tests: if nothing changed, what a and b scored on an item could as well stand the other way round.

The level holds for any distribution of scores where the two are exchangeable, as those of an unchanged method are, also
where a few items alone differ, which a bootstrap takes for more than they are. Of 0 and 1 it is McNemar's exact test.
"""

from __future__ import annotations

from collections.abc import Hashable, Iterator, Sequence
from dataclasses import dataclass
from functools import lru_cache

import numpy as np
from numpy.typing import ArrayLike, NDArray

from bench.analysis.statistics import checks, resampling
from bench.analysis.statistics.resampling import DRAWS, Statistic

Array = NDArray[np.float64]
_KEPT = 64_000_000  # signs kept, in bytes, for the next comparison of as many units
_CELLS = 200_000  # signs held as floats at a time


@dataclass(frozen=True, slots=True)
class Exchanged:
    """A difference, and one-sided p of no difference."""

    difference: float  # a less b
    below: float  # small where a is lower than b
    above: float


def exchanged_means(
    a: ArrayLike, b: ArrayLike, *, groups: Sequence[Hashable] | None = None, draws: int = DRAWS
) -> Exchanged:
    """Of two methods' scores, [n] each, by the signs of their differences; groups change sign together.

    Fisher 1935, The Design of Experiments, section 21; p counts the data themselves among the draws, so that it is
    no less than 1 / (draws + 1) (Davison and Hinkley 1997, section 4.3).

    Raises ValueError for lengths that differ, fewer than two items or groups, a score not finite, fewer than 100
    draws.
    """
    first, second = checks.pair(a, b)
    gap = (first - second)[:, None]
    n = len(first)
    return _exchanged(gap, lambda sums: sums[:, 0] / n, groups, draws)


def exchanged_corpus(
    a: ArrayLike, b: ArrayLike, score: Statistic, *, groups: Sequence[Hashable] | None = None, draws: int = DRAWS
) -> Exchanged:
    """Of a corpus metric from sufficient statistics, [n, k] each, by exchanging items: approximate randomisation.

    Noreen 1989, Computer-Intensive Methods for Testing Hypotheses, chapter 2; for BLEU Riezler and Maxwell 2005, ACL
    workshop on evaluation measures, 57-64.

    Raises ValueError as `exchanged_means` does, and for statistics of different width.
    """
    first, second = checks.matrix(a, "a"), checks.matrix(b, "b")
    if first.shape != second.shape:
        raise ValueError(f"a has the shape {first.shape} and b {second.shape}; they must be the same items and counts")
    both = (first + second).sum(axis=0)
    # With d the sums of differences under some signs, the two sides of the exchange are (both + d) / 2, (both - d) / 2.
    return _exchanged(first - second, lambda sums: score((both + sums) / 2) - score((both - sums) / 2), groups, draws)


def _exchanged(gaps: Array, statistic: Statistic, groups: Sequence[Hashable] | None, draws: int) -> Exchanged:
    checks.at_least(draws, 100, "draws")
    rows, sign = resampling.oriented(resampling.summed(gaps, groups), resampling.summed(-gaps, groups))
    observed = (sign or 1) * float(statistic(gaps.sum(axis=0)[None])[0])
    with resampling.one_thread():
        sums = np.concatenate([chunk @ rows for chunk in _signs_again(len(rows), draws)])
    drawn = statistic(sums)
    slack = 1e-9 * max(abs(observed), float(np.abs(drawn).max()))  # sums of the same terms in another order are ties
    lower = (np.count_nonzero(drawn <= observed + slack) + 1) / (draws + 1)
    upper = (np.count_nonzero(drawn >= observed - slack) + 1) / (draws + 1)
    if sign < 0:
        lower, upper, observed = upper, lower, -observed
    elif sign == 0:  # a and b are each other's mirror: both sides are one, and share what the draws say of them
        lower = upper = (lower + upper) / 2
    return Exchanged(observed, float(lower), float(upper))


def _signs_again(units: int, draws: int) -> Iterator[Array]:
    """Signs [some, units] in chunks that make `draws` rows together, kept for the next call where they are few."""
    if units * draws > _KEPT:
        yield from _signs(units, draws)
        return
    kept, step = _kept(units, draws), max(1, _CELLS // units)
    for start in range(0, draws, step):
        yield kept[start : start + step].astype(np.float64)


@lru_cache(maxsize=1)
def _kept(units: int, draws: int) -> NDArray[np.int8]:
    return np.concatenate([chunk.astype(np.int8) for chunk in _signs(units, draws)])


def _signs(units: int, draws: int) -> Iterator[Array]:
    rng, step = resampling.generator(), max(1, _CELLS // units)
    for start in range(0, draws, step):
        rows = min(step, draws - start)
        yield rng.integers(2, size=(rows, units)).astype(np.float64) * 2 - 1
