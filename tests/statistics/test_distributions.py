"""Distributions as scipy.stats has them, searches by counting their steps, and what is refused, word for word."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest
import scipy.stats  # type: ignore[import-untyped]  # scipy ships no types

from bench.analysis.statistics import (
    agreement,
    checks,
    drops,
    family,
    intervals,
    onesided,
    paired,
    resampling,
    seeds,
    two_questions,
)
from bench.analysis.statistics import distributions as ours
from bench.analysis.statistics.paired import PairedTable
from bench.analysis.statistics.randomisation import exchanged_corpus, exchanged_means


@pytest.mark.parametrize("z", [-3.0, -0.5, 0.0, 1.2, 4.0])
def test_normal(z: float) -> None:
    assert ours.normal_cdf(z) == pytest.approx(scipy.stats.norm.cdf(z))
    assert ours.normal_quantile(ours.normal_cdf(z)) == pytest.approx(z, abs=1e-9)


@pytest.mark.parametrize("df", [1, 2.5, 40])
def test_student(df: float) -> None:
    for t in (-3.0, 0.4, 2.0):
        assert ours.t_cdf(t, df) == pytest.approx(scipy.stats.t.cdf(t, df))
        assert ours.t_quantile(ours.t_cdf(t, df), df) == pytest.approx(t)
    both = ours.t_quantiles([0.9, 0.975], df)
    assert both == pytest.approx(scipy.stats.t.ppf([0.9, 0.975], df))
    assert both.dtype == np.float64


@pytest.mark.parametrize("share", [0.2, 0.5, 0.9])
def test_binomial(share: float) -> None:
    for n in range(7):
        k = np.arange(-1, n + 2)
        assert ours.binomial_cdf(k, n, share) == pytest.approx(scipy.stats.binom.cdf(k, n, share))
        inside = np.arange(n + 1)
        assert ours.binomial_pmf(inside, n, share) == pytest.approx(scipy.stats.binom.pmf(inside, n, share))
    assert ours.binomial_pmf([2, 3], 3, 1.0) == pytest.approx([0.0, 1.0])
    counts, trials, shares = [1, 2, 3], [4, 5, 3], [0.1, 0.5, 0.9]
    assert ours.binomial_cdf(counts, trials, shares) == pytest.approx(scipy.stats.binom.cdf(counts, trials, shares))


def test_a_search_halves_its_range_so_often() -> None:
    """Of eighths the least that is 0.3 or more is 3/8; of 100 halvings nothing is left."""
    asked = []

    def rises(x: float) -> bool:
        asked.append(x)
        return x >= 0.3

    assert ours.bisect(rises, 0.0, 1.0, 3) == 0.375
    assert asked == [0.5, 0.25, 0.375]
    assert ours.bisect(rises, 0.0, 1.0) == 0.3
    assert len(asked) == 3 + 100


def test_a_search_of_many_points_cuts_its_range_so_often() -> None:
    asked = []

    def holds(points: np.ndarray) -> np.ndarray:
        asked.append(len(points))
        return np.asarray(points >= 0.3)

    assert ours.first_where(holds, 0.0, 1.0, 3, 4) == 20 / 64  # 19.2 of 64ths
    assert ours.first_where(holds, 0.0, 0.2, 2, 4) == 0.2  # nowhere within
    assert ours.first_where(holds, -8.0, 8.0) == pytest.approx(0.3, abs=1e-12)
    assert asked == [3] * 5 + [63] * 8


REFUSED: list[tuple[Callable[[], object], str]] = [
    (lambda: checks.vector([[1.0]], "a"), "a has 2 dimensions; 1 are needed"),
    (lambda: checks.vector([1.0], "a"), "a has 1 rows; at least 2 are needed"),
    (lambda: checks.vector([], "a", least=0), "a has 0 rows; at least 0 are needed"),
    (lambda: checks.vector([1.0, np.inf], "a"), "a holds a value that is not finite"),
    (lambda: checks.matrix([1.0, 2.0], "b"), "b has 1 dimensions; 2 are needed"),
    (lambda: checks.matrix([[1.0, 2.0]], "b"), "b has 1 rows; at least 2 are needed"),
    (lambda: checks.matrix([[1.0], [np.nan]], "b"), "b holds a value that is not finite"),
    (lambda: checks.pair([1.0], [2.0, 3.0]), "a has 1 rows; at least 2 are needed"),
    (lambda: checks.pair([1.0, 2.0], [2.0]), "b has 1 rows; at least 2 are needed"),
    (lambda: checks.pair([1.0], [2.0, 3.0], least=1), "a has 1 items and b has 2; they must be the same items"),
    (lambda: checks.binary(np.array([0.0, 2.0]), "a"), "a must hold 0 and 1 alone, one for each item"),
    (lambda: checks.share(0.0, "level"), "level is 0.0; it must lie between 0 and 1, both excluded"),
    (lambda: checks.share(1.0, "level"), "level is 1.0; it must lie between 0 and 1, both excluded"),
    (lambda: checks.at_least(2, 3, "n"), "n is 2; at least 3 is needed"),
    (lambda: checks.groups([1, 2], 3), "2 groups are named for 3 items; there must be one for each item"),
    (
        lambda: checks.groups(["x", "x"], 2),
        "all items are in one group; at least two groups are needed to resample them",
    ),
    (lambda: agreement.kappa([0, 1], [0, 1, 1], 2), "a has 2 ratings and b has 3; they must be of the same things"),
    (lambda: agreement.kappa([0], [0], 2), "a has 1 rows; at least 2 are needed"),
    (lambda: agreement.kappa([0, 1], [0], 2), "b has 1 rows; at least 2 are needed"),
    (lambda: agreement.kappa([0, 3], [0, 1], 3), "ratings must be whole numbers from 0 to 2"),
    (lambda: agreement.kappa([0, 1], [0, 3], 3), "ratings must be whole numbers from 0 to 2"),
    (lambda: agreement.kappa([-1, 1], [0, 1], 3), "ratings must be whole numbers from 0 to 2"),
    (lambda: agreement.kappa([0, 1], [-1, 1], 3), "ratings must be whole numbers from 0 to 2"),
    (lambda: agreement.kappa([1, 1], [1, 1], 2), "both raters call everything the same: kappa has no value"),
    (
        lambda: agreement.kappa([0, 1], [1, 1], 2, level=1.0),
        "level is 1.0; it must lie between 0 and 1, both excluded",
    ),
    (lambda: family.holm([[0.5]]), "p has 2 dimensions; 1 are needed"),
    (lambda: family.holm([]), "p has 0 rows; at least 1 are needed"),
    (lambda: family.holm([1.5]), "p holds a value outside [0, 1]"),
    (lambda: family.holm([-0.5]), "p holds a value outside [0, 1]"),
    (lambda: family.different_pairs({("a", "a"): 0.5}), "each pair must be of two methods, and be given once"),
    (
        lambda: family.different_pairs({("a", "b"): 0.5}, alpha=1.0),
        "alpha is 1.0; it must lie between 0 and 1, both excluded",
    ),
    (lambda: family.tie_groups([], frozenset()), "ranked must name at least one method, and each once"),
    (
        lambda: family.tie_groups(["x"], {frozenset("xq"), frozenset("xb")}),
        "not among the ranked methods: b, q",
    ),
    (lambda: intervals.wilson(0, 0), "n is 0; at least 1 is needed"),
    (lambda: intervals.wilson(3, 2), "successes are 3 of 2; they must lie between 0 and 2"),
    (lambda: intervals.wilson(-1, 2), "successes are -1 of 2; they must lie between 0 and 2"),
    (lambda: intervals.wilson(1, 2, level=2.0), "level is 2.0; it must lie between 0 and 1, both excluded"),
    (
        lambda: intervals.pseudo_values([[1.0]], lambda rows: rows[:, 0]),
        "statistics has 1 rows; at least 2 are needed",
    ),
    (lambda: paired.table([2.0], [1.0]), "a must hold 0 and 1 alone, one for each item"),
    (lambda: paired.table([1.0], [2.0]), "b must hold 0 and 1 alone, one for each item"),
    (lambda: paired.table([], []), "a has 0 rows; at least 1 are needed"),
    (lambda: paired.mcnemar(-1, 2), "only_a is -1; at least 0 is needed"),
    (lambda: paired.mcnemar(2, -1), "only_b is -1; at least 0 is needed"),
    *(
        (lambda counts=counts: paired.newcombe(PairedTable(*counts)), f"{name} is -1; at least 0 is needed")
        for name, counts in (
            ("both", (-1, 2, 2, 2)), ("only_a", (2, -1, 2, 2)), ("only_b", (2, 2, -1, 2)), ("neither", (2, 2, 2, -1)),
        )
    ),
    (
        lambda: paired.corpus_draws([[1.0, 2.0]] * 2, [[1.0]] * 2, lambda rows: rows[:, 0]),
        "a has the shape (2, 2) and b (2, 1); they must be the same items and counts",
    ),
    (lambda: paired.corpus_draws([[1.0]], [[1.0]], lambda rows: rows[:, 0]), "a has 1 rows; at least 2 are needed"),
    (lambda: paired.corpus_draws([[1.0]] * 2, [[1.0]], lambda rows: rows[:, 0]), "b has 1 rows; at least 2 are needed"),
    (
        lambda: exchanged_corpus([[1.0, 2.0]] * 2, [[1.0]] * 2, lambda rows: rows[:, 0]),
        "a has the shape (2, 2) and b (2, 1); they must be the same items and counts",
    ),
    (lambda: exchanged_corpus([[1.0]], [[1.0]], lambda rows: rows[:, 0]), "a has 1 rows; at least 2 are needed"),
    (lambda: exchanged_corpus([[1.0]] * 2, [[1.0]], lambda rows: rows[:, 0]), "b has 1 rows; at least 2 are needed"),
    (lambda: exchanged_means([1.0, 2.0], [1.0, 3.0], draws=99), "draws is 99; at least 100 is needed"),
    (
        lambda: resampling.resample(np.ones((2, 1)), lambda rows: rows[:, 0], 99),
        "draws is 99; at least 100 is needed",
    ),
    (
        lambda: resampling.limits(paired.paired_draws([1.0, 2.0], [2.0, 2.5], draws=100), 0.0),
        "level is 0.0; it must lie between 0 and 1, both excluded",
    ),
    (lambda: drops.found_shares(0, 0.1, 0.0, alpha=0.05), "n is 0; at least 1 is needed"),
    (
        lambda: drops.found_shares(1, 0.1, 0.0, alpha=0.0),
        "alpha is 0.0; it must lie between 0 and 1, both excluded",
    ),
    (lambda: drops.found_shares(1, 1.5, 0.0, alpha=0.05), "discordance is 1.5; it must lie in (0, 1]"),
    (lambda: drops.found_shares(1, 0.0, 0.0, alpha=0.05), "discordance is 0.0; it must lie in (0, 1]"),
    (lambda: drops.found_shares(1, 0.5, 0.6, alpha=0.05), "drop is 0.6; it must lie in [0, 0.5], the discordance"),
    (lambda: drops.found_shares(1, 0.5, -0.1, alpha=0.05), "drop is -0.1; it must lie in [0, 0.5], the discordance"),
    (
        lambda: drops.within_shares(9, 0.5, 1.0, alpha=0.05),
        "margin is 1.0; it must lie between 0 and 1, both excluded",
    ),
    (lambda: drops.within_shares(0, 0.5, 0.1, alpha=0.05), "n is 0; at least 1 is needed"),
    (
        lambda: drops.items_needed(lambda n: 1.0, 1.0),
        "power is 1.0; it must lie between 0 and 1, both excluded",
    ),
    (lambda: onesided.of_seeds([1.0], [2.0]), "degrees of freedom is 0; at least 1 is needed"),
    (lambda: onesided.of_seeds([], [2.0]), "a has 0 rows; at least 1 are needed"),
    (lambda: onesided.of_seeds([1.0], []), "b has 0 rows; at least 1 are needed"),
    (lambda: seeds.crossed_means([], [[1.0, 2.0]]), "a has 1 dimensions; 2 are needed"),
    (lambda: seeds.crossed_means([[1.0, 2.0]], []), "b has 1 dimensions; 2 are needed"),
    (lambda: seeds.crossed_means(np.ones((0, 2)), [[1.0, 2.0]]), "a has 0 rows; at least 1 are needed"),
    (lambda: seeds.crossed_means([[1.0]], [[1.0]]), "the number of items is 1; at least 2 is needed"),
    (
        lambda: seeds.crossed_means([[1.0, 2.0]], [[1.0, 2.0, 3.0]]),
        "a has 2 items and b has 3; they must be the same items",
    ),
    (
        lambda: seeds.crossed_means([[1.0, 2.0]], [[1.0, 3.0]], level=0.0),
        "level is 0.0; it must lie between 0 and 1, both excluded",
    ),
    (lambda: seeds.seeds_variance([[1.0, 2.0]]), "scores has 1 rows; at least 2 are needed"),
    (lambda: two_questions.score([1.0, 2.0], 1.0), "scores has 1 dimensions; 2 are needed"),
    (lambda: two_questions.score(np.ones((0, 2)), 1.0), "scores has 0 rows; at least 1 are needed"),
    (
        lambda: two_questions.score([[1.0, 0.0]], 1.0, level=1.0),
        "level is 1.0; it must lie between 0 and 1, both excluded",
    ),
    (
        lambda: two_questions.difference([[1.0, 2.0]], [[1.0, 2.0, 3.0]], 1.0),
        "a has 2 items and b has 3; they must be the same items",
    ),
]  # fmt: skip


@pytest.mark.parametrize(("asked", "said"), REFUSED, ids=[said for _, said in REFUSED])
def test_what_is_refused_is_said(asked: Callable[[], object], said: str) -> None:
    with pytest.raises(ValueError, match=r"^") as raised:
        asked()
    assert str(raised.value) == said


def test_what_is_right_at_a_bound_is_taken() -> None:
    assert checks.vector([1.0], "a", least=1).tolist() == [1.0]
    assert checks.matrix([[1.0, 2.0]], "a", least=1).tolist() == [[1.0, 2.0]]
    assert checks.vector([True, False], "a").dtype == np.float64
    assert checks.at_least(3, 3, "n") == 3
    assert checks.share(0.5, "level") == 0.5
    assert checks.groups(["y", "x", "y"], 3).tolist() == [0, 1, 0]
    assert drops.found_shares(20, 1.0, 1.0, alpha=0.05) == 1.0
    assert family.holm([0.0, 1.0]).tolist() == [0.0, 1.0]
    for n in range(1, 300):  # to the last bit, which the formula is not
        assert intervals.wilson(0, n).low == 0.0
        assert intervals.wilson(n, n).high == 1.0
