"""One-sided tests against any null, and the chances of the gate's rules: scipy, enumeration and published figures."""

from __future__ import annotations

import math

import numpy as np
import pytest
import scipy.optimize  # type: ignore[import-untyped]  # scipy ships no types
import scipy.stats  # type: ignore[import-untyped]  # scipy ships no types
from hypothesis import given
from hypothesis import strategies as st

from bench.analysis.statistics import drops, onesided, resampling
from bench.analysis.statistics.onesided import tango
from bench.analysis.statistics.paired import PairedTable, corpus_draws, paired_draws, table
from bench.analysis.statistics.randomisation import exchanged_corpus, exchanged_means
from bench.analysis.statistics.seeds import crossed_means


def constrained(only_a: int, only_b: int, n: int, null: float) -> float:
    """Tango's statistic with the maximum of the likelihood found by search."""
    low, high = max(0.0, -null) + 1e-12, (1 - null) / 2 - 1e-12

    def loss(share: float) -> float:
        rest = n - only_a - only_b
        return -(only_a * math.log(share + null) + only_b * math.log(share) + rest * math.log(1 - 2 * share - null))

    share = scipy.optimize.minimize_scalar(loss, bounds=(low, high), method="bounded", options={"xatol": 1e-13}).x
    return float((only_a - only_b - n * null) / math.sqrt(n * (2 * share + null - null**2)))


@pytest.mark.parametrize(
    ("only_a", "only_b", "n", "null"),
    [
        (14, 3, 40, 0.1),
        (5, 9, 60, -0.05),
        (1, 1, 20, -0.3),
        (0, 0, 50, -0.02),
        (3, 0, 44, 0.2),
        (30, 31, 900, -0.02),
        (0, 0, 5, -0.05),
    ],
)
def test_tango_maximises_the_constrained_likelihood(only_a: int, only_b: int, n: int, null: float) -> None:
    assert onesided.tango(only_a, only_b, n, null) == pytest.approx(constrained(only_a, only_b, n, null), abs=1e-6)


def test_tango_at_zero_is_mcnemars_without_correction() -> None:
    assert onesided.tango(12, 5, 70, 0.0) == pytest.approx((12 - 5) / math.sqrt(17))
    assert onesided.tango(0, 0, 10, 0.0) == 0.0


def test_tango_interval_as_published() -> None:
    """Airway hyper-responsiveness of 21 children, 1 and 7 discordant: -0.517 to -0.026.

    Fagerland, Lydersen and Laake 2014, Statistics in Medicine 33, 2850-2875.
    """
    found = onesided.of_counts(PairedTable(1, 1, 7, 12)).interval(0.95)
    assert (found.low, found.high) == pytest.approx((-0.517, -0.026), abs=5e-4)


@pytest.mark.parametrize(("only_a", "only_b"), [(0, 0), (3, 3), (2, 9), (9, 2), (0, 6)])
def test_shares_against_zero_are_the_exact_binomial(only_a: int, only_b: int) -> None:
    found = onesided.of_counts(PairedTable(20, only_a, only_b, 10))
    if only_a + only_b:
        less = scipy.stats.binomtest(only_a, only_a + only_b, 0.5, alternative="less").pvalue
        more = scipy.stats.binomtest(only_a, only_a + only_b, 0.5, alternative="greater").pvalue
    else:
        less = more = 1.0
    assert (found.below(0.0), found.above(0.0)) == pytest.approx((less, more))


@given(st.integers(0, 40), st.integers(0, 40), st.integers(1, 100), st.sampled_from([0.8, 0.9, 0.95]))
def test_limits_of_shares_are_where_a_test_turns(only_a: int, only_b: int, rest: int, level: float) -> None:
    found = onesided.of_counts(PairedTable(rest, only_a, only_b, 3))
    interval = found.interval(level)
    tail = (1 - level) / 2
    assert interval.low <= found.difference <= interval.high
    if interval.low not in (-1.0, 0.0):
        assert found.above(interval.low) == pytest.approx(tail, abs=1e-6)
    if interval.high not in (1.0, 0.0):
        assert found.below(interval.high) == pytest.approx(tail, abs=1e-6)


@given(st.lists(st.tuples(st.integers(0, 1), st.integers(0, 1)), min_size=1, max_size=40), st.floats(-0.5, 0.5))
def test_turning_a_comparison_round_turns_its_tails(rows: list[tuple[int, int]], null: float) -> None:
    a, b = ([float(row[side]) for row in rows] for side in (0, 1))
    one, other = onesided.shares(a, b), onesided.shares(b, a)
    assert one.below(null) == pytest.approx(other.above(-null), abs=1e-12)
    assert one.discordance == table(a, b).discordance


def test_means_are_exchanged_against_zero_and_resampled_elsewhere() -> None:
    rng = np.random.default_rng(1)
    a = rng.random(60)
    b = a + rng.normal(0.03, 0.15, 60)
    found, expected, swapped = onesided.means(a, b), paired_draws(a, b), exchanged_means(a, b)
    assert (found.below(0.0), found.above(0.0)) == (swapped.below, swapped.above)
    low, high = resampling.limits(expected, 0.95)
    assert (found.interval(0.95).low, found.interval(0.95).high) == (low, high)
    assert found.above(low) == pytest.approx(0.025, abs=0.001)
    assert found.error == pytest.approx(float(np.std(a - b)) / math.sqrt(60), rel=0.03)


def test_a_bootstrap_against_a_margin_is_near_the_shifted_t_test() -> None:
    rng = np.random.default_rng(2)
    a = rng.normal(size=200)
    b = a + rng.normal(0.05, 0.5, 200)
    for null in (-0.15, -0.05, 0.0):
        t = scipy.stats.ttest_1samp(a - b, null, alternative="less").pvalue
        assert onesided.means(a, b).below(null) == pytest.approx(float(t), abs=0.01)


@pytest.mark.parametrize("spread", [0.0, 0.02, 0.2])
def test_seeds_have_to_convince_two_tests(spread: float) -> None:
    """Items and seeds together, and Student's t of the seeds' means as scipy has it."""
    rng = np.random.default_rng(3)
    a, b = (0.5 + rng.normal(0, spread, (k, 1)) + rng.normal(0, 0.3, (k, 80)) for k in (3, 4))
    b += 0.05
    found, expected = onesided.crossed(a, b), crossed_means(a, b)
    t = scipy.stats.ttest_ind(a.mean(axis=1), b.mean(axis=1))
    assert found.difference == expected.difference
    assert 2 * min(found.below(0.0), found.above(0.0)) == pytest.approx(max(expected.p, float(t.pvalue)))
    assert found.below(0.0) + found.above(0.0) == pytest.approx(1.0)
    interval, student = found.interval(0.95), t.confidence_interval(0.95)
    assert interval.low == pytest.approx(min(expected.interval.low, student.low))
    assert interval.high == pytest.approx(max(expected.interval.high, student.high))
    limit = found.interval(0.9).low
    assert found.above(limit) == pytest.approx(0.05, abs=1e-6)


def test_no_change_at_all_is_no_drop() -> None:
    same = [1.0, 0.0, 1.0, 1.0] * 50
    for found in (
        onesided.shares(same, same),
        onesided.means(same, same),
        onesided.crossed([same, same], [same, same]),
    ):
        assert found.below(0.0) >= 0.5
        assert found.above(-0.05) < 0.05


def test_corpus_differences_are_resampled() -> None:
    rng = np.random.default_rng(4)
    rows = np.column_stack([rng.integers(0, 9, 50), np.full(50, 10)])
    other = np.column_stack([rng.integers(0, 9, 50), np.full(50, 10)])
    by_mean = onesided.means(rows[:, 0] / 10, other[:, 0] / 10)
    found = onesided.corpus(rows, other, lambda sums: sums[:, 0] / sums[:, 1])
    assert found.difference == pytest.approx(by_mean.difference)
    assert found.below(-0.02) == pytest.approx(by_mean.below(-0.02), abs=0.02)
    assert found.below(0.0) == pytest.approx(by_mean.below(0.0), abs=0.02)


def found(gained: int, lost: int, n: int, alpha: float, margin: float) -> bool:
    p = scipy.stats.binomtest(gained, gained + lost, alternative="less").pvalue if gained + lost else 1.0
    return bool(p <= alpha and (lost - gained) / n > margin + 1e-12)


def within(gained: int, lost: int, n: int, alpha: float, margin: float) -> bool:
    return bool(tango(gained, lost, n, -margin) >= scipy.stats.norm.ppf(1 - alpha))


def enumerated(rule: object, n: int, discordance: float, drop: float, alpha: float, margin: float) -> float:
    assert callable(rule)
    law = scipy.stats.multinomial(n, [(discordance - drop) / 2, (discordance + drop) / 2, 1 - discordance])
    return sum(
        float(law.pmf([gained, lost, n - gained - lost]))
        for gained in range(n + 1)
        for lost in range(n + 1 - gained)
        if rule(gained, lost, n, alpha, margin)
    )


@pytest.mark.parametrize(
    ("n", "discordance", "drop", "alpha", "margin"),
    [
        (1, 0.5, 0.2, 0.05, 0.0),
        (20, 0.4, 0.3, 0.05, 0.0),
        (30, 0.3, 0.2, 0.05, 0.05),
        (30, 0.3, 0.3, 0.01, 0.25),
        (25, 1.0, 0.4, 0.001, 0.1),
    ],
)
def test_chance_of_finding_by_enumeration(n: int, discordance: float, drop: float, alpha: float, margin: float) -> None:
    expected = enumerated(found, n, discordance, drop, alpha, margin)
    assert drops.found_shares(n, discordance, drop, alpha=alpha, margin=margin) == pytest.approx(expected, abs=1e-9)


@pytest.mark.parametrize(
    ("n", "discordance", "margin", "alpha"),
    [(30, 0.3, 0.2, 0.05), (30, 0.1, 0.1, 0.05), (25, 0.6, 0.3, 0.01), (12, 0.2, 0.02, 0.05)],
)
def test_chance_of_passing_by_enumeration(n: int, discordance: float, margin: float, alpha: float) -> None:
    expected = enumerated(within, n, discordance, 0.0, alpha, margin)
    assert drops.within_shares(n, discordance, margin, alpha=alpha) == pytest.approx(expected, abs=1e-9)


def test_an_unchanged_candidate_is_failed_with_a_chance_of_at_most_alpha() -> None:
    for n in (20, 200, 1000):
        for alpha in (0.05, 0.05 / 50):
            assert drops.found_shares(n, 0.1, 0.0, alpha=alpha) <= alpha


@pytest.mark.parametrize(("n", "drop"), [(50, 0.1), (200, 0.05), (1000, 0.02)])
def test_chance_of_means_is_near_the_noncentral_t(n: int, drop: float) -> None:
    sd = 0.3
    error = sd / math.sqrt(n)
    critical = drops.one_sided_critical([(error**2, n - 1)], 0.05)
    t = scipy.stats.t.ppf(0.95, n - 1)
    assert critical == pytest.approx(t * error)
    expected = 1 - scipy.stats.nct.cdf(t, n - 1, drop / error)
    assert drops.found_means(error, critical, drop) == pytest.approx(float(expected), abs=0.01)
    assert drops.within_means(error, critical, drop) == pytest.approx(float(expected), abs=0.01)  # the same by symmetry


def test_a_margin_beyond_the_critical_value_is_what_must_be_exceeded() -> None:
    assert drops.found_means(0.01, 0.016, 0.04, margin=0.04) == pytest.approx(0.5)
    assert drops.found_means(0.0, 0.0, 0.04, margin=0.02) == 1.0
    assert drops.found_means(0.0, 0.0, 0.04, margin=0.05) == 0.0


def test_items_needed_are_enough_and_one_less_is_not() -> None:
    def chance(n: int) -> float:
        return drops.found_shares(n, 0.1, 0.04, alpha=0.05, margin=0.02)

    needed = drops.items_needed(chance, 0.8)
    assert needed is not None
    assert chance(needed) >= 0.8 > chance(needed - 1)
    by_hand = 0.1 * ((1.645 + 0.842) / 0.04) ** 2  # normal approximation
    assert needed == pytest.approx(by_hand, rel=0.15)
    assert drops.items_needed(lambda n: 0.5, 0.8) is None


@pytest.mark.parametrize(
    "arguments", [(0, 0.1, 0.0, 0.05), (9, 0.0, 0.0, 0.05), (9, 0.1, 0.2, 0.05), (9, 0.1, 0.0, 1.0)]
)
def test_what_is_out_of_range_is_refused(arguments: tuple[int, float, float, float]) -> None:
    n, discordance, drop, alpha = arguments
    with pytest.raises(ValueError, match=r"n|discordance|drop|alpha"):
        drops.found_shares(n, discordance, drop, alpha=alpha)


@pytest.mark.parametrize("level", [0.5, 0.9])
def test_seeds_alone_are_students_pooled_t(level: float) -> None:
    a, b = [0.3, 0.5, 0.4, 0.9], [0.6, 0.7, 0.9]
    found, t = onesided.of_seeds(a, b), scipy.stats.ttest_ind(a, b)
    assert found.difference == pytest.approx(np.mean(a) - np.mean(b))
    assert (found.units, found.method, found.discordance) == (7, "pooled t of seeds", None)
    for null in (-0.4, 0.0, 0.3):
        less = scipy.stats.ttest_ind(np.array(a) - null, b, alternative="less").pvalue
        assert (found.below(null), found.above(null)) == pytest.approx((float(less), 1 - float(less)))
    limits, interval = t.confidence_interval(level), found.interval(level)
    assert (interval.low, interval.high, interval.level) == pytest.approx((limits.low, limits.high, level))
    assert found.error == pytest.approx(found.difference / t.statistic)
    two = onesided.of_seeds([1.0], [2.0, 4.0])  # one side says nothing of the spread: one degree of freedom
    assert two.error == pytest.approx(math.sqrt(2 * (1 + 1 / 2)))
    assert two.below(0.0) == pytest.approx(scipy.stats.t.cdf(-2 / two.error, 1))


def test_figures_that_no_seed_moves_differ_for_certain_or_not_at_all() -> None:
    apart, same = onesided.of_seeds([1.0, 1.0], [2.0, 2.0]), onesided.of_seeds([1.0, 1.0], [1.0, 1.0])
    assert (apart.below(0.0), apart.above(0.0), apart.interval(0.9).low, apart.error) == (0.0, 1.0, -1.0, 0.0)
    assert (same.below(0.0), same.above(0.0), same.below(0.1), same.above(0.1)) == (0.5, 0.5, 0.0, 1.0)


def test_items_alone_are_the_paired_t_test_of_the_seeds_means() -> None:
    rng = np.random.default_rng(5)
    a, b = rng.normal([[2.3], [0.3], [1.3]], 1, (3, 20)), rng.normal(1, 1, (2, 20))
    found, t = onesided.items(a, b), scipy.stats.ttest_rel(a.mean(axis=0), b.mean(axis=0))
    below = float(scipy.stats.ttest_rel(a.mean(axis=0), b.mean(axis=0), alternative="less").pvalue)
    assert (found.below(0.0), found.above(0.0)) == pytest.approx((below, 1 - below))
    limits, interval = t.confidence_interval(0.9), found.interval(0.9)
    assert (interval.low, interval.high, interval.level) == pytest.approx((limits.low, limits.high, 0.9))
    assert (found.units, found.method) == (20, "paired t over items, seeds combined")
    assert found.error == pytest.approx(found.difference / t.statistic)


def test_one_seed_each_leaves_the_items() -> None:
    rng = np.random.default_rng(6)
    a, b = rng.normal(size=(1, 15)), rng.normal(size=(1, 15))
    found, t = onesided.crossed(a, b), scipy.stats.ttest_rel(a[0], b[0])
    limits, interval = t.confidence_interval(0.9), found.interval(0.9)
    assert (interval.low, interval.high) == pytest.approx((limits.low, limits.high))
    assert 2 * min(found.below(0.0), found.above(0.0)) == pytest.approx(float(t.pvalue))
    assert (found.units, found.method) == (15, "variance components of seeds and items, t; pooled t of seeds")
    assert found.error == pytest.approx(found.difference / t.statistic)


def test_figures_of_shares_by_hand() -> None:
    """6 and 2 discordant of 40: a difference of 0.1, a share of 0.2."""
    found = onesided.of_counts(PairedTable(20, 6, 2, 12))
    assert found.difference == pytest.approx(0.1)
    assert found.error == pytest.approx(math.sqrt((0.2 - 0.01) / 40))
    assert (found.units, found.discordance) == (40, 0.2)
    assert found.method == "McNemar, exact, one-sided; Tango's score"
    assert found.interval(0.8).level == 0.8
    assert found.below(0.15) == pytest.approx(scipy.stats.norm.cdf(constrained(6, 2, 40, 0.15)), abs=1e-6)
    assert found.above(0.15) == pytest.approx(scipy.stats.norm.sf(constrained(6, 2, 40, 0.15)), abs=1e-6)
    assert onesided.of_counts(PairedTable(0, 3, 0, 0)).error == 0.0


def test_shares_that_cannot_be_further_apart_end_where_the_scale_does() -> None:
    """Of nine alone right: z^2 = 9 (1 - null) / (1 + null), solved for the null."""
    found, z2 = onesided.of_counts(PairedTable(0, 9, 0, 0)).interval(0.9), scipy.stats.norm.ppf(0.95) ** 2
    assert (found.low, found.high) == pytest.approx(((9 - z2) / (9 + z2), 1.0))
    other = onesided.of_counts(PairedTable(0, 0, 9, 0)).interval(0.9)
    assert (other.low, other.high) == pytest.approx((-found.high, -found.low))
    assert tango(3, 1, 10, 1.0) == -math.inf
    assert tango(1, 3, 10, -1.0) == math.inf


@pytest.mark.parametrize("groups", [None, [0, 0, 1, 1, 2, 2, 3, 3, 4, 5]])
def test_means_and_corpus_metrics_take_the_draws_and_groups_that_are_said(groups: list[int] | None) -> None:
    rng = np.random.default_rng(7)
    a, b = rng.random(10), rng.random(10)
    rows, others = (np.column_stack([side, np.ones(10)]) for side in (a, b))

    def ratio(sums: np.ndarray) -> np.ndarray:
        return np.asarray(sums[:, 0] / sums[:, 1])

    for found, draws, swapped in (
        (
            onesided.means(a, b, groups=groups, draws=150),
            paired_draws(a, b, groups=groups, draws=150),
            exchanged_means(a, b, groups=groups, draws=150),
        ),
        (
            onesided.corpus(rows, others, ratio, groups=groups, draws=150),
            corpus_draws(rows, others, ratio, groups=groups, draws=150),
            exchanged_corpus(rows, others, ratio, groups=groups, draws=150),
        ),
    ):
        assert (found.below(0.0), found.above(0.0)) == (swapped.below, swapped.above)
        assert found.below(0.05) == resampling.above(draws, 0.05)
        assert found.above(0.05) == resampling.below(draws, 0.05)
        assert (found.difference, found.error) == (draws.observed, float(np.std(draws.values)))
        assert (found.interval(0.7).low, found.interval(0.7).high) == resampling.limits(draws, 0.7)
        assert found.interval(0.7).level == 0.7
        units = "10 items" if groups is None else "6 groups"
        assert (found.units, found.method) == (
            int(units.split()[0]), f"exchange of {units}; paired bootstrap of them, expanded",
        )  # fmt: skip


@pytest.mark.parametrize(("n", "discordance", "drop"), [(400, 0.1, 0.03), (3000, 0.5, 0.02), (300, 0.02, 0.01)])
def test_chances_of_many_items_are_averages_over_all_counts(n: int, discordance: float, drop: float) -> None:
    """Of every number of discordant items, with scipy; no tail is left out."""
    counts = np.arange(n + 1)
    weights = scipy.stats.binom.pmf(counts, n, discordance)
    critical = scipy.stats.binom.isf(0.05, counts, 0.5) + 1  # the fewest losses with a tail of at most alpha
    tail = scipy.stats.binom.sf(critical - 1, counts, 0.5)
    assert (tail <= 0.05).all()
    critical = np.where(scipy.stats.binom.sf(critical - 2, counts, 0.5) <= 0.05, critical - 1, critical)
    expected = weights @ scipy.stats.binom.sf(critical - 1, counts, (1 + drop / discordance) / 2)
    assert drops.found_shares(n, discordance, drop, alpha=0.05) == pytest.approx(float(expected), abs=1e-9)


def test_without_an_error_a_drop_is_found_or_not() -> None:
    assert [drops.found_means(0.0, 0.02, drop) for drop in (0.01, 0.02, 0.03)] == [0.0, 0.0, 1.0]
    assert [drops.found_means(0.0, 0.01, drop, margin=0.02) for drop in (0.02, 0.03)] == [0.0, 1.0]
    assert [drops.within_means(0.0, critical, 0.02) for critical in (0.01, 0.02, 0.03)] == [1.0, 0.0, 0.0]
    assert drops.found_means(2.0, 1.0, 4.0) == pytest.approx(scipy.stats.norm.cdf(1.5))
    assert drops.within_means(2.0, 1.0, 4.0) == pytest.approx(scipy.stats.norm.cdf(1.5))


def test_a_critical_value_is_weighted_by_the_variances() -> None:
    t = [scipy.stats.t.ppf(0.95, df) for df in (3, 50)]
    expected = (0.4 * t[0] + 0.1 * t[1]) / math.sqrt(0.5)
    assert drops.one_sided_critical([(0.4, 3), (0.1, 50)], 0.05) == pytest.approx(expected)
    assert drops.one_sided_critical([(0.0, 3)], 0.05) == 0.0


@pytest.mark.parametrize("least", [1, 2, 3, 7, 8, 9, 999, 1000])
def test_items_needed_are_searched_up_to_the_most(least: int) -> None:
    asked = []

    def chance(n: int) -> float:
        asked.append(n)
        return 0.8 if n >= least else 0.5

    assert drops.items_needed(chance, 0.8, 1000) == least
    assert max(asked) == 1000
    assert {type(n) for n in asked} == {int}
    assert len(asked) <= 25
    assert drops.items_needed(lambda n: float(n > 10_000_000), 0.8) is None
    assert drops.items_needed(lambda n: float(n >= 10_000_000), 0.8) == 10_000_000
