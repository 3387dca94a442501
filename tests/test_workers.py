"""Several cells at once: what waits for what, kills at any moment, and results that are those of one by one."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Callable
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bench.config.suite import Suite, load
from bench.core.errors import UsageError
from bench.core.measured import Environment
from bench.core.record import Record
from bench.runs import trial, workers
from bench.runs.cells import Cell, expand
from bench.runs.executor import Executor
from bench.runs.graph import Queue, chains, makespan, waits
from bench.store import run_folder
from tests import dummy_run
from tests.small import AROUND, Silent, cells_of, write_suite

ROOT = Path(__file__).parent.parent
SEARCHED: dict[str, Any] = {"full": {"learning_rate": [1e-3, 1e-2], "max_steps": 1}}


def named(cells: list[Cell]) -> dict[str, set[str]]:
    """What each cell waits for, by label and seed."""
    names = {cell.key: f"{cell.label} {cell.seed}" for cell in cells}
    return {names[key]: {names[other] for other in others} for key, others in waits(cells).items() if others}


def test_cells_wait_for_options_and_for_documents_alone(task_folder: Path, tmp_path: Path, tiny_model: Path) -> None:
    similar = {"select": "similar"}
    methods: list[Any] = [
        "zero-shot", SEARCHED,
        *({"few-shot": {**similar, "k": k, "retriever": "dense", "label": f"near {k}"}} for k in (1, 2)),
        {"few-shot": {**similar, "k": 1, "retriever": "lexical", "label": "words"}},
    ]  # fmt: skip
    file = write_suite(tmp_path, tiny_model, methods=methods, seeds=[0, 1, 2], probes=["paint"])
    suite = load(file)
    cells = expand(suite, file, lambda suite: replace(AROUND, embedder="an encoder"))
    assert named(cells) == {"full 1": {"full 0"}, "full 2": {"full 0"}, "near 2 0": {"near 1 0"}}
    assert named(expand(suite, file, lambda suite: AROUND)) == {"full 1": {"full 0"}, "full 2": {"full 0"}}
    rest = [cell for cell in cells if (cell.label, cell.seed) != ("full", 0)]  # which is measured already
    assert named(rest) == {"near 2 0": {"near 1 0"}}


@st.composite
def graphs(draw: st.DrawFn) -> tuple[dict[str, set[str]], dict[str, float]]:
    """Cells that wait for some of those before them, and their seconds."""
    keys = [str(number) for number in range(draw(st.integers(1, 9)))]
    after: dict[str, set[str]] = {}
    for place, key in enumerate(keys):
        after[key] = draw(st.sets(st.sampled_from(keys[:place]), max_size=2)) if place else set()
    return after, {key: draw(st.integers(1, 50)) for key in keys}


@given(graphs(), st.integers(1, 4))
def test_all_are_done_in_an_order_that_the_graph_allows_and_within_grahams_bound(
    given_: tuple[dict[str, set[str]], dict[str, float]], count: int
) -> None:
    after, seconds = given_
    urgency = chains(after, seconds)
    queue, done = Queue(after, urgency), list[str]()
    while (key := queue.pop()) is not None:
        assert after[key] <= set(done)
        done.append(key)
        queue.done(key)
    assert sorted(done) == sorted(after)

    def longest(key: str) -> float:
        return seconds[key] + max((longest(other) for other in after[key]), default=0.0)

    chain, total = max(map(longest, after)), sum(seconds.values())
    assert max(urgency.values()) == chain
    took = makespan(after, seconds, urgency, count)
    # Graham 1969, theorem 1: a list schedule takes at most total / m + (1 - 1/m) of the longest chain
    assert max(chain, total / count) - 1e-9 <= took <= total / count + (1 - 1 / count) * chain + 1e-9
    assert makespan(after, seconds, urgency, 1) == total


def test_the_longest_chain_starts_first() -> None:
    after: dict[str, set[str]] = {"short": set(), "search": set(), "seed": {"search"}}
    seconds = {"short": 8.0, "search": 5.0, "seed": 5.0}
    assert makespan(after, seconds, chains(after, seconds), 2) == 10.0
    assert makespan(after, seconds, dict.fromkeys(after, 0.0), 1) == 18.0


@pytest.fixture
def many(task_folder: Path, tmp_path: Path, tiny_model: Path) -> Path:
    few: list[Any] = [{"few-shot": {"k": k, "label": f"{k} shots"}} for k in (1, 2)]
    return write_suite(tmp_path, tiny_model, methods=["zero-shot", *few, SEARCHED], seeds=[0, 1, 2])


def published(out: Path) -> set[str]:
    return {folder.rsplit("-", 1)[-1] for folder in run_folder.cell_folders(out)}


def test_killed_at_any_moment_at_most_the_cells_under_way_are_lost(many: Path, tmp_path: Path) -> None:
    whole, out = tmp_path / "whole", tmp_path / "out"
    dummy_run.main(many, whole, 1)
    killed = ((0, 3), (2, 1), (5, 3))  # with at least so many cells published, so many at once
    for least, capacity in killed:
        before = submitted(out).total()
        command = [sys.executable, "-m", "tests.dummy_run", str(many), str(out), str(capacity)]
        process = subprocess.Popen(command, cwd=ROOT, env={**os.environ, "PYTHONPATH": str(ROOT)})
        try:
            while len(published(out)) < least or submitted(out).total() == before:
                assert process.poll() is None
                time.sleep(0.001)
        finally:
            process.kill()
            process.wait()
    assert 0 < len(published(out)) < 10
    outcome = dummy_run.main(many, out, 3)
    assert (outcome.ok, outcome.failed) == (10, 0)
    assert submitted(out).total() <= 10 + sum(capacity for _, capacity in killed)
    assert run_folder.read_run(out).records == run_folder.read_run(whole).records
    assert not list((out / "cells").glob(".*"))


def submitted(out: Path) -> Counter[str]:
    file = out / "submitted.txt"
    return Counter(file.read_text().splitlines() if file.exists() else [])


def test_the_options_of_the_first_seed_are_handed_on(many: Path, tmp_path: Path) -> None:
    dummy_run.main(many, tmp_path / "out", 4)
    took_over = {(r.method, r.seed): r.tokens["chosen"] for r in run_folder.read_run(tmp_path / "out").records}
    assert {name for name, chosen in took_over.items() if chosen} == {("full", 1), ("full", 2)}


def test_one_at_a_time_unless_the_suite_says_so(many: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("torch.get_num_threads", lambda: 8)

    def found(engine: dict[str, Any]) -> tuple[int, int | None, list[str]]:
        suite = load(many, {"engine": {"device": "cpu", **engine}})
        count = workers.at_once(suite, [], run_folder.Store(tmp_path), Silent())
        processes = workers.executor(suite, count)
        return processes.capacity, processes.threads, list(processes.devices)

    assert found({}) == (1, None, [""])
    assert found({"workers": 3}) == (3, 2, ["", "", ""])
    assert found({"workers": 3, "threads": 4}) == (3, 4, ["", "", ""])
    assert found({"workers": 16}) == (16, 1, [""] * 16)


def test_one_cell_on_each_gpu(many: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("torch.cuda.is_available", lambda: True)
    monkeypatch.setattr("torch.cuda.device_count", lambda: 3)
    monkeypatch.setattr("torch.get_num_threads", lambda: 8)
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "4,GPU-8932,7")

    def found(**engine: Any) -> tuple[int, int | None, list[str]]:
        suite = load(many, {"engine": engine})
        count = workers.at_once(suite, [], run_folder.Store(tmp_path), Silent())
        processes = workers.executor(suite, count)
        return processes.per_machine, processes.threads, list(processes.devices)

    assert found() == found(workers="auto") == (3, 2, ["4", "GPU-8932", "7"])
    assert found(workers=1) == (1, None, ["4"])
    assert found(device="cuda:1") == (1, None, ["GPU-8932"])
    assert found(device="cpu") == (1, None, [""])
    with pytest.raises(UsageError, match=r"engine.workers: 4 cells at once need a GPU each; allowed here: 1 to 3"):
        found(workers=4)
    with pytest.raises(UsageError, match="allowed here: 1 to 1"):
        found(device="cuda:1", workers=2)


@pytest.mark.parametrize("value", [0, -1, "many", 1.5])
def test_a_wrong_number_of_workers_is_one_line(many: Path, value: object) -> None:
    with pytest.raises(UsageError) as error:
        load(many, {"engine": {"workers": value}})
    [line] = str(error.value).splitlines()
    assert "engine.workers" in line
    assert "auto or " in line


@pytest.fixture
def auto(
    many: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> Callable[..., tuple[int, list[str], list[int]]]:
    """What `auto` comes to on a machine of 8 cores, where a cell at a count of cells at once takes what is given."""
    monkeypatch.setattr("os.sched_getaffinity", lambda process: set(range(8)))
    monkeypatch.setattr(trial, "_free_bytes", lambda: 2**50)

    def chosen(took: dict[int, float | str], **changes: Any) -> tuple[int, list[str], list[int]]:
        suite, cells = cells_of(many, engine={"device": "cpu", "workers": "auto"}, **changes)
        tried, shown = list[int](), Silent()

        def measured(suite: Suite, cell: Cell, folder: run_folder.Store, executor: Executor, count: int) -> trial.Speed:
            assert executor.capacity == count
            tried.append(count)
            seconds = took[count]
            if isinstance(seconds, str):
                raise trial._TrialFailed(seconds)
            return trial.Speed({"predict": 0.0}, seconds, 1)

        monkeypatch.setattr(trial, "measure", measured)
        return workers.at_once(suite, cells, run_folder.Store(tmp_path / "run"), shown), shown.said, tried

    return chosen


def test_several_at_once_where_the_trial_shows_it_to_be_faster(auto: Callable[..., Any]) -> None:
    """Ten cells, of which two wait for a third: 100 s one by one, 3 rounds of 20 s by four, 5 of 11 s by two."""
    count, said, tried = auto({1: 10.0, 8: 40.0, 4: 20.0, 2: 11.0})
    assert (count, tried) == (2, [1, 1, 8, 4, 2])
    assert said[0] == "workers: auto: a trial with full on paint with tiny says how many cells at once are fastest"
    assert said[1].startswith("workers: auto: 2 cells at once; the trial (")
    assert said[1].endswith("expects 2 min one by one, 80 s with 8 at once, 60 s with 4 at once, 55 s with 2 at once")


def test_refused_with_the_figure_where_it_is_not(auto: Callable[..., Any]) -> None:
    count, said, _ = auto({1: 10.0, 8: 90.0, 4: 50.0, 2: 19.5})
    assert count == 1  # 97.5 s, which may be chance
    assert "workers: auto: one cell at a time; the trial (" in said[1]
    assert said[1].endswith(
        "expects 2 min one by one, 3 min with 8 at once, 2 min with 4 at once, 2 min with 2 at once"
    )


def test_no_further_halving_once_it_helps_no_more(auto: Callable[..., Any]) -> None:
    count, _, tried = auto({1: 10.0, 8: 10.0, 4: 12.0})
    assert (count, tried) == (8, [1, 1, 8, 4])


def test_without_a_trial_where_the_machine_carries_one(
    auto: Callable[..., Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    assert auto({}, methods=["zero-shot"])[:2] == (
        1, ["workers: auto: one cell at a time, as 1 are to be measured and a trial takes about as long"],
    )  # fmt: skip
    monkeypatch.setattr(trial, "_free_bytes", lambda: 2**31)
    monkeypatch.setattr(trial, "memory_bytes", lambda cell: 900 * 2**20)
    count, [line], _ = auto({})
    assert (count, line) == (
        1,
        "workers: auto: one cell at a time, as two take about 1.8 GiB of memory and 1.6 GiB may be used",
    )
    monkeypatch.setattr("os.sched_getaffinity", lambda process: {1})
    assert auto({})[1] == ["workers: auto: one cell at a time, as there is one core"]


def test_no_endpoint_is_asked_for_a_trial(auto: Callable[..., Any], many: Path, tmp_path: Path) -> None:
    suite, cells = cells_of(many)
    served, shown = [replace(cell, model=replace(cell.model, kind="served")) for cell in cells], Silent()
    assert trial.choose(suite, served, run_folder.Store(tmp_path), shown, partial(workers.executor, suite)) == 1
    assert shown.said == [
        "workers: auto: one cell at a time, as requests of a trial would be paid for; give a number instead"
    ]


def test_memory_bounds_how_many_are_tried(auto: Callable[..., Any], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(trial, "_free_bytes", lambda: 5 * 2**30)
    monkeypatch.setattr(trial, "memory_bytes", lambda cell: 2**30)
    assert auto({1: 10.0, 4: 12.0, 2: 12.0})[2] == [1, 1, 4, 2]


def test_a_trial_that_fails_is_no_failure_of_the_run(auto: Callable[..., Any]) -> None:
    count, said, _ = auto({1: 10.0, 8: "out_of_memory: 9 GiB"})
    assert (count, said[1]) == (1, "workers: auto: one cell at a time, as the trial failed: out_of_memory: 9 GiB")


def test_a_run_goes_on_as_it_began(auto: Callable[..., Any], many: Path, tmp_path: Path) -> None:
    _, cells = cells_of(many)
    folder = run_folder.Store(tmp_path / "run").staging(cells[0].ref)
    place = Environment(cells_at_once=3)
    run_folder.write_record(folder, Record(cells[0].key, "m", "paint", "x", 0, "ok", "now", environment=place))
    run_folder.Store(tmp_path / "run").publish(folder, cells[0].ref)
    assert auto({}) == (3, ["workers: auto: 3 at once, as the cells that are measured already"], [])
    assert auto({}, methods=["zero-shot"]) == (3, [], [])  # all of it is there


def test_shortened_cells_are_measured_as_cells_are(many: Path, tmp_path: Path) -> None:
    suite, cells = cells_of(many, methods=[SEARCHED], engine={"device": "cpu"})
    folder = run_folder.Store(tmp_path / ".trial")
    speed = trial.measure(suite, cells[0], folder, workers.executor(suite, 1), 1)
    assert speed.seconds.keys() == {"train", "predict"}
    assert min(speed.seconds.values()) > 0
    [record] = (run_folder.read_record(each / "record.json") for each in folder.cells.iterdir())
    assert (record.items, record.training.examples if record.training else 0, record.tuning) == (6, 12, None)
    assert speed.overhead_s > 0
    assert speed.of(cells[0]) > speed.overhead_s
