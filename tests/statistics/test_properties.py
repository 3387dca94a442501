"""What must hold for any scores: symmetry, order of items, nesting of levels, identical inputs."""

from __future__ import annotations

from collections.abc import Callable
from itertools import combinations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from bench.analysis.statistics import resampling
from bench.analysis.statistics.family import different_pairs, holm, tie_groups
from bench.analysis.statistics.intervals import Interval, wilson
from bench.analysis.statistics.paired import (
    PairedResult,
    PairedTable,
    corpus_draws,
    mcnemar,
    newcombe,
    paired_draws,
    paired_shares,
)
from bench.analysis.statistics.seeds import crossed_means

Array = NDArray[np.float64]
Rows = list[tuple[float, float, str]]  # of each item: score of a, score of b, group
Compare = Callable[[Rows, float], PairedResult]

# Quarters add up without rounding, so that another order of items gives the very same sums.
scores = st.integers(-8, 8).map(lambda number: number / 4)
items = st.lists(st.tuples(scores, scores, st.sampled_from("xyz")), min_size=3, max_size=15)
grouped = items.filter(lambda rows: len({group for _, _, group in rows}) > 1)
levels = st.floats(0.05, 0.99)
counts = st.builds(PairedTable, *[st.integers(0, 40)] * 4).filter(lambda table: table.n > 0)
DRAWS = 120
few = settings(max_examples=25, deadline=None)


def ratio(rows: Array) -> Array:
    return rows[:, 0] / rows[:, 1]


def columns(rows: Rows) -> tuple[Array, Array, list[str]]:
    return np.array([row[0] for row in rows]), np.array([row[1] for row in rows]), [row[2] for row in rows]


def shares(rows: Rows, level: float) -> PairedResult:
    a, b, _ = columns(rows)
    return paired_shares(a > 0, b > 0, level=level)


def of_draws(draws: resampling.Draws, rows: Rows, level: float) -> PairedResult:
    p = min(1.0, 2 * min(resampling.below(draws, 0.0), resampling.above(draws, 0.0)))
    return PairedResult(draws.observed, Interval(*resampling.limits(draws, level), level), p, len(rows), "bootstrap")


def means(rows: Rows, level: float) -> PairedResult:
    a, b, _ = columns(rows)
    return of_draws(paired_draws(a, b, draws=DRAWS), rows, level)


def means_of_groups(rows: Rows, level: float) -> PairedResult:
    a, b, groups = columns(rows)
    return of_draws(paired_draws(a, b, draws=DRAWS, groups=groups), rows, level)


def corpus(rows: Rows, level: float) -> PairedResult:
    a, b, _ = columns(rows)
    weights = np.abs(a) + np.abs(b) + 1  # both methods' texts are as long as the item asks for
    draws = corpus_draws(np.column_stack([a, weights]), np.column_stack([b, weights]), ratio, draws=DRAWS)
    return of_draws(draws, rows, level)


def corpus_of_groups(rows: Rows, level: float) -> PairedResult:
    a, b, groups = columns(rows)
    ones = np.ones_like(a)
    draws = corpus_draws(np.column_stack([a, ones]), np.column_stack([b, ones]), ratio, draws=DRAWS, groups=groups)
    return of_draws(draws, rows, level)


def seeds(rows: Rows, level: float) -> PairedResult:
    a, b, _ = columns(rows)
    return crossed_means([a, a**2, a + 1], [b, b**2, b + 1], level=level)


every = pytest.mark.parametrize(
    "compare",
    [
        shares,
        means,
        means_of_groups,
        corpus,
        corpus_of_groups,
        seeds,
    ],
)


def limits(interval: Interval) -> tuple[float, float]:
    return interval.low, interval.high


@every
@few
@given(rows=grouped, level=levels)
def test_swapping_the_methods_changes_the_sign_alone(compare: Compare, rows: Rows, level: float) -> None:
    one, other = compare(rows, level), compare([(b, a, group) for a, b, group in rows], level)
    assert other.difference == pytest.approx(-one.difference)
    assert limits(other.interval) == pytest.approx((-one.interval.high, -one.interval.low), abs=1e-9)
    assert other.p == pytest.approx(one.p)


@every
@few
@given(data=st.data())
def test_the_order_of_the_items_changes_nothing(compare: Compare, data: st.DataObject) -> None:
    rows = data.draw(grouped)
    shuffled = data.draw(st.permutations(rows))
    one, other = compare(rows, 0.9), compare(shuffled, 0.9)
    assert other.difference == pytest.approx(one.difference)
    assert limits(other.interval) == pytest.approx(limits(one.interval), abs=1e-9)
    assert other.p == pytest.approx(one.p)


@every
@few
@given(rows=grouped, level=levels, other=levels)
def test_a_higher_level_is_a_wider_interval(compare: Compare, rows: Rows, level: float, other: float) -> None:
    narrow, wide = (compare(rows, each).interval for each in sorted((level, other)))
    assert wide.low <= narrow.low + 1e-12
    assert wide.high >= narrow.high - 1e-12


@every
@few
@given(rows=grouped, level=levels)
def test_identical_methods_do_not_differ(compare: Compare, rows: Rows, level: float) -> None:
    found = compare([(a, a, group) for a, _, group in rows], level)
    assert found.difference == 0
    assert found.p == 1
    assert found.interval.covers(0)


@every
@few
@given(rows=grouped, level=levels)
def test_all_is_in_range(compare: Compare, rows: Rows, level: float) -> None:
    found = compare(rows, level)
    assert 0 <= found.p <= 1
    assert found.interval.low <= found.interval.high
    assert found.interval.level == level
    assert found.n == len(rows)


@given(n=st.integers(1, 500), share=st.floats(0, 1), level=levels, other=levels)
def test_wilson_nests_mirrors_and_covers(n: int, share: float, level: float, other: float) -> None:
    successes = round(share * n)
    narrow, wide = (wilson(successes, n, level=each) for each in sorted((level, other)))
    assert 0 <= wide.low <= narrow.low + 1e-12  # levels may differ by a rounding, and limits then do too
    assert narrow.low <= narrow.high <= wide.high + 1e-12
    assert max(narrow.high, wide.high) <= 1
    assert narrow.low - 1e-12 <= successes / n <= narrow.high + 1e-12
    mirrored = wilson(n - successes, n, level=narrow.level)
    assert limits(mirrored) == pytest.approx((1 - narrow.high, 1 - narrow.low))


@given(table=counts)
def test_newcombe_has_width_and_covers_the_difference(table: PairedTable) -> None:
    found = newcombe(table)
    assert -1 <= found.low < found.high <= 1
    assert found.low - 1e-12 <= (table.only_a - table.only_b) / table.n <= found.high + 1e-12


@given(only_a=st.integers(0, 60), only_b=st.integers(0, 60))
def test_mcnemar_is_symmetric_and_falls_with_the_excess(only_a: int, only_b: int) -> None:
    assert 0 < mcnemar(only_a, only_b) == mcnemar(only_b, only_a) <= 1
    if only_a < only_b:
        assert mcnemar(only_a, only_b + 1) < mcnemar(only_a, only_b) or mcnemar(only_a, only_b) == 1


@given(p=st.lists(st.floats(0, 1), min_size=1, max_size=12))
def test_holm_is_never_below_raw_nor_bonferronis_above(p: list[float]) -> None:
    adjusted = holm(p)
    assert all(raw <= value <= min(1, raw * len(p)) + 1e-12 for raw, value in zip(p, adjusted, strict=True))
    assert [adjusted[place] for place in np.argsort(p, kind="stable")] == sorted(adjusted)


@given(p=st.lists(st.floats(0, 1), min_size=1, max_size=8), data=st.data())
def test_holm_does_not_hang_on_the_order(p: list[float], data: st.DataObject) -> None:
    order = data.draw(st.permutations(range(len(p))))
    assert holm([p[place] for place in order]) == pytest.approx(holm(p)[list(order)])


@given(data=st.data(), size=st.integers(2, 7), alpha=st.floats(0.01, 0.5))
def test_tie_groups_cover_all_methods_and_say_what_differs(data: st.DataObject, size: int, alpha: float) -> None:
    ranked = list("abcdefg"[:size])
    pairs = list(combinations(ranked, 2))
    p = dict(zip(pairs, data.draw(st.lists(st.floats(0, 0.2), min_size=len(pairs), max_size=len(pairs))), strict=True))
    different = different_pairs(p, alpha=alpha)
    found = tie_groups(ranked, different)
    assert {name for group in found.groups for name in group} == set(ranked)
    assert found.groups[0][0] == ranked[0]
    assert list(found.groups) == sorted(found.groups)  # letters are ranks here: best first
    for pair in pairs:
        together = any(set(pair) <= set(group) for group in found.groups)
        assert together == (frozenset(pair) not in different)
    assert bool(found.intransitive) == any(
        set(one) & set(other) for one, other in combinations(found.groups, 2)
    )  # groups overlap where, and only where, ties do not carry over
