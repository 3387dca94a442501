"""Power: published examples, exact enumeration, scipy and R as second implementations."""

from __future__ import annotations

import math
from functools import cache

import pytest
import scipy.integrate  # type: ignore[import-untyped]  # scipy ships no types
import scipy.stats  # type: ignore[import-untyped]  # scipy ships no types

from bench.analysis.statistics.distributions import noncentral_t_within
from bench.analysis.statistics.intervals import Interval
from bench.analysis.statistics.power import (
    mcnemar_power,
    mdd_interval,
    mdd_means,
    mdd_shares,
    required_n_means,
    required_n_shares,
)


@cache
def rejected(only_a: int, only_b: int, alpha: float, mid_p: bool) -> bool:
    if not only_a + only_b:
        return False
    p = float(scipy.stats.binomtest(only_a, only_a + only_b).pvalue)
    if mid_p and only_a != only_b:
        p -= float(scipy.stats.binom.pmf(only_a, only_a + only_b, 0.5))
    return p <= alpha


def enumerated(n: int, discordance: float, difference: float, alpha: float = 0.05, mid_p: bool = False) -> float:
    """Power as the sum over every pair of discordant counts."""
    of_a, of_b = (discordance + difference) / 2, (discordance - difference) / 2
    law = scipy.stats.multinomial(n, [of_a, of_b, 1 - discordance])
    return sum(
        float(law.pmf([only_a, only_b, n - only_a - only_b]))
        for only_a in range(n + 1)
        for only_b in range(n + 1 - only_a)
        if rejected(only_a, only_b, alpha, mid_p)
    )


@pytest.mark.parametrize("mid_p", [False, True])
@pytest.mark.parametrize(
    ("n", "discordance", "difference"),
    [(1, 0.5, 0.2), (8, 1.0, 0.9), (20, 0.4, 0.3), (20, 0.4, 0.4), (30, 0.2, 0.0), (30, 0.7, 0.35)],
)
def test_power_by_enumeration(n: int, discordance: float, difference: float, mid_p: bool) -> None:
    assert mcnemar_power(n, discordance, difference, mid_p=mid_p) == pytest.approx(
        enumerated(n, discordance, difference, mid_p=mid_p), abs=1e-10
    )


def test_power_of_the_r_package_mess() -> None:
    """Its tests: power_mcnemar_test(144, paid=0.25, psi=45/25, method="exact", one sided at 0.025) has power 0.80."""
    assert mcnemar_power(144, 0.70, 0.20) == pytest.approx(0.80, abs=0.005)


def test_size_of_the_exact_test_is_within_alpha() -> None:
    assert all(mcnemar_power(n, 0.3, 0.0) <= 0.05 for n in (10, 50, 200, 1000))


def test_power_on_a_thousand_items_as_simulated() -> None:
    """Three points on 1,000 items with some 12% discordant, simulated with the binomial test of scipy."""
    law = scipy.stats.multinomial(1000, [0.075, 0.045, 0.88], seed=3)
    found = sum(rejected(int(only_a), int(only_b), 0.05, False) for only_a, only_b, _ in law.rvs(4000))
    assert mcnemar_power(1000, 0.12, 0.03) == pytest.approx(found / 4000, abs=0.025)


@pytest.mark.parametrize(("n", "discordance"), [(20, 0.5), (30, 0.3), (25, 1.0)])
def test_mdd_by_enumeration(n: int, discordance: float) -> None:
    found = mdd_shares(n, discordance)
    assert found is not None
    assert enumerated(n, discordance, found + 1e-9) >= 0.8 > enumerated(n, discordance, found - 1e-6)


def test_no_difference_can_be_found_on_few_items() -> None:
    """Five discordant items are significant at 0.05 in no way: twice 1/32 is 0.0625."""
    assert mdd_shares(5, 1.0) is None
    assert mdd_shares(100, 0.01) is None
    assert mdd_shares(6, 1.0) is not None


@pytest.mark.parametrize(
    ("difference", "discordance", "power", "n"),
    [
        # Connor 1987, equation as given by the calculator of powerandsamplesize.com: 0.45 and 0.05 need 23.
        (0.40, 0.50, 0.8, 23),
        # By hand: (1.959964 * 0.447214 + 0.841621 * 0.435890)^2 / 0.01 = 154.6.
        (0.10, 0.20, 0.8, 155),
    ],
)
def test_items_by_connors_formula(difference: float, discordance: float, power: float, n: int) -> None:
    assert required_n_shares(difference, discordance, power=power, method="normal") == n


def test_normal_mdd_inverts_connors_formula() -> None:
    found = mdd_shares(155, 0.20, method="normal")
    assert found == pytest.approx(0.10, abs=2e-4)


def test_required_items_by_enumeration() -> None:
    n = required_n_shares(0.5, 0.6)
    assert enumerated(n, 0.6, 0.5) >= 0.8 > enumerated(n - 1, 0.6, 0.5)


def test_exact_needs_some_more_items_than_the_normal_formula() -> None:
    """The conditional test is conservative: by about one item for each 1 / difference of them."""
    assert 155 < required_n_shares(0.10, 0.20) < 155 + 20
    assert required_n_shares(0.10, 0.20, mid_p=True) < required_n_shares(0.10, 0.20)


def test_large_suites_are_quick_and_near_the_formula() -> None:
    exact, normal = mdd_shares(200_000, 0.1), mdd_shares(200_000, 0.1, method="normal")
    assert exact == pytest.approx(normal, rel=0.01)


def test_items_for_paired_means_in_dalgaard() -> None:
    """Dalgaard 2002, Introductory Statistics with R, section 8.3.

    power.t.test(delta=10, sd=10*sqrt(2), power=0.85, type="paired") needs 19.97 pairs.
    """
    assert required_n_means(10, 10 * math.sqrt(2), power=0.85) == 20


def t_power(n: int, difference: float, sd: float, alpha: float) -> float:
    """By integration over the standard deviation that is estimated; scipy's noncentral t gives no number far out."""
    critical, shift = scipy.stats.t.ppf(1 - alpha / 2, n - 1), difference / sd * math.sqrt(n)

    def missed(spread: float) -> float:
        inside = scipy.stats.norm.cdf(critical * spread - shift) - scipy.stats.norm.cdf(-critical * spread - shift)
        return float(inside * scipy.stats.chi.pdf(spread, n - 1, scale=1 / math.sqrt(n - 1)))

    turn = min(shift / critical, 1 + 9 / math.sqrt(n))
    return 1 - float(scipy.integrate.quad(missed, 0, 1 + 12 / math.sqrt(n), points=[turn, 1], limit=200)[0])


@pytest.mark.parametrize("n", [2, 3, 10, 100, 5000])
@pytest.mark.parametrize("alpha", [0.01, 0.05])
def test_mdd_of_means_has_its_power(n: int, alpha: float) -> None:
    found = mdd_means(n, 0.3, alpha=alpha, power=0.8)
    assert t_power(n, found, 0.3, alpha) == pytest.approx(0.8, abs=1e-6)


def test_far_out_nothing_is_missed() -> None:
    """60 standard errors from 0 with 2 degrees of freedom, where the library has no number."""
    assert noncentral_t_within(scipy.stats.t.ppf(0.9, 2), 2, 60.0) == 0.0


def test_normal_mdd_of_means_by_hand() -> None:
    """(1.959964 + 0.841621) * 0.5 / 10."""
    assert mdd_means(100, 0.5, method="normal") == pytest.approx(0.14007925, abs=1e-7)
    assert required_n_means(0.1400793, 0.5, method="normal") == 100
    assert mdd_means(100, 0.5) == pytest.approx(0.14156, abs=5e-4)  # exact is about 1 + z^2 / 4n wider
    assert mdd_means(100, 0.5) > mdd_means(100, 0.5, method="normal")


@pytest.mark.parametrize("difference", [0.01, 0.1, 1.0, 5.0])
def test_required_items_have_power_and_one_less_has_not(difference: float) -> None:
    n = required_n_means(difference, 0.4)
    assert t_power(n, difference, 0.4, 0.05) >= 0.8
    assert n == 2 or t_power(n - 1, difference, 0.4, 0.05) < 0.8


def test_mdd_of_an_interval() -> None:
    """A standard error of 0.01: 2.801585 of them."""
    reach = 1.959964 * 0.01
    assert mdd_interval(Interval(0.2 - reach, 0.2 + reach, 0.95)) == pytest.approx(0.02801585, abs=1e-8)


class TestRefusals:
    @pytest.mark.parametrize(
        ("n", "discordance", "difference", "alpha"),
        [
            (0, 0.2, 0.1, 0.05),
            (10, 0.0, 0.0, 0.05),
            (10, 1.1, 0.1, 0.05),
            (10, 0.2, 0.3, 0.05),
            (10, 0.2, -0.1, 0.05),
            (10, 0.2, 0.1, 0.0),
            (10, float("nan"), 0.1, 0.05),
        ],
    )
    def test_shares(self, n: int, discordance: float, difference: float, alpha: float) -> None:
        with pytest.raises(ValueError, match=r" is "):
            mcnemar_power(n, discordance, difference, alpha=alpha)

    @pytest.mark.parametrize("power", [0.0, 1.0])
    def test_power(self, power: float) -> None:
        with pytest.raises(ValueError, match="power"):
            mdd_shares(10, 0.2, power=power)
        with pytest.raises(ValueError, match="power"):
            required_n_shares(0.1, 0.2, power=power)
        with pytest.raises(ValueError, match="power"):
            mdd_means(10, 1.0, power=power)
        with pytest.raises(ValueError, match="power"):
            mdd_interval(Interval(0, 1, 0.95), power=power)

    def test_means(self) -> None:
        with pytest.raises(ValueError, match="n is 1"):
            mdd_means(1, 1.0)
        with pytest.raises(ValueError, match="sd is 0"):
            mdd_means(10, 0.0)
        with pytest.raises(ValueError, match="above alpha"):
            mdd_means(10, 1.0, alpha=0.1, power=0.1)
        with pytest.raises(ValueError, match="difference is 0"):
            required_n_means(0.0, 1.0)
        with pytest.raises(ValueError, match="difference is 0"):
            required_n_shares(0.0, 0.2)
