"""A run asks an executor for its cells: one written here serves as well as the processes of this machine."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

import pytest

from bench.core.errors import OutOfMemoryError
from bench.core.record import CellRef, Record
from bench.runs import runner
from bench.runs.executor import LocalProcess, Progress
from bench.store import run_folder
from tests.small import Silent, cells_of, write_suite


@dataclass
class Recorded:
    """Leaves a record that it makes up, or ends as it is told."""

    ends: BaseException | None = None
    jobs: list[Path] = field(default_factory=list)
    cancelled: int = 0

    def submit(self, job: Path, log: Path) -> Recorded:
        self.jobs.append(job)
        return self

    def events(self) -> Iterator[Progress]:
        yield Progress("predict", 3, 6)
        if self.ends:
            raise self.ends
        job = json.loads(self.jobs[-1].read_text())
        ref = CellRef(job["key"], job["model"]["name"], "paint", job["label"], job["seed"])
        record = Record(ref.key, ref.model, ref.task, ref.method, ref.seed, "ok", "2026-01-01T00:00:00+00:00")
        run_folder.write_record(Path(job["out"]), record)

    def cancel(self) -> None:
        self.cancelled += 1


def ran(file: Path, folder: Path, executor: Recorded) -> tuple[runner.RunOutcome, run_folder.Store]:
    suite, cells = cells_of(file, methods=["zero-shot"])
    with run_folder.open_run(folder, file, suite.name, [cell.ref for cell in cells]) as store:
        return runner.run(suite, cells, store, Silent(), executor), store


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


def test_an_interrupted_run_ends_its_job(suite_file: Path, tmp_path: Path) -> None:
    executor = Recorded(KeyboardInterrupt())
    with pytest.raises(KeyboardInterrupt):
        ran(suite_file, tmp_path / "run", executor)
    assert executor.cancelled == 1


def test_a_cancelled_process_is_gone(tmp_path: Path) -> None:
    job = tmp_path / "job.json"
    job.write_text("{}")
    submission = LocalProcess("cpu").submit(job, tmp_path / "log.txt")
    submission.cancel()
    assert submission.process.process.exitcode is not None
    submission.cancel()  # of a job that has ended there is nothing to end
