"""Exchange tests: scipy as second implementation, and every exchange of few items."""

from __future__ import annotations

from itertools import product

import numpy as np
import pytest
import scipy.stats  # type: ignore[import-untyped]  # scipy ships no types
from hypothesis import example, given, settings
from hypothesis import strategies as st

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

    def ratio(rows: np.ndarray) -> np.ndarray:
        return np.asarray(rows[..., 0] / rows[..., 1])

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
        exchanged_corpus([[1, 2], [3, 4]], [[1], [2]], lambda rows: rows[:, 0])
    with pytest.raises(ValueError, match="a has 1 rows"):
        exchanged_means([1.0], [1.0])
