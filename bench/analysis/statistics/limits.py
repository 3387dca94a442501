"""Limits of means over seeds and items, as closed forms over scores [..., seeds, items] with any axes before them.

`two_questions` says what they are for. As they take many data sets at once, `scripts/coverage.py` measures the
coverage of these very functions; `docs/statistics.md` states it. A corpus metric comes spread over its items
(`intervals.pseudo_values`). `scale` is the highest score where 0 is the lowest; None for scores without such bounds.
"""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import NDArray

from bench.analysis.statistics.distributions import normal_quantile, t_quantiles

Array = NDArray[np.float64]


def score_limits(scores: Array, scale: float | None, level: float = 0.95) -> tuple[Array, Array]:
    """Checkpoints: limits [...] of the mean over seeds and items.

    Bounded scores have Wilson's limits for as many items as would give a share the variance that was observed (the
    effective sample size; Korn and Graubard 1998, Survey Methodology 24, 193-201), with Student's quantile. One seed of
    0 and 1 has Wilson's own. All correct or all wrong counts as n items, whatever the number of seeds. Scores without
    bounds have Student's limits.
    """
    t = t_quantiles((1 + level) / 2, scores.shape[-1] - 1)
    if scale == 1 and scores.shape[-2] == 1 and np.isin(scores, (0.0, 1.0)).all():
        share = scores.mean(axis=(-2, -1))
        return _wilson(share, np.full_like(share, scores.shape[-1]), normal_quantile((1 + level) / 2))
    return _limits(scores, scale, t, np.zeros(scores.shape[:-2]), t)


def retrained_score_limits(scores: Array, scale: float | None, level: float = 0.95) -> tuple[Array, Array]:
    """Retraining: limits [...] of the expected score of a new seed on new items, from two seeds or more.

    As `score_limits`, with the variance of items and of seeds, and a critical value whose square is the mean of both
    Student's, weighted by their variances (MOVER: Zou and Donner 2008, Statistics in Medicine 27, 1693-1702).
    """
    of_items, of_seeds = (t_quantiles((1 + level) / 2, size - 1) for size in (scores.shape[-1], scores.shape[-2]))
    return _limits(scores, scale, of_items, seeds_variance(scores), of_seeds)


def difference_limits(a: Array, b: Array, scale: float | None, level: float = 0.95) -> tuple[Array, Array]:
    """Checkpoints: limits [...] of the mean of a less that of b, from [..., seeds_a, n] and [..., seeds_b, n]."""
    centre, error, df = difference_parts(a, b, scale)
    half = t_quantiles((1 + level) / 2, df) * error
    return _within(centre - half, centre + half, scale)


def retrained_difference_limits(a: Array, b: Array, scale: float | None, level: float = 0.95) -> tuple[Array, Array]:
    """Retraining: the same where the seeds of a, of b or of both are a sample; a method of one seed is as it is.

    The limits over items and the seeds' are joined by their squared distances (MOVER, as above). The variances of
    both sides' seeds have the degrees of freedom of Welch 1947 (Biometrika 34, 28-35), and Wilson's limits where
    scores are bounded, as good seeds are close together near the end of the scale.
    """
    return RetrainedDifference(a, b, scale).limits(level)


class RetrainedDifference:
    """What `retrained_difference_limits` needs of the scores, once for limits of any number of levels."""

    def __init__(self, a: Array, b: Array, scale: float | None) -> None:
        self._items = difference_parts(a, b, scale)
        self._means = a.mean(axis=(-2, -1)), b.mean(axis=(-2, -1))
        self._variances = tuple(seeds_variance(side) if side.shape[-2] > 1 else None for side in (a, b))
        self._df, self._scale = _welch(a, b), scale

    def limits(self, level: float | Array) -> tuple[Array, Array]:
        """Of scores without axes before seeds and items, `level` may be an array [levels]."""
        centre, error, df = self._items
        half = t_quantiles((1 + level) / 2, df) * error
        low, high = _within(centre - half, centre + half, self._scale)
        t = t_quantiles((1 + level) / 2, self._df)
        (a_down, a_up), (b_down, b_up) = (
            _seeds_reach(mean, variance, self._scale, t)
            for mean, variance in zip(self._means, self._variances, strict=True)
        )
        difference = self._means[0] - self._means[1]
        low = difference - np.sqrt((difference - low) ** 2 + a_down**2 + b_up**2)
        high = difference + np.sqrt((high - difference) ** 2 + a_up**2 + b_down**2)
        return _within(low, high, self._scale)


def difference_parts(a: Array, b: Array, scale: float | None) -> tuple[Array, Array, int]:
    """Centre and standard error [...] of the difference over items, and its degrees of freedom.

    The error is that of the n items and two more, one that a alone gets and one that b alone does. For 0 and 1 and a
    single seed of a or b it is that of Bonett and Price 2012 (Journal of Educational and Behavioral Statistics 37,
    479-488), here around the difference as it is and with Student's quantile. Other added items are as large as the
    differences that occur (root mean square; the whole scale where none does). So there is a width where no item
    differs, and where all differ alike. To scores without bounds nothing is added.
    """
    gaps = a.mean(axis=-2) - b.mean(axis=-2)
    n = gaps.shape[-1]
    if scale is None:
        return gaps.mean(axis=-1), gaps.std(axis=-1, ddof=1) / math.sqrt(n), n - 1
    some, squares = np.count_nonzero(gaps, axis=-1), (gaps**2).sum(axis=-1)
    whole = np.full_like(squares, scale) ** 2
    single = scale == 1 and 1 in (a.shape[-2], b.shape[-2])
    if not (single and np.isin(a, (0.0, 1.0)).all() and np.isin(b, (0.0, 1.0)).all()):
        whole = np.where(some > 0, squares / np.maximum(some, 1), whole)
    variance = (squares + 2 * whole - gaps.sum(axis=-1) ** 2 / (n + 2)) / (n + 1)
    return gaps.mean(axis=-1), np.sqrt(np.maximum(variance, 0.0) / (n + 2)), n - 1


def seeds_half_width(a: Array, b: Array, level: float = 0.95) -> Array:
    """Half of the interval [...] that the seeds alone make, Student's."""
    variance = sum(seeds_variance(side) for side in (a, b) if side.shape[-2] > 1)
    return np.asarray(t_quantiles((1 + level) / 2, _welch(a, b)) * np.sqrt(variance))


def _welch(a: Array, b: Array) -> Array:
    """Degrees of freedom [...] of the sum of both sides' variances of seeds."""
    parts = [(seeds_variance(side), side.shape[-2] - 1) for side in (a, b) if side.shape[-2] > 1]
    total = np.asarray(sum(part for part, _ in parts), dtype=np.float64)
    weights = np.asarray(sum(part**2 / df for part, df in parts), dtype=np.float64)
    least = float(min((df for _, df in parts), default=1))
    return np.where(weights > 0, total**2 / np.where(weights > 0, weights, 1.0), least)


def _seeds_reach(mean: Array, variance: Array | None, scale: float | None, t: Array) -> tuple[Array, Array]:
    """How far the limits over seeds lie below and above the mean; `variance`: None of a single seed."""
    if variance is None:
        return np.zeros_like(mean), np.zeros_like(mean)
    if scale is None:
        return t * np.sqrt(variance), t * np.sqrt(variance)
    share, some = np.clip(mean / scale, 0.0, 1.0), variance > 0
    size = np.maximum(share * (1 - share) * scale**2 / np.where(some, variance, 1.0), 1e-3)
    low, high = _wilson(share, size, t)
    return np.where(some, scale * (share - low), 0.0), np.where(some, scale * (high - share), 0.0)


def seeds_variance(scores: Array) -> Array:
    """Variance that seeds add to the mean, without their interaction with items, which is in the items' part."""
    seeds, n = scores.shape[-2:]
    means = scores.mean(axis=-1)
    rest = scores - means[..., None] - scores.mean(axis=-2, keepdims=True) + means.mean(axis=-1)[..., None, None]
    interaction = (rest**2).sum(axis=(-2, -1)) / ((seeds - 1) * (n - 1))
    return np.asarray(np.maximum(means.var(axis=-1, ddof=1) - interaction / n, 0.0) / seeds)


def _limits(scores: Array, scale: float | None, t: Array, more: Array, t_more: Array) -> tuple[Array, Array]:
    """Limits from the variance over items and `more`, each with its quantile."""
    units = scores.mean(axis=-2)
    n, mean = units.shape[-1], units.mean(axis=-1)
    variance = units.var(axis=-1, ddof=1) / n
    if scale is None:
        half = np.sqrt(t**2 * variance + t_more**2 * more)
        return mean - half, mean + half
    share, more = np.clip(mean / scale, 0.0, 1.0), more / scale**2
    far = np.maximum(share, 1 - share) ** 2 / 2  # half an item at the far end: near an end few items tell the variance
    variance = variance / scale**2 + far / n**2
    both, ended = variance + more, share * (1 - share) == 0
    size = np.where(ended, float(n), np.maximum(share * (1 - share) / both, 1e-3))
    critical = np.where(ended, t**2, (t**2 * variance + t_more**2 * more) / both)
    low, high = _wilson(share, size, np.sqrt(critical))
    return scale * low, scale * high


def _wilson(share: Array, size: Array, z: float | Array) -> tuple[Array, Array]:
    """Wilson 1927, JASA 22, 209-212."""
    z2 = np.square(z)
    middle = (share + z2 / (2 * size)) / (1 + z2 / size)
    half = np.sqrt(z2 * (share * (1 - share) / size + z2 / (4 * size**2))) / (1 + z2 / size)
    return np.where(share > 0, middle - half, 0.0), np.where(share < 1, middle + half, 1.0)


def _within(low: Array, high: Array, scale: float | None) -> tuple[Array, Array]:
    return (low, high) if scale is None else (np.maximum(low, -scale), np.minimum(high, scale))
