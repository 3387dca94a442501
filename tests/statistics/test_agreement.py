"""Cohen's kappa: worked examples, scikit-learn as a second implementation, and how often its interval covers."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from sklearn.metrics import cohen_kappa_score

from bench.analysis.statistics.agreement import Weights, kappa

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
