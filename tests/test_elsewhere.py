"""The worker of a cluster's job: what it writes, when it gives up, and submitit's own processes as a cluster."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path
from typing import Any

import pytest

from bench import __version__
from bench.executors import slurm
from bench.executors.batch import BatchJobs
from bench.executors.cluster import SlurmSettings
from bench.runs.executor import Ended, Progress
from bench.store import events, run_folder

ROOT = Path(__file__).parent.parent
# A cell that writes a file, says where it is, and takes its time.
WORKER = """
import sys, time
from pathlib import Path
from bench.cell import elsewhere

def made(folder, say):
    assert [file.name for file in folder.iterdir() if file.name[:4] == "left"] == []
    (folder / "left.txt").write_text("half")
    say({"progress": ["train", 1, 2]})
    until = time.monotonic() + float(sys.argv[3])
    while time.monotonic() < until:
        time.sleep(0.01)
        say({"progress": ["train", 2, 2]})
    (folder / "record.json").write_text("{}")
    say({"done": True})

elsewhere._measure = made
elsewhere.measure(Path(sys.argv[1]), sys.argv[2], float(sys.argv[4]) if len(sys.argv) > 4 else None)
"""
ENVIRONMENT = {**os.environ, "PYTHONPATH": str(ROOT)}
Start = Callable[..., subprocess.Popen[bytes]]


@pytest.fixture
def cell(tmp_path: Path) -> Path:
    folder = tmp_path / "cell"
    folder.mkdir()
    (folder / run_folder.JOB).write_text('{"device": "cpu"}')
    return folder


@pytest.fixture
def start(cell: Path) -> Iterator[Start]:
    running: list[subprocess.Popen[bytes]] = []

    def started(seconds: float, version: str = __version__, *timeout: str) -> subprocess.Popen[bytes]:
        command = [sys.executable, "-c", WORKER, str(cell), version, str(seconds), *timeout]
        running.append(subprocess.Popen(command, env=ENVIRONMENT, stderr=subprocess.PIPE))
        return running[-1]

    yield started
    for process in running:
        with process:
            process.kill()


def said(cell: Path) -> list[dict[str, Any]]:
    return events.Tail(cell).new()


def wait_for(cell: Path, word: str, count: int = 1) -> None:
    deadline = time.monotonic() + 60
    while sum(word in message for message in said(cell)) < count:
        assert time.monotonic() < deadline, said(cell)
        time.sleep(0.005)


def test_taken_from_its_node_it_says_so_and_starts_anew_once(cell: Path, start: Start) -> None:
    first = start(60)
    wait_for(cell, "progress")
    first.send_signal(signal.SIGTERM)
    assert first.wait(timeout=5) == 1
    assert said(cell)[-1] == {"preempted": True}
    assert start(0).wait(timeout=60) == 0
    assert said(cell)[-1] == {"done": True}
    words = len(said(cell))
    assert start(0).wait(timeout=60) == 0  # a scheduler that starts it again after all
    assert len(said(cell)) == words


def test_of_two_starts_at_once_the_later_one_measures(cell: Path, start: Start) -> None:
    """As where a node that was given up goes on."""
    first = start(60)
    wait_for(cell, "progress")
    second = start(0)
    assert (second.wait(timeout=60), first.wait(timeout=60)) == (0, 0)
    assert [message for message in said(cell) if "done" in message] == [{"done": True}]


def test_it_ends_where_its_folder_is_gone(cell: Path, start: Start) -> None:
    first = start(60)
    wait_for(cell, "progress")
    cell.rename(cell.with_name("elsewhere"))
    assert first.wait(timeout=60) == 0


def test_its_time_ends_it(cell: Path, start: Start) -> None:
    assert start(60, __version__, "0.2").wait(timeout=60) == 1
    assert said(cell)[-1]["failure"] == {"kind": "timeout", "message": "the cell ran longer than cell_timeout_s allows"}


def test_another_version_measures_nothing(cell: Path, start: Start) -> None:
    assert start(0, "9.9").wait(timeout=60) == 0
    assert said(cell)[-1] == {"refused": f"{os.uname().nodename} has adaptbench {__version__}, this run 9.9"}


def answered(folder: Path) -> None:
    """The job of a cell that is measured at once."""
    events.append(folder, {"progress": ["predict", 1, 1]})
    (folder / "pid").write_text(str(os.getpid()))
    if json.loads((folder / run_folder.JOB).read_text())["device"] == "none":
        os._exit(7)
    events.append(folder, {"done": True})


def test_submitits_processes_as_a_cluster(cell: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    pytest.importorskip("submitit")
    broken = tmp_path / "broken"
    broken.mkdir()
    (broken / run_folder.JOB).write_text('{"device": "none"}')
    monkeypatch.setattr(slurm, "_task", lambda folder, timeout_s: partial(answered, folder))
    settings = SlurmSettings(setup=[f"export PYTHONPATH={ROOT}"])
    jobs = BatchJobs(slurm.Rehearsal(tmp_path, settings), 2, ask_every_s=0.2)
    submissions = [jobs.submit(folder / run_folder.JOB, folder / run_folder.LOG) for folder in (cell, broken)]
    ends: dict[Any, Ended] = {}
    deadline = time.monotonic() + 60
    while len(ends) < 2:
        assert time.monotonic() < deadline
        for submission, event in jobs.wait(1.0):
            if isinstance(event, Ended):
                ends[submission] = event
                submission.cancel()
            else:
                assert event == Progress("predict", 1, 1)
    assert ends[submissions[0]].failure is None
    assert str(ends[submissions[1]].failure) == "its job ended without a result: its process is gone"
    assert int((cell / "pid").read_text()) != os.getpid()
    assert list((tmp_path / slurm.FOLDER).iterdir()) == []
