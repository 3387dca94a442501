"""The intervals that are shown cover the truth: a part of the grid at each run, all of it among the slow tests."""

from __future__ import annotations

import json
import math
from pathlib import Path

import numpy as np
import pytest
import scipy.optimize  # type: ignore[import-untyped]  # scipy ships no types
import scipy.stats  # type: ignore[import-untyped]  # scipy ships no types
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from bench.analysis.statistics import two_questions
from bench.analysis.statistics.intervals import Interval, wilson
from bench.analysis.statistics.paired import paired_shares
from scripts.coverage import INTERVALS, ITEMS, KINDS, OUT, SEED_SDS, SEEDS, bleu, coverage, summary

LEAST = 0.93
DOCS = Path(__file__).parents[2] / "docs" / "statistics.md"


def enough(found: dict[str, float], data_sets: int) -> dict[str, float]:
    """What covers less than 93%, by more than chance makes of so many data sets."""
    return {name: share for name, share in found.items() if share < LEAST - 2.6 * (0.93 * 0.07 / data_sets) ** 0.5}


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize(("seeds", "items", "sd"), [(1, 40, 0.05), (2, 40, 0.2), (3, 40, 0.2), (5, 200, 0.05)])
def test_part_of_the_grid(kind: str, seeds: int, items: int, sd: float) -> None:
    assert enough(coverage(KINDS[kind], seeds, items, sd, data_sets=800), 800) == {}


def test_one_item_says_nothing_but_its_own_score() -> None:
    one, other = np.array([[0.3]]), np.array([[0.1]])
    assert two_questions.score(one, 2.0, level=0.9) == Interval(0.0, 2.0, 0.9)
    assert two_questions.score(one, None) == Interval(-math.inf, math.inf, 0.95)
    for asked in (two_questions.difference, two_questions.retrained_difference):
        found = asked(one, other, 2.0, level=0.9)
        assert found.difference == pytest.approx(0.2)
        assert (found.p, found.n, found.method) == (1.0, 1, "one item")
        assert found.interval == Interval(-2.0, 2.0, 0.9)
        assert asked(one, other, None).interval == Interval(-math.inf, math.inf, 0.95)


@pytest.mark.slow
@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("seeds", SEEDS)
def test_the_whole_grid(kind: str, seeds: int) -> None:
    for items in ITEMS:
        for sd in SEED_SDS:
            assert enough(coverage(KINDS[kind], seeds, items, sd, data_sets=1500, seed=1), 1500) == {}, (items, sd)


@pytest.mark.parametrize("kind", KINDS)
def test_a_true_drop_is_covered_too(kind: str) -> None:
    assert enough(coverage(KINDS[kind], 3, 40, 0.05, data_sets=800, drop=0.25), 800) == {}


def test_the_page_states_what_was_measured() -> None:
    found = json.loads(OUT.read_text(encoding="utf-8"))["cells"]
    assert summary(found) in DOCS.read_text(encoding="utf-8")
    shares = [share for cells in found.values() for cell in cells for share in cell["coverage"].values()]
    assert min(shares) >= LEAST
    assert len(shares) == len(KINDS) * len(ITEMS) * len(SEED_SDS) * (2 * 3 + 3 * len(INTERVALS))


def test_pseudo_values_of_the_simulation_are_the_jackknifes() -> None:
    luck = np.random.default_rng(0).random((1, 1, 6))
    values = bleu(luck, np.array([[0.35]]))[0, 0]
    logs = np.log(luck[0, 0])  # the chance of an item is luck^e: find e by its own equation
    e = scipy.optimize.brentq(lambda x: np.prod([1 / (1 + x * n) for n in (1, 2, 3, 4)]) ** 0.25 - 0.35, 1e-3, 100)
    matches = np.exp(logs[:, None] * e * np.arange(1, 5))

    def score(rows: np.ndarray) -> float:
        return float(scipy.stats.gmean(rows.mean(axis=0)))

    expected = [6 * score(matches) - 5 * score(np.delete(matches, i, axis=0)) for i in range(6)]
    assert values == pytest.approx(expected, rel=1e-3)


def test_one_seed_of_right_and_wrong_has_wilsons_and_newcombes_limits() -> None:
    a, b = np.array([[1.0] * 15 + [0.0] * 5]), np.array([[1.0] * 10 + [0.0] * 10])
    assert two_questions.score(a, 1.0).low == pytest.approx(wilson(15, 20).low)
    assert two_questions.score(a, 1.0).high == pytest.approx(wilson(15, 20).high)
    assert two_questions.difference(a, b, 1.0) == paired_shares(a[0], b[0])


@pytest.mark.parametrize(("value", "seeds"), [(0.0, 1), (0.0, 2), (1.0, 3)])
def test_all_alike_has_a_width(value: float, seeds: int) -> None:
    scores = np.full((seeds, 40), value)
    t = scipy.stats.norm.ppf(0.975) if seeds == 1 else scipy.stats.t.ppf(0.975, 39)
    far = t**2 / (40 + t**2)  # Wilson's limit of none of 40, with Student's quantile for several seeds
    found = two_questions.score(scores, 1.0)
    assert (found.low, found.high) == pytest.approx((0.0, far) if value == 0 else (1 - far, 1.0))
    apart = two_questions.difference(scores, np.full((1, 40), value), 1.0)
    assert apart.interval.low < 0 < apart.interval.high
    assert apart.p == 1


def test_bonett_and_prices_error_by_hand() -> None:
    """Two items that a alone gets and one that b alone gets, of ten; two seeds of a that agree."""
    a, b = np.array([[1.0] * 5 + [0.0] * 5] * 2), np.array([[1.0] * 3 + [0.0] * 2 + [1.0] + [0.0] * 4])
    centre, squares = (2 - 1) / 10, (2 + 1) + (1 + 1)  # of 12 items: three of +1, two of -1, seven of 0
    error = ((squares / 12 - (1 / 12) ** 2) * 12 / 11 / 12) ** 0.5
    half = scipy.stats.t.ppf(0.975, 9) * error
    found = two_questions.difference(a, b, 1.0)
    assert (found.interval.low, found.interval.high) == pytest.approx((centre - half, centre + half))
    assert found.p == pytest.approx(2 * scipy.stats.t.sf(centre / error, 9))


def test_scores_without_bounds_have_students_limits() -> None:
    rng = np.random.default_rng(3)
    a, b = rng.exponential(2, (3, 30)), rng.exponential(2, (1, 30))
    expected = scipy.stats.ttest_rel(a.mean(axis=0), b[0])
    found = two_questions.difference(a, b, None)
    assert (found.interval.low, found.interval.high) == pytest.approx(tuple(expected.confidence_interval(0.95)))
    assert found.p == pytest.approx(expected.pvalue)
    alone = scipy.stats.ttest_1samp(a.mean(axis=0), 0).confidence_interval(0.95)
    assert (two_questions.score(a, None).low, two_questions.score(a, None).high) == pytest.approx(tuple(alone))


def test_where_items_tell_nothing_apart_seeds_are_welchs() -> None:
    """Scores that are the same for all items of a seed, without bounds: only the seeds' means vary."""
    of_a, of_b = np.array([0.3, 0.5, 0.4, 0.8]), np.array([0.1, 0.2, 0.25])
    items = np.random.default_rng(0).normal(size=50)  # cancel in the difference
    a, b = of_a[:, None] + items, of_b[:, None] + items
    expected = scipy.stats.ttest_ind(of_a, of_b, equal_var=False)
    found = two_questions.retrained_difference(a, b, None)
    assert (found.interval.low, found.interval.high) == pytest.approx(tuple(expected.confidence_interval(0.95)))
    assert found.p == pytest.approx(expected.pvalue)
    half = (expected.confidence_interval(0.95).high - expected.confidence_interval(0.95).low) / 2
    assert two_questions.seeds_half_width(a, b) == pytest.approx(half)


scores_of = st.integers(2, 12).flatmap(
    lambda n: st.tuples(*(arrays(np.float64, (3, n), elements=st.sampled_from([0.0, 0.25, 0.5, 1.0])) for _ in "ab"))
)


@given(scores_of)
@settings(max_examples=60, deadline=None)
def test_training_again_is_never_surer_and_both_questions_are_symmetric(pair: tuple[np.ndarray, np.ndarray]) -> None:
    a, b = pair
    items, seeds = two_questions.difference(a, b, 1.0), two_questions.retrained_difference(a, b, 1.0)
    assert seeds.interval.low <= items.interval.low + 1e-12
    assert items.interval.high <= seeds.interval.high + 1e-12
    assert items.interval.low <= items.difference + 1e-12
    assert items.difference <= items.interval.high + 1e-12
    for of in (two_questions.difference, two_questions.retrained_difference):
        there, back = of(a, b, 1.0), of(b, a, 1.0)
        assert (there.interval.low, there.interval.high) == pytest.approx((-back.interval.high, -back.interval.low))
        assert there.p == pytest.approx(back.p, abs=1e-6)
        if there.interval.low > 1e-9 or there.interval.high < -1e-9:
            assert there.p < 0.05 + 1e-6
    alone = two_questions.score(a, 1.0)
    assert 0 <= alone.low <= alone.high <= 1
    assert alone.low < alone.high
    assert alone.covers(float(a.mean()))


def test_the_order_of_items_changes_nothing() -> None:
    rng = np.random.default_rng(1)
    a, b = rng.random((3, 50)), rng.random((2, 50))
    order = rng.permutation(50)
    there, again = (two_questions.retrained_difference(*pair, 1.0) for pair in ((a, b), (a[:, order], b[:, order])))
    assert (there.interval.low, there.p) == pytest.approx((again.interval.low, again.p))


def test_scores_without_bounds_that_all_differ_by_the_same_leave_no_doubt() -> None:
    found = two_questions.difference([[2.0, 3.0, 5.0]], [[1.0, 2.0, 4.0]], None)
    assert (found.interval.low, found.interval.high, found.p) == (1.0, 1.0, 0.0)
    same = two_questions.difference([[2.0, 3.0, 5.0]], [[2.0, 3.0, 5.0]], None)
    assert (same.interval.low, same.interval.high, same.p) == (0.0, 0.0, 1.0)


def test_what_is_said_of_a_difference() -> None:
    a, b = np.array([[0.5, 1.0, 0.25], [0.5, 0.75, 0.0]]), np.array([[0.0, 1.0, 0.5], [0.25, 0.5, 0.0]])
    assert two_questions.difference(a, b, 1.0).method == "paired t over items, two added"
    again = two_questions.retrained_difference(a, b, 1.0)
    assert (again.method, again.n) == ("items and seeds: limits joined by squares, t", 3)
    assert again.difference == pytest.approx(0.5 - 0.375)
    for found in (two_questions.difference(a, b, 1.0), again, two_questions.retrained_difference(a, b, 1.0)):
        assert found.interval.level == 0.95
    assert two_questions.score(a, 1.0).level == 0.95
    one = two_questions.difference(a[:1], b[:1], 1.0)  # halves are no 0 and 1
    assert one.method == "paired t over items, two added"
    right = np.array([[1.0, 0.0, 1.0]])
    assert two_questions.difference(right, right, 2.0).method == "paired t over items, two added"
    assert two_questions.difference(np.tile(right, (2, 1)), right, 1.0).method == "paired t over items, two added"


@pytest.mark.parametrize("level", [0.5, 0.9, 0.99, 0.999])
def test_p_of_training_again_is_that_of_the_interval_that_ends_at_0(level: float) -> None:
    """Shifted so that a limit is 0, p is 1 - level, on either side."""
    rng = np.random.default_rng(2)
    a, b = rng.normal(0.8, 0.2, (3, 30)), rng.normal(0.5, 0.2, (4, 30))
    limits = two_questions.retrained_difference(a, b, None, level=level).interval
    for limit in (limits.low, limits.high):
        assert two_questions.retrained_difference(a - limit, b, None).p == pytest.approx(1 - level, rel=1e-6)
    assert two_questions.retrained_difference(a, a, None).p == 1.0
    assert two_questions.retrained_difference(a + 1e7, b, None).p == pytest.approx(
        2e-12
    )  # the least that is looked for
