"""Where cells are measured: an executor takes the job files of cells and tells what becomes of them.

The record of a cell is what its job leaves in its folder; an executor only starts jobs, follows them and ends them. It
keeps to its capacity and knows nothing of suites: which cell comes next is for `bench.runs.runner` to say.
"""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import ExitStack
from dataclasses import dataclass, field
from multiprocessing import connection
from pathlib import Path
from typing import Any, Protocol, TypeAlias, runtime_checkable

from bench.core.errors import CellError, CellTimeoutError, CrashedError
from bench.model.visible import VARIABLE
from bench.runs import cell_process


@dataclass(frozen=True, slots=True)
class Progress:
    """What a job is at."""

    phase: str
    done: int
    total: int


@dataclass(frozen=True, slots=True)
class Ended:
    """A job has ended and, unless it failed, left a record."""

    failure: CellError | None = None


Event: TypeAlias = Progress | Ended


class Submission(Protocol):
    """A job that was handed to an executor."""

    def cancel(self) -> None:
        """End the job, if it has not ended, and give its place free; nothing of it runs afterwards."""


class Executor(Protocol):
    """Starts the jobs of cells."""

    @property
    def capacity(self) -> int:
        """Jobs that run at once."""

    @property
    def per_machine(self) -> int:
        """Of these at most so many share a machine, and with it memory, caches and cores."""

    def submit(self, job: Path, log: Path) -> Submission:
        """Start the job of a file; what it prints goes to `log`. Not asked for more than `capacity` at once."""

    def wait(self, seconds: float) -> Iterable[tuple[Submission, Event]]:
        """What the jobs report, as soon as any does; nothing where none does for so long. `Ended` is a job's last."""


@runtime_checkable
class Adopting(Protocol):
    """An executor whose jobs go on when the run that submitted them has ended."""

    name: str  # which stands in the tickets of its jobs

    def adopt(self, job: Path, log: Path) -> Submission | None:
        """Follow the job of a file that an earlier run submitted; None where it is not known to run or wait."""


@dataclass
class LocalProcesses:
    """Cells on this machine, each in a process of its own."""

    devices: Sequence[str]  # for each cell at once what it sees of CUDA's devices; "": the CPU
    threads: int | None = None  # of a cell; None: as the libraries choose
    timeout_s: float | None = None
    _running: dict[LocalSubmission, str] = field(default_factory=dict)  # with its device

    @property
    def capacity(self) -> int:
        return len(self.devices)

    @property
    def per_machine(self) -> int:
        return self.capacity

    def submit(self, job: Path, log: Path) -> LocalSubmission:
        free = list((Counter(self.devices) - Counter(self._running.values())).elements())
        with ExitStack() as started:
            process = started.enter_context(cell_process.start(job, log, {VARIABLE: free[0]}, self.threads))
            submission = LocalSubmission(process, log, _deadline(self.timeout_s), started.pop_all())
        submission.resources.callback(self._running.pop, submission, None)
        self._running[submission] = free[0]
        return submission

    def wait(self, seconds: float) -> Iterator[tuple[LocalSubmission, Event]]:
        running = tuple(self._running)
        soonest = min((each.deadline for each in running), default=0.0) - time.monotonic()
        ready = connection.wait([each.process.line for each in running], max(0.0, min(seconds, soonest)))
        for each in running:
            event = each.received() if each.process.line in ready else None
            if not isinstance(event, Ended):
                event = each.overdue() or event
            if event is not None:
                yield each, event


@dataclass(eq=False)
class LocalSubmission:
    """A job whose process was started."""

    process: cell_process.Child
    log: Path
    deadline: float  # by time.monotonic
    resources: ExitStack
    end: Ended | None = None  # as the process said it, before it was gone

    def received(self) -> Event | None:
        """What the process has to say now."""
        try:
            message = self.process.line.recv()
        except (EOFError, ConnectionResetError):
            return self.end or Ended(CrashedError(_how_it_ended(self.process.code(), self.log)))
        event = event_of(message)
        if isinstance(event, Progress):
            return event
        self.end = event
        return None

    def overdue(self) -> Ended | None:
        """The end of a job whose time is over."""
        if time.monotonic() < self.deadline:
            return None
        return self.end or Ended(CellTimeoutError("the cell ran longer than cell_timeout_s allows"))

    def cancel(self) -> None:
        self.resources.close()


def _deadline(timeout_s: float | None) -> float:
    return float("inf") if timeout_s is None else time.monotonic() + timeout_s


def event_of(message: Mapping[str, Any]) -> Event:
    """What a worker said (see `bench.cell.worker`), typed."""
    if "progress" in message:
        return Progress(*message["progress"])
    return Ended(_typed(message["failure"]) if "failure" in message else None)


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
