"""Cells as jobs of a cluster: a driver that is killed loses nothing, jobs that are taken from nodes start anew."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from bench import __version__
from bench.core.errors import UsageError
from bench.executors import batch
from bench.executors.batch import MOST_STARTS, BatchJobs
from bench.executors.slurm import state_of
from bench.runs.executor import Ended, Progress
from bench.store import events, run_folder
from bench.store.events import Ticket
from tests import dummy_run
from tests.cluster import FolderCluster, drive
from tests.small import write_suite

ROOT = Path(__file__).parent.parent


@pytest.fixture(autouse=True)
def quick(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(batch, "LOOK_EVERY_S", 0.005)


@pytest.fixture
def cluster(tmp_path: Path) -> FolderCluster:
    (tmp_path / "cluster").mkdir()
    return FolderCluster(tmp_path / "cluster")


@pytest.fixture
def suite_file(task_folder: Path, tmp_path: Path, tiny_model: Path) -> Path:
    return write_suite(tmp_path, tiny_model)


@pytest.fixture
def submitted(cluster: FolderCluster, tmp_path: Path) -> Callable[..., tuple[BatchJobs, batch.BatchSubmission]]:
    """A job that was submitted, in a folder of its own."""

    def made() -> tuple[BatchJobs, batch.BatchSubmission]:
        folder = tmp_path / "cell"
        folder.mkdir()
        (folder / run_folder.JOB).write_text("{}")
        jobs = BatchJobs(cluster, 4, ask_every_s=0.0)
        submission = jobs.submit(folder / run_folder.JOB, folder / run_folder.LOG)
        assert list(jobs.wait(0.0)) == []
        return jobs, submission

    return made


def heard(jobs: BatchJobs) -> list[Any]:
    return [event for _, event in jobs.wait(0.0)]


def measured(cluster: FolderCluster) -> Counter[str]:
    return Counter((cluster.folder / "measured.txt").read_text().split())


def test_what_a_worker_writes_is_heard_once(cluster: FolderCluster, submitted: Callable[..., Any]) -> None:
    jobs, submission = submitted()
    [job_id] = cluster.jobs()
    assert events.read_ticket(submission.folder) == Ticket("folder", job_id, os.uname().nodename, __version__)
    cluster.say(job_id, {"start": {"host": "n1", "pid": 1, "version": __version__}})
    assert heard(jobs) == []
    cluster.say(job_id, {"progress": ["train", 1, 9]})
    with (submission.folder / events.EVENTS).open("a") as stream:
        stream.write('{"progress": ["tra')  # a line that is being written
    assert heard(jobs) == [Progress("train", 1, 9)]
    assert heard(jobs) == []
    cluster.say(job_id, {"failure": {"kind": "diverged", "message": "nan"}})
    [end] = heard(jobs)
    assert isinstance(end, Ended)
    assert (end.failure.kind, str(end.failure)) == ("diverged", "nan") if end.failure else False
    submission.cancel()
    assert heard(jobs) == cluster.jobs() == []


def test_a_job_whose_node_failed_starts_anew_and_not_for_ever(
    cluster: FolderCluster, submitted: Callable[..., Any]
) -> None:
    jobs, submission = submitted()
    for start in range(1, MOST_STARTS):
        [job_id] = cluster.jobs()
        cluster.end(job_id, "lost")
        assert heard(jobs) == heard(jobs) == heard(jobs) == []
        assert submission.starts == start + 1
    cluster.end(cluster.jobs()[0], "lost")
    assert heard(jobs) == []
    [end] = heard(jobs)
    assert str(end.failure) == f"its job was taken from its node {MOST_STARTS} times"


def test_a_preempted_job_starts_anew_unless_the_scheduler_did_that(
    cluster: FolderCluster, submitted: Callable[..., Any]
) -> None:
    jobs, submission = submitted()
    [first] = cluster.jobs()
    cluster.say(first, {"preempted": True})
    assert heard(jobs) == heard(jobs) == heard(jobs) == []  # it is in the queue still
    assert cluster.jobs() == [first]
    cluster.end(first, "FAILED")
    assert heard(jobs) == heard(jobs) == heard(jobs) == []
    [second] = cluster.jobs()
    assert second != first
    cluster.say(second, {"start": {"host": "n2"}})
    cluster.say(second, {"done": True})
    assert heard(jobs) == [Ended()]
    assert submission.starts == 2


def test_a_job_that_ends_without_a_word_has_crashed(cluster: FolderCluster, submitted: Callable[..., Any]) -> None:
    jobs, _ = submitted()
    cluster.end(cluster.jobs()[0], "slurm says FAILED")
    assert heard(jobs) == []  # its words may be late
    [end] = heard(jobs)
    assert (end.failure.kind, str(end.failure)) == ("crashed", "slurm says FAILED")


def test_a_worker_of_another_version_is_refused_by_name(cluster: FolderCluster, submitted: Callable[..., Any]) -> None:
    jobs, _ = submitted()
    cluster.say(cluster.jobs()[0], {"refused": "n7 has adaptbench 9.9, this run 0.1.0"})
    with pytest.raises(UsageError, match=r"^n7 has adaptbench 9.9, this run 0.1.0; install one version on both$"):
        heard(jobs)


@pytest.mark.parametrize(
    ("word", "expected"),
    [
        ("PENDING", "there"), ("COMPLETING", "there"), ("REQUEUED", "there"), ("PREEMPTED", "lost"),
        ("NODE_FAIL", "lost"), ("", "lost"), ("TIMEOUT", "timeout"), ("OUT_OF_MEMORY", "out_of_memory"),
        ("CANCELLED", "cancelled"), ("FAILED", "crashed"),
    ],
)  # fmt: skip
def test_states_of_slurm(word: str, expected: str) -> None:
    state = state_of(word)
    assert (state if isinstance(state, str) else state.kind) == expected


def worker(cluster: FolderCluster, stop: threading.Event) -> None:
    while not stop.wait(0.005):
        for job_id in cluster.jobs():
            cluster.work(job_id)


@pytest.fixture
def working(cluster: FolderCluster) -> Iterator[None]:
    stop = threading.Event()
    thread = threading.Thread(target=worker, args=(cluster, stop))
    thread.start()
    yield
    stop.set()
    thread.join()


@pytest.mark.usefixtures("working")
def test_records_are_those_of_another_executor(suite_file: Path, tmp_path: Path, cluster: FolderCluster) -> None:
    dummy_run.main(suite_file, tmp_path / "here", 1)
    outcome = drive(suite_file, tmp_path / "there", cluster, 2)
    assert (outcome.ok, outcome.failed) == (3, 0)
    assert run_folder.read_run(tmp_path / "there").records == run_folder.read_run(tmp_path / "here").records
    names = {file.name for file in (tmp_path / "there").rglob("*")}
    assert not names & {run_folder.JOB, events.EVENTS, events.TICKET, events.ATTEMPT}
    assert cluster.jobs() == []


class Killed(BaseException):
    """As if the driver's process were gone."""


def killed_after(looks: int, monkeypatch: pytest.MonkeyPatch, *args: Any) -> None:
    """Drive until the executor was waited for so often, then go without a word."""
    original, left = BatchJobs.wait, [looks]

    def wait(self: BatchJobs, seconds: float) -> Any:
        if not left[0]:
            raise Killed
        left[0] -= 1
        return original(self, 0.0)

    with monkeypatch.context() as patch:
        patch.setattr(BatchJobs, "wait", wait)
        patch.setattr("bench.runs.runner._Driver.cancel", lambda self: None)
        with pytest.raises(Killed):
            drive(*args)


def test_the_next_driver_goes_on_with_jobs_and_publishes_what_has_ended(
    suite_file: Path, tmp_path: Path, cluster: FolderCluster, monkeypatch: pytest.MonkeyPatch
) -> None:
    out = tmp_path / "out"
    killed_after(2, monkeypatch, suite_file, out, cluster, 3)
    ended, running, left = cluster.jobs()
    cluster.work(ended)
    cluster.say(running, {"progress": ["train", 1, 2]})
    ticket = cluster.cell(left) / events.TICKET
    ticket.write_text(json.dumps({**json.loads(ticket.read_text()), "version": "0.0"}))  # of another adaptbench
    killed_after(2, monkeypatch, suite_file, out, cluster, 3)
    assert len(run_folder.read_run(out).records) == 1
    assert not Path(cluster.cell(left)).exists()
    new = [job_id for job_id in cluster.jobs() if job_id not in (running, left)]
    assert len(new) == 1
    for job_id in (running, *new):
        cluster.work(job_id)
    assert drive(suite_file, out, cluster, 3).ok == 3
    assert sorted(measured(cluster).values()) == [1, 1, 1]
    assert not list((out / "cells").glob(".*"))


def test_drivers_that_are_killed_repeat_nothing(
    suite_file: Path, tmp_path: Path, tiny_model: Path, cluster: FolderCluster
) -> None:
    """The cluster and the drivers are processes; the drivers are killed at any moment."""
    few: list[Any] = [{"few-shot": {"k": k, "label": f"{k} shots"}} for k in (1, 2, 3)]
    many = write_suite(tmp_path, tiny_model, methods=["zero-shot", *few], seeds=[0, 1, 2])
    environment = {**os.environ, "PYTHONPATH": str(ROOT)}
    command = [sys.executable, "-m", "tests.cluster"]
    out = tmp_path / "out"
    served = subprocess.Popen([*command, str(cluster.folder), "0.1", "3"], cwd=ROOT, env=environment)
    try:
        for least in (0, 4):
            driver = subprocess.Popen(
                [*command, str(many), str(out), str(cluster.folder), "3"], cwd=ROOT, env=environment
            )
            while len(run_folder.cell_folders(out)) < least or not cluster.jobs():
                assert driver.poll() is None
                time.sleep(0.005)
            driver.send_signal(signal.SIGKILL)
            driver.wait()
        assert drive(many, out, cluster, 3).ok == 10
    finally:
        served.kill()
        served.wait()
    assert set(measured(cluster).values()) == {1}  # those in flight went on
    dummy_run.main(many, tmp_path / "whole", 1)
    assert run_folder.read_run(out).records == run_folder.read_run(tmp_path / "whole").records
