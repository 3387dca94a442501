"""On a real Slurm, where one runs: `scripts/slurm_here.sh` starts one of a single node."""

from __future__ import annotations

import subprocess
import time
from functools import partial
from pathlib import Path
from typing import Any

import pytest

from bench import __version__
from bench.cell import elsewhere
from bench.core.errors import UsageError
from bench.executors import slurm
from bench.executors.batch import BatchJobs, BatchSubmission
from bench.executors.cluster import SlurmSettings
from bench.runs import runner
from bench.runs.executor import Ended
from bench.store import events, run_folder
from tests.small import Silent, cells_of, measure, write_suite

pytestmark = [pytest.mark.slurm, pytest.mark.timeout(600)]
LOW = SlurmSettings(partition="low", cpus=2, time=60)


def waiting(folder: Path) -> None:
    """The job of a cell that ends when it is told to."""

    def until_told(folder: Path, say: Any) -> None:
        while not (folder.parent / "go").exists():
            time.sleep(0.05)
        say({"done": True})

    elsewhere._measure = until_told
    elsewhere.measure(folder, __version__, None)


@pytest.fixture
def jobs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> BatchJobs:
    monkeypatch.setattr(slurm, "_task", lambda folder, timeout_s: partial(waiting, folder))
    return BatchJobs(slurm.Slurm(tmp_path, LOW), 4, ask_every_s=0.5)


def submitted(jobs: BatchJobs, folder: Path) -> BatchSubmission:
    folder.mkdir()
    (folder / run_folder.JOB).write_text("{}")
    return jobs.submit(folder / run_folder.JOB, folder / run_folder.LOG)


def said(folder: Path, word: str) -> int:
    return sum(word in message for message in events.Tail(folder).new())


def follow(jobs: BatchJobs, folder: Path, word: str, count: int = 1) -> None:
    deadline = time.monotonic() + 120
    while said(folder, word) < count:
        assert list(jobs.wait(0.2)) == []
        assert time.monotonic() < deadline, events.Tail(folder).new()


def ends(jobs: BatchJobs, count: int = 1) -> list[Ended]:
    found: list[Ended] = []
    while len(found) < count:
        for submission, event in jobs.wait(0.5):
            assert isinstance(event, Ended)
            found.append(event)
            submission.cancel()
    return found


def test_a_job_that_is_preempted_is_queued_again_and_measured_once(jobs: BatchJobs, tmp_path: Path) -> None:
    submission = submitted(jobs, tmp_path / "cell")
    follow(jobs, tmp_path / "cell", "start")
    subprocess.run(["srun", "--partition=high", "--cpus-per-task=2", "true"], check=True, timeout=60)
    follow(jobs, tmp_path / "cell", "start", 2)
    (tmp_path / "go").touch()
    assert ends(jobs) == [Ended()]
    assert (said(tmp_path / "cell", "preempted"), said(tmp_path / "cell", "done")) == (1, 1)
    assert submission.starts == 2  # as it ended by itself, Slurm did not queue it again


def test_a_job_that_is_told_to_end_is_submitted_again(jobs: BatchJobs, tmp_path: Path) -> None:
    submission = submitted(jobs, tmp_path / "cell")
    follow(jobs, tmp_path / "cell", "start")
    subprocess.run(["scancel", "--signal=TERM", submission.job_id], check=True, timeout=60)
    follow(jobs, tmp_path / "cell", "start", 2)
    (tmp_path / "go").touch()
    assert ends(jobs) == [Ended()]
    assert submission.starts == 2


def test_cells_that_are_ready_together_are_one_array(jobs: BatchJobs, tmp_path: Path) -> None:
    (tmp_path / "go").touch()
    submissions = [submitted(jobs, tmp_path / f"cell{number}") for number in range(3)]
    assert ends(jobs, 3) == [Ended()] * 3
    assert len({submission.job_id.partition("_")[0] for submission in submissions}) == 1


def test_a_job_that_is_cancelled_has_crashed_and_wrong_settings_are_one_line(jobs: BatchJobs, tmp_path: Path) -> None:
    submission = submitted(jobs, tmp_path / "cell")
    follow(jobs, tmp_path / "cell", "start")
    subprocess.run(["scancel", submission.job_id], check=True, timeout=60)
    [end] = ends(jobs)
    assert str(end.failure) == "its job was cancelled in slurm"
    wrong = BatchJobs(slurm.Slurm(tmp_path, LOW.model_copy(update={"partition": "gpu"})), 1)
    submitted(wrong, tmp_path / "other")
    with pytest.raises(UsageError, match=r"^slurm does not take the jobs: invalid partition specified: gpu$"):
        list(wrong.wait(0.0))


def test_records_are_those_of_this_machine(task_folder: Path, tmp_path: Path, tiny_model: Path) -> None:
    suite_file = write_suite(tmp_path, tiny_model, methods=["zero-shot", {"full": {"max_steps": 2}}])
    suite, cells = cells_of(suite_file, engine={"device": "cpu"})
    _, _, here = measure(suite_file, tmp_path / "here", engine={"device": "cpu"})
    executor = BatchJobs(slurm.Slurm(tmp_path / "there", LOW), 2, ask_every_s=1.0)

    with run_folder.open_run(tmp_path / "there", suite_file, suite.name, [cell.ref for cell in cells]) as store:
        assert runner.run(suite, cells, store, Silent(), executor).ok == 2
    there = run_folder.read_run(tmp_path / "there")
    for mine, theirs in zip(here.records, there.records, strict=True):
        assert (mine.key, mine.scores) == (theirs.key, theirs.scores)
        read = [run_folder.read_predictions(run.path, mine.key) for run in (here, there)]
        assert [line["output"] for line in read[0]] == [line["output"] for line in read[1]]
        assert [line.get("scores") for line in read[0]] == [line.get("scores") for line in read[1]]
