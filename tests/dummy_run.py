"""A run whose jobs take some milliseconds and make their records up, to be killed: SUITE OUT CAPACITY.

The driver, the run folder and the graph are the real ones. What is submitted is noted in the run's `submitted.txt`.
"""

from __future__ import annotations

import json
import sys
import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from bench.core.record import Record, Score
from bench.core.training import Tuning
from bench.runs import runner
from bench.runs.executor import Ended, Event, Progress
from bench.store import run_folder
from tests.small import Silent, cells_of

SECONDS = 0.04


@dataclass(eq=False)
class Job:
    """A job that ends when its time has come."""

    executor: Dummy
    job: dict[str, Any]
    due: float

    def cancel(self) -> None:
        self.executor.running.remove(self)


@dataclass
class Dummy:
    """Runs nothing; what a job would answer follows from its key and the options that it takes over."""

    capacity: int
    note: Path
    seconds: float = SECONDS
    per_machine: int = 1
    running: list[Job] = field(default_factory=list)

    def submit(self, job: Path, log: Path) -> Job:
        told = json.loads(job.read_text())
        with self.note.open("a") as stream:
            stream.write(told["key"] + "\n")
        self.running.append(Job(self, told, time.monotonic() + self.seconds * (1 + int(told["key"][0], 16) / 8)))
        return self.running[-1]

    def wait(self, seconds: float) -> Iterator[tuple[Job, Event]]:
        soonest = min(self.running, key=lambda job: job.due)
        time.sleep(max(0.0, soonest.due - time.monotonic()))
        yield soonest, Progress("predict", 1, 2)
        write(soonest.job)
        yield soonest, Ended()


def write(job: dict[str, Any]) -> None:
    """The record of a job."""
    value = int(job["key"][:4], 16) / 65536
    tuning = None
    if job["identity"]["tuning"] and job["chosen"] is None:
        rates = tuple(job["options"]["learning_rate"])
        tuning = Tuning({"learning_rate": rates}, (), {"learning_rate": rates[0]}, "validation loss", 1, {})
    record = Record(
        job["key"], job["model"]["name"], "paint", job["label"], job["seed"], "ok", "2026-01-01T00:00:00+00:00",
        scores={"accuracy": Score(value)}, tuning=tuning, tokens={"chosen": int(job["chosen"] is not None)},
    )  # fmt: skip
    run_folder.write_record(Path(job["out"]), record)


def main(suite_file: Path, out: Path, capacity: int) -> runner.RunOutcome:
    """Measure a suite in this way."""
    suite, cells = cells_of(suite_file)
    with run_folder.open_run(out, suite_file, suite.name, [cell.ref for cell in cells]) as store:
        return runner.run(suite, cells, store, Silent(), Dummy(capacity, out / "submitted.txt"))


if __name__ == "__main__":
    main(Path(sys.argv[1]), Path(sys.argv[2]), int(sys.argv[3]))
