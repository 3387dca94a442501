"""Equivalence: scipy's one-sided t-tests and bootstrap as second implementations."""

from __future__ import annotations

import numpy as np
import pytest
import scipy.stats  # type: ignore[import-untyped]  # scipy ships no types

from bench.analysis.statistics.equivalence import tost, tost_bootstrap, within
from bench.analysis.statistics.intervals import Interval

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
