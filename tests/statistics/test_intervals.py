"""Wilson and bootstrap intervals: published examples, scipy and naive loops as second implementations."""

from __future__ import annotations

import numpy as np
import pytest
import scipy.stats  # type: ignore[import-untyped]  # scipy ships no types
from numpy.typing import ArrayLike, NDArray
from sacrebleu.metrics.bleu import BLEU

from bench.analysis.statistics import resampling
from bench.analysis.statistics.intervals import Interval, mdd_interval, pseudo_values, wilson
from bench.analysis.statistics.paired import paired_draws

Array = NDArray[np.float64]

# Efron and Tibshirani 1993, An Introduction to the Bootstrap, table 14.1: spatial test data, task A, 26 children.
SPATIAL = [48, 36, 20, 29, 42, 42, 20, 42, 22, 41, 45, 14, 6, 0, 33, 28, 34, 4, 32, 24, 47, 41, 24, 26, 30, 41]


def variance(rows: Array) -> Array:
    n, first, second = rows.T
    return np.asarray(second / n - (first / n) ** 2)


def spatial_rows() -> Array:
    values = np.array(SPATIAL, dtype=np.float64)
    return np.column_stack([np.ones_like(values), values, values**2])


@pytest.mark.parametrize(
    ("successes", "n", "low", "high"),
    [(81, 263, 0.2553, 0.3662), (15, 148, 0.0624, 0.1605), (0, 20, 0.0, 0.1611), (1, 29, 0.0061, 0.1718)],
)
def test_wilson_is_newcombes_table(successes: int, n: int, low: float, high: float) -> None:
    """Newcombe 1998, Statistics in Medicine 17, 857-872, table I, method 3."""
    found = wilson(successes, n)
    assert (found.low, found.high) == pytest.approx((low, high), abs=5e-5)
    assert found.level == 0.95
    assert successes or found.low == 0.0


@pytest.mark.parametrize("level", [0.5, 0.9, 0.99])
@pytest.mark.parametrize("n", [1, 2, 7, 50])
def test_wilson_is_scipys(n: int, level: float) -> None:
    for successes in range(n + 1):
        expected = scipy.stats.binomtest(successes, n).proportion_ci(level, method="wilson")
        found = wilson(successes, n, level=level)
        assert (found.low, found.high) == pytest.approx((expected.low, expected.high), abs=1e-12)


def draws_of(values: ArrayLike, groups: list[int] | None = None, draws: int = 20_000) -> resampling.Draws:
    """Of the mean of one method's scores."""
    return paired_draws(values, np.zeros(np.size(values)), groups=groups, draws=draws)


def percentiles(draws: resampling.Draws, level: float = 0.95) -> tuple[float, ...]:
    return tuple(np.quantile(draws.values, [(1 - level) / 2, (1 + level) / 2]))


def test_variance_of_the_spatial_test_data() -> None:
    """Efron and Tibshirani 1993, table 14.2: 90% percentiles of 2,000 draws, so the limits are theirs to about 3."""
    found = resampling.resample(spatial_rows(), variance, 20_000)
    assert found.observed == pytest.approx(171.5, abs=0.05)
    assert percentiles(found, 0.9) == pytest.approx((100.8, 233.9), abs=4)


def test_bootstrap_of_a_mean_is_scipys() -> None:
    values = np.random.default_rng(3).exponential(size=40)
    theirs = scipy.stats.bootstrap(
        (values,), np.mean, n_resamples=40_000, method="percentile", rng=np.random.default_rng(1), vectorized=True
    ).confidence_interval
    tolerance = 0.04 * (theirs.high - theirs.low)  # of two runs of 40,000 draws each
    assert percentiles(draws_of(values, draws=40_000)) == pytest.approx((theirs.low, theirs.high), abs=tolerance)


def test_interval_of_a_mean_is_students() -> None:
    """What Hesterberg 2015 expands it for: normal data, few of them."""
    values = np.random.default_rng(4).normal(size=12)
    expected = scipy.stats.t.interval(0.95, 11, values.mean(), scipy.stats.sem(values))
    draws = draws_of(values, draws=40_000)
    (low, high), narrow = resampling.limits(draws, 0.95), percentiles(draws)
    width = expected[1] - expected[0]
    assert high - low == pytest.approx(width, rel=0.03)
    assert narrow[1] - narrow[0] < 0.9 * width


def naive_clustered(values: Array, groups: list[int], draws: int) -> Array:
    """Means over items of resampled groups, one draw at a time."""
    rng = np.random.default_rng(9)
    names = sorted(set(groups))
    members = {name: values[[group == name for group in groups]] for name in names}
    return np.array(
        [np.concatenate([members[name] for name in rng.choice(names, len(names))]).mean() for _ in range(draws)]
    )


def test_clustered_bootstrap_is_the_naive_one() -> None:
    rng = np.random.default_rng(6)
    groups = [number for number in range(12) for _ in range(1 + number % 4)]
    values = rng.normal(size=12)[groups] + rng.normal(scale=0.2, size=len(groups))
    expected = np.quantile(naive_clustered(values, groups, 10_000), [0.025, 0.975])
    found, apart = percentiles(draws_of(values, groups)), percentiles(draws_of(values))
    width = expected[1] - expected[0]
    assert found == pytest.approx(tuple(expected), abs=0.05 * width)
    assert apart[1] - apart[0] < 0.8 * width  # items of a document are alike: fewer than they look


def test_corpus_bootstrap_is_scoring_the_texts_again() -> None:
    """Every draw's BLEU from summed counts is sacrebleu's BLEU of the texts drawn."""
    rng = np.random.default_rng(2)
    words = list("abcdefgh")
    said = [" ".join(rng.choice(words, 8)) for _ in range(12)]
    wanted = [" ".join(word if rng.random() < 0.8 else "x" for word in text.split()) for text in said]
    bleu = BLEU(force=True)
    rows = np.array(bleu._extract_corpus_statistics(said, [wanted]), dtype=np.float64)
    drawn = np.concatenate(list(resampling.counts(12, 100, resampling.generator())))
    again = []
    for weights in drawn.astype(int):
        picked = np.repeat(np.arange(12), weights)
        again.append(bleu.corpus_score([said[place] for place in picked], [[wanted[place] for place in picked]]).score)

    def score(sums: Array) -> Array:
        return np.array([bleu._compute_score_from_stats([int(count) for count in row]).score for row in sums])

    found = resampling.resample(rows, score, 100)
    assert found.values == pytest.approx(again)
    assert found.observed == pytest.approx(bleu.corpus_score(said, [wanted]).score)


def test_pseudo_values_of_a_mean_are_the_values() -> None:
    values = np.random.default_rng(1).normal(size=9)
    rows = np.column_stack([values, np.ones(9)])
    assert pseudo_values(rows, lambda sums: sums[:, 0] / sums[:, 1]) == pytest.approx(values)


def test_pseudo_values_of_the_variance_average_to_the_unbiased_one() -> None:
    """The jackknife takes the bias off the plug-in variance exactly (Efron and Tibshirani 1993, chapter 10)."""
    assert pseudo_values(spatial_rows(), variance).mean() == pytest.approx(np.var(SPATIAL, ddof=1))


@pytest.mark.parametrize("cells", [1, 7, 50, 10_000])
def test_chunks_change_no_draw(cells: int) -> None:
    whole = np.concatenate(list(resampling.counts(7, 23, resampling.generator())))
    chunked = np.concatenate(list(resampling.counts(7, 23, resampling.generator(), cells=cells)))
    assert np.array_equal(whole, chunked)
    assert (whole.sum(axis=1) == 7).all()


def test_counts_are_multinomial() -> None:
    """Mean 1, variance 1 - 1/n, covariance -1/n."""
    drawn = np.concatenate(list(resampling.counts(5, 40_000, resampling.generator())))
    assert np.cov(drawn.T) == pytest.approx(np.eye(5) - 0.2, abs=0.03)
    assert drawn.mean(axis=0) == pytest.approx(np.ones(5), abs=0.02)


def test_sums_of_groups_do_not_hang_on_the_order_of_items() -> None:
    """To the last bit: else two orders of equal groups could be sorted differently, and be drawn differently."""
    rng = np.random.default_rng(3)
    rows, groups = rng.random((60, 2)), np.arange(60) % 5
    expected = resampling.in_order(resampling.summed(rows, groups.tolist()))
    assert expected.sum(axis=0) == pytest.approx(rows.sum(axis=0))
    for _ in range(20):
        order = rng.permutation(60)
        found = resampling.in_order(resampling.summed(rows[order], groups[order].tolist()))
        assert np.array_equal(found, expected)


def test_values_all_the_same_have_no_width() -> None:
    assert resampling.limits(draws_of([0.5] * 5, draws=100), 0.95) == (0.5, 0.5)


def test_tails_invert_the_limits() -> None:
    """The one-sided p of a null put at a limit is the tail beyond it."""
    draws = draws_of(np.random.default_rng(7).exponential(size=8), draws=50_000)
    low, high = resampling.limits(draws, 0.9)
    assert resampling.below(draws, low) == pytest.approx(0.05, abs=5e-4)
    assert resampling.above(draws, high) == pytest.approx(0.05, abs=5e-4)


def test_no_p_is_nought() -> None:
    draws = draws_of(np.random.default_rng(7).normal(10, 1, size=60), draws=1000)
    assert 0 < resampling.below(draws, 0.0) < 0.025


def test_mdd_of_an_interval() -> None:
    """A standard error of 0.01: 2.801585 of them."""
    reach = 1.959964 * 0.01
    assert mdd_interval(Interval(0.2 - reach, 0.2 + reach, 0.95)) == pytest.approx(0.02801585, abs=1e-8)


class TestRefusals:
    @pytest.mark.parametrize(
        ("successes", "n", "level"), [(1, 0, 0.95), (-1, 5, 0.95), (6, 5, 0.95), (1, 5, 0.0), (1, 5, 1.0)]
    )
    def test_wilson(self, successes: int, n: int, level: float) -> None:
        with pytest.raises(ValueError, match=r"n is|successes are|level is"):
            wilson(successes, n, level=level)

    @pytest.mark.parametrize("rows", [[], [[1.0, 2.0]], [1.0, 2.0], [[1.0], [float("nan")]]])
    def test_statistics(self, rows: list[list[float]]) -> None:
        with pytest.raises(ValueError, match="statistics"):
            pseudo_values(rows, lambda sums: sums[:, 0])

    @pytest.mark.parametrize("groups", [[1], [1, 1, 1], [1, 2]])
    def test_groups(self, groups: list[int]) -> None:
        with pytest.raises(ValueError, match="group"):
            draws_of([1.0, 2.0, 3.0], groups)

    @pytest.mark.parametrize("level", [-0.1, 0.0, 1.0, 95.0, float("nan")])
    def test_level(self, level: float) -> None:
        with pytest.raises(ValueError, match="level"):
            resampling.limits(draws_of([1.0, 2.0], draws=100), level)

    def test_draws(self) -> None:
        with pytest.raises(ValueError, match="draws is 99; at least 100"):
            draws_of([1.0, 2.0], draws=99)
