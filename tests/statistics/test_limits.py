"""The closed forms of limits, against the same formulas for one data set at a time, in loops."""

from __future__ import annotations

import math
from statistics import fmean, variance

import numpy as np
import pytest
import scipy.stats  # type: ignore[import-untyped]  # scipy ships no types
from numpy.typing import NDArray

from bench.analysis.statistics import limits

Array = NDArray[np.float64]
Table = list[list[float]]  # [seeds][items]
LEVEL = 0.9


def quantile(df: float) -> float:
    return float(scipy.stats.t.ppf((1 + LEVEL) / 2, df))


def wilson(share: float, size: float, z: float) -> tuple[float, float]:
    """Wilson 1927, solved for the two shares that lie z standard errors from the one observed."""
    a, b, c = 1 + z**2 / size, -(2 * share + z**2 / size), share**2
    root = math.sqrt(max(b**2 - 4 * a * c, 0.0))
    return (-b - root) / (2 * a), (-b + root) / (2 * a)


def seeds_part(table: Table) -> float:
    """Variance of the mean by its seeds: mean squares of a two-way layout without replication."""
    seeds, n = len(table), len(table[0])
    whole = fmean(fmean(row) for row in table)
    rows, columns = [fmean(row) for row in table], [fmean(column) for column in zip(*table, strict=True)]
    rest = sum((table[s][i] - rows[s] - columns[i] + whole) ** 2 for s in range(seeds) for i in range(n))
    return max(variance(rows) - rest / ((seeds - 1) * (n - 1)) / n, 0.0) / seeds


def one_score(table: Table, scale: float | None, retrained: bool, right: bool = False) -> tuple[float, float]:
    """`right`: all of the scores are 0 and 1."""
    means = [fmean(column) for column in zip(*table, strict=True)]
    n, mean, t = len(means), fmean(means), quantile(len(means) - 1)
    by_items = variance(means) / n
    by_seeds, t_seeds = (seeds_part(table), quantile(len(table) - 1)) if retrained else (0.0, 0.0)
    if scale is None:
        half = math.sqrt((t**2) * by_items + t_seeds**2 * by_seeds)
        return mean - half, mean + half
    if scale == 1 and len(table) == 1 and right:
        found = scipy.stats.binomtest(round(sum(table[0])), n).proportion_ci(LEVEL, method="wilson")
        return found.low, found.high
    share = min(max(mean / scale, 0.0), 1.0)
    if share in (0.0, 1.0):
        low, high = wilson(share, n, t)
    else:
        items = by_items / scale**2 + max(share, 1 - share) ** 2 / 2 / n**2
        seeds = by_seeds / scale**2
        z = math.sqrt((t**2 * items + t_seeds**2 * seeds) / (items + seeds))
        low, high = wilson(share, max(share * (1 - share) / (items + seeds), 1e-3), z)
    return scale * low, scale * high


def one_difference(a: Table, b: Table, scale: float | None, right: bool = False) -> tuple[float, float, float]:
    """The difference and its limits over items; `right`: all of the scores are 0 and 1."""
    gaps = [fmean(x) - fmean(y) for x, y in zip(zip(*a, strict=True), zip(*b, strict=True), strict=True)]
    n, mean = len(gaps), fmean(gaps)
    if scale is None:
        half = quantile(n - 1) * math.sqrt(variance(gaps) / n)
        return mean, mean - half, mean + half
    differing = [gap for gap in gaps if gap]
    added = math.sqrt(fmean(gap**2 for gap in differing)) if differing else scale
    if scale == 1 and 1 in (len(a), len(b)) and right:
        added = 1.0
    half = quantile(n - 1) * math.sqrt(variance([*gaps, added, -added]) / (n + 2))
    return mean, max(mean - half, -scale), min(mean + half, scale)


def one_retrained_difference(a: Table, b: Table, scale: float | None) -> tuple[float, float]:
    mean, low, high = one_difference(a, b, scale)
    sides = [(table, seeds_part(table), len(table) - 1) for table in (a, b) if len(table) > 1]
    weights = sum(part**2 / df for _, part, df in sides)
    df = sum(part for _, part, _ in sides) ** 2 / weights if weights else min((df for _, _, df in sides), default=1)
    t = quantile(df)

    def reach(table: Table) -> tuple[float, float]:
        part = seeds_part(table) if len(table) > 1 else 0.0
        if not part:
            return 0.0, 0.0
        if scale is None:
            return t * math.sqrt(part), t * math.sqrt(part)
        share = min(max(fmean(fmean(row) for row in table) / scale, 0.0), 1.0)
        below, above = wilson(share, max(share * (1 - share) * scale**2 / part, 1e-3), t)
        return scale * (share - below), scale * (above - share)

    (a_down, a_up), (b_down, b_up) = reach(a), reach(b)
    low, high = mean - math.hypot(mean - low, a_down, b_up), mean + math.hypot(high - mean, a_up, b_down)
    return (low, high) if scale is None else (max(low, -scale), min(high, scale))


def data_sets(seeds: int, scale: float | None, sd: float = 0.3) -> Array:
    """Six of nine items: three drawn, one of 0 and 1, one all 0 and one all at the end of the scale."""
    rng = np.random.default_rng(seeds)
    end = scale or 1.0
    drawn = 0.5 * end + end * (sd * rng.normal(size=(3, seeds, 1)) + 0.2 * rng.normal(size=(3, seeds, 9)))
    drawn = drawn if scale is None else np.clip(drawn, 0, end)
    right = (rng.random((1, seeds, 9)) < 0.6).astype(float) * end
    return np.concatenate([drawn, right, np.zeros((1, seeds, 9)), np.full((1, seeds, 9), end)])


def each(low: Array, high: Array) -> list[tuple[float, float]]:
    assert low.shape == high.shape == (6,)
    return list(zip(low.tolist(), high.tolist(), strict=True))


@pytest.mark.parametrize("scale", [None, 1.0, 100.0])
@pytest.mark.parametrize("seeds", [1, 2, 4])
def test_scores(seeds: int, scale: float | None) -> None:
    scores = data_sets(seeds, scale)
    for retrained, of in ((False, limits.score_limits), (True, limits.retrained_score_limits)):
        if seeds > 1 or not retrained:
            expected = [one_score(table, scale, retrained) for table in scores.tolist()]
            assert np.array(each(*of(scores, scale, LEVEL))) == pytest.approx(np.array(expected), abs=1e-7)


@pytest.mark.parametrize("shift", [-0.9, 0.9])
def test_pseudo_values_may_lie_beyond_the_scale(shift: float) -> None:
    """Their mean is taken for the end of it."""
    a, b = data_sets(3, 1.0, 0.05) + shift, data_sets(4, 1.0, 0.05) + shift
    for retrained, of in ((False, limits.score_limits), (True, limits.retrained_score_limits)):
        expected = [one_score(table, 1.0, retrained) for table in a.tolist()]
        assert np.array(each(*of(a, 1.0, LEVEL))) == pytest.approx(np.array(expected), abs=1e-7)
    again = [one_retrained_difference(*pair, 1.0) for pair in zip(a.tolist(), b.tolist(), strict=True)]
    found = limits.retrained_difference_limits(a, b, 1.0, LEVEL)
    assert np.array(each(*found)) == pytest.approx(np.array(again), abs=1e-7)


def test_one_seed_of_0_and_1_in_many_data_sets() -> None:
    scores = (np.random.default_rng(0).random((6, 1, 9)) < 0.4).astype(float)
    expected = [one_score(table, 1.0, False, right=True) for table in scores.tolist()]
    assert np.array(each(*limits.score_limits(scores, 1.0, LEVEL))) == pytest.approx(np.array(expected))
    halves = np.where(scores == 1, 1.0, 0.5)  # not 0 and 1: no share
    assert np.array(each(*limits.score_limits(halves, 1.0, LEVEL))) == pytest.approx(
        np.array([one_score(table, 1.0, False) for table in halves.tolist()])
    )


@pytest.mark.parametrize("scale", [None, 1.0, 100.0])
@pytest.mark.parametrize("sd", [0.0, 0.05, 0.6])
@pytest.mark.parametrize(("seeds", "others"), [(1, 1), (1, 3), (4, 1), (2, 3)])
def test_differences(seeds: int, others: int, sd: float, scale: float | None) -> None:
    a, b = data_sets(seeds, scale, sd), data_sets(others, scale, sd)[[1, 2, 0, 3, 5, 5]]
    tables = list(zip(a.tolist(), b.tolist(), strict=True))
    expected = [one_difference(*pair, scale)[1:] for pair in tables]
    assert np.array(each(*limits.difference_limits(a, b, scale, LEVEL))) == pytest.approx(np.array(expected), abs=1e-7)
    again = [one_retrained_difference(*pair, scale) for pair in tables]
    found = limits.retrained_difference_limits(a, b, scale, LEVEL)
    assert np.array(each(*found)) == pytest.approx(np.array(again), abs=1e-7)


@pytest.mark.parametrize(("first", "second", "scale"), [(1.0, 1.0, 1.0), (1.0, 0.5, 1.0), (0.5, 1.0, 1.0), (1, 1, 2.0)])
def test_differences_of_single_answers_are_bonett_and_prices_where_they_are_0_and_1(
    first: float, second: float, scale: float
) -> None:
    """Scores of halves, and a scale other than 1, are none: what is added is as large as the differences are."""
    rng = np.random.default_rng(1)
    a: Array = np.where(rng.random((6, 1, 9)) < 0.7, first, 0.0)
    b: Array = np.where(rng.random((6, 3, 9)) < 0.4, second, 0.0)
    for one, other in ((a, b), (b, a)):
        pairs = zip(one.tolist(), other.tolist(), strict=True)
        expected = [one_difference(*pair, scale, right=first == second == 1)[1:] for pair in pairs]
        assert np.array(each(*limits.difference_limits(one, other, scale, LEVEL))) == pytest.approx(np.array(expected))


def test_seeds_alone() -> None:
    """What is left with items without end: Welch's interval of what the seeds add, of each of six pairs."""
    a, b = data_sets(3, None), data_sets(4, None)[::-1]
    expected = []
    for one, other in zip(a.tolist(), b.tolist(), strict=True):
        parts = [(seeds_part(one), 2), (seeds_part(other), 3)]
        weights = sum(part**2 / df for part, df in parts)
        df = sum(part for part, _ in parts) ** 2 / weights if weights else 2
        expected.append(quantile(df) * math.sqrt(sum(part for part, _ in parts)))
    assert limits.seeds_half_width(a, b, LEVEL) == pytest.approx(np.array(expected))
    alone = [quantile(2) * math.sqrt(seeds_part(one)) for one in a.tolist()]
    assert limits.seeds_half_width(a, b[:, :1], LEVEL) == pytest.approx(np.array(alone))


def test_the_level_is_95_percent_unless_said() -> None:
    a, b = data_sets(3, 1.0), data_sets(3, 1.0, 0.1)
    for found, said in (
        (limits.score_limits(a, 1.0), limits.score_limits(a, 1.0, 0.95)),
        (limits.retrained_score_limits(a, 1.0), limits.retrained_score_limits(a, 1.0, 0.95)),
        (limits.difference_limits(a, b, 1.0), limits.difference_limits(a, b, 1.0, 0.95)),
        (limits.retrained_difference_limits(a, b, 1.0), limits.retrained_difference_limits(a, b, 1.0, 0.95)),
    ):
        assert np.array_equal(found, said)
    assert np.array_equal(limits.seeds_half_width(a, b), limits.seeds_half_width(a, b, 0.95))


def test_limits_of_several_levels_at_once() -> None:
    a, b = data_sets(3, 1.0)[0], data_sets(2, 1.0, 0.1)[1]
    of_levels = limits.RetrainedDifference(a, b, 1.0)
    low, high = of_levels.limits(np.array([0.5, 0.9]))
    for place, level in enumerate((0.5, 0.9)):
        assert (low[place], high[place]) == pytest.approx(tuple(map(float, of_levels.limits(level))))
