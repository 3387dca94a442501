"""A cluster in a folder, whose jobs make their records up: SUITE OUT CLUSTER CAPACITY runs a driver, to be killed.

`python -m tests.cluster CLUSTER SECONDS WORKERS` is the cluster itself, a process that outlives drivers.
"""

from __future__ import annotations

import json
import os
import sys
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from bench.config.suite import Suite
from bench.core.errors import CrashedError
from bench.executors.batch import BatchJobs, State
from bench.runs import runner
from bench.store import events, run_folder
from tests.dummy_run import write
from tests.small import Silent, cells_of


@dataclass
class FolderCluster:
    """A scheduler: a job is a file `<id>.job` with the folder of its cell; `<id>.end` says how it ended."""

    folder: Path
    name: str = "folder"

    def submit(self, folders: Sequence[Path]) -> list[str]:
        ids = []
        for folder in folders:
            ids.append(f"{time.monotonic_ns()}")
            hidden = self.folder / f".{ids[-1]}"
            hidden.write_text(str(folder))
            hidden.rename(self.folder / f"{ids[-1]}.job")
        return ids

    def states(self, ids: Sequence[str]) -> Mapping[str, State]:
        return {job_id: self._state(job_id) for job_id in ids}

    def _state(self, job_id: str) -> State:
        try:
            word = (self.folder / f"{job_id}.end").read_text()
        except FileNotFoundError:
            return "there" if (self.folder / f"{job_id}.job").exists() else "lost"
        return "lost" if word == "lost" else CrashedError(word)

    def cancel(self, ids: Sequence[str]) -> None:
        for job_id in ids:
            self.end(job_id, "cancelled")

    def forget(self, job_id: str) -> None:
        for suffix in ("job", "end"):
            (self.folder / f"{job_id}.{suffix}").unlink(missing_ok=True)

    def jobs(self) -> list[str]:
        """Those that have not ended, in their order."""
        there = {name.removesuffix(".job") for name in os.listdir(self.folder) if name.endswith(".job")}
        return sorted(job_id for job_id in there if not (self.folder / f"{job_id}.end").exists())

    def end(self, job_id: str, word: str) -> None:
        (self.folder / f"{job_id}.end").write_text(word)

    def say(self, job_id: str, message: Mapping[str, object]) -> None:
        """As the worker of a job."""
        events.append(self.cell(job_id), dict(message))

    def cell(self, job_id: str) -> Path:
        return Path((self.folder / f"{job_id}.job").read_text())

    def work(self, job_id: str) -> None:
        """Measure a job's cell, unless nobody waits for it any more."""
        try:
            folder = self.cell(job_id)
            job = json.loads((folder / run_folder.JOB).read_text())
            write(job)
            with (self.folder / "measured.txt").open("a") as stream:
                stream.write(job["key"] + "\n")
            events.append(folder, {"done": True})
        except OSError:
            pass
        self.end(job_id, "done")


def drive(suite_file: Path, out: Path, cluster: FolderCluster, capacity: int) -> runner.RunOutcome:
    """Measure a suite on it."""
    suite, cells = cells_of(suite_file)
    with run_folder.open_run(out, suite_file, suite.name, [cell.ref for cell in cells]) as store:
        return runner.run(suite, cells, store, Silent(), BatchJobs(cluster, capacity, ask_every_s=0.1))


def entry(settings: Mapping[str, Any], run: Path, suite: Suite) -> BatchJobs:
    """What an entry point of another distribution leads to."""
    return BatchJobs(FolderCluster(Path(settings["folder"])), int(settings["at_once"]))


def serve(cluster: FolderCluster, seconds: float, workers: int) -> None:
    """Run jobs until this process is ended; each takes so long."""
    due: dict[str, float] = {}
    while True:
        for job_id in cluster.jobs():
            if job_id not in due and len(due) < workers:
                due[job_id] = time.monotonic() + seconds
        for job_id in [each for each, when in due.items() if when <= time.monotonic()]:
            del due[job_id]
            cluster.work(job_id)
        time.sleep(0.01)


if __name__ == "__main__":
    if len(sys.argv) == 4:
        serve(FolderCluster(Path(sys.argv[1])), float(sys.argv[2]), int(sys.argv[3]))
    else:
        drive(Path(sys.argv[1]), Path(sys.argv[2]), FolderCluster(Path(sys.argv[3])), int(sys.argv[4]))
