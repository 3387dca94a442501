"""Exchange and equivalence tests: scipy as second implementation, and every exchange of few items."""

from __future__ import annotations

from itertools import product

import numpy as np
import pytest
import scipy.stats  # type: ignore[import-untyped]  # scipy ships no types
from hypothesis import example, given, settings
from hypothesis import strategies as st

from bench.analysis.statistics.equivalence import tost, tost_bootstrap, within
from bench.analysis.statistics.intervals import Interval
from bench.analysis.statistics.randomisation import exchanged_corpus, exchanged_means

NUMBERS = st.lists(st.tuples(st.integers(0, 4), st.integers(0, 4)), min_size=2, max_size=25)


@pytest.mark.parametrize("shift", [-0.2, 0.0, 0.1])
def test_few_items_by_every_exchange_with_scipy(shift: float) -> None:
    rng = np.random.default_rng(0)
    a = rng.normal(size=10)
    b = a + rng.normal(shift, 0.4, 10)
    found = exchanged_means(a, b, draws=40_000)
    for side, p in (("less", found.below), ("greater", found.above)):
        expected = scipy.stats.permutation_test(
            (a, b), lambda x, y: np.mean(x - y), permutation_type="samples", alternative=side, n_resamples=np.inf
        )
        assert p == pytest.approx(float(expected.pvalue), abs=0.01)


@pytest.mark.parametrize(("lost", "gained"), [(0, 0), (6, 1), (9, 9), (3, 12)])
def test_of_zeros_and_ones_it_is_mcnemars(lost: int, gained: int) -> None:
    a = [1.0] * gained + [0.0] * lost + [1.0] * 20
    b = [0.0] * gained + [1.0] * lost + [1.0] * 20
    found = exchanged_means(a, b, draws=40_000)
    discordant = lost + gained
    below = scipy.stats.binomtest(gained, discordant, alternative="less").pvalue if discordant else 1.0
    assert found.below == pytest.approx(float(below), abs=0.01)


def test_a_corpus_metric_by_every_exchange() -> None:
    """A ratio of sums over six items, all 64 exchanges."""
    a = np.array([[3, 9], [1, 4], [0, 5], [2, 2], [4, 8], [1, 6]])
    b = np.array([[4, 9], [3, 4], [1, 6], [1, 3], [6, 8], [5, 7]])

    def ratio(rows: np.ndarray) -> float:
        return float(rows[0] / rows[1])

    observed = ratio(a.sum(axis=0)) - ratio(b.sum(axis=0))
    every = []
    for swap in product((False, True), repeat=6):
        mask = np.array(swap)[:, None]
        every.append(ratio(np.where(mask, b, a).sum(axis=0)) - ratio(np.where(mask, a, b).sum(axis=0)))
    found = exchanged_corpus(a, b, ratio, draws=40_000)
    assert found.difference == pytest.approx(observed)
    assert found.below == pytest.approx(np.mean(np.array(every) <= observed + 1e-12), abs=0.01)
    assert found.above == pytest.approx(np.mean(np.array(every) >= observed - 1e-12), abs=0.01)


@given(NUMBERS, st.randoms())
@example([(0, 1), (1, 0)], None)
@settings(max_examples=50)
def test_order_and_side_change_nothing(rows: list[tuple[int, int]], random: object) -> None:
    a, b = ([float(row[side]) for row in rows] for side in (0, 1))
    one, other = exchanged_means(a, b, draws=500), exchanged_means(b, a, draws=500)
    assert (one.difference, one.below, one.above) == (-other.difference, other.above, other.below)
    shuffled = exchanged_means(a[::-1], b[::-1], draws=500)
    assert (shuffled.below, shuffled.above) == (one.below, one.above)


def test_groups_change_sides_together() -> None:
    rng = np.random.default_rng(1)
    a, b = rng.random(12), rng.random(12)
    once = exchanged_means(a, b, draws=20_000)
    copies = exchanged_means(np.repeat(a, 5), np.repeat(b, 5), groups=np.repeat(range(12), 5).tolist(), draws=20_000)
    assert copies.below == pytest.approx(once.below)


def test_a_few_items_that_differ_are_no_more_than_they_are() -> None:
    """Four losses and nothing else: one sign pattern of sixteen."""
    a = np.array([0.2, 0.1, 0.4, 0.3] + [0.5] * 300)
    b = np.array([0.9, 0.8, 0.7, 0.6] + [0.5] * 300)
    assert exchanged_means(a, b).below == pytest.approx(1 / 16, abs=0.01)


def test_no_difference_is_no_evidence() -> None:
    found = exchanged_means([1.0, 2.0], [1.0, 2.0])
    assert (found.below, found.above) == (1.0, 1.0)


def test_what_cannot_be_tested_is_refused() -> None:
    with pytest.raises(ValueError, match="draws"):
        exchanged_means([1.0, 2.0], [1.0, 3.0], draws=10)
    with pytest.raises(ValueError, match="shape"):
        exchanged_corpus([[1, 2], [3, 4]], [[1], [2]], lambda rows: 0.0)
    with pytest.raises(ValueError, match="a has 1 rows"):
        exchanged_means([1.0], [1.0])


# Student 1908, Biometrika 6, p. 20: hours of sleep gained by two drugs.
FIRST = [0.7, -1.6, -0.2, -1.2, -0.1, 3.4, 3.7, 0.8, 0.0, 2.0]
SECOND = [1.9, 0.8, 1.1, 0.1, -0.1, 4.4, 5.5, 1.6, 4.6, 3.4]


@pytest.mark.parametrize("margin", [0.5, 1.58, 2.0, 2.3, 3.0])
def test_tost_is_two_t_tests(margin: float) -> None:
    gap = np.subtract(FIRST, SECOND)
    low = scipy.stats.ttest_1samp(gap, -margin, alternative="greater").pvalue
    high = scipy.stats.ttest_1samp(gap, margin, alternative="less").pvalue
    found = tost(FIRST, SECOND, margin)
    assert found.p == pytest.approx(max(low, high))
    assert found.equivalent == (max(low, high) <= 0.05)


def test_tost_of_students_sleep_by_hand() -> None:
    """Mean -1.58, standard error 4.0621^-1 of it, 1.833113 of those (t of 9 at 0.95): 2.2930 is the outer limit."""
    found = tost(FIRST, SECOND, 2.3)
    assert found.difference == pytest.approx(-1.58)
    assert (found.interval.low, found.interval.high) == pytest.approx((-2.2930, -0.8670), abs=1e-4)
    assert (found.interval.level, found.n, found.equivalent) == (0.9, 10, True)
    assert not tost(FIRST, SECOND, 2.29).equivalent


@pytest.mark.parametrize("margin", [0.02, 0.05, 0.06, 0.1])
def test_interval_and_p_agree(margin: float) -> None:
    rng = np.random.default_rng(1)
    a = rng.normal(size=50)
    b = a + rng.normal(0.02, 0.1, size=50)
    for found in (tost(a, b, margin), tost_bootstrap(a, b, margin, draws=5000)):
        assert found.equivalent == within(found.interval, margin)


def test_bootstrap_is_near_the_t_tests() -> None:
    rng = np.random.default_rng(2)
    a = rng.random(60)
    b = a + rng.normal(0.0, 0.2, size=60)
    exact, drawn = tost(a, b, 0.06), tost_bootstrap(a, b, 0.06, draws=40_000)
    assert drawn.p == pytest.approx(exact.p, abs=0.01)
    assert drawn.interval.low == pytest.approx(exact.interval.low, abs=0.004)
    assert drawn.method == "TOST, paired bootstrap, expanded"


def test_bootstrap_counts_scipys_draws() -> None:
    rng = np.random.default_rng(3)
    gap = rng.exponential(0.1, size=40) - 0.1
    draws = scipy.stats.bootstrap((gap,), np.mean, n_resamples=40_000, rng=rng).bootstrap_distribution
    expected = max((draws <= -0.03).mean(), (draws >= 0.03).mean())
    assert tost_bootstrap(gap, np.zeros(40), 0.03, draws=40_000, kind="percentile").p == pytest.approx(
        expected, abs=0.006
    )


def test_groups_that_are_copies_prove_no_more() -> None:
    rng = np.random.default_rng(4)
    a, b = rng.normal(size=15), rng.normal(size=15)
    one = tost_bootstrap(a, b, 0.5, draws=2000)
    many = tost_bootstrap(np.repeat(a, 8), np.repeat(b, 8), 0.5, draws=2000, groups=np.repeat(range(15), 8).tolist())
    assert many.p == pytest.approx(one.p, abs=1e-3)
    assert many.n == 120


@pytest.mark.filterwarnings("error")
def test_no_spread_at_all() -> None:
    assert tost([1.0, 2.0], [1.0, 2.0], 0.1).p == 0.0
    assert tost([1.0, 2.0], [0.5, 1.5], 0.5).p == 0.5
    assert tost([1.0, 2.0], [0.0, 1.0], 0.5).p == 1.0
    assert not tost_bootstrap([1.0, 2.0], [0.0, 1.0], 0.5, draws=100).equivalent


def test_right_on_the_margin_alpha_of_data_sets_are_called_equivalent() -> None:
    rng = np.random.default_rng(5)
    called = sum(tost(rng.normal(0.2, 0.4, size=100), np.zeros(100), 0.2).equivalent for _ in range(10_000))
    assert called / 10_000 == pytest.approx(0.05, abs=0.01)


@pytest.mark.parametrize(
    ("low", "high", "expected"), [(-0.1, 0.1, True), (-0.2, 0.1, False), (0.1, 0.2, False), (-0.3, -0.25, False)]
)
def test_within(low: float, high: float, expected: bool) -> None:
    assert within(Interval(low, high, 0.9), 0.2) == expected


class TestRefusals:
    @pytest.mark.parametrize("margin", [0.0, -0.1, float("nan"), float("inf")])
    def test_margin(self, margin: float) -> None:
        for found in (tost, tost_bootstrap):
            with pytest.raises(ValueError, match="margin"):
                found([1.0, 2.0], [1.0, 3.0], margin)
        with pytest.raises(ValueError, match="margin"):
            within(Interval(0, 0, 0.9), margin)

    @pytest.mark.parametrize("alpha", [0.0, 0.5, 1.0])
    def test_alpha(self, alpha: float) -> None:
        for found in (tost, tost_bootstrap):
            with pytest.raises(ValueError, match="alpha"):
                found([1.0, 2.0], [1.0, 3.0], 0.1, alpha=alpha)

    @pytest.mark.parametrize(("a", "b"), [([], []), ([1.0], [1.0]), ([1.0, 2.0], [1.0]), ([1.0, float("nan")], [1, 2])])
    def test_scores(self, a: list[float], b: list[float]) -> None:
        for found in (tost, tost_bootstrap):
            with pytest.raises(ValueError, match=r"[ab] h"):
                found(a, b, 0.1)
