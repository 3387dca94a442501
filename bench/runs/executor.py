"""Where cells are measured: an executor takes the job file of a cell and tells what becomes of it.

The record of a cell is what its job leaves in its folder; an executor only starts jobs, follows them and ends them.
"""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

from bench.core.errors import CellError, CrashedError
from bench.model.visible import VARIABLE, visible_device
from bench.runs import cell_process


@dataclass(frozen=True, slots=True)
class Progress:
    """What a job is at."""

    phase: str
    done: int
    total: int


class Submission(Protocol):
    """A job that was handed to an executor."""

    def events(self) -> Iterator[Progress]:
        """What the job reports, the latest again while it says nothing, until it has left a record.

        Raises:
            CellError: it left none, for a reason of this kind.
        """

    def cancel(self) -> None:
        """End the job, if it has not ended; nothing of it runs afterwards."""


class Executor(Protocol):
    """Starts the jobs of cells."""

    def submit(self, job: Path, log: Path) -> Submission:
        """Start the job of a file; what it prints goes to `log`."""


@dataclass(frozen=True)
class LocalProcess:
    """One cell at a time on this machine, in a process of its own."""

    device: str = "auto"  # as a suite names it
    threads: int | None = None  # of a cell; None: as the libraries choose
    timeout_s: float | None = None

    def submit(self, job: Path, log: Path) -> LocalSubmission:
        variables = {VARIABLE: visible_device(self.device, os.environ.get(VARIABLE))}
        resources = ExitStack()
        process = resources.enter_context(cell_process.start(job, log, variables, self.threads))
        return LocalSubmission(process, log, self.timeout_s, resources)


@dataclass(frozen=True)
class LocalSubmission:
    """A job whose process was started."""

    process: cell_process.Child
    log: Path
    timeout_s: float | None
    resources: ExitStack

    def events(self) -> Iterator[Progress]:
        latest = Progress("start", 0, 0)
        for message in self.process.messages(self.timeout_s):
            if not message:
                yield latest
            elif "progress" in message:
                latest = Progress(*message["progress"])
                yield latest
            elif "failure" in message:
                raise _typed(message["failure"])
            elif "done" in message:
                self.process.code()
                return
        raise CrashedError(_how_it_ended(self.process.code(), self.log))

    def cancel(self) -> None:
        self.resources.close()


def _typed(failure: Mapping[str, str]) -> CellError:
    """A CellError of the kind a worker named."""
    kinds = {cls.kind: cls for cls in CellError.__subclasses__()}
    return kinds.get(failure["kind"], CellError)(failure["message"])


def _how_it_ended(code: int, log: Path) -> str:
    if code == -9:
        return "the cell's process was killed (signal 9), most often because the machine ran out of memory"
    if code < 0:
        return f"the cell's process died of signal {-code}"
    lines = log.read_text(encoding="utf-8", errors="replace").strip().splitlines() if log.exists() else []
    return f"the cell's process ended with code {code}: {lines[-1] if lines else 'it printed nothing'}"
