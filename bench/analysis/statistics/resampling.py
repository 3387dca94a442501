"""The bootstrap that every interval here shares: draws, and what is read from them.

A unit is what is resampled: an item, or a group of items that belong together. Every statistic is a function of
summed rows, so all draws are one product of multinomial counts [draws, units] with rows [units, k].
"""

from __future__ import annotations

import math
from collections.abc import Callable, Hashable, Iterator, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass
from functools import lru_cache
from typing import Literal, TypeAlias

import numpy as np
from numpy.typing import NDArray
from threadpoolctl import ThreadpoolController

from bench.analysis.statistics import checks
from bench.analysis.statistics.distributions import normal_cdf, normal_quantile, t_cdf, t_quantile

Array = NDArray[np.float64]
Kind: TypeAlias = Literal["expanded", "percentile", "bca"]
Statistic: TypeAlias = Callable[[Array], Array]  # summed rows [m, k] to values [m]
DRAWS = 10_000
_CELLS = 200_000  # counts held at a time: 1.6 MB, which stays in the cache and is faster than more
_KEPT = 64_000_000  # counts kept, in bytes, for the next comparison of as many units


@dataclass(frozen=True, slots=True)
class Draws:
    """A statistic under resampling."""

    values: Array  # [draws]
    observed: float  # of all items as they are
    units: int  # resampled with replacement
    left_out: Array | None = None  # [units], the statistic without each unit in turn; for BCa alone


def counts(units: int, draws: int, rng: np.random.Generator, *, cells: int = _CELLS) -> Iterator[Array]:
    """How often each unit is drawn, in chunks [some, units] that make `draws` rows together.

    A row is multinomial with equal chances. The chunk size (at most `cells` counts) changes no count.
    """
    step = max(1, cells // units)
    for start in range(0, draws, step):
        rows = min(step, draws - start)
        drawn = rng.integers(units, size=(rows, units))
        drawn += units * np.arange(rows)[:, None]
        yield np.bincount(drawn.ravel(), minlength=rows * units).reshape(rows, units).astype(np.float64)


def generator(seed: int) -> np.random.Generator:
    """numpy's PCG64, named so that another default of numpy's changes no result."""
    return np.random.Generator(np.random.PCG64(seed))


def resample(rows: Array, statistic: Statistic, *, draws: int, seed: int, leave_out: bool) -> Draws:
    """The statistic of `draws` resamples of rows [units, k]; `leave_out` adds what BCa needs.

    Raises ValueError for fewer than 100 draws: less is no basis for a tail.
    """
    checks.at_least(draws, 100, "draws")
    whole = rows.sum(axis=0)
    with one_thread():
        sums = np.concatenate([chunk @ rows for chunk in _counts_again(len(rows), draws, seed)])
    left_out = statistic(whole - rows) if leave_out else None
    return Draws(statistic(sums), float(statistic(whole[None])[0]), len(rows), left_out)


def one_thread() -> AbstractContextManager[object]:
    """While it lasts, products of arrays take one thread.

    They are small here: sharing one out wins little, and where others use the processors waiting for the slowest share
    makes it ten times slower.
    """
    found: AbstractContextManager[object] = _libraries().limit(limits=1, user_api="blas")
    return found


@lru_cache(maxsize=1)
def _libraries() -> ThreadpoolController:
    return ThreadpoolController()


def _counts_again(units: int, draws: int, seed: int) -> Iterator[Array]:
    """`counts`, kept for the next call: drawing them is most of the work, and comparisons share their items."""
    if units * draws > _KEPT:
        yield from counts(units, draws, generator(seed))
        return
    kept, step = _kept(units, draws, seed), max(1, _CELLS // units)
    for start in range(0, draws, step):
        yield kept[start : start + step].astype(np.float64)


@lru_cache(maxsize=1)
def _kept(units: int, draws: int, seed: int) -> NDArray[np.uint8]:
    """All counts [draws, units]; more than 255 of one unit do not occur."""
    return np.concatenate([chunk.astype(np.uint8) for chunk in counts(units, draws, generator(seed))])


def negated(draws: Draws) -> Draws:
    """The draws of the statistic with the other sign."""
    left_out = None if draws.left_out is None else -draws.left_out
    return Draws(-draws.values, -draws.observed, draws.units, left_out)


def signed(draws: Draws, sign: int) -> Draws:
    """The draws of a difference as asked for, from those of the way of writing it that `oriented` took."""
    if sign == 0:  # neither way is first: every draw counts both ways, which is what the data say
        return Draws(np.concatenate([draws.values, -draws.values]), 0.0, draws.units, draws.left_out)
    return draws if sign > 0 else negated(draws)


def summed(rows: Array, groups: Sequence[Hashable] | None) -> Array:
    """Rows [n, k] summed within groups, [groups, k]; without groups each item is its own.

    Raises ValueError if the groups are not one for each item, or are all the same.
    """
    if groups is None:
        return rows
    places = checks.groups(groups, len(rows))
    order = np.lexsort((*rows.T, places))  # by value within a group: sums are then free of the order of the items
    starts = np.flatnonzero(np.diff(places[order], prepend=-1))
    return np.asarray(np.add.reduceat(rows[order], starts, axis=0))


def in_order(rows: Array) -> Array:
    """Rows [units, k] sorted: the same units in another order then give the same draws."""
    return rows[np.lexsort(rows.T[::-1])]


def oriented(forward: Array, backward: Array) -> tuple[Array, int]:
    """Of one comparison written both ways, the sorted rows of one, with 1 if it is the forward and -1 if the other.

    Which is taken depends on the pair of them alone, so that a against b and b against a use the same draws. 0 where
    the two are the same.
    """
    first, second = in_order(forward), in_order(backward)
    unequal = np.flatnonzero(first != second)
    if not unequal.size:
        return first, 0
    return (first, 1) if first.flat[unequal[0]] < second.flat[unequal[0]] else (second, -1)


def limits(draws: Draws, level: float, kind: Kind) -> tuple[float, float]:
    """Lower and upper limit of the two-sided interval of `level`.

    `percentile`: quantiles of the draws (Efron and Tibshirani 1993, chapter 13). `expanded`: further out, by what
    makes the interval of a mean as wide as Student's with `units` - 1 degrees of freedom; matters below about 100
    units (Hesterberg 2015, What Teachers Should Know about the Bootstrap, The American Statistician 69, 371-386).
    `bca`: corrected for bias and skewness (Efron 1987, JASA 82, 171-185; Efron and Tibshirani 1993, equation 14.10).

    Raises ValueError unless 0 < level < 1.
    """
    checks.share(level, "level")
    low, high = (_outer(draws, tail, kind) for tail in ((1 - level) / 2, (1 + level) / 2))
    found = np.quantile(draws.values, [low, high])
    return float(found[0]), float(found[1])


def below(draws: Draws, null: float, kind: Kind) -> float:
    """One-sided p for a statistic that is `null` or less: the tail at which a lower limit of `kind` would be `null`.

    Never 0: with B draws no less than 1 / (B + 1) before correction (Davison and Hinkley 1997, section 4.2).
    """
    return _inner(draws, (np.count_nonzero(draws.values <= null) + 1) / (len(draws.values) + 1), kind)


def above(draws: Draws, null: float, kind: Kind) -> float:
    """One-sided p for a statistic that is `null` or more."""
    return below(negated(draws), -null, kind)


def two_sided(draws: Draws, null: float, kind: Kind) -> float:
    """Two-sided p by inversion: 1 - the level of the widest interval of `kind` that does not reach `null`."""
    return min(1.0, 2 * min(below(draws, null, kind), above(draws, null, kind)))


def _outer(draws: Draws, tail: float, kind: Kind) -> float:
    """The share of draws below the limit that leaves out `tail` of the distribution."""
    if kind == "percentile":
        return tail
    if kind == "expanded":
        return normal_cdf(_stretch(draws.units) * t_quantile(tail, draws.units - 1))
    bias, skew = _corrections(draws)
    moved = bias + normal_quantile(tail)
    bend = 1 - skew * moved
    if bend <= 0:  # past the pole of the transformation: the limit is the outermost draw
        return float(moved > 0)
    return normal_cdf(bias + moved / bend)


def _inner(draws: Draws, below: float, kind: Kind) -> float:
    """The inverse of `_outer`."""
    if kind == "percentile" or below >= 1:
        return min(below, 1.0)
    if kind == "expanded":
        return t_cdf(normal_quantile(below) / _stretch(draws.units), draws.units - 1)
    bias, skew = _corrections(draws)
    moved = normal_quantile(below) - bias
    bend = 1 + skew * moved
    if bend <= 0:
        return float(moved > 0)
    return normal_cdf(moved / bend - bias)


def _stretch(units: int) -> float:
    """A bootstrap's variance is that of the sample with n, not n - 1, below the line."""
    return math.sqrt(units / (units - 1))


def _corrections(draws: Draws) -> tuple[float, float]:
    """Bias z0 and acceleration a of BCa (Efron and Tibshirani 1993, equations 14.14 and 14.15).

    A draw that equals the observed value counts half, as scores have few values.
    """
    if draws.left_out is None:
        raise ValueError("BCa needs the statistic without each unit in turn")
    size = len(draws.values)
    lower = np.count_nonzero(draws.values < draws.observed) + np.count_nonzero(draws.values == draws.observed) / 2
    deviations = draws.left_out.mean() - draws.left_out
    spread = float((deviations**2).sum())
    skew = float((deviations**3).sum()) / (6 * spread**1.5) if spread > 0 else 0.0
    return normal_quantile(min(max(lower, 0.5), size - 0.5) / size), skew
