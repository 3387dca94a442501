"""Paired comparisons: published tables, scipy, sacrebleu and naive loops as second implementations.

Intervals of BLEU and chrF are set against sacrebleu's bootstrap, which gives half of their width. Its bootstrap's p is
not: it takes absolute differences before it centres them, which is another test where two systems are close; its
approximate randomisation is a test of the same hypothesis as ours.
"""

from __future__ import annotations

import random
from typing import Any

import numpy as np
import pytest
import scipy.stats  # type: ignore[import-untyped]  # scipy ships no types
from numpy.typing import NDArray
from sacrebleu.metrics.bleu import BLEU
from sacrebleu.metrics.chrf import CHRF
from sacrebleu.significance import PairedTest

from bench import metrics
from bench.analysis.statistics import resampling
from bench.analysis.statistics.paired import (
    PairedTable,
    corpus_draws,
    mcnemar,
    newcombe,
    paired_draws,
    paired_shares,
    table,
)

Array = NDArray[np.float64]


def columns(counts: PairedTable) -> tuple[list[int], list[int]]:
    """0 and 1 of both methods that make this table."""
    sizes = (counts.both, counts.only_a, counts.only_b, counts.neither)
    a = [right for right, size in zip((1, 1, 0, 0), sizes, strict=True) for _ in range(size)]
    b = [right for right, size in zip((1, 0, 1, 0), sizes, strict=True) for _ in range(size)]
    return a, b


@pytest.mark.parametrize(
    ("only_a", "only_b", "exact"),
    [(1, 7, 0.0703), (6, 16, 0.0525)],
    ids=["Bentur 2009", "Cavo 2012"],
)
def test_mcnemar_is_published(only_a: int, only_b: int, exact: float) -> None:
    """Fagerland, Lydersen and Laake 2013, BMC Medical Research Methodology 13:91, its two examples."""
    assert mcnemar(only_a, only_b) == pytest.approx(exact, abs=5e-5)


@pytest.mark.parametrize("discordant", [1, 2, 5, 10, 31, 1000])
def test_mcnemar_is_the_binomial_test(discordant: int) -> None:
    for only_a in range(0, discordant + 1, max(1, discordant // 20)):
        expected = scipy.stats.binomtest(only_a, discordant).pvalue
        assert mcnemar(only_a, discordant - only_a) == pytest.approx(expected)


def test_mcnemar_without_discordant_items() -> None:
    assert mcnemar(0, 0) == 1.0


@pytest.mark.parametrize(
    ("counts", "low", "high"),
    [
        ((36, 12, 2, 0), 0.0569, 0.3404),
        ((20, 12, 2, 16), 0.0562, 0.3292),
        ((18, 12, 2, 18), 0.0562, 0.3290),
        ((36, 14, 0, 0), 0.1528, 0.4167),
        ((35, 14, 0, 1), 0.1461, 0.4175),
        ((18, 14, 0, 18), 0.1441, 0.3963),
        ((2, 97, 1, 0), 0.8721, 0.9854),
        ((1, 97, 1, 1), 0.8736, 0.9850),
        ((0, 29, 1, 0), 0.6666, 0.9882),
        ((2, 98, 0, 0), 0.9178, 0.9945),
        ((1, 98, 0, 1), 0.9171, 0.9916),
        ((0, 30, 0, 0), 0.8395, 1.0),
        ((54, 0, 0, 0), -0.0664, 0.0664),
        ((53, 0, 0, 1), -0.0729, 0.0729),
        ((30, 0, 0, 24), -0.0358, 0.0358),
        ((29, 0, 0, 25), -0.0354, 0.0354),
        ((28, 0, 0, 26), -0.0352, 0.0352),
        ((27, 0, 0, 27), -0.0351, 0.0351),
    ],
)
def test_newcombe_is_his_table(counts: tuple[int, int, int, int], low: float, high: float) -> None:
    """Newcombe 1998, Statistics in Medicine 17, 2635-2650, table III, method 10; printed to four places."""
    found = newcombe(PairedTable(*counts))
    assert (found.low, found.high) == pytest.approx((low, high), abs=1e-4)


def test_newcombe_is_that_of_contingencytables() -> None:
    """The R package to Fagerland, Lydersen and Laake 2017: its test of Cavo 2012, -0.0621 (-0.1186 to -0.0046)."""
    found = newcombe(PairedTable(59, 6, 16, 80))
    assert (found.low, found.high) == pytest.approx((-0.1186, -0.0046), abs=5e-5)


def test_shares_of_cavo() -> None:
    found = paired_shares(*columns(PairedTable(59, 6, 16, 80)))
    assert found.n == 161
    assert found.difference == pytest.approx(-10 / 161)
    assert found.interval == newcombe(PairedTable(59, 6, 16, 80))
    assert found.p == pytest.approx(0.0525, abs=5e-5)
    assert found.method == "McNemar, exact; Newcombe's interval"


def test_table_counts() -> None:
    counts = table([1, 1, 1, 0, 0, 0, 0], [1, 0, 0, 1, 0, 0, 0])
    assert counts == PairedTable(both=1, only_a=2, only_b=1, neither=3)
    assert counts.n == 7
    assert counts.discordance == pytest.approx(3 / 7)


def test_paired_bootstrap_is_that_of_the_differences() -> None:
    """scipy's percentile bootstrap of a - b, and the tail beyond 0 counted from its draws."""
    rng = np.random.default_rng(12)
    a = rng.beta(2, 1, size=80)
    b = np.clip(a - rng.normal(0.03, 0.15, size=80), 0, 1)
    theirs = scipy.stats.bootstrap((a - b,), np.mean, n_resamples=40_000, method="percentile", rng=rng)
    ours = paired_draws(a, b, draws=40_000)
    low, high = theirs.confidence_interval
    assert ours.observed == pytest.approx((a - b).mean())
    assert percentiles(ours) == pytest.approx((low, high), abs=0.03 * (high - low))
    assert (ours.values <= 0).mean() == pytest.approx((theirs.bootstrap_distribution <= 0).mean(), abs=0.002)


def percentiles(draws: resampling.Draws) -> tuple[float, ...]:
    return tuple(np.quantile(draws.values, [0.025, 0.975]))


def test_p_is_the_t_tests() -> None:
    rng = np.random.default_rng(2)
    a, b = rng.normal(0.5, 1, size=15), rng.normal(0, 1, size=15)
    p = scipy.stats.ttest_rel(a, b, alternative="greater").pvalue
    assert resampling.below(paired_draws(a, b, draws=40_000), 0.0) == pytest.approx(p, abs=0.005)


def test_groups_of_one_are_items_and_groups_of_copies_are_fewer() -> None:
    rng = np.random.default_rng(3)
    a, b = rng.normal(size=40), rng.normal(size=40)
    single = paired_draws(a, b, draws=500, groups=list(range(40)))
    assert np.array_equal(single.values, paired_draws(a, b, draws=500).values)
    copied = paired_draws(np.repeat(a, 9), np.repeat(b, 9), draws=500, groups=np.repeat(np.arange(40), 9).tolist())
    assert copied.values == pytest.approx(single.values)
    assert copied.units == 40


def ratio(rows: Array) -> Array:
    return rows[:, 0] / rows[:, 1]


def test_paired_corpus_is_the_naive_one() -> None:
    """Micro-averaged precision: one draw of items at a time, both methods scored on it."""
    rng = np.random.default_rng(5)
    said = rng.integers(5, 20, size=(2, 50))
    right = rng.binomial(said, np.array([[0.7], [0.6]]))
    a, b = (np.column_stack([right[side], said[side]]).astype(float) for side in (0, 1))
    naive = []
    for _ in range(10_000):
        drawn = rng.integers(50, size=50)
        naive.append((ratio(a[drawn].sum(axis=0)[None]) - ratio(b[drawn].sum(axis=0)[None]))[0])
    low, high = np.quantile(naive, [0.025, 0.975])
    found = corpus_draws(a, b, ratio, draws=20_000)
    assert found.observed == pytest.approx((ratio(a.sum(axis=0)[None]) - ratio(b.sum(axis=0)[None]))[0])
    assert percentiles(found) == pytest.approx((low, high), abs=0.05 * (high - low))


def test_paired_corpus_of_a_mean_is_paired_means() -> None:
    rng = np.random.default_rng(5)
    a, b = rng.normal(size=25), rng.normal(size=25)
    ones = np.ones(25)
    by_rows = corpus_draws(np.column_stack([a, ones]), np.column_stack([b, ones]), ratio, draws=20_000)
    by_means = paired_draws(a, b, draws=20_000)
    assert by_rows.observed == pytest.approx(by_means.observed)
    low, high = percentiles(by_means)
    assert percentiles(by_rows) == pytest.approx((low, high), abs=0.05 * (high - low))


def test_data_that_look_the_same_both_ways_have_a_symmetric_interval() -> None:
    """Neither method is first then, and swapping them must still mirror the interval."""
    found = paired_draws([0.25, -0.25, 0.5, -0.5], np.zeros(4), draws=120)
    low, high = resampling.limits(found, 0.95)
    assert low == -high < 0
    assert found.observed == 0
    assert resampling.below(found, 0.0) == resampling.above(found, 0.0) >= 0.5


def test_pairing_sees_what_two_intervals_do_not() -> None:
    """Items differ a lot, methods by a little everywhere: the paired interval is narrow."""
    rng = np.random.default_rng(1)
    hard = rng.random(200)
    low, high = resampling.limits(paired_draws(hard + 0.02 + rng.normal(scale=0.05, size=200), hard, draws=1000), 0.99)
    assert 0 < low < high < low + 0.03


class TestRefusals:
    @pytest.mark.parametrize(
        ("a", "b"),
        [([], []), ([1], [1, 0]), ([0.5], [1.0]), ([2], [1]), ([float("nan")], [1.0]), ([[1]], [[1]])],
    )
    def test_shares(self, a: list[float], b: list[float]) -> None:
        with pytest.raises(ValueError, match=r"[ab] "):
            paired_shares(a, b)

    @pytest.mark.parametrize("counts", [(-1, 0, 0, 5), (0, -1, 2, 3), (0, 0, 0, 0)])
    def test_counts(self, counts: tuple[int, int, int, int]) -> None:
        with pytest.raises(ValueError, match="is needed"):
            newcombe(PairedTable(*counts))

    def test_negative_discordant_count(self) -> None:
        with pytest.raises(ValueError, match="only_b is -1"):
            mcnemar(3, -1)

    @pytest.mark.parametrize(("a", "b"), [([1.0], [1.0]), ([1.0, 2.0], [1.0]), ([1.0, float("nan")], [1.0, 2.0])])
    def test_means(self, a: list[float], b: list[float]) -> None:
        with pytest.raises(ValueError, match=r"[ab] h"):
            paired_draws(a, b)

    def test_corpus_of_other_shape(self) -> None:
        with pytest.raises(ValueError, match="shape"):
            corpus_draws(np.ones((5, 2)), np.ones((5, 3)), ratio)

    @pytest.mark.parametrize("level", [0.0, 1.0, 95.0])
    def test_level(self, level: float) -> None:
        with pytest.raises(ValueError, match="level"):
            paired_shares([1.0, 0.0], [0.0, 0.0], level=level)


WORDS = (
    "the", "a", "red", "old", "small", "house", "river", "garden", "stands", "flows", "lies", "near", "under", "behind",
    "quiet", "bright", "tall", "road",
)  # fmt: skip
RESAMPLES = 2000


def corpus(items: int = 80) -> list[str]:
    rng = random.Random(7)
    return [" ".join(rng.choices(WORDS, k=rng.randint(8, 20))) for _ in range(items)]


def damaged(sentences: list[str], share: float, seed: int) -> list[str]:
    """Each word replaced by another with a chance of `share`."""
    rng = random.Random(seed)
    return [" ".join(rng.choice(WORDS) if rng.random() < share else word for word in s.split()) for s in sentences]


@pytest.mark.parametrize(("name", "metric"), [("bleu", BLEU()), ("chrf", CHRF())])
@pytest.mark.parametrize("shares", [(0.10, 0.30), (0.20, 0.22)])
def test_intervals_and_p_values_agree(name: str, metric: Any, shares: tuple[float, float]) -> None:
    truth = corpus()
    systems = [damaged(truth, share, seed) for seed, share in enumerate(shares)]
    named = [("one", systems[0]), ("other", systems[1])]
    theirs, randomized = (_theirs(kind, named, name, metric, truth) for kind in ("bs", "ar"))
    first, second = (metrics.statistics(name, system, [(t,) for t in truth]) for system in systems)

    def score(rows: Array) -> Array:
        return metrics.from_statistics(name, rows)

    for result, own in zip(theirs, (first, second), strict=True):
        low, high = percentiles(resampling.resample(own.astype(np.float64), score, RESAMPLES))
        assert score(own.sum(0)[None]) == pytest.approx(result.score, abs=1e-9)
        assert (high - low) / 2 == pytest.approx(result.ci, rel=0.08)
        assert (high + low) / 2 == pytest.approx(result.mean, abs=0.3)
    ours = corpus_draws(first, second, score, draws=RESAMPLES)
    tails = resampling.below(ours, 0.0), resampling.above(ours, 0.0)
    assert ours.observed == pytest.approx(theirs[0].score - theirs[1].score, abs=1e-9)
    assert 2 * min(tails) == pytest.approx(randomized[1].p_value, abs=0.05)


def _theirs(kind: str, named: Any, name: str, metric: Any, truth: list[str]) -> Any:
    """sacrebleu's results for the baseline and the other system."""
    _, found = PairedTest(named, {name: metric}, [truth], test_type=kind, n_samples=RESAMPLES)()
    return found[next(iter(found.keys() - {"System"}))]
