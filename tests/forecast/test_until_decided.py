"""Runs that stop once the verdicts are settled, with cells whose answers are made up; forecasts of the same."""

from __future__ import annotations

import json
import math
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from io import StringIO
from pathlib import Path
from typing import Any

import pytest
from pydantic import TypeAdapter
from rich.console import Console

from bench.analysis.decision.verdict import verdicts
from bench.config import assumptions
from bench.config.prices import replaced
from bench.config.suite import Suite
from bench.core.errors import CrashedError, UsageError
from bench.core.identity import Identity
from bench.core.phases import Phase, PhaseName
from bench.core.record import Prediction, Record, Score
from bench.forecast.choice import UNDECIDED
from bench.runs import foreseen, foreseen_table, runner
from bench.runs.cells import Cell
from bench.runs.executor import Ended, Event
from bench.runs.until_decided import Budget, UntilDecided, budget_of
from bench.store import run_folder
from tests.small import Silent, cells_of, write_suite

ITEMS = 100
IDENTITY = TypeAdapter(Identity)
Rights = Callable[[str, int, int | None], int]  # method, seed, training items -> right answers


@dataclass(eq=False)
class Done:
    """A cell that took no time."""

    end: Ended

    def cancel(self) -> None: ...


@dataclass
class MadeUp:
    """Answers for cells as a function says; a cell takes `seconds` and, for a training, ten times as many."""

    rights: Rights
    seconds: float = 10.0
    capacity: int = 1
    per_machine: int = 1
    crashes: frozenset[tuple[str, int]] = frozenset()  # methods and seeds
    started: list[tuple[str, int]] = field(default_factory=list)
    ended: list[Done] = field(default_factory=list)

    def submit(self, job: Path, log: Path) -> Done:
        told = json.loads(job.read_text())
        self.started.append((told["label"], told["seed"]))
        crashed = self.started[-1] in self.crashes
        if not crashed:
            write(told, self.rights(told["suite_method"], told["seed"], told["train_size"]), self.seconds)
        self.ended.append(Done(Ended(CrashedError("out of luck") if crashed else None)))
        return self.ended[-1]

    def wait(self, seconds: float) -> Iterable[tuple[Done, Event]]:
        ended, self.ended = self.ended, []
        return [(one, one.end) for one in ended]


def write(job: Mapping[str, Any], right: int, seconds: float) -> None:
    """Record and answers of a job."""
    trains = job["suite_method"] == "full"
    values = [float(item < right) for item in range(ITEMS)]
    phases: dict[PhaseName, Phase] = {"predict": Phase(seconds, 1)}
    if trains:
        phases["train"] = Phase(9 * seconds, 1)
    record = Record(
        job["key"], job["model"]["name"], "paint", job["label"], job["seed"], "ok", "2026-01-01T00:00:00+00:00",
        suite_method=job["suite_method"], train_size=job["train_size"], scores={"accuracy": Score(right / ITEMS, "v1")},
        items=ITEMS, questions="q", phases=phases, identity=IDENTITY.validate_python(job["identity"]),
    )  # fmt: skip
    folder = Path(job["out"])
    run_folder.write_record(folder, record)
    answers = [Prediction(f"test/{item}") for item in range(ITEMS)]
    run_folder.write_predictions(folder, answers, lambda item: {"metrics": {"accuracy": values[item]}})


@pytest.fixture
def suite_file(tmp_path: Path, task_folder: Path, tiny_model: Path) -> Path:
    methods = ["zero-shot", {"few-shot": {"k": 2}}, {"full": {"learning_rate": 1e-3, "max_steps": 2}}]
    return write_suite(tmp_path, tiny_model, methods=methods, seeds=[0, 1, 2, 3, 4])


def decided(
    file: Path,
    out: Path,
    rights: Rights,
    limit: Budget | None = None,
    capacity: int = 1,
    crashes: frozenset[tuple[str, int]] = frozenset(),
    **changes: Any,
) -> tuple[runner.RunOutcome, MadeUp, UntilDecided | None, list[Cell]]:
    """Measure a suite; with a limit until it is decided."""
    suite, cells = cells_of(file, **changes)
    executor = MadeUp(rights, capacity=capacity, crashes=crashes)
    with run_folder.open_run(out, file, suite.name, [cell.ref for cell in cells]) as store:
        order = UntilDecided(suite, cells, store, limit) if limit else None
        return runner.run(suite, cells, store, Silent(), executor, order), executor, order, cells


def choice(out: Path, suite: Suite) -> str:
    run = run_folder.read_run(out)
    (verdict,) = verdicts(run, replaced(suite.prices, "here"), assumptions.read(suite.decide, "here"))
    return UNDECIDED if verdict.undecided or verdict.choice is None else verdict.choice


def far_apart(method: str, seed: int, size: int | None) -> int:
    return {"zero-shot": 10, "few-shot": 30, "full": 90}[method] + seed


@pytest.mark.parametrize("capacity", [1, 3])
def test_methods_far_apart_are_settled_by_few_cells(suite_file: Path, tmp_path: Path, capacity: int) -> None:
    outcome, executor, order, cells = decided(suite_file, tmp_path / "run", far_apart, Budget(), capacity)
    assert len(cells) == 11  # zero-shot draws nothing
    assert {method for method, _ in executor.started} == {"zero-shot", "few-shot", "full"}
    assert len(executor.started) <= 6
    assert outcome.failed == 0
    assert outcome.left_out == len(cells) - len(executor.started)
    assert order
    lines = order.lines()
    assert lines[0].startswith("paint: settled: choose full; all cells would come to the same with a chance of ")
    assert lines[1].startswith("spent: ")
    assert lines[2].startswith(f"left out: {outcome.left_out} of 11 cells, about ")
    whole, suite = tmp_path / "whole", cells_of(suite_file)[0]
    decided(suite_file, whole, far_apart)
    assert choice(tmp_path / "run", suite) == choice(whole, suite) == "full"


def test_the_same_command_without_it_measures_the_rest(suite_file: Path, tmp_path: Path) -> None:
    first, before, _, cells = decided(suite_file, tmp_path / "run", far_apart, Budget())
    again, after, _, _ = decided(suite_file, tmp_path / "run", far_apart, Budget())
    assert after.started == []  # nothing changes what is settled
    assert again.cached == first.ok
    rest, last, _, _ = decided(suite_file, tmp_path / "run", far_apart)
    assert (rest.ok, rest.left_out) == (len(cells), 0)
    assert not set(last.started) & set(before.started)
    assert run_folder.read_run(tmp_path / "run").missing == ()


def test_a_method_that_fails_is_tried_with_its_other_seeds_and_then_left(suite_file: Path, tmp_path: Path) -> None:
    once = frozenset({("full", 0)})
    outcome, executor, order, _ = decided(suite_file, tmp_path / "once", far_apart, Budget(), crashes=once)
    assert order
    assert ("full", 1) in executor.started
    assert (outcome.failed, order.lines()[0].startswith("paint: settled: choose full")) == (1, True)
    never = frozenset(("full", seed) for seed in range(5))
    outcome, executor, order, _ = decided(suite_file, tmp_path / "never", far_apart, Budget(), crashes=never)
    assert order
    assert outcome.failed == 5
    assert order.lines()[0].startswith("paint: settled: choose few-shot")


def test_methods_near_each_other_are_measured_further(suite_file: Path, tmp_path: Path) -> None:
    def near(method: str, seed: int, size: int | None) -> int:
        return {"zero-shot": 10, "few-shot": 50, "full": 57}[method] + (7 * seed) % 5

    _, executor, order, _ = decided(suite_file, tmp_path / "run", near, Budget())
    assert order
    assert len(executor.started) > 4
    suite = cells_of(suite_file)[0]
    decided(suite_file, tmp_path / "whole", near)
    assert choice(tmp_path / "run", suite) == choice(tmp_path / "whole", suite)


def test_no_cell_starts_that_the_budget_does_not_hold(suite_file: Path, tmp_path: Path) -> None:
    _, executor, order, _ = decided(suite_file, tmp_path / "run", far_apart, Budget(25.0, "seconds"))
    assert order
    assert ("full", 0) not in executor.started
    assert order.spent <= 25.0 + 10.0
    assert any("stopped by the budget" in line for line in order.lines())
    nothing, idle, _, _ = decided(suite_file, tmp_path / "none", far_apart, Budget(0.0, "seconds"))
    assert (idle.started, nothing.failed) == ([], 0)


def test_money_is_seconds_at_the_price_of_an_hour(suite_file: Path, tmp_path: Path) -> None:
    changes: dict[str, Any] = {"prices": {"cpu_core_hour": 3.6}, "engine": {"threads": 1}}  # a thousandth a second
    _, executor, order, _ = decided(suite_file, tmp_path / "run", far_apart, Budget(math.inf, "money"), **changes)
    assert order
    trained = sum(method == "full" for method, _ in executor.started)
    seconds = 10 * (len(executor.started) + 9 * trained)
    assert order.spent == pytest.approx(seconds / 1000, rel=0.2)


def test_probes_come_first_only_where_retention_is_required(suite_file: Path, tmp_path: Path) -> None:
    _, executor, _, _ = decided(suite_file, tmp_path / "a", far_apart, Budget(), probes=["paint"])
    assert "base" not in {method for method, _ in executor.started}


@pytest.mark.parametrize(
    ("text", "expected"), [("20", (20, "money")), ("90s", (90, "seconds")), ("1.5h", (5400, "seconds"))]
)
def test_budgets_are_money_or_time(text: str, expected: tuple[float, str]) -> None:
    found = budget_of(text)
    assert (found.amount, found.unit) == expected


@pytest.mark.parametrize("text", ["", "0", "-1", "5d", "1e3", "nan", "20 USD"])
def test_other_budgets_are_refused(text: str) -> None:
    with pytest.raises(UsageError, match="--budget takes money, such as 20, or time"):
        budget_of(text)


def growing(method: str, seed: int, size: int | None) -> int:
    """Odds of `full` that double with the items: 1/4, 1/2, 1 with 2, 4 and 8 of them."""
    return {2: 20, 4: 33, 8: 50, 12: 60}[size or 12] + seed if method == "full" else 10


def test_a_forecast_goes_on_with_pilots_and_refuses_by_name(suite_file: Path, tmp_path: Path) -> None:
    pilots = tmp_path / "pilots"
    decided(suite_file, pilots, growing, train_sizes=[2, 4, 8], seeds=[0, 1])
    suite, cells = cells_of(suite_file)
    found = foreseen.foresee(suite, cells, tmp_path / "none", [pilots])
    by_method = {one.method: one for one in found.methods}
    full = by_method["full"]
    assert full.from_pilots
    assert full.score is not None
    assert full.low is not None
    assert full.high is not None
    assert full.low < 0.6 < full.high  # odds of 1.5 with 12 items
    assert full.left == 5
    assert by_method["zero-shot"].measured == 1  # the pilot is the very cell
    assert by_method["few-shot"].refused == ""
    assert full.chance == pytest.approx(1.0, abs=0.05)
    assert (found.pilots, found.unfit) == (13, 0)
    assert found.seconds is not None
    assert json.loads(json.dumps(foreseen.as_json(found)))["cells_left"] == 11


def test_a_forecast_says_which_methods_it_has_nothing_of(suite_file: Path, tmp_path: Path) -> None:
    pilots = tmp_path / "pilots"
    decided(suite_file, pilots, growing, train_sizes=[4, 8], seeds=[0, 1], methods=["zero-shot", "few-shot"])
    suite, cells = cells_of(suite_file)
    found = foreseen.foresee(suite, cells, tmp_path / "none", [pilots])
    refused = {one.method: one.refused for one in found.methods}
    assert refused["full"] == "nothing of it is measured"
    assert found.unfit == 4  # few-shot without the suite's options
    assert {one.chance for one in found.methods} == {None}
    assert [cell.slot.ref.method for cell in found.next] == ["few-shot", "full"]
    printed = StringIO()
    Console(width=200, file=printed).print(foreseen_table.table(found))
    text = printed.getvalue()
    assert "full: no score: nothing of it is measured" in text
    assert "the choice: not foreseen while a method has neither a score nor a forecast of one" in text
    assert "pilot cells taken up: 1; 4 are of other methods, options, models or tasks" in text


def test_a_forecast_of_a_run_under_way_has_chances_and_next_cells(suite_file: Path, tmp_path: Path) -> None:
    decided(suite_file, tmp_path / "run", far_apart, seeds=[0, 1])
    suite, cells = cells_of(suite_file)
    found = foreseen.foresee(suite, cells, tmp_path / "run")
    assert sum(one.chance or 0.0 for one in found.methods) == pytest.approx(1.0, abs=0.1)
    assert max(found.methods, key=lambda one: one.chance or 0.0).method == "full"
    assert found.cells_left == 6
    assert found.seconds == pytest.approx(3 * 10 + 3 * 100, rel=0.1)  # what cells of the same method took
