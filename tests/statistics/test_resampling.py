"""Draws and signs: kept or made anew they are the same, and p counts them as it says."""

from __future__ import annotations

import math

import numpy as np
import pytest
import scipy.stats  # type: ignore[import-untyped]  # scipy ships no types
from threadpoolctl import threadpool_info, threadpool_limits

from bench.analysis.statistics import randomisation, resampling
from bench.analysis.statistics.randomisation import exchanged_corpus, exchanged_means
from bench.analysis.statistics.resampling import Draws


@pytest.mark.parametrize("module", [resampling, randomisation])
@pytest.mark.parametrize("cells", [1, 50, 10_000])
def test_what_is_kept_is_what_would_be_drawn(module: object, cells: int, monkeypatch: pytest.MonkeyPatch) -> None:
    again = resampling._counts_again if module is resampling else randomisation._signs_again
    whole = np.concatenate(list(again(6, 110)))
    monkeypatch.setattr(module, "_CELLS", cells)
    kept = list(again(6, 110))
    monkeypatch.setattr(module, "_KEPT", 6 * 110 - 1)
    for chunks in (kept, list(again(6, 110))):
        assert np.array_equal(np.concatenate(chunks), whole)
        assert {chunk.dtype for chunk in chunks} == {np.dtype(np.float64)}
    assert max(len(chunk) for chunk in kept) == min(max(cells // 6, 1), 110)
    monkeypatch.setattr(module, "_KEPT", 6 * 110)
    assert np.array_equal(np.concatenate(list(again(6, 110))), whole)


def test_the_generator_is_pcg64_of_seed_0() -> None:
    expected = np.random.Generator(np.random.PCG64(0))
    assert resampling.generator().integers(1000, size=20).tolist() == expected.integers(1000, size=20).tolist()


def test_signs_are_plus_and_minus_one() -> None:
    signs = np.concatenate(list(randomisation._signs_again(7, 5000)))
    assert signs.shape == (5000, 7)
    assert set(np.unique(signs)) == {-1.0, 1.0}
    assert signs.mean(axis=0) == pytest.approx(np.zeros(7), abs=0.06)


def test_products_take_one_thread() -> None:
    def threads() -> set[int]:
        return {library["num_threads"] for library in threadpool_info() if library["user_api"] == "blas"}

    resampling._libraries.cache_clear()  # as in a process that loads no more libraries
    with threadpool_limits(2, "blas"):
        before = threads()
        with resampling.one_thread():
            assert threads() == {1}
        assert threads() == before


def test_p_of_an_exchange_counts_the_draws_and_the_data() -> None:
    """Five items that all differ by 1: as extreme are the draws whose signs are all alike, one way."""
    signs = np.concatenate(list(randomisation._signs_again(5, 300)))
    alike = {side: int((signs == side).all(axis=1).sum()) for side in (-1, 1)}
    higher, lower = exchanged_means([1.0] * 5, [0.0] * 5, draws=300), exchanged_means([0.0] * 5, [1.0] * 5, draws=300)
    assert higher.difference == 1.0
    assert lower.difference == -1.0
    assert higher.below == lower.above == 1.0
    assert higher.above in {(count + 1) / 301 for count in alike.values()}
    assert lower.below == higher.above


def test_a_corpus_metric_that_is_no_mean_is_exchanged_as_a_whole() -> None:
    """The square of the sum, which is not linear; observed by hand, p of a difference that has no equal."""
    a, b = np.array([[3.0], [2.0], [4.0]]), np.array([[1.0], [1.0], [1.0]])
    found = exchanged_corpus(a, b, lambda rows: rows[:, 0] ** 2, draws=4000)
    assert found.difference == 81 - 9
    assert found.above == pytest.approx(1 / 8, abs=0.02)
    assert found.below == 1.0


def test_groups_of_a_corpus_metric_change_sides_together() -> None:
    rng = np.random.default_rng(1)
    a, b = rng.integers(1, 9, (8, 2)).astype(float), rng.integers(1, 9, (8, 2)).astype(float)
    once = exchanged_corpus(a, b, lambda rows: rows[:, 0] / rows[:, 1], draws=500)
    groups = np.repeat(range(8), 4).tolist()
    copies = exchanged_corpus(
        a.repeat(4, axis=0), b.repeat(4, axis=0), lambda rows: rows[:, 0] / rows[:, 1], groups=groups, draws=500
    )
    assert copies.difference == pytest.approx(once.difference)
    assert (copies.below, copies.above) == pytest.approx((once.below, once.above))


def test_draws_and_their_signs() -> None:
    draws = Draws(np.array([1.0, 2.0, 4.0]), 3.0, 7)
    turned, kept = resampling.signed(draws, -1), resampling.signed(draws, 1)
    assert (turned.values.tolist(), turned.observed, turned.units) == ([-1.0, -2.0, -4.0], -3.0, 7)
    assert kept is draws
    both = resampling.signed(draws, 0)
    assert (both.values.tolist(), both.observed, both.units) == ([1.0, 2.0, 4.0, -1.0, -2.0, -4.0], 0.0, 7)


def test_a_comparison_is_written_the_way_that_comes_first() -> None:
    rows = np.array([[2.0, 5.0], [1.0, 9.0], [1.0, 3.0]])
    assert resampling.in_order(rows).tolist() == [[1.0, 3.0], [1.0, 9.0], [2.0, 5.0]]
    first, sign = resampling.oriented(rows, rows + 1)
    assert (first.tolist(), sign) == ([[1.0, 3.0], [1.0, 9.0], [2.0, 5.0]], 1)
    second, sign = resampling.oriented(rows + 1, rows)
    assert (second.tolist(), sign) == ([[1.0, 3.0], [1.0, 9.0], [2.0, 5.0]], -1)
    assert resampling.oriented(rows, rows[::-1])[1] == 0


def test_rows_are_summed_within_groups() -> None:
    rows = np.array([[1.0, 2.0], [3.0, 4.0], [5.0, 6.0]])
    assert resampling.summed(rows, ["x", "y", "x"]).tolist() == [[6.0, 8.0], [3.0, 4.0]]
    assert resampling.summed(rows, None) is rows


def test_tails_by_hand() -> None:
    """Of 99 draws 0.01 to 0.99 of five units, 30 are 0.3 or less: Student's tail where the normal one is 0.31."""
    draws = Draws(np.arange(1, 100) / 100, 0.5, 5)
    expected = scipy.stats.t.cdf(scipy.stats.norm.ppf(31 / 100) / math.sqrt(5 / 4), 4)
    assert resampling.below(draws, 0.3) == pytest.approx(float(expected))
    assert resampling.above(draws, 0.7) == pytest.approx(float(expected))
    tails = [scipy.stats.norm.cdf(math.sqrt(5 / 4) * scipy.stats.t.ppf(tail, 4)) for tail in (0.2, 0.8)]
    assert resampling.limits(draws, 0.6) == pytest.approx(tuple(np.quantile(draws.values, tails)))
