"""Steps: found where they are, seldom where there are none, and drift told from them."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray

from bench.analysis.comparison import between
from bench.analysis.history.changepoints import changes, shown
from bench.analysis.history.tracks import dated, panels
from bench.analysis.statistics.seeds import crossed_means
from bench.core.record import Score
from bench.core.training import Training
from tests.history.made import made, panel, right
from tests.test_comparison import scored

Array = NDArray[np.float64]


def one_seed(*counts: int) -> list[Array]:
    return [np.array([right(count)]) for count in counts]


def test_a_step_stands_between_the_runs_that_it_is_between() -> None:
    found = changes(panel("accuracy", full=one_seed(30, 30, 30, 18, 18)))
    # 1 to 2, 2 to 3 and 4 to 5 have the same scores: two tests are left, each of 12 items lost and none gained
    assert [(one.kind, one.before, one.after) for one in found] == [("step", 3, 4), ("drift", 1, 5)]
    assert [one.p for one in found] == pytest.approx([2 * 0.5**12] * 2)
    assert [one.p_adjusted for one in found] == pytest.approx([2 * 2 * 0.5**12] * 2)
    [step] = shown(found)  # the drift is the step
    assert (step.before, step.after, step.better) == (3, 4, False)
    assert step.difference == pytest.approx(-12 / 40)
    assert step.interval.high < 0


def test_small_changes_that_add_up_are_a_drift() -> None:
    found = changes(panel("accuracy", full=one_seed(*range(30, 17, -1))))
    assert [one.p for one in found] == pytest.approx([1.0] * 12 + [2 * 0.5**12])
    assert found[-1].p_adjusted == pytest.approx(13 * 2 * 0.5**12)
    [drift] = shown(found)
    assert (drift.kind, drift.before, drift.after) == ("drift", 1, 13)


def test_all_methods_of_a_task_are_one_family() -> None:
    found = changes(panel("accuracy", full=one_seed(30, 22), rag=one_seed(20, 21), same=one_seed(9, 9)))
    assert [(one.method, one.p) for one in found] == [("full", pytest.approx(2 * 0.5**8)), ("rag", 1.0)]
    assert found[0].p_adjusted == pytest.approx(2 * 2 * 0.5**8)


def test_less_is_better_where_it_is() -> None:
    low, high = np.full((1, 30), 1.0), np.linspace(2.0, 2.1, 30)[None]
    worse, better = changes(panel("bits_per_byte", a=[low, high], b=[high, low]))
    assert (worse.better, better.better) == (False, True)
    assert worse.difference == pytest.approx(1.05)


def test_seeds_and_items_both_vary() -> None:
    rng = np.random.default_rng(0)
    before, after = ((rng.random((3, 50)) < share).astype(float) for share in (0.9, 0.5))
    [change] = changes(panel("accuracy", full=[before, after]))
    expected = crossed_means(after, before)
    assert (change.p, change.interval) == (expected.p, expected.interval)
    assert not change.one_seed


def test_as_two_runs_are_compared(tmp_path: Path) -> None:
    """Right and wrong with one seed: the same p and interval as `adaptbench compare` gives of the two runs."""
    old, new = made(tmp_path, 1, {"full": right(30)}), made(tmp_path, 2, {"full": [0.0] * 9 + right(24, of=31)})
    [change] = changes(panels(dated([new, old]))[0])
    [family] = between(new, old)
    [difference] = family.differences
    assert (change.p, change.interval, change.difference) == (difference.p, difference.interval, difference.difference)


def test_a_corpus_metric_and_items_in_groups(tmp_path: Path) -> None:
    def macro(wrong: int) -> list[dict[str, object]]:
        labels = [(i % 3, (i + (i < wrong)) % 3) for i in range(30)]
        return [{"metrics": {}, "counts": {"macro_f1": list(pair)}} for pair in labels]

    score = {"macro_f1": Score(0.9, "v1")}
    runs = [made(tmp_path, i, {"full": macro(wrong)}, scores=score) for i, wrong in ((1, 0), (2, 0), (3, 15))]
    found = shown(changes(panels(dated(runs))[0]))
    assert [(one.kind, one.before, one.after) for one in found] == [("step", 2, 3)]

    def grouped(count: int) -> list[dict[str, object]]:
        return [{**line, "group": f"doc {i // 4}"} for i, line in enumerate(scored(right(count)))]

    runs = [made(tmp_path / "groups", i, {"full": grouped(count)}) for i, count in ((1, 40), (2, 4))]
    [change] = changes(panels(dated(runs))[0])
    assert change.found
    assert "variance components" in change.how
    alone = [[{**line, "group": "one"} for line in scored(right(count))] for count in (40, 4)]
    runs = [made(tmp_path / "alone", i, {"full": lines}) for i, lines in enumerate(alone, 1)]
    assert changes(panels(dated(runs))[0]) == []  # one group: nothing to work out a doubt from


def test_what_was_asked_otherwise_is_never_compared(tmp_path: Path) -> None:
    others = [{**line, "id": f"test/x{i}"} for i, line in enumerate(scored(right(5)))]
    runs = [made(tmp_path, 1, {"full": right(38)}), made(tmp_path, 2, {"full": others})]
    assert changes(panels(dated(runs))[0]) == []


def test_one_run_and_one_item_are_no_change() -> None:
    assert changes(panel("accuracy", full=one_seed(30))) == []
    assert changes(panel("token_f1", full=[np.array([[0.3]]), np.array([[0.9]])])) == []


DRAWS = 200


def right_or_wrong(rng: np.random.Generator, chances: Array, seeds: int) -> Array:
    return (rng.random((seeds, len(chances))) < chances).astype(float)


def shares(rng: np.random.Generator, chances: Array, seeds: int) -> Array:
    return rng.beta(4 * chances, 4 * (1 - chances), (seeds, len(chances)))


@pytest.mark.parametrize(
    ("metric", "draw", "seeds"),
    [("accuracy", right_or_wrong, 1), ("token_f1", shares, 1), ("accuracy", right_or_wrong, 3)],
)
def test_noise_is_seldom_taken_for_a_step(
    metric: str, draw: Callable[[np.random.Generator, Array, int], Array], seeds: int
) -> None:
    """Three methods over eight runs whose answers vary by chance alone: any change told in at most 5% of histories.

    The bound is what 200 draws with a chance of 5% exceed about once in a thousand times: 20 (binomial, 0.9988).
    """
    rng = np.random.default_rng(1)
    alarms = 0
    for _ in range(DRAWS):
        chances = rng.uniform(0.1, 0.95, 60)  # an item is as hard in every run
        methods = {name: [draw(rng, chances, seeds) for _ in range(8)] for name in ("a", "b", "c")}
        alarms += bool(shown(changes(panel(metric, **methods))))
    assert alarms <= 20


def test_a_planted_step_is_found_at_its_place() -> None:
    """A fifth of 200 answers lost at run 5 of 8, where other answers change by chance as well."""
    rng = np.random.default_rng(2)
    places = []
    for _ in range(100):
        chances = np.where(rng.random(200) < 0.8, 0.97, 0.1)
        later = np.where(rng.random(200) < 0.25, 0.1, chances)
        runs = [right_or_wrong(rng, chances if number < 5 else later, 1) for number in range(1, 9)]
        places.append([(one.kind, one.after) for one in shown(changes(panel("accuracy", full=runs)))])
    assert sum(found == [("step", 5)] for found in places) >= 95


def test_a_method_trained_with_one_seed_is_marked(tmp_path: Path) -> None:
    runs = [made(tmp_path, i, {"full": right(30 - i)}, training=Training(steps=1)) for i in (1, 2)]
    assert [one.one_seed for one in changes(panels(dated(runs))[0])] == [True]
