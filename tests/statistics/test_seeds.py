"""Seeds crossed with items: the cases that are known tests, loops as second implementations."""

from __future__ import annotations

import math
from dataclasses import replace

import numpy as np
import pytest
import scipy.stats  # type: ignore[import-untyped]  # scipy ships no types
from numpy.typing import NDArray

from bench.analysis.statistics import seeds as statistics
from bench.analysis.statistics.intervals import pseudo_values
from bench.analysis.statistics.seeds import components, crossed_means, pooled_error

Array = NDArray[np.float64]


def scores(seeds: int, items: int, rng: np.random.Generator, spread: float = 0.3) -> Array:
    noise = rng.normal(size=(seeds, items))
    return np.asarray(spread * rng.normal(size=(seeds, 1)) + rng.normal(size=(1, items)) + noise)


def test_one_seed_each_is_the_paired_t_test() -> None:
    rng = np.random.default_rng(0)
    a, b = rng.normal(0.4, 1, size=20), rng.normal(size=20)
    expected = scipy.stats.ttest_rel(a, b)
    limits = expected.confidence_interval(0.9)
    found = crossed_means(a[None], b[None], level=0.9)
    assert (found.interval.low, found.interval.high) == pytest.approx((limits.low, limits.high))
    assert found.p == pytest.approx(expected.pvalue)
    assert found.n == 20


def test_items_that_differ_in_nothing_leave_welchs_t_test_of_the_seeds() -> None:
    """Each seed shifts all items alike, and items shift both methods alike: seeds are all there is."""
    rng = np.random.default_rng(1)
    items, of_a, of_b = rng.normal(size=30), rng.normal(0.5, 0.1, size=4), rng.normal(0.3, 0.3, size=6)
    expected = scipy.stats.ttest_ind(of_a, of_b, equal_var=False)
    limits = expected.confidence_interval(0.95)
    found = crossed_means(of_a[:, None] + items, of_b[:, None] + items)
    assert (found.interval.low, found.interval.high) == pytest.approx((limits.low, limits.high))
    assert found.p == pytest.approx(expected.pvalue)


def test_seeds_that_do_the_same_leave_the_paired_t_test() -> None:
    rng = np.random.default_rng(2)
    a, b = rng.normal(size=25), rng.normal(size=25)
    found = crossed_means(np.tile(a, (3, 1)), b[None])
    assert found.p == pytest.approx(scipy.stats.ttest_rel(a, b).pvalue)


def seeds_variance(table: Array) -> tuple[float, int]:
    """Of one method: variance of the mean by its seeds, and their degrees of freedom, in loops over cells."""
    seeds, n = table.shape
    whole = sum(table[s, i] for s in range(seeds) for i in range(n)) / (seeds * n)
    by_seed = [sum(table[s, i] for i in range(n)) / n for s in range(seeds)]
    by_item = [sum(table[s, i] for s in range(seeds)) / seeds for i in range(n)]
    between = sum(n * (mean - whole) ** 2 for mean in by_seed) / (seeds - 1)
    rest = sum((table[s, i] - by_seed[s] - by_item[i] + whole) ** 2 for s in range(seeds) for i in range(n))
    component = max(0.0, (between - rest / ((seeds - 1) * (n - 1))) / n)  # of a two-way layout without replication
    return component / seeds, seeds - 1


def test_components_are_those_of_the_two_way_layout() -> None:
    """The whole interval from mean squares as analysis of variance has them, joined as Cochran and Cox have it."""
    rng = np.random.default_rng(3)
    a, b = scores(3, 12, rng, 1.0), scores(5, 12, rng, 0.8)
    gap = a.mean(axis=0) - b.mean(axis=0)
    by_items = gap.var(ddof=1) / 12
    (one, df_one), (two, df_two) = seeds_variance(a), seeds_variance(b)
    assert one > 0
    assert two > 0
    df = (one + two) ** 2 / (one**2 / df_one + two**2 / df_two)
    critical = by_items * scipy.stats.t.ppf(0.975, 11) + (one + two) * scipy.stats.t.ppf(0.975, df)
    width = critical / math.sqrt(by_items + one + two)
    found = crossed_means(a, b)
    assert (found.interval.low, found.interval.high) == pytest.approx((gap.mean() - width, gap.mean() + width))


@pytest.mark.parametrize("level", [0.5, 0.9, 0.99, 0.999])
def test_p_inverts_the_interval(level: float) -> None:
    """Shifted so that a limit is 0, p is 1 - level."""
    rng = np.random.default_rng(4)
    a, b = scores(3, 15, rng), scores(3, 15, rng)
    found = crossed_means(a, b, level=level)
    assert crossed_means(a - found.interval.low, b, level=level).p == pytest.approx(1 - level)


def test_a_difference_far_beyond_chance_has_a_p_above_nought() -> None:
    rng = np.random.default_rng(5)
    found = crossed_means(scores(3, 400, rng) + 100, scores(3, 400, rng))
    assert 0 < found.p < 1e-4


def test_more_spread_between_seeds_widens_the_interval() -> None:
    rng = np.random.default_rng(6)
    a, b = scores(4, 50, rng, 0.0), scores(4, 50, rng, 0.0)
    shift = np.array([[-1.0], [1.0], [-1.0], [1.0]])
    widths = [found.interval.high - found.interval.low for found in (crossed_means(a, b), crossed_means(a + shift, b))]
    assert widths[1] > 2 * widths[0]


def test_the_same_seeds_in_another_order_do_not_differ() -> None:
    """Sums of thirds come out differently in another order, by a rounding; that is no difference."""
    a = np.random.default_rng(11).random((7, 40)) / 3
    for order in np.random.default_rng(12).permuted(np.tile(np.arange(7), (20, 1)), axis=1):
        found = crossed_means(a, a[order])
        assert (found.difference, found.p) == (0, 1)
        assert found.interval.covers(0)


def test_corpus_metrics_by_pseudo_values() -> None:
    """Of a mean they are the scores: the same result."""
    rng = np.random.default_rng(9)
    a, b = scores(3, 20, rng), scores(3, 20, rng)

    def spread(table: Array) -> Array:
        rows = (np.column_stack([seed, np.ones(20)]) for seed in table)
        return np.array([pseudo_values(row, lambda sums: sums[:, 0] / sums[:, 1]) for row in rows])

    found, expected = crossed_means(spread(a), spread(b)), crossed_means(a, b)
    assert found.difference == pytest.approx(expected.difference)
    assert found.p == pytest.approx(expected.p)


@pytest.mark.parametrize(
    ("a", "b"),
    [
        ([], [[1.0, 2.0]]),
        ([1.0, 2.0], [[1.0, 2.0]]),
        ([[1.0]], [[1.0]]),
        ([[1.0, 2.0]], [[1.0, 2.0, 3.0]]),
        ([[1.0, float("nan")]], [[1.0, 2.0]]),
        (np.ones((0, 4)), np.ones((1, 4))),
    ],
)
def test_refusals(a: list[list[float]], b: list[list[float]]) -> None:
    with pytest.raises(ValueError, match=r"is needed|are needed|same items|finite"):
        crossed_means(a, b)


def test_refuses_levels() -> None:
    table = [[1.0, 2.0, 4.0], [2.0, 1.0, 3.0]]
    with pytest.raises(ValueError, match="level"):
        crossed_means(table, table, level=1.0)


def test_parts_and_pooled_error_by_hand() -> None:
    a, b = scores(3, 12, np.random.default_rng(7), 1.0), scores(2, 12, np.random.default_rng(8), 0.8)
    found = components(a, b)
    (one, _), (two, _) = seeds_variance(a), seeds_variance(b)
    items = (a.mean(axis=0) - b.mean(axis=0)).var(ddof=1) / 12
    assert found.error == pytest.approx(math.sqrt(items + one + two))
    assert replace(found, seeds=None).error == pytest.approx(math.sqrt(items))
    assert statistics.seeds_variance(a) == pytest.approx((one, 2))
    t = scipy.stats.ttest_ind(a.mean(axis=1), b.mean(axis=1))
    error, df = pooled_error(a, b)
    assert (error, df) == pytest.approx(((a.mean() - b.mean()) / t.statistic, 3))
    assert pooled_error(a[:1], b[:1]) == (0.0, 0)
    alone = float(np.std(a.mean(axis=1), ddof=1)) * math.sqrt(1 / 3 + 1)
    assert pooled_error(a, b[:1]) == pytest.approx((alone, 2))


def test_what_is_said_of_it() -> None:
    found = crossed_means([[1.0, 2.0, 4.0]], [[2.0, 1.0, 3.0]])
    assert (found.method, found.interval.level) == ("variance components of seeds and items, t", 0.95)
    limits = scipy.stats.ttest_rel([1.0, 2.0, 4.0], [2.0, 1.0, 3.0]).confidence_interval(0.95)
    assert (found.interval.low, found.interval.high) == pytest.approx((limits.low, limits.high))


def test_items_that_all_differ_by_the_same_leave_no_doubt() -> None:
    found = crossed_means([[2.0, 3.0, 5.0]], [[1.0, 2.0, 4.0]])
    assert (found.difference, found.interval.low, found.interval.high) == (1.0, 1.0, 1.0)
    assert 0 < found.p < 1e-250


def test_a_difference_of_a_rounding_is_none() -> None:
    """A part in 10^13 of the largest score, of whichever side and sign, is one; five times that is not."""
    values = np.array([[0.25, -1.0, 0.5]])
    for a, b in ((values, values / 2), (values / 2, values), (-values, values / 2), (values / 2, -values)):
        for gap, is_one in ((5e-14, True), (5e-13, False)):
            level = a - a.mean() + b.mean() + gap
            assert (crossed_means(level, b).difference == 0) is is_one


def test_half_of_the_width_by_the_tail_that_is_left_out() -> None:
    found = components([[1.0, 2.0, 4.0, 3.0]], [[2.0, 1.0, 3.0, 3.5]])
    t = scipy.stats.t.isf(0.1, 3)
    assert found.half_width(0.1) == pytest.approx(t * found.error)
    assert found.p(t * found.error) == pytest.approx(0.2)
    assert found.p(0.0) == 1.0
