"""Chances of the gate's rules: every pair of counts enumerated, and the noncentral t of scipy."""

from __future__ import annotations

import math

import pytest
import scipy.stats  # type: ignore[import-untyped]  # scipy ships no types

from bench.analysis.statistics import drops
from bench.analysis.statistics.onesided import tango


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
    ("n", "discordance", "margin", "alpha", "drop"),
    [(30, 0.3, 0.2, 0.05, 0.0), (30, 0.1, 0.1, 0.05, 0.02), (25, 0.6, 0.3, 0.01, 0.1), (12, 0.2, 0.02, 0.05, 0.0)],
)
def test_chance_of_passing_by_enumeration(n: int, discordance: float, margin: float, alpha: float, drop: float) -> None:
    expected = enumerated(within, n, discordance, drop, alpha, margin)
    assert drops.within_shares(n, discordance, margin, alpha=alpha, drop=drop) == pytest.approx(expected, abs=1e-9)


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
