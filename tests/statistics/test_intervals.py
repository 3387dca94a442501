"""Wilson and bootstrap intervals: published examples, scipy and naive loops as second implementations."""

from __future__ import annotations

import numpy as np
import pytest
import scipy.stats  # type: ignore[import-untyped]  # scipy ships no types
from numpy.typing import NDArray
from sacrebleu.metrics.bleu import BLEU

from bench.analysis.statistics import resampling
from bench.analysis.statistics.intervals import Interval, bootstrap_corpus, bootstrap_mean, pseudo_values, wilson
from bench.analysis.statistics.resampling import Kind

Array = NDArray[np.float64]

# Efron and Tibshirani 1993, An Introduction to the Bootstrap, table 14.1: spatial test data, task A, 26 children.
SPATIAL = [48, 36, 20, 29, 42, 42, 20, 42, 22, 41, 45, 14, 6, 0, 33, 28, 34, 4, 32, 24, 47, 41, 24, 26, 30, 41]


def variance(totals: Array) -> float:
    n, first, second = totals
    return float(second / n - (first / n) ** 2)


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


@pytest.mark.parametrize(
    ("kind", "low", "high"),
    [("percentile", 100.8, 233.9), ("bca", 115.8, 259.6)],
)
def test_variance_of_the_spatial_test_data(kind: Kind, low: float, high: float) -> None:
    """Efron and Tibshirani 1993, table 14.2: 90% intervals from 2,000 draws, so the limits are theirs to about 3."""
    found = bootstrap_corpus(spatial_rows(), variance, level=0.9, draws=20_000, kind=kind)
    assert (found.low, found.high) == pytest.approx((low, high), abs=4)


def test_corrections_of_the_spatial_test_data() -> None:
    """The same, p. 186: the variance is 171.5, z0 0.146 (of 2,000 draws), a 0.061."""
    rows = spatial_rows()
    draws = resampling.resample(
        rows, lambda sums: np.array([variance(one) for one in sums]), draws=20_000, seed=0, leave_out=True
    )
    bias, skew = resampling._corrections(draws)
    assert draws.observed == pytest.approx(171.5, abs=0.05)
    assert bias == pytest.approx(0.146, abs=0.06)
    assert skew == pytest.approx(0.061, abs=0.0005)


@pytest.mark.parametrize(("kind", "method"), [("percentile", "percentile"), ("bca", "BCa")])
def test_bootstrap_of_a_mean_is_scipys(kind: Kind, method: str) -> None:
    values = np.random.default_rng(3).exponential(size=40)
    theirs = scipy.stats.bootstrap(
        (values,), np.mean, n_resamples=40_000, method=method, rng=np.random.default_rng(1), vectorized=True
    ).confidence_interval
    ours = bootstrap_mean(values, draws=40_000, kind=kind)
    tolerance = 0.04 * (theirs.high - theirs.low)  # of two runs of 40,000 draws each
    assert (ours.low, ours.high) == pytest.approx((theirs.low, theirs.high), abs=tolerance)


def test_expanded_interval_of_a_mean_is_students() -> None:
    """What Hesterberg 2015 expands it for: normal data, few of them."""
    values = np.random.default_rng(4).normal(size=12)
    expected = scipy.stats.t.interval(0.95, 11, values.mean(), scipy.stats.sem(values))
    found = bootstrap_mean(values, draws=40_000, kind="expanded")
    narrow = bootstrap_mean(values, draws=40_000, kind="percentile")
    width = expected[1] - expected[0]
    assert found.high - found.low == pytest.approx(width, rel=0.03)
    assert narrow.high - narrow.low < 0.9 * width


def naive_clustered(values: Array, groups: list[str], draws: int) -> Array:
    """Means over items of resampled groups, one draw at a time."""
    rng = np.random.default_rng(9)
    names = sorted(set(groups))
    members = {name: values[[group == name for group in groups]] for name in names}
    return np.array(
        [np.concatenate([members[name] for name in rng.choice(names, len(names))]).mean() for _ in range(draws)]
    )


def test_clustered_bootstrap_is_the_naive_one() -> None:
    rng = np.random.default_rng(6)
    groups = [f"document {number}" for number in range(12) for _ in range(1 + number % 4)]
    levels = dict(zip(dict.fromkeys(groups), rng.normal(size=12), strict=True))
    values = np.array([levels[name] for name in groups]) + rng.normal(scale=0.2, size=len(groups))
    expected = np.quantile(naive_clustered(values, groups, 10_000), [0.025, 0.975])
    found = bootstrap_mean(values, groups=groups, draws=20_000, kind="percentile")
    apart = bootstrap_mean(values, draws=20_000, kind="percentile")
    width = expected[1] - expected[0]
    assert (found.low, found.high) == pytest.approx(tuple(expected), abs=0.05 * width)
    assert apart.high - apart.low < 0.8 * width  # items of a document are alike: fewer than they look


def test_clustered_corpus_bootstrap_of_a_ratio_is_that_of_the_mean() -> None:
    rng = np.random.default_rng(8)
    values, groups = rng.normal(size=30), [number // 3 for number in range(30)]
    rows = np.column_stack([values, np.ones(30)])
    by_rows = bootstrap_corpus(rows, lambda total: float(total[0] / total[1]), groups=groups, draws=500)
    assert by_rows == bootstrap_mean(values, groups=groups, draws=500)


def test_corpus_bootstrap_is_scoring_the_texts_again() -> None:
    """Every draw's BLEU from summed counts is sacrebleu's BLEU of the texts drawn."""
    rng = np.random.default_rng(2)
    words = list("abcdefgh")
    said = [" ".join(rng.choice(words, 8)) for _ in range(12)]
    wanted = [" ".join(word if rng.random() < 0.8 else "x" for word in text.split()) for text in said]
    bleu = BLEU(force=True)
    rows = np.array(bleu._extract_corpus_statistics(said, [wanted]), dtype=np.float64)
    drawn = np.concatenate(list(resampling.counts(12, 100, resampling.generator(0))))
    again = []
    for weights in drawn.astype(int):
        picked = np.repeat(np.arange(12), weights)
        again.append(bleu.corpus_score([said[place] for place in picked], [[wanted[place] for place in picked]]).score)

    def score(totals: Array) -> float:
        return float(bleu._compute_score_from_stats([int(count) for count in totals]).score)

    assert [score(total) for total in drawn @ rows] == pytest.approx(again)
    order = np.lexsort(rows.T[::-1])  # the bootstrap sorts items first
    expected = np.quantile([score(total) for total in drawn @ rows[order]], [0.025, 0.975])
    found = bootstrap_corpus(rows, score, draws=100, kind="percentile")
    assert (found.low, found.high) == pytest.approx(tuple(expected))


def test_pseudo_values_of_a_mean_are_the_values() -> None:
    values = np.random.default_rng(1).normal(size=9)
    rows = np.column_stack([values, np.ones(9)])
    assert pseudo_values(rows, lambda total: float(total[0] / total[1])) == pytest.approx(values)


def test_pseudo_values_of_the_variance_average_to_the_unbiased_one() -> None:
    """The jackknife takes the bias off the plug-in variance exactly (Efron and Tibshirani 1993, chapter 10)."""
    assert pseudo_values(spatial_rows(), variance).mean() == pytest.approx(np.var(SPATIAL, ddof=1))


@pytest.mark.parametrize("cells", [1, 7, 50, 10_000])
def test_chunks_change_no_draw(cells: int) -> None:
    whole = np.concatenate(list(resampling.counts(7, 23, resampling.generator(5))))
    chunked = np.concatenate(list(resampling.counts(7, 23, resampling.generator(5), cells=cells)))
    assert np.array_equal(whole, chunked)
    assert (whole.sum(axis=1) == 7).all()


def test_counts_are_multinomial() -> None:
    """Mean 1, variance 1 - 1/n, covariance -1/n."""
    drawn = np.concatenate(list(resampling.counts(5, 40_000, resampling.generator(0))))
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


def test_a_seed_repeats_and_another_does_not() -> None:
    values = np.random.default_rng(0).normal(size=30)
    assert bootstrap_mean(values, seed=4, draws=200) == bootstrap_mean(values, seed=4, draws=200)
    assert bootstrap_mean(values, seed=4, draws=200) != bootstrap_mean(values, seed=5, draws=200)


@pytest.mark.parametrize("kind", ["expanded", "percentile", "bca"])
def test_values_all_the_same_have_no_width(kind: Kind) -> None:
    assert bootstrap_mean([0.5] * 5, draws=100, kind=kind) == Interval(0.5, 0.5, 0.95)


@pytest.mark.parametrize("kind", ["expanded", "percentile", "bca"])
def test_tails_invert_the_limits(kind: Kind) -> None:
    """The one-sided p of a null put at a limit is the tail beyond it."""
    values = np.random.default_rng(7).exponential(size=8)[:, None]
    draws = resampling.resample(values, lambda sums: sums[:, 0] / 8, draws=50_000, seed=1, leave_out=True)
    low, high = resampling.limits(draws, 0.9, kind)
    assert resampling.below(draws, low, kind) == pytest.approx(0.05, abs=5e-4)
    assert resampling.above(draws, high, kind) == pytest.approx(0.05, abs=5e-4)
    assert resampling.two_sided(draws, low, kind) == pytest.approx(0.1, abs=1e-3)


@pytest.mark.parametrize("kind", ["expanded", "percentile", "bca"])
def test_no_p_is_nought(kind: Kind) -> None:
    values = np.random.default_rng(7).normal(10, 1, size=60)[:, None]
    draws = resampling.resample(values, lambda sums: sums[:, 0] / 60, draws=1000, seed=1, leave_out=True)
    assert 0 < resampling.two_sided(draws, 0.0, kind) < 0.05


class TestRefusals:
    @pytest.mark.parametrize(
        ("successes", "n", "level"), [(1, 0, 0.95), (-1, 5, 0.95), (6, 5, 0.95), (1, 5, 0.0), (1, 5, 1.0)]
    )
    def test_wilson(self, successes: int, n: int, level: float) -> None:
        with pytest.raises(ValueError, match=r"n is|successes are|level is"):
            wilson(successes, n, level=level)

    @pytest.mark.parametrize("values", [[], [1.0], [1.0, float("nan")], [1.0, float("inf")], [[1.0, 2.0]]])
    def test_values(self, values: list[float]) -> None:
        with pytest.raises(ValueError, match="values"):
            bootstrap_mean(values)

    @pytest.mark.parametrize("rows", [[], [[1.0, 2.0]], [1.0, 2.0], [[1.0], [float("nan")]]])
    def test_statistics(self, rows: list[list[float]]) -> None:
        with pytest.raises(ValueError, match="statistics"):
            bootstrap_corpus(rows, lambda totals: float(totals[0]))
        with pytest.raises(ValueError, match="statistics"):
            pseudo_values(rows, lambda totals: float(totals[0]))

    @pytest.mark.parametrize("groups", [["x"], ["x", "x", "x"], ["x", "y"]])
    def test_groups(self, groups: list[str]) -> None:
        with pytest.raises(ValueError, match="group"):
            bootstrap_mean([1.0, 2.0, 3.0], groups=groups)

    @pytest.mark.parametrize("level", [-0.1, 0.0, 1.0, 95.0, float("nan")])
    def test_level(self, level: float) -> None:
        with pytest.raises(ValueError, match="level"):
            bootstrap_mean([1.0, 2.0], level=level)

    def test_draws(self) -> None:
        with pytest.raises(ValueError, match="draws is 99; at least 100"):
            bootstrap_mean([1.0, 2.0], draws=99)

    def test_bca_without_what_it_needs(self) -> None:
        with pytest.raises(ValueError, match="BCa"):
            resampling.limits(resampling.Draws(np.zeros(100), 0.0, 5), 0.95, "bca")
