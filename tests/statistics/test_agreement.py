"""Cohen's kappa: worked examples, scikit-learn as a second implementation, and how often its interval covers."""

from __future__ import annotations

import numpy as np
import pytest
import scipy.stats  # type: ignore[import-untyped]  # scipy ships no types
from hypothesis import given
from hypothesis import strategies as st
from sklearn.metrics import cohen_kappa_score

from bench.analysis.statistics.agreement import Weights, jackknifed, kappa

RATINGS = st.lists(st.tuples(st.integers(0, 3), st.integers(0, 3)), min_size=4, max_size=40)


def of_table(table: list[list[int]]) -> tuple[list[int], list[int]]:
    """Two raters whose ratings make a table of counts."""
    pairs = [(i, j) for i, row in enumerate(table) for j, count in enumerate(row) for _ in range(count)]
    return [i for i, _ in pairs], [j for _, j in pairs]


def test_an_example_by_hand() -> None:
    """20 + 15 of 50 agree: 0.7; by chance 0.5 * 0.6 + 0.5 * 0.4 = 0.5: kappa 0.4."""
    found = kappa(*of_table([[20, 5], [10, 15]]), 2)
    assert found.share == pytest.approx(0.7)
    assert found.kappa == pytest.approx(0.4)
    assert found.interval.low < 0.4 < found.interval.high
    assert found.count == 50


@pytest.mark.parametrize(("weights", "name"), [("equal", None), ("quadratic", "quadratic")])
@given(RATINGS)
def test_as_scikit_learn_has_it(weights: Weights, name: str | None, pairs: list[tuple[int, int]]) -> None:
    first, second = [a for a, _ in pairs], [b for _, b in pairs]
    if len({*first, *second}) < 2:
        with pytest.raises(ValueError, match="kappa has no value"):
            kappa(first, second, 4, weights=weights)
        return
    expected = cohen_kappa_score(first, second, labels=range(4), weights=name)
    assert kappa(first, second, 4, weights=weights).kappa == pytest.approx(expected, abs=1e-12)


def test_one_who_calls_everything_the_same_agrees_by_chance_alone() -> None:
    """On whatever things: there is nothing to be uncertain of."""
    found = kappa([0, 1] * 30, [0] * 60, 2)
    assert found.kappa == found.interval.low == found.interval.high == 0


def test_even_full_agreement_has_an_interval() -> None:
    few, many = (kappa([0, 1] * n, [0, 1] * n, 2).interval for n in (25, 250))
    assert few.low < many.low < 1
    assert few.high == many.high == 1


def test_judgements_that_are_repeated_are_no_more_evidence() -> None:
    rng = np.random.default_rng(0)
    first = rng.integers(2, size=60)
    second = np.where(rng.random(60) < 0.8, first, 1 - first)
    alone = kappa(first.tolist(), second.tolist(), 2).interval
    repeated = kappa(
        first.repeat(4).tolist(), second.repeat(4).tolist(), 2, groups=np.arange(60).repeat(4).tolist()
    ).interval
    assert repeated.high - repeated.low == pytest.approx(alone.high - alone.low, rel=0.1)


@pytest.mark.parametrize("true", [0.0, 0.4, 0.8])
def test_the_interval_covers_as_often_as_it_says(true: float) -> None:
    """Ratings drawn from a table whose kappa is known; 300 draws of 80 judgements."""
    shares = np.array([0.4, 0.2, 0.4])
    table = np.outer(shares, shares) * (1 - true) + np.diag(true * shares)
    rng = np.random.default_rng(1)
    drawn = rng.choice(9, size=(300, 80), p=table.ravel())
    found = [kappa((row // 3).tolist(), (row % 3).tolist(), 3).interval for row in drawn]
    assert 0.91 <= np.mean([interval.covers(true) for interval in found]) <= 0.99


def test_what_has_no_kappa_is_refused() -> None:
    with pytest.raises(ValueError, match="same things"):
        kappa([0, 1, 0], [0, 1], 2)
    with pytest.raises(ValueError, match="from 0 to 1"):
        kappa([0, 2], [0, 1], 2)


def jackknife(table: np.ndarray, units: list[np.ndarray], level: float) -> tuple[float, float]:
    """Kappa of the table, and Student's interval over pseudo-values of the units, one at a time."""
    k = len(table)

    def of(counts: np.ndarray) -> float:
        n = counts.sum()
        seen = sum(counts[i][i] for i in range(k)) / n
        chance = sum(counts[i].sum() * counts[:, i].sum() for i in range(k)) / n**2
        return float((seen - chance) / (1 - chance))

    whole = np.sum(units, axis=0)
    values = [len(units) * of(whole) - (len(units) - 1) * of(whole - unit) for unit in units]
    interval = scipy.stats.t.interval(level, len(values) - 1, np.mean(values), scipy.stats.sem(values))
    return max(-1.0, float(interval[0])), min(1.0, max(of(table), float(interval[1])))


@pytest.mark.parametrize("level", [0.8, 0.95])
@pytest.mark.parametrize("groups", [None, [0, 0, 1, 1, 1, 2, 3, 4, 4, 5, 6, 6]])
def test_the_interval_is_a_jackknifes_with_two_ratings_by_chance(level: float, groups: list[int] | None) -> None:
    a, b = [0, 0, 1, 1, 2, 2, 0, 1, 2, 0, 1, 2], [0, 1, 1, 1, 2, 0, 0, 1, 2, 0, 2, 2]
    ratings = [np.zeros((3, 3)) for _ in a]
    for cell, i, j in zip(ratings, a, b, strict=True):
        cell[i][j] = 1
    table = np.sum(ratings, axis=0)
    named = groups or list(range(12))
    units = [np.sum([cell for cell, own in zip(ratings, named, strict=True) if own == g], axis=0) for g in set(named)]
    chance = np.outer(table.sum(axis=1), table.sum(axis=0)) / 144
    found = kappa(a, b, 3, groups=groups, level=level)
    assert (found.interval.low, found.interval.high) == pytest.approx(jackknife(table, [*units, chance, chance], level))
    assert (found.interval.level, found.count, found.share) == (level, 12, 0.75)
    assert kappa(a, b, 3).interval == kappa(a, b, 3, weights="equal", level=0.95).interval


def test_limits_stay_within_what_kappa_can_be() -> None:
    """Four pairs that never agree: kappa -1 of two categories in halves."""
    apart = kappa([0, 1, 0, 1], [1, 0, 1, 0], 2)
    assert (apart.kappa, apart.interval.low, apart.share) == (-1.0, -1.0, 0.0)
    assert -1.0 < apart.interval.high < 1.0


def test_a_jackknife_of_a_mean_is_students() -> None:
    values = np.array([1.0, 4.0, 2.0, 8.0])
    rows = np.column_stack([values, np.ones(4)])
    found = jackknifed(rows, lambda sums: sums[:, 0] / sums[:, 1])
    expected = scipy.stats.t.interval(0.95, 3, values.mean(), scipy.stats.sem(values))
    assert (found.low, found.high) == pytest.approx(tuple(expected))
    assert found.level == 0.95


def test_ratings_far_apart_weigh_more() -> None:
    """Distances 1 and 2 of three categories in order, by the definition: 1 - observed over expected disagreement."""
    a, b = [0, 0, 1, 2, 2, 1], [0, 1, 1, 2, 0, 2]
    observed = (0 + 1 + 0 + 0 + 4 + 1) / 6
    expected = np.mean([(x - y) ** 2 for x in a for y in b])
    assert kappa(a, b, 3, weights="quadratic").kappa == pytest.approx(1 - observed / expected)
