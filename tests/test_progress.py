"""What a run says while it goes, by clocks made by hand: lines from within a cell, and the time that is left."""

from __future__ import annotations

import io
from contextlib import ExitStack
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from rich.console import Console

from bench.core.errors import CellTimeoutError, DivergedError
from bench.core.phases import Phase
from bench.core.record import Failure, Record, Score
from bench.runs import cell_process, progress
from bench.runs.executor import Ended, LocalSubmission, Progress
from bench.runs.time_left import CellWork, Clock


@pytest.fixture
def now(monkeypatch: pytest.MonkeyPatch) -> list[float]:
    clock = [100.0]
    monkeypatch.setattr("time.monotonic", lambda: clock[0])
    return clock


def work(method: str, task: str = "t", **tokens: float) -> CellWork:
    return CellWork("m", task, method, tokens, 1000)  # type: ignore[arg-type]


def record(**seconds: float) -> Record:
    phases: Any = {name: Phase(each, 0) for name, each in seconds.items()}
    return Record("k", "m", "t", "zero-shot", 0, "ok", "now", scores={"accuracy": Score(0.5)}, phases=phases)


def cell(key: str) -> Any:
    return SimpleNamespace(key=key, name=f"cell {key}")


def test_time_left_is_the_rate_of_a_phase_and_an_overhead_for_each_cell(now: list[float]) -> None:
    clock = Clock({key: work("full", train=30.0, predict=10.0) for key in "abc"})
    assert clock.remaining() == "time left: not known yet"
    clock.start("a")
    now[0] += 60.0
    clock.finish("a", record(train=45.0, predict=5.0, probe=7.0), cached=False)
    assert clock.seconds_left() == pytest.approx(2 * 60)  # 1.5 s and 0.5 s a token, and 10 s that are neither


def test_the_cell_under_way_teaches_from_its_first_phase_on(now: list[float]) -> None:
    clock = Clock({key: work("full", train=30.0, predict=10.0) for key in "ab"})
    clock.start("a")
    clock.progress("a", "load", 0, 0)
    now[0] += 4.0
    clock.progress("a", "train", 0, 0)
    assert clock.seconds_left() is None
    now[0] += 20.0
    clock.progress("a", "train", 10, 30)  # a third: 2 s a token, of 10 tokens
    # this cell: 40 s of training, 20 s of answers (at the only rate there is), and a third of 80 s less 4 s
    assert clock.seconds_left() == pytest.approx(40 + 20 + (80 / 3 - 4) + 80 * 4 / 3)
    now[0] += 40.0
    clock.progress("a", "predict", 0, 10)
    now[0] += 5.0
    clock.progress("a", "predict", 5, 10)  # 1 s a token
    assert clock.seconds_left() == pytest.approx(5 + (70 / 3 - 4) + 70 * 4 / 3)
    now[0] += 5.0
    clock.progress("a", "probe facts", 0, 40)
    now[0] += 6.0
    clock.progress("a", "probe facts", 20, 40)
    assert clock.seconds_left() == pytest.approx(70 / 3 - 10 + 70 * 4 / 3)


def test_cells_at_once_are_laid_out_as_they_will_start(now: list[float]) -> None:
    """Rates are 1 s a token: two workers, of which one is free after 10 s and the other after 30 s."""
    cells = {"a": work("full", train=30.0), "b": work("full", train=60.0), "c": work("full", train=45.0)}
    cells["d"] = CellWork("m", "t", "full", {"train": 15.0}, 1000, waits=frozenset("c"))
    clock = Clock(cells)
    clock.start("a")
    clock.start("b")
    for _ in range(2):
        now[0] += 10.0
        clock.progress("a", "train", 2, 3)
        clock.progress("b", "train", 1, 3)
    clock.under_way["a"].seconds = clock.under_way["b"].seconds = {"train": 20.0}
    # the overhead of a cell, a third of its work, is still to come: a 10 + 10, b 40 + 20; then c 60, d behind it 20
    assert clock.seconds_left() == pytest.approx(20 + 60 + 20)


def test_the_same_phase_of_the_same_task_is_asked_first(now: list[float]) -> None:
    clock = Clock({
        "a": work("zero-shot", "short", predict=10.0), "b": work("zero-shot", "long", predict=10.0),
        "c": work("few-shot", "long", predict=10.0), "d": work("few-shot", "short", predict=10.0),
    })  # fmt: skip
    for key, seconds in (("a", 10.0), ("b", 50.0)):
        clock.start(key)
        now[0] += seconds
        clock.finish(key, record(predict=seconds), cached=False)
    assert clock.seconds_left() == pytest.approx((50 + 10) * 4 / 3)  # overheads of few-shot are not known


def test_cells_of_an_earlier_go_tell_what_is_not_seen_yet_in_proportion(now: list[float]) -> None:
    cells = {"a": work("lora", train=10.0, predict=5.0), "b": work("lora", train=10.0, predict=5.0)}
    clock = Clock(cells | {"c": work("full", train=20.0, predict=5.0)})
    clock.finish("a", record(train=20.0, predict=5.0, probe=7.0), cached=True)
    # b as a; c at the task's 2 s and 1 s a token, and an overhead of a third, as no cell of its method has ended
    assert clock.seconds_left() == pytest.approx((20 + 5 + 7) + (40 + 5) * 4 / 3)
    clock.start("b")
    clock.progress("b", "train", 0, 10)
    now[0] += 15.0
    clock.progress("b", "train", 5, 10)  # 3 s a token: half as slow again, and so is all that was not seen now
    assert clock.seconds_left() == pytest.approx(15 + 7.5 + 10.5 + (60 + 7.5) * 4 / 3)


def test_another_model_takes_time_by_its_parameters(now: list[float]) -> None:
    small = CellWork("small", "t", "full", {"train": 20.0}, 250)
    clock = Clock({"a": work("full", train=10.0), "b": small, "c": CellWork("none", "t", "words", {"train": 9.0}, 0)})
    clock.start("a")
    now[0] += 40.0
    clock.finish("a", record(train=40.0), cached=False)
    assert clock.seconds_left() == pytest.approx(20 * 4.0 / 4 * 4 / 3)  # a quarter of 4 s a token; then what is beside


def test_failed_cells_say_nothing_of_time() -> None:
    clock = Clock({"a": work("full", predict=1.0), "b": work("full", predict=1.0)})
    clock.finish("a", replace(record(predict=50.0), failure=Failure("timeout", "")), cached=True)
    assert clock.seconds_left() is None


SECONDS = {
    "zero-shot": (0.0, 0.05, 4.0),
    "lora": (0.06, 0.05, 30.0),
    "full": (0.05, 0.055, 25.0),
}  # train, predict, rest


def test_after_a_tenth_the_estimate_is_within_thirty_percent_for_the_rest(now: list[float]) -> None:
    """Rates differ between methods and tasks as they do between real ones; three seeds each, prompting first."""
    trained = {"zero-shot": 0.0, "lora": 3000.0, "full": 3000.0}
    cells = {
        f"{task} {method} {seed}": work(method, task, train=trained[method], predict=800.0)
        for task in ("intents", "sheets")
        for method in SECONDS
        for seed in range(3)
    }
    slower = {"intents": 1.0, "sheets": 1.2}
    took = {key: [slower[c.task] * SECONDS[c.method][0] * c.tokens["train"],
                  slower[c.task] * SECONDS[c.method][1] * c.tokens["predict"],
                  SECONDS[c.method][2]] for key, c in cells.items()}  # fmt: skip
    total = sum(map(sum, took.values()))
    clock, began, worst = Clock(cells), now[0], 0.0
    for key, (train, predict, rest) in took.items():
        clock.start(key)
        for phase, seconds in (("train", train), ("predict", predict), ("probe", rest)):
            for step in range(20 if seconds else 0):
                clock.progress(key, phase, step, 20)
                now[0] += seconds / 20
                spent = now[0] - began
                clock.progress(key, phase, step + 1, 20)
                left, estimate = total - spent, clock.seconds_left()
                if total / 10 <= spent <= 0.95 * total:
                    assert estimate is not None
                    worst = max(worst, abs(estimate / left - 1))
        clock.finish(key, record(train=train, predict=predict), cached=False)
    assert worst < 0.3
    assert clock.seconds_left() == 0


def test_a_piped_run_says_a_line_every_half_minute(now: list[float]) -> None:
    written = io.StringIO()
    shown = progress.PlainDisplay(Console(file=written), {"a": work("full", train=10.0), "b": work("full", train=10.0)})
    shown.start(cell("a"))
    for second in range(1, 101):
        now[0] += 1.0
        shown.progress(cell("a"), "train", second // 10, 10)
    shown.finish(cell("a"), record(train=80.0), cached=False)
    lines = written.getvalue().splitlines()
    assert [line.partition(";")[0] for line in lines] == [
        "[0/2] cell a: train 3 of 10", "[0/2] cell a: train 6 of 10", "[0/2] cell a: train 9 of 10",
        "[1/2] cell a: accuracy 0.5 in 80 s",
    ]  # fmt: skip
    assert lines[-1].endswith("; about 2 min left")  # 80 s, and 20 s of overhead


def test_a_piped_run_of_several_cells_at_once_names_them_in_one_line(now: list[float]) -> None:
    written = io.StringIO()
    keys = "abcdef"
    shown = progress.PlainDisplay(Console(file=written, width=400), {key: work("full", train=10.0) for key in keys})
    for key in keys[:5]:
        shown.start(cell(key))
    for second in range(31):
        now[0] += 1.0
        for key in "ab":
            shown.progress(cell(key), "train", second // 10, 10)
    shown.finish(cell("b"), record(train=31.0), cached=False)
    lines = written.getvalue().splitlines()
    assert [line.partition(";")[0] for line in lines] == [
        "[0/6] cell a: train 2 of 10 | cell b: train 2 of 10 | cell c: starting | cell d: starting | and 1 more cells",
        "[1/6] cell b: accuracy 0.5 in 31 s",
    ]


def test_where_a_cell_is_without_a_count() -> None:
    assert (progress.at("load", 0, 0), progress.at("predict", 3, 1200)) == ("load", "predict 3 of 1,200")


def test_bars_show_the_phase_and_what_is_left(now: list[float]) -> None:
    console = Console(file=io.StringIO(), force_terminal=True, width=200)
    shown = progress.BarDisplay(console, {"a": work("full", train=10.0)})
    shown.start(cell("a"))
    shown.progress(cell("a"), "train", 0, 0)
    now[0] += 30.0
    shown.progress(cell("a"), "train", 5, 10)
    shown.start(cell("b"))
    overall, current, other = shown.bars.tasks
    assert (current.fields["note"], current.completed, current.total) == ("train 5 of 10", 5, 10)
    assert overall.fields["note"] == "about 50 s left"  # 30 s, and a third of 60 s
    assert (current.description, other.description, other.fields["note"]) == ("cell a", "cell b", "starting")
    shown.finish(cell("a"), record(train=60.0), cached=False)
    assert [task.description for task in shown.bars.tasks] == ["cells", "cell b"]


def test_bars_where_somebody_watches_and_lines_where_nobody_does() -> None:
    assert isinstance(progress.display_for(Console(file=io.StringIO(), force_terminal=True), {}), progress.BarDisplay)
    assert isinstance(progress.display_for(Console(file=io.StringIO()), {}), progress.PlainDisplay)


class Line:
    """The line to a cell's process: what comes."""

    def __init__(self, said: list[Any]) -> None:
        self.said = said

    def recv(self) -> Any:
        if not self.said:
            raise EOFError
        return self.said.pop(0)


def test_a_process_says_where_it_is_and_has_ended_once_it_is_gone(now: list[float], tmp_path: Path) -> None:
    def submitted(said: list[Any], code: int = 0) -> LocalSubmission:
        child = cell_process.Child(SimpleNamespace(join=lambda: None, exitcode=code), Line(said))  # type: ignore[arg-type]
        return LocalSubmission(child, tmp_path / "log.txt", 160.0, ExitStack())

    good = submitted([{"progress": ["train", 1, 9]}, {"done": True}])
    assert [good.received() for _ in range(3)] == [Progress("train", 1, 9), None, Ended()]
    failed = submitted([{"failure": {"kind": "diverged", "message": "nan"}}])
    assert failed.received() is None
    end = failed.received()
    assert isinstance(end, Ended)
    assert isinstance(end.failure, DivergedError)
    silent = submitted([], code=-9)
    assert isinstance(silent.overdue() or silent.received(), Ended)
    now[0] += 59.0
    assert silent.overdue() is None
    now[0] += 1.0
    late = silent.overdue()
    assert late is not None
    assert isinstance(late.failure, CellTimeoutError)
