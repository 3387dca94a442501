"""Cells as jobs of a cluster's scheduler, on a disk that all its machines share.

The folder of a cell holds all there is to know of it: its job, its ticket, what its worker said. The scheduler is asked
only whether jobs that say nothing are still there, so that a run may end and another go on with them.
"""

from __future__ import annotations

import socket
import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal, Protocol, TypeAlias

from bench import __version__
from bench.core.errors import CellError, CrashedError, UsageError
from bench.runs.executor import Ended, Event, Progress, event_of
from bench.store.events import Tail, Ticket, read_ticket, write_ticket

LOOK_EVERY_S = 0.2  # at what workers wrote
MOST_LOOKS = 500.0  # a second, at files of a disk that others use too
MOST_STARTS = 10  # of a cell whose jobs are taken from their nodes, before it has failed
_SIGHTINGS = 2  # of a job that has ended without a word, before that is believed: a disk may show words late

# lost: its node failed or was needed; cancelled: by whoever may; else how it ended
State: TypeAlias = Literal["there", "lost", "cancelled"] | CellError


class Scheduler(Protocol):
    """Runs jobs on the machines of a cluster."""

    name: str  # which stands in tickets

    def submit(self, folders: Sequence[Path]) -> list[str]:
        """Have the cells of these folders measured; the id of each job, once no kill of this process can stop it.

        Raises:
            UsageError: the scheduler does not take them.
        """

    def states(self, ids: Sequence[str]) -> Mapping[str, State]:
        """What became of jobs; nothing of those of which that cannot be told now."""

    def cancel(self, ids: Sequence[str]) -> None:
        """End jobs that have not ended."""

    def forget(self, job_id: str) -> None:
        """Remove what the scheduler keeps of a job that has ended."""


@dataclass
class BatchJobs:
    """Cells on a cluster; an executor."""

    scheduler: Scheduler
    capacity: int  # jobs that wait or run at once
    per_machine: int = 1
    ask_every_s: float = 15.0  # the scheduler
    _waiting: list[BatchSubmission] = field(default_factory=list)  # to be submitted together
    _running: dict[str, BatchSubmission] = field(default_factory=dict)  # by job id
    _asked_at: float = field(default_factory=time.monotonic)

    @property
    def name(self) -> str:
        return self.scheduler.name

    def submit(self, job: Path, log: Path) -> BatchSubmission:
        """It is handed on by the next `wait`, with all that was submitted until then."""
        self._waiting.append(BatchSubmission(self, job.parent, log))
        return self._waiting[-1]

    def adopt(self, job: Path, log: Path) -> BatchSubmission | None:
        ticket = read_ticket(job.parent)
        if ticket is None or not job.exists():
            return None
        submission = BatchSubmission(self, job.parent, log, ticket.job_id, starts=1)
        self._running[ticket.job_id] = submission
        return submission

    def wait(self, seconds: float) -> Iterator[tuple[BatchSubmission, Event]]:
        self._hand_on()
        until = time.monotonic() + seconds
        while True:
            heard = [(each, event) for each in tuple(self._running.values()) if (event := each.heard())]
            if time.monotonic() - self._asked_at >= self.ask_every_s:
                heard += self._missed({id(each) for each, _ in heard})
            if heard or time.monotonic() >= until:
                yield from heard
                return
            pause = max(LOOK_EVERY_S, len(self._running) / MOST_LOOKS)
            time.sleep(max(0.0, min(pause, until - time.monotonic())))

    def _hand_on(self) -> None:
        """Submit what waits, in one call."""
        if not self._waiting:
            return
        ids = self.scheduler.submit([each.folder for each in self._waiting])
        for each, job_id in zip(self._waiting, ids, strict=True):
            write_ticket(each.folder, Ticket(self.name, job_id, socket.gethostname(), __version__))
            each.job_id, each.starts, each.silent = job_id, each.starts + 1, 0
            self._running[job_id] = each
        self._waiting.clear()

    def _missed(self, heard: set[int]) -> list[tuple[BatchSubmission, Event]]:
        """The ends of jobs that have gone without a word; those that were taken from their nodes start anew."""
        self._asked_at = time.monotonic()
        found: list[tuple[BatchSubmission, Event]] = []
        for job_id, state in self.scheduler.states(list(self._running)).items():
            each = self._running.get(job_id)
            if each is None or id(each) in heard or each.end:
                continue
            if state == "there":
                each.silent = 0
                continue
            each.silent += 1
            if each.silent < _SIGHTINGS:
                self._asked_at = 0.0  # ask again at once
            elif state == "cancelled":
                found.append((each, Ended(CrashedError(f"its job was cancelled in {self.name}"))))
            elif (each.preempted or state == "lost") and each.starts < MOST_STARTS:
                del self._running[job_id]
                self.scheduler.forget(job_id)
                each.preempted = False
                self._waiting.append(each)
            else:
                taken = CrashedError(f"its job was taken from its node {each.starts} times")
                found.append((each, Ended(state if isinstance(state, CellError) else taken)))
        return found

    def drop(self, submission: BatchSubmission) -> None:
        """Forget a job, and end it where it has not ended."""
        if submission in self._waiting:
            self._waiting.remove(submission)
        if self._running.pop(submission.job_id, None):
            if submission.end is None:
                self.scheduler.cancel([submission.job_id])
            self.scheduler.forget(submission.job_id)


@dataclass(eq=False)
class BatchSubmission:
    """A cell that was handed to a scheduler, or waits to be."""

    executor: BatchJobs
    folder: Path
    log: Path
    job_id: str = ""
    starts: int = 0
    silent: int = 0  # times that the scheduler said it has ended, without a word of the worker
    preempted: bool = False  # by its own last word
    end: Ended | None = None
    tail: Tail = field(init=False)

    def __post_init__(self) -> None:
        self.tail = Tail(self.folder)

    def heard(self) -> Event | None:
        """The latest of what the worker has written since the last call.

        Raises:
            UsageError: it is of another version of adaptbench.
        """
        latest: Progress | None = None
        for message in self.tail.new():
            if "refused" in message:
                raise UsageError(f"{message['refused']}; install one version on both")
            self.preempted = "preempted" in message
            if message.keys() & {"progress", "done", "failure"}:
                event = event_of(message)
                if isinstance(event, Ended):
                    self.end = event
                    return event
                latest = event
        return latest

    def cancel(self) -> None:
        self.executor.drop(self)
