"""Worlds that may be, what the rule chooses in them, and which cells are worth measuring."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray

from bench.analysis.answers import Answers
from bench.analysis.comparison import within
from bench.analysis.decision.candidates import Candidate, Price, candidates
from bench.analysis.decision.verdict import decide
from bench.config import assumptions, prices
from bench.config.assumptions import Assumptions
from bench.core.record import CellRef
from bench.forecast.choice import UNDECIDED, Outlook, outcome, outlook, value_of
from bench.forecast.contest import Contest, Entrant, Slot
from bench.forecast.next_cells import ranked, settled_on
from bench.forecast.worlds import moved, swapped, variance, worlds
from bench.store.run_folder import read_run

ROOT = Path(__file__).parent.parent.parent
Array = NDArray[np.float64]


def slot(method: str, seed: int) -> Slot:
    return Slot(CellRef(f"{method}{seed}", "m", "mail", method, seed, suite_method=method), 100)


def entrant(method: str, right: Sequence[int], of: int = 100, seeds: int = 3, query: float = 1e-6) -> Entrant:
    """A method of so many right answers with each of its measured seeds, the same items first."""
    values = np.array([[1.0] * each + [0.0] * (of - each) for each in right]).reshape(-1, of)
    answers = Answers(
        method, "m", "mail", "accuracy", "v1", "q", tuple(range(len(right))), True, tuple(map(str, range(of))),
        ("",) * of, (("",) * of,) * len(right), tuple(values.mean(axis=1).tolist()), values, suite_method=method,
    )  # fmt: skip
    paid = (Price(0.0, 0.1, 0.1, query),) * len(right)
    slots = tuple(slot(method, seed) for seed in range(seeds))
    found = Candidate(method, answers, paid, None, 0, True, ())
    return Entrant(method, slots, slots[len(right) :], found if right else None)


def contest(*entrants: Entrant, assumed: Assumptions | None = None) -> Contest:
    return Contest("mail", entrants, assumed or Assumptions())


@given(st.lists(st.sampled_from([0.0, 1.0]), min_size=1, max_size=60), st.floats(0, 1), st.integers(0, 99))
def test_swapping_keeps_the_answers_and_their_mean(values: list[float], share: float, seed: int) -> None:
    found = swapped(np.array(values), share, np.random.default_rng(seed))
    assert sorted(found) == sorted(values)


@given(st.lists(st.sampled_from([0.0, 1.0]), min_size=5, max_size=60), st.floats(-1, 1), st.integers(0, 99))
def test_answers_that_are_right_or_wrong_stay_so_when_they_are_moved(
    values: list[float], shift: float, seed: int
) -> None:
    before = np.array(values)
    found = moved(before, shift, (0.0, 1.0), np.random.default_rng(seed))
    assert set(found) <= {0.0, 1.0}
    aim = min(1.0, max(0.0, before.mean() + shift))
    assert abs(found.mean() - aim) <= 1 / len(values) + 1e-9
    assert (found >= before).all() or (found <= before).all()


def test_shares_go_the_same_part_of_the_way_and_unbounded_scores_move_alike() -> None:
    rng = np.random.default_rng(0)
    assert moved(np.array([0.2, 0.6]), 0.3, (0.0, 1.0), rng) == pytest.approx([0.6, 0.8])  # half of the way to 1
    assert moved(np.array([0.2, 0.6]), -0.2, (0.0, 1.0), rng) == pytest.approx([0.1, 0.3])  # half of the way to 0
    assert moved(np.array([2.0, 6.0]), 1.5, None, rng) == pytest.approx([3.5, 7.5])


def test_the_variance_of_seeds_is_a_median_over_methods() -> None:
    """Chi-squared with one degree of freedom has the median 0.45494; the prior is 0.025 squared."""
    assert variance(contest(entrant("a", [50]))) == pytest.approx(0.000625)
    calm, wild = entrant("a", [50, 52]), entrant("b", [10, 90])
    assert variance(contest(calm)) == pytest.approx((0.000625 + 0.0002 / 0.45494) / 2, rel=1e-4)
    assert variance(contest(calm, wild)) == pytest.approx(0.000625)


def test_a_world_keeps_what_is_measured_and_has_every_seed() -> None:
    one = contest(entrant("a", [80, 82]), entrant("b", [20]))
    for world in worlds(one, 5, seed=0):
        first, second = (candidate.answers for candidate in world.candidates)
        assert first.values is not None
        assert first.values.shape == (3, 100)
        assert first.scores[:2] == (0.8, 0.82)
        assert len(second.scores) == 3
        assert set(world.drawn) == {"a2", "b1", "b2"}
        assert world.drawn["a2"] == first.scores[2]


def test_worlds_do_not_depend_on_the_order_of_methods() -> None:
    a, b = entrant("a", [80]), entrant("b", [70, 75])
    for one, other in zip(worlds(contest(a, b), 4, 0), worlds(contest(b, a), 4, 0), strict=True):
        assert one.drawn == other.drawn


@pytest.mark.parametrize("name", ["any-model", "parts-mini"])
def test_the_outcome_is_that_of_the_decision(name: str) -> None:
    """The same rule, asked with fewer figures: of committed runs it comes to what `decide` says."""
    run = read_run(ROOT / "results" / f"{name}.run.zip")
    assumed, paid = assumptions.read(run.decide, name), prices.replaced(run.prices, name)
    for family in within(run):
        found = candidates(run, family, paid, assumed)
        verdict = decide(family, found, assumed, run.suite)
        expected = UNDECIDED if verdict.undecided or verdict.choice is None else verdict.choice
        assert outcome(found, assumed) == expected


def test_far_apart_methods_are_settled_and_near_ones_are_not() -> None:
    apart = outlook(contest(entrant("a", [90]), entrant("b", [20])))
    assert apart.now == "a"
    assert settled_on(apart) == "a"
    near = outlook(contest(entrant("a", [57]), entrant("b", [52])))
    assert settled_on(near) is None
    assert sum(near.chances.values()) == pytest.approx(1.0)
    assert set(near.worth) == {"a1", "a2", "b1", "b2"}


def test_a_method_of_which_nothing_is_known_leaves_a_contest_open() -> None:
    unknown = replace(entrant("b", [], seeds=2), refused="nothing of it is measured")
    found = outlook(contest(entrant("a", [90, 90, 90]), unknown))
    assert (found.chances, settled_on(found)) == ({}, None)
    (cell,) = ranked([found], {"b0": 5.0, "b1": 1.0}, {"b0", "b1"})  # one seed tells what it is about
    assert (cell.slot.ref.key, cell.worth, cell.why) == ("b0", None, "nothing of it is measured")


def test_a_contest_with_all_cells_is_settled() -> None:
    found = outlook(contest(entrant("a", [60, 61, 62]), entrant("b", [58, 59, 57])))
    assert settled_on(found, error=0.0) == found.now
    assert ranked([found], {}, set()) == []


def test_a_cell_is_worth_what_its_score_tells_of_the_outcome() -> None:
    scores = np.linspace(0, 1, 90)
    thirds = ["a"] * 30 + ["b"] * 30 + ["c"] * 30
    assert value_of(scores, thirds) > 0.5  # told in every case, in place of a third of them
    assert value_of(scores, ["a", "b", "c"] * 30) == pytest.approx(0.0, abs=0.1)
    assert value_of(scores, ["a"] * 90) == 0.0


def test_cells_are_ranked_by_worth_for_their_cost() -> None:
    one = contest(entrant("a", [62]), entrant("b", [48]), entrant("c", [1]))
    found = Outlook(one, "a", {"a": 0.5, UNDECIDED: 0.5}, {"a1": 0.2, "a2": 0.1, "b1": 0.1, "b2": 0.0, "c1": 0.0})
    costs = {"a1": 10.0, "a2": 10.0, "b1": 1.0, "b2": 2.0, "c1": 1.0}
    order = [cell.slot.ref.key for cell in ranked([found], costs, set(costs))]
    assert order == ["b1", "a1", "a2", "c1", "b2"]  # .1, .02, .01; then what may not be the choice, the cheapest first
    assert [cell.slot.ref.key for cell in ranked([found], costs, {"a2", "b2"})] == ["a2", "b2"]
