"""How often an interval covers the truth, where the truth is known."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator

import numpy as np
import pytest
from numpy.typing import NDArray

from bench.analysis.statistics import resampling
from bench.analysis.statistics.intervals import Interval, pseudo_values, wilson
from bench.analysis.statistics.paired import PairedTable, corpus_draws, newcombe, paired_draws
from bench.analysis.statistics.seeds import crossed_means

Array = NDArray[np.float64]
N, DRAWS = 200, 2000  # all data sets share their draws: so many, that their noise is small

quick_and_full = pytest.mark.parametrize("data_sets", [400, pytest.param(3000, marks=pytest.mark.slow)])


def right(found: float, data_sets: int, *, low: float = 0.93, high: float = 0.97) -> bool:
    """Whether coverage lies between the two, and a little further where few data sets tell it: 400 to about 1%."""
    slack = 0.01 if data_sets < 1000 else 0.0
    return low - slack <= found <= high + slack


def coverage(intervals: Iterator[Interval], truth: float) -> float:
    return float(np.mean([interval.covers(truth) for interval in intervals]))


def repeat(one: Callable[[np.random.Generator, int], Interval], data_sets: int, seed: int = 0) -> Iterator[Interval]:
    rng = np.random.default_rng(seed)
    return (one(rng, number) for number in range(data_sets))


def f1_like(luck: Array, skill: float, rng: np.random.Generator) -> Array:
    """Per-item F1: 1 for a share `skill` of items, 0 for 0.4, in between for the rest; mean skill + (0.6 - skill) 2/3.

    `luck` [n], uniform, decides which: methods that share it do well on the same items.
    """
    partly = rng.beta(4, 2, size=luck.size)
    return np.where(luck < skill, 1.0, np.where(luck < 0.6, partly, 0.0))


ORDERS = np.arange(4)


def bleu_like(rows: Array) -> Array:
    """Ten sums as BLEU has them: lengths of prediction and reference, four matches, four totals."""
    logs = np.log(np.maximum(rows[:, 2:6], 0.1) / rows[:, 6:]).mean(axis=1)
    return np.asarray(np.exp(np.minimum(0.0, 1 - rows[:, 1] / rows[:, 0]) + logs))


def bleu_rows(quality: float, rng: np.random.Generator, items: int = N) -> Array:
    """Of each item: both lengths are Poisson + 8; the item's own chance of a match, raised to n, for n-grams."""
    said, wanted = rng.poisson(12, size=(2, items)) + 8
    chance = rng.beta(6 * quality, 6 * (1 - quality), size=items)
    matches = rng.binomial(said[:, None] - ORDERS, chance[:, None] ** (ORDERS + 1))
    return np.column_stack([said, wanted, matches, said[:, None] - ORDERS]).astype(np.float64)


def bleu_truth(quality: float) -> float:
    """Of the expected sums; moments of the beta distribution are products of (a + j) / (a + b + j)."""
    moments = np.cumprod((6 * quality + ORDERS) / (6 + ORDERS))
    lengths = 20.0 - ORDERS
    return float(bleu_like(np.concatenate([[20.0, 20.0], lengths * moments, lengths])[None])[0])


def limits(draws: resampling.Draws) -> Interval:
    return Interval(*resampling.limits(draws, 0.95), 0.95)


@quick_and_full
def test_paired_bootstrap_of_binary_scores(data_sets: int) -> None:
    def one(rng: np.random.Generator, number: int) -> Interval:
        return limits(paired_draws(rng.binomial(1, 0.85, size=N), rng.binomial(1, 0.5, size=N), draws=DRAWS))

    assert right(coverage(repeat(one, data_sets), 0.35), data_sets)


@quick_and_full
def test_paired_bootstrap_of_f1_like_scores(data_sets: int) -> None:
    def one(rng: np.random.Generator, number: int) -> Interval:
        luck = rng.random(N)
        return limits(paired_draws(f1_like(luck, 0.35, rng), f1_like(luck, 0.3, rng), draws=DRAWS))

    assert right(coverage(repeat(one, data_sets), 0.05 / 3), data_sets)


@quick_and_full
def test_paired_bootstrap_of_a_bleu_like_ratio_of_sums(data_sets: int) -> None:
    def one(rng: np.random.Generator, number: int) -> Interval:
        return limits(corpus_draws(bleu_rows(0.6, rng), bleu_rows(0.55, rng), bleu_like, draws=DRAWS))

    assert right(coverage(repeat(one, data_sets), bleu_truth(0.6) - bleu_truth(0.55)), data_sets)


def documents(rng: np.random.Generator, size: int) -> tuple[Array, list[int]]:
    """0 and 1 on questions of `size` documents, 2 to 14 each; a document is easy or hard as a whole."""
    groups = np.repeat(np.arange(size), rng.integers(2, 15, size=size))
    return rng.binomial(1, rng.beta(3, 3, size=size)[groups]).astype(np.float64), groups.tolist()


@quick_and_full
@pytest.mark.parametrize(
    ("size", "low"), [(5, 0.90), (10, 0.93), (30, 0.93)]
)  # five groups undercover, as the docstring says
def test_clustered_bootstrap(size: int, low: float, data_sets: int) -> None:
    def one(rng: np.random.Generator, number: int) -> Interval:
        values, groups = documents(rng, size)
        return limits(paired_draws(values, np.zeros_like(values), draws=DRAWS, groups=groups))

    assert right(coverage(repeat(one, data_sets), 0.5), data_sets, low=low)


def test_items_of_a_document_taken_as_apart_cover_too_little() -> None:
    def one(rng: np.random.Generator, number: int) -> Interval:
        values, _ = documents(rng, 30)
        return limits(paired_draws(values, np.zeros_like(values), draws=DRAWS))

    assert coverage(repeat(one, 500), 0.5) < 0.85


@quick_and_full
@pytest.mark.parametrize(("n", "share"), [(30, 0.5), (100, 0.9), (1000, 0.02)])
def test_wilson(n: int, share: float, data_sets: int) -> None:
    def one(rng: np.random.Generator, number: int) -> Interval:
        return wilson(int(rng.binomial(n, share)), n)

    assert right(coverage(repeat(one, data_sets), share), data_sets)


@quick_and_full
@pytest.mark.parametrize("cells", [(0.5, 0.15, 0.05, 0.3), (0.8, 0.1, 0.05, 0.05)])
def test_newcombe(cells: tuple[float, float, float, float], data_sets: int) -> None:
    def one(rng: np.random.Generator, number: int) -> Interval:
        return newcombe(PairedTable(*(int(count) for count in rng.multinomial(100, cells))))

    assert right(coverage(repeat(one, data_sets), cells[1] - cells[2]), data_sets)


def trained(
    rng: np.random.Generator, seeds: tuple[int, int], spread: tuple[float, float], noise: float, items: int = 100
) -> tuple[Array, Array]:
    """Scores of two methods with the same mean, [seeds, items] each.

    Items share a level and each method has its own on top (variance of a difference: 0.5); a seed shifts all items
    by `spread` standard errors of the mean difference (none for a method with a single seed, which is not trained)
    and each item by `noise`.
    """
    level, error = rng.normal(scale=0.5, size=items), math.sqrt(0.5 / items)
    found = []
    for size, shift in zip(seeds, spread, strict=True):
        own, turned = rng.normal(scale=0.5, size=items), noise * rng.normal(size=(size, items))
        alike = shift * error * rng.normal(size=(size, 1)) if size > 1 else 0.0
        found.append(level + own + (turned if size > 1 else 0.0) + alike)
    return np.atleast_2d(found[0]), np.atleast_2d(found[1])


@quick_and_full
@pytest.mark.parametrize("noise", [0.3, 1.0])
@pytest.mark.parametrize("spread", [(1.0, 1.0), (4.0, 4.0), (0.5, 4.0)])
@pytest.mark.parametrize("seeds", [(1, 3), (3, 3), (5, 5), (3, 10)])
def test_seeds_and_items(seeds: tuple[int, int], spread: tuple[float, float], noise: float, data_sets: int) -> None:
    def one(rng: np.random.Generator, number: int) -> Interval:
        return crossed_means(*trained(rng, seeds, spread, noise)).interval

    assert right(coverage(repeat(one, data_sets), 0.0), data_sets, high=0.98)


@quick_and_full
def test_seeds_that_do_nothing_but_turn_items_over(data_sets: int) -> None:
    """The interval is somewhat too wide, by the docstring."""

    def one(rng: np.random.Generator, number: int) -> Interval:
        return crossed_means(*trained(rng, (3, 3), (0.0, 0.0), 2.0)).interval

    assert right(coverage(repeat(one, data_sets), 0.0), data_sets, low=0.95, high=0.985)


@quick_and_full
@pytest.mark.parametrize("seeds", [3, 5])
def test_seeds_of_binary_scores(seeds: int, data_sets: int) -> None:
    """Accuracy of two equal methods: hard and easy items, each seed turns some over and is better or worse by 2.5%."""

    def side(rng: np.random.Generator, chance: Array) -> Array:
        shifted = chance + rng.normal(scale=0.1, size=N) + 0.025 * rng.normal(size=(seeds, 1))
        return (rng.random((seeds, N)) < np.clip(shifted, 0, 1)).astype(np.float64)

    def one(rng: np.random.Generator, number: int) -> Interval:
        chance = rng.beta(1.2, 0.8, size=N)
        return crossed_means(side(rng, chance), side(rng, chance)).interval

    assert right(coverage(repeat(one, data_sets), 0.0), data_sets)


def test_seeds_of_a_corpus_metric() -> None:
    """Pseudo-values of a BLEU-like score for each seed; a seed's quality varies by 0.02."""
    rng, covered, truth = np.random.default_rng(0), 0, bleu_truth(0.6)
    mean_truth = float(np.mean([bleu_truth(0.6 + 0.02 * z) for z in rng.normal(size=20_000)]))
    assert mean_truth == pytest.approx(truth, abs=0.002)
    for _ in range(300):
        tables = [
            np.array([pseudo_values(bleu_rows(0.6 + 0.02 * z, rng, 60), bleu_like) for z in rng.normal(size=3)])
            for _ in "ab"
        ]
        covered += crossed_means(tables[0], tables[1]).interval.covers(0.0)
    assert 0.92 <= covered / 300 <= 0.99
