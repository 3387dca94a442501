"""A run asks an executor for its cells: one written here serves as well as the processes of this machine."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest

from bench.core.errors import CellError, OutOfMemoryError
from bench.core.record import CellRef, Record
from bench.runs import runner
from bench.runs.executor import Ended, Event, LocalProcesses, Progress
from bench.store import run_folder
from tests.small import Silent, cells_of, write_suite


@dataclass
class Recorded:
    """Leaves records that it makes up, or ends as it is told; the job of a cell is what it submits."""

    ends: BaseException | None = None
    capacity: int = 1
    per_machine: int = 1
    jobs: list[dict[str, Any]] = field(default_factory=list)
    running: list[Running] = field(default_factory=list)
    most: int = 0  # at once
    cancelled: int = 0

    def submit(self, job: Path, log: Path) -> Running:
        self.jobs.append(json.loads(job.read_text()))
        self.running.append(Running(self, self.jobs[-1]))
        self.most = max(self.most, len(self.running))
        return self.running[-1]

    def wait(self, seconds: float) -> Iterator[tuple[Running, Event]]:
        """The latest that was started ends first."""
        latest = self.running[-1]
        yield latest, Progress("predict", 3, 6)
        if isinstance(self.ends, CellError):
            yield latest, Ended(self.ends)
            return
        if self.ends:
            raise self.ends
        job = latest.job
        ref = CellRef(job["key"], job["model"]["name"], "paint", job["label"], job["seed"])
        record = Record(ref.key, ref.model, ref.task, ref.method, ref.seed, "ok", "2026-01-01T00:00:00+00:00")
        run_folder.write_record(Path(job["out"]), record)
        yield latest, Ended()


@dataclass(eq=False)
class Running:
    """A job that does nothing."""

    executor: Recorded
    job: dict[str, Any]

    def cancel(self) -> None:
        self.executor.running.remove(self)
        self.executor.cancelled += 1


def ran(file: Path, folder: Path, executor: Recorded, **changes: Any) -> tuple[runner.RunOutcome, list[str]]:
    suite, cells = cells_of(file, **{"methods": ["zero-shot"], **changes})
    shown = Silent()
    with run_folder.open_run(folder, file, suite.name, [cell.ref for cell in cells]) as store:
        return runner.run(suite, cells, store, shown, executor), shown.started


@pytest.fixture
def suite_file(task_folder: Path, tmp_path: Path, tiny_model: Path) -> Path:
    return write_suite(tmp_path, tiny_model)


def test_its_jobs_leave_the_records(suite_file: Path, tmp_path: Path) -> None:
    executor = Recorded()
    outcome, _ = ran(suite_file, tmp_path / "run", executor)
    assert (outcome.ok, outcome.failed, len(executor.jobs), executor.cancelled) == (1, 0, 1, 1)
    assert [record.status for record in run_folder.read_run(tmp_path / "run").records] == ["ok"]
    again, _ = ran(suite_file, tmp_path / "run", executor)
    assert (again.cached, len(executor.jobs)) == (1, 1)


def test_how_a_job_failed_stands_in_its_record(suite_file: Path, tmp_path: Path) -> None:
    outcome, _ = ran(suite_file, tmp_path / "run", Recorded(OutOfMemoryError("9 GiB")))
    assert outcome.failed == 1
    [record] = run_folder.read_run(tmp_path / "run").records
    assert record.failure is not None
    assert (record.failure.kind, record.failure.message) == (OutOfMemoryError.kind, "9 GiB")


def test_several_at_once_as_the_executor_has_room(suite_file: Path, tmp_path: Path) -> None:
    few: list[Any] = [{"few-shot": {"k": k, "label": f"{k} shots"}} for k in (1, 2, 3)]
    executor = Recorded(capacity=2, per_machine=2)
    outcome, _ = ran(suite_file, tmp_path / "run", executor, methods=few, seeds=[0, 1])
    assert (outcome.ok, outcome.failed, executor.most, executor.running) == (6, 0, 2, [])
    assert {job["cells_at_once"] for job in executor.jobs} == {2}
    assert len(run_folder.read_run(tmp_path / "run").records) == 6


@pytest.mark.parametrize("capacity", [1, 3])
def test_what_waits_for_a_choice_of_options_that_failed_fails_too(
    suite_file: Path, tmp_path: Path, capacity: int
) -> None:
    searched: list[Any] = [{"full": {"learning_rate": [1e-3, 1e-2], "max_steps": 1}}, "zero-shot"]
    executor = Recorded(OutOfMemoryError("9 GiB"), capacity)
    outcome, started = ran(suite_file, tmp_path / "run", executor, methods=searched, seeds=[0, 1, 2])
    assert (outcome.ok, outcome.failed, len(executor.jobs)) == (0, 4, 2)  # seeds 1 and 2 were not submitted
    assert started.index("full") == 0
    failures = [r.failure.message for r in run_folder.read_run(tmp_path / "run").records if r.failure]
    assert failures.count("its options are chosen on seed 0, and that cell failed") == 2


def test_an_interrupted_run_ends_its_job(suite_file: Path, tmp_path: Path) -> None:
    executor = Recorded(KeyboardInterrupt())
    with pytest.raises(KeyboardInterrupt):
        ran(suite_file, tmp_path / "run", executor)
    assert executor.cancelled == 1


def test_a_cancelled_process_is_gone(tmp_path: Path) -> None:
    job = tmp_path / "job.json"
    job.write_text("{}")
    processes = LocalProcesses([""])
    submission = processes.submit(job, tmp_path / "log.txt")
    submission.cancel()
    assert list(processes.wait(0.0)) == []
    assert submission.process.process.exitcode is not None
    submission.cancel()  # of a job that has ended there is nothing to end
