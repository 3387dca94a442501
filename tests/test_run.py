"""A run on disk: atomic cells, only missing work, typed failures, and what survives a kill."""

from __future__ import annotations

import json
import os
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import psutil
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from bench.core.errors import UsageError
from bench.core.hashing import canonical
from bench.core.item import Example
from bench.core.record import Prediction, Record, Score
from bench.model import tiny_random
from bench.model.visible import visible_device
from bench.runs import executor
from bench.runs.cells import left_out
from bench.store import run_folder
from bench.store.json_files import write_json
from tasks.loader.splits import sample
from tests.small import cells_of, measure, write_suite

ROOT = Path(__file__).parent.parent


@pytest.fixture
def suite_file(tmp_path: Path, task_folder: Path, tiny_model: Path) -> Path:
    return write_suite(tmp_path, tiny_model)


def test_a_run_leaves_a_record_of_every_cell_and_runs_again_only_what_is_missing(
    suite_file: Path, tmp_path: Path
) -> None:
    outcome, started, run = measure(suite_file, tmp_path / "run")
    assert (outcome.ok, outcome.failed, outcome.cached) == (3, 0, 0)
    assert started == ["zero-shot", "few-shot", "full"]
    assert [r.method for r in run.records] == started
    assert run.missing == ()
    full = run.records[2]
    assert full.training
    assert full.training.steps == 2
    assert full.items == 6
    assert set(full.phases) >= {"train", "predict", "score"}
    folder = next((tmp_path / "run" / "cells").glob("*full*"))
    lines = [json.loads(line) for line in (folder / run_folder.PREDICTIONS).read_text().splitlines()]
    assert len(lines) == 6
    assert sum(line["metrics"]["accuracy"] for line in lines) / 6 == pytest.approx(full.scores["accuracy"].value)
    assert "looks" not in (folder / run_folder.PREDICTIONS).read_text() + (folder / run_folder.RECORD).read_text()

    again, started, _ = measure(suite_file, tmp_path / "run")
    assert (again.ok, again.cached, started) == (3, 3, [])

    shutil.rmtree(folder)
    _, started, _ = measure(suite_file, tmp_path / "run")
    assert started == ["full"]


def test_learning_curves_give_every_method_the_same_items(task_folder: Path, tmp_path: Path, tiny_model: Path) -> None:
    methods = ["zero-shot", {"few-shot": {"k": 3}}, {"full": {"learning_rate": 1e-3, "max_steps": 1}}]
    file = write_suite(tmp_path, tiny_model, methods=methods, train_sizes=[4, "all"], seeds=[0, 1])
    _, cells = cells_of(file)
    assert [(cell.label, cell.seed) for cell in cells] == [
        ("zero-shot", 0),
        *((f"few-shot{size}", seed) for size in (", 4 items", "") for seed in (0, 1)),
        *((f"full{size}", seed) for size in (", 4 items", "") for seed in (0, 1)),
    ]
    assert len({cell.key for cell in cells}) == len(cells)
    _, _, run = measure(file, tmp_path / "run", seeds=[0])
    trained = {record.method: record.training.examples for record in run.records if record.training}
    assert trained["full, 4 items"] == 4 < trained["full"]
    assert [(record.suite_method, record.train_size) for record in run.records] == [
        ("zero-shot", None), ("few-shot", 4), ("few-shot", None), ("full", 4), ("full", None),
    ]  # fmt: skip


def test_a_smaller_training_sample_is_part_of_a_larger_one() -> None:
    train = tuple(Example(f"train/{i}", {}) for i in range(40))
    few, more, other = ([x.id for x in sample(train, n, seed)] for n, seed in ((5, 0), (20, 0), (5, 1)))
    assert (len(few), len(more)) == (5, 20)
    assert set(few) < set(more)
    assert set(few) != set(other)
    assert more == [example.id for example in train if example.id in more]


def test_a_record_says_what_the_cell_cost(task_folder: Path, tmp_path: Path, tiny_model: Path) -> None:
    training = {"learning_rate": [1e-3, 1e-2], "max_steps": 4}
    methods = [{"few-shot": {"k": 2}}, {"full": training}, {"lora": {**training, "rank": 2}}]
    _, _, run = measure(write_suite(tmp_path, tiny_model, methods=methods), tmp_path / "run")
    few, full, lora = run.records
    assert [list(record.latency) for record in run.records] == [
        ["served", "uncached"],
        ["served"],
        ["unmerged", "served"],
    ]
    for record in run.records:
        served = record.latency["served"]
        assert 0 < served.retrieval_p50 < served.p50
        assert served.p95 is None  # of six items
        assert 2 <= (served.questions or 0) <= 5  # at least two, and one of six warms up
        assert record.batch_limits == {"batch_tokens": 8192}
        for check in record.flop_check.values():
            assert check.worked_out == pytest.approx(check.counted, rel=0.1)
        assert record.phases["predict"].flops
        assert record.phases["score"].flops is None
    assert few.on_train == {}
    assert 0 <= full.on_train["accuracy"].value <= 1
    assert list(few.flop_check) == ["predict"]
    assert list(full.flop_check) == list(lora.flop_check) == ["train", "predict"]
    assert 0 < (full.phases["tune"].flops or 0) < (full.phases["train"].flops or 0)  # two short trials
    assert 0 < (lora.phases["train"].flops or 0) < (full.phases["train"].flops or 0)


def test_a_failure_is_a_record_with_its_type_and_is_tried_again(
    task_folder: Path, tmp_path: Path, tiny_model: Path
) -> None:
    methods = ["zero-shot", {"rag": {"control": "oracle"}},
               {"few-shot": {"select": "similar", "retriever": "dense"}}]  # fmt: skip
    file = write_suite(tmp_path, tiny_model, methods=methods)
    outcome, _, run = measure(file, tmp_path / "run")
    assert (outcome.ok, outcome.failed) == (1, 2)
    failures = [r.failure for r in run.records]
    assert failures[0] is None
    assert failures[1] is not None
    assert failures[1].kind == "not_applicable"
    assert "needs a task with a corpus" in failures[1].message
    assert failures[2] is not None
    assert "needs a sentence embedder" in failures[2].message
    assert all(r.items == 6 for r in run.records)  # the denominator stays
    assert measure(file, tmp_path / "run")[1] == ["rag", "few-shot"]
    assert measure(file, tmp_path / "run", failed="keep")[1] == []


def test_a_cell_over_its_time_is_a_typed_failure(suite_file: Path, tmp_path: Path) -> None:
    outcome, _, run = measure(suite_file, tmp_path / "run", cell_timeout_s=0.05, methods=["zero-shot"])
    assert outcome.failed == 1
    assert run.records[0].failure is not None
    assert run.records[0].failure.kind == "timeout"


def test_a_worker_that_dies_is_a_typed_failure(
    suite_file: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    original = executor.LocalProcesses.submit

    def killed(self: executor.LocalProcesses, job: Path, log: Path) -> executor.LocalSubmission:
        submission = original(self, job, log)
        os.kill(submission.process.process.pid, signal.SIGKILL)
        return submission

    monkeypatch.setattr(executor.LocalProcesses, "submit", killed)
    _, _, run = measure(suite_file, tmp_path / "run", methods=["zero-shot"])
    assert run.records[0].failure is not None
    assert run.records[0].failure.kind == "crashed"
    assert "signal 9" in run.records[0].failure.message


def test_two_processes_cannot_write_one_run(suite_file: Path, tmp_path: Path) -> None:
    suite, cells = cells_of(suite_file)
    with run_folder.open_run(tmp_path / "run", suite_file, suite.name, [cell.ref for cell in cells]):
        second = run_folder.open_run(tmp_path / "run", suite_file, suite.name, [cell.ref for cell in cells])
        with pytest.raises(UsageError, match="another process is writing"), second:
            pass


def test_a_method_without_randomness_is_one_cell_for_all_seeds(suite_file: Path) -> None:
    _, cells = cells_of(suite_file, seeds=[0, 1, 2])
    assert [c.label for c in cells] == ["zero-shot", *["few-shot"] * 3, *["full"] * 3]


def test_a_method_can_be_for_some_tasks_alone(task_folder: Path, tmp_path: Path, tiny_model: Path) -> None:
    other = shutil.copytree(task_folder, tmp_path / "other")
    spec = (other / "task.yaml").read_text().replace("paint", "other").replace("Name the", "Say the")
    (other / "task.yaml").write_text(spec)
    only: list[Any] = ["zero-shot", {"few-shot": {"k": 2, "tasks": ["other"]}}]
    _, cells = cells_of(write_suite(tmp_path, tiny_model, tasks=["paint", "other"], methods=only))
    assert [(cell.task.name, cell.label) for cell in cells] == [
        ("paint", "zero-shot"),
        ("other", "zero-shot"),
        ("other", "few-shot"),
    ]
    named = [{"path": str(tiny_model), "name": name} for name in ("one", "two")]
    only = ["zero-shot", {"few-shot": {"k": 2, "models": ["two"]}}]
    suite, cells = cells_of(write_suite(tmp_path, tiny_model, models=named, methods=only))
    assert [(cell.model.name, cell.label) for cell in cells] == [("one", "zero-shot"), ("two", "few-shot")]
    assert left_out(suite, cells) == ()
    wrong: list[Any] = [{"few-shot": {"models": ["tow"]}}]
    with pytest.raises(UsageError, match=r'unknown model of method few-shot: "tow" \(did you mean "two"\?\)'):
        cells_of(write_suite(tmp_path, tiny_model, models=named, methods=wrong))
    wrong = [{"few-shot": {"tasks": ["othr"]}}]
    with pytest.raises(UsageError, match=r'unknown task of method few-shot: "othr" \(did you mean "other"\?\)'):
        cells_of(write_suite(tmp_path, tiny_model, tasks=["paint", "other"], methods=wrong))


def test_a_folder_with_the_name_of_a_bundled_task_is_told_from_it(
    task_folder: Path, tmp_path: Path, tiny_model: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    task_folder.rename(tmp_path / "reading")
    monkeypatch.chdir(tmp_path)
    write_suite(Path(), tiny_model, tasks=["reading", "./reading"], methods=["zero-shot"])
    _, cells = cells_of(Path("small.yaml"))
    assert [(cell.task.name, cell.task_path) for cell in cells] == [("reading", "reading"), ("paint", "./reading")]


@pytest.mark.parametrize(
    "change",
    [
        {"methods": [{"full": {"learning_rate": 2e-3, "max_steps": 2}}]},
        {"seeds": [1]},
        {"limit": 3},
        {"methods": [{"full": {"learning_rate": 1e-3, "max_steps": 3}}]},
    ],
)
def test_what_decides_predictions_decides_the_key(suite_file: Path, change: dict[str, Any]) -> None:
    base = {"methods": [{"full": {"learning_rate": 1e-3, "max_steps": 2}}]}
    (one,) = cells_of(suite_file, **base)[1]
    (other,) = cells_of(suite_file, **{**base, **change})[1]
    assert one.key != other.key


def test_what_does_not_decide_predictions_does_not_change_the_key(suite_file: Path, task_folder: Path) -> None:
    before = [c.key for c in cells_of(suite_file)[1]]
    after = [c.key for c in cells_of(suite_file, engine={"batch_size": 1}, cell_timeout_s=9.0, name="other")[1]]
    assert before == after
    rows = (task_folder / "test.jsonl").read_text().splitlines(keepends=True)
    (task_folder / "test.jsonl").write_text("".join(rows[::-1]))
    assert [c.key for c in cells_of(suite_file)[1]] == before
    (task_folder / "test.jsonl").write_text("".join(rows[:-1]))
    assert not {c.key for c in cells_of(suite_file)[1]} & set(before)


def test_weights_that_moved_change_the_key(suite_file: Path, tiny_model: Path, tmp_path: Path) -> None:
    other = tiny_random.build(tmp_path / "other" / tiny_model.name, seed=1)
    changed = cells_of(suite_file, models=[str(other)])[1]
    assert not {c.key for c in changed} & {c.key for c in cells_of(suite_file)[1]}


@given(st.dictionaries(st.text(max_size=5), st.integers() | st.text(max_size=5) | st.none(), max_size=6))
def test_canonical_has_one_spelling(value: dict[str, Any]) -> None:
    turned = dict(reversed(list(value.items())))
    assert canonical(value) == canonical(turned)
    assert json.loads(canonical(value)) == value


@settings(max_examples=30)
@given(
    value=st.floats(0, 100), tokens=st.dictionaries(st.text(max_size=4), st.integers(0, 2**40), max_size=3),
    message=st.text(max_size=20),
)  # fmt: skip
def test_a_record_comes_back_as_it_was_written(
    tmp_path_factory: pytest.TempPathFactory, value: float, tokens: dict[str, int], message: str
) -> None:
    folder = tmp_path_factory.mktemp("record")
    record = Record("k", "m", "t", message, 3, "ok", "now", scores={"bleu": Score(value, "sig")}, tokens=tokens)
    run_folder.write_record(folder, record)
    assert run_folder.read_record(folder / run_folder.RECORD) == record


def test_a_number_that_is_none_is_never_written(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="not JSON compliant"):
        write_json(tmp_path / "x.json", {"loss": float("nan")})
    assert list(tmp_path.iterdir()) == []


def test_predictions_hold_no_item_text(tmp_path: Path) -> None:
    run_folder.write_predictions(tmp_path, [Prediction("test/1", "red")], lambda i: {"metrics": {"accuracy": 1.0}})
    line = json.loads((tmp_path / run_folder.PREDICTIONS).read_text())
    assert (line["id"], line["output"], line["metrics"]) == ("test/1", "red", {"accuracy": 1.0})


@pytest.mark.parametrize(
    ("content", "words"), [("{", "cannot be read"), ("[]", "JSON object"), ('{"schema": 99}', "schema 99")]
)
def test_a_damaged_record_is_one_clear_line(tmp_path: Path, content: str, words: str) -> None:
    (tmp_path / run_folder.RECORD).write_text(content)
    with pytest.raises(UsageError, match=words):
        run_folder.read_record(tmp_path / run_folder.RECORD)


@pytest.mark.parametrize(
    ("asked", "visible", "expected"),
    [
        ("cpu", None, ""),
        ("auto", None, "0"),
        ("cuda", "3", "3"),
        ("cuda:1", "2,5", "5"),
        ("cuda:2", None, "2"),
        ("cuda:4", "0", ""),
        ("cuda:1", " 2, 5 ", "5"),
        ("cuda", "GPU-8932f937-d72c, GPU-0a1b", "GPU-8932f937-d72c"),
        ("cuda:1", "MIG-4f3a/1/0,MIG-77b1/2/0", "MIG-77b1/2/0"),
        ("cuda:1", "3,-1,4", ""),  # CUDA reads a list up to the first that is no device
        ("auto", "", ""),
    ],
)
def test_a_worker_sees_one_device(asked: str, visible: str | None, expected: str) -> None:
    assert visible_device(asked, visible) == expected


_STARTED: list[subprocess.Popen[str]] = []


@pytest.fixture(autouse=True)
def no_process_is_left() -> Iterator[None]:
    yield
    while _STARTED:
        with _STARTED.pop() as process:  # closes its pipes and waits
            process.kill()


def start(suite_file: Path, out: Path, workers: int = 1) -> subprocess.Popen[str]:
    command = [sys.executable, "-m", "bench", "run", str(suite_file), "--out", str(out), "--device", "cpu"]
    command += ["--workers", str(workers)]
    process = subprocess.Popen(
        command, cwd=ROOT, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, preexec_fn=_heed_interrupts
    )
    _STARTED.append(process)
    return process


def _heed_interrupts() -> None:
    """What a shell starts in the background ignores SIGINT, and so would all that is started from there."""
    signal.signal(signal.SIGINT, signal.SIG_DFL)
    signal.signal(signal.SIGHUP, signal.SIG_DFL)


def wait_for(condition: Callable[[], bool], seconds: float = 100) -> None:
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline, "waited too long"
        time.sleep(0.01)


def written(cells: Path) -> dict[str, int]:
    """When each finished cell was written."""
    return {f.parent.name: f.stat().st_mtime_ns for f in cells.glob("[!.]*/record.json")}


def table_of(out: Path) -> list[tuple[str, int, float, int]]:
    run = run_folder.read_run(out)
    return [(r.method, r.seed, r.scores["accuracy"].value, r.tokens["prompt_tokens"]) for r in run.records]


# What exists in the run's cells at the moment of the kill.
MOMENTS = {
    "before the first cell's work": ".writing-*zero-shot*/job.json",
    "when its process has started": ".writing-*zero-shot*/log.txt",
    "between two cells": ".writing-*few-shot*/job.json",
    "in the middle of training": ".writing-*full*/log.txt",
    "with predictions written but no record": ".writing-*full*/predictions.jsonl",
}


@pytest.mark.slow  # tests/test_workers.py kills runs whose jobs take no time
@pytest.mark.parametrize("moment", MOMENTS)
def test_killed_and_run_again_nothing_finished_is_lost_or_run_twice(
    suite_file: Path, tmp_path: Path, moment: str
) -> None:
    whole, broken = tmp_path / "whole", tmp_path / "broken"
    assert start(suite_file, whole).wait(timeout=100) == 0
    process = start(suite_file, broken)
    finished = broken / "cells"
    wait_for(lambda: any(finished.glob(MOMENTS[moment])))
    process.kill()
    process.wait()
    kept = written(finished)
    assert bool(kept) == ("zero-shot" not in MOMENTS[moment])
    again = start(suite_file, broken)
    assert again.wait(timeout=100) == 0
    assert again.stdout is not None
    assert again.stdout.read().count("already measured") == len(kept)
    assert written(finished).items() >= kept.items()
    assert table_of(broken) == table_of(whole)
    assert not list(finished.glob(".*"))


@pytest.mark.parametrize(
    "end",
    [
        signal.SIGKILL,
        signal.SIGTERM,
        pytest.param(signal.SIGINT, marks=pytest.mark.slow),
        pytest.param(signal.SIGHUP, marks=pytest.mark.slow),
    ],
    ids=lambda end: end.name,
)
def test_no_process_and_no_temporary_file_outlives_the_run(
    suite_file: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, end: signal.Signals
) -> None:
    temporary = Path(tempfile.mkdtemp())  # tmp_path has no room for the paths of sockets
    monkeypatch.setenv("TMPDIR", str(temporary))
    process = start(suite_file, tmp_path / "run", workers=2)
    wait_for(lambda: len(list((tmp_path / "run" / "cells").glob(".writing-*/log.txt"))) == 2)
    cells = psutil.Process(process.pid).children(recursive=True)
    process.send_signal(end)
    _, err = process.communicate(timeout=60)
    _, alive = psutil.wait_procs(cells, timeout=60)
    assert len(cells) >= 2
    assert not alive
    temporary.rmdir()  # which is refused while anything is in it
    if end is not signal.SIGKILL:  # it says how to go on
        assert process.returncode == 128 + end
        assert err.strip().splitlines()[-1].endswith("run the same command to go on")
        assert "Traceback" not in err
        assert "resource_tracker" not in err
