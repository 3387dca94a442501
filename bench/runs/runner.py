"""Runs the cells of a suite, each in its own process, and leaves a record of every one of them.

As many cells as the executor takes are under way at once. A cell that has ended is published at once; whatever ends
this process, at most the cells under way are lost.
"""

from __future__ import annotations

import shutil
import time
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any, Protocol

from bench.config.suite import Suite
from bench.core.errors import CellError
from bench.core.record import Record
from bench.runs import resume, winners
from bench.runs.cells import Cell
from bench.runs.executor import Adopting, Ended, Executor, Progress, Submission
from bench.runs.graph import Queue, chains, waits
from bench.runs.jobs import failed, job_of
from bench.runs.plan import relative_seconds
from bench.runs.unchanged import Weights
from bench.store.json_files import write_json
from bench.store.lease import LeaseLostError
from bench.store.listing import read_listing
from bench.store.run_folder import JOB, LOG, RECORD, VECTORS, Store, read_record, write_record

_STARTED = Progress("starting", 0, 0)
_SILENCE_S = 1.0  # after which what is known is shown again


class Display(Protocol):
    """Shows a run as it goes; see `bench.runs.progress`."""

    def say(self, text: str) -> None: ...

    def start(self, cell: Cell) -> None: ...

    def progress(self, cell: Cell, phase: str, done: int, total: int) -> None: ...

    def finish(self, cell: Cell, record: Record, cached: bool) -> None: ...


@dataclass(frozen=True)
class RunOutcome:
    """How a run ended."""

    ok: int
    failed: int
    cached: int
    left_out: int = 0


class Order(Protocol):
    """Says which cell comes next, as `bench.runs.graph.Queue` does."""

    def pop(self) -> str | None: ...

    def done(self, key: str) -> None: ...


def run(
    suite: Suite, cells: Sequence[Cell], store: Store, display: Display, executor: Executor, order: Order | None = None
) -> RunOutcome:
    """Measure every cell that has no record yet; a failed one is tried again unless the suite keeps failures.

    `order` may leave cells out; without one they go in the suite's order, or the longest chain first.

    With `keep: winner` weights that cannot win go once all cells of their model and task are there; a shard, which has
    no verdict, keeps them.
    """
    adopting = executor if isinstance(executor, Adopting) else None
    going_on = resume.settle(store, cells, adopting.name if adopting else "")
    driver = _Driver(suite, store, display, executor, Counter(map(_contest, cells)), Weights(cells), going_on)
    known = measured(suite, cells, store)
    for cell in cells:
        if cell.key in known:
            driver.ended(cell, known[cell.key], cached=True)
    try:
        driver.measure([cell for cell in cells if cell.key not in known], order)
    except LeaseLostError:
        driver.leave()
        raise
    finally:
        driver.cancel()
    left_out = sum(driver.open.values())
    failures = len(cells) - driver.ok - left_out
    if not left_out and (not failures or suite.failed == "keep"):  # nothing is left to be measured
        shutil.rmtree(store.path / VECTORS, ignore_errors=True)
    return RunOutcome(driver.ok, failures, len(known), left_out)


def _contest(cell: Cell) -> tuple[str, str]:
    """The model and task whose cells are compared with each other."""
    return cell.model.name, cell.task.name


def measured(suite: Suite, cells: Iterable[Cell], store: Store) -> dict[str, Record]:
    """The records of those cells, by key, that are not measured again."""
    found = store.records([cell.ref for cell in cells])
    return {key: record for key, record in found.items() if record.status == "ok" or suite.failed == "keep"}


@dataclass
class _UnderWay:
    """A cell that is being measured."""

    cell: Cell
    staging: Path
    latest: Progress = _STARTED


@dataclass
class _Driver:
    suite: Suite
    store: Store
    display: Display
    executor: Executor
    open: Counter[tuple[str, str]]  # cells that have not ended, by what they are compared in
    weights: Weights
    going_on: dict[str, Path] = field(default_factory=dict)  # by key: where an earlier run's job may still write
    ok: int = 0
    chosen: dict[str, CellError | dict[str, Any]] = field(default_factory=dict)  # options, by the cell they are of
    under_way: dict[Submission, _UnderWay] = field(default_factory=dict)
    shown_at: float = 0.0  # when cells that say nothing were shown again

    def measure(self, cells: Sequence[Cell], order: Order | None = None) -> None:
        """Start what may start as long as there is room, and follow what is under way, until all have ended."""
        by_key, after = {cell.key: cell for cell in cells}, waits(cells)
        urgency = dict.fromkeys(after, 0.0)  # one by one they go in the suite's order
        if self.executor.capacity > 1:
            urgency = chains(after, {cell.key: relative_seconds(cell) for cell in cells})
        urgency |= dict.fromkeys(self.going_on.keys() & after.keys(), float("inf"))
        queue = order or Queue(after, urgency)
        while True:
            while len(self.under_way) < self.executor.capacity and (key := queue.pop()) is not None:
                if not self._start(by_key[key]):
                    queue.done(key)
            if not self.under_way:
                return
            for key in self._follow():
                queue.done(key)

    def _start(self, cell: Cell) -> bool:
        """Whether a cell is under way now; one that cannot be is a record of its failure."""
        self.display.start(cell)
        if self._adopted(cell):
            return True
        staging = self.store.staging(cell.ref)
        try:
            self.weights.require_unchanged(cell)
            chosen = self._chosen(cell)
            job = job_of(self.suite, cell, self.store, staging, chosen, self.executor.per_machine)
            write_json(staging / JOB, asdict(job), synced=False)  # whose cell is lost with the machine anyway
            self.under_way[self.executor.submit(staging / JOB, staging / LOG)] = _UnderWay(cell, staging)
        except CellError as error:
            self._publish(cell, staging, error)
            return False
        return True

    def _adopted(self, cell: Cell) -> bool:
        """Whether a job of an earlier run measures the cell; what such a job has left goes where it does not."""
        staging = self.going_on.pop(cell.key, None)
        if staging is None or not isinstance(self.executor, Adopting):
            return False
        submission = self.executor.adopt(staging / JOB, staging / LOG)
        if submission is None:
            shutil.rmtree(staging, ignore_errors=True)
            return False
        self.under_way[submission] = _UnderWay(cell, staging)
        return True

    def _follow(self) -> list[str]:
        """Show what the cells under way report; the keys of those that have ended."""
        self.store.heed()
        heard, ended = set(), []
        for submission, event in self.executor.wait(_SILENCE_S):
            current = self.under_way[submission]
            if isinstance(event, Ended):
                submission.cancel()
                del self.under_way[submission]
                self._publish(current.cell, current.staging, event.failure)
                ended.append(current.cell.key)
            else:
                current.latest = event
                self._show(current)
                heard.add(submission)
        if time.monotonic() - self.shown_at >= _SILENCE_S:
            self.shown_at = time.monotonic()
            for submission in self.under_way.keys() - heard:
                self._show(self.under_way[submission])
        return ended

    def _show(self, current: _UnderWay) -> None:
        latest = current.latest
        self.display.progress(current.cell, latest.phase, latest.done, latest.total)

    def _publish(self, cell: Cell, staging: Path, failure: CellError | None) -> None:
        """A failure of any kind becomes a record with its reason."""
        try:
            self.weights.require_unchanged(cell)
        except CellError as changed:  # its key stands for other weights
            failure = changed
        if failure is not None:
            write_record(staging, failed(cell, failure))
        resume.tidy(staging)
        self.ended(cell, read_record(self.store.publish(staging, cell.ref) / RECORD), cached=False)

    def ended(self, cell: Cell, record: Record, cached: bool) -> None:
        """Keep of a record what other cells take over, and show how the cell ended."""
        self.ok += record.status == "ok"
        if cell.identity.tuning and cell.chooser is None:
            failure = CellError(f"its options are chosen on seed {record.seed}, and that cell failed")
            self.chosen[cell.key] = dict(record.tuning.chosen) if record.tuning else failure
        self.display.finish(cell, record, cached)
        self.open[_contest(cell)] -= 1
        if self.suite.keep == "winner" and not self.open[_contest(cell)] and not read_listing(self.store.path).shard:
            winners.prune(self.store.path, *_contest(cell))

    def _chosen(self, cell: Cell) -> dict[str, Any] | None:
        if cell.chooser is None:
            return None
        found = self.chosen.get(cell.chooser)
        if found is None:
            raise CellError("its options are chosen on the first seed, and that cell failed")
        if isinstance(found, CellError):
            raise found
        return found

    def cancel(self) -> None:
        """End what is under way, and remove what has come of it."""
        for submission, current in self.under_way.items():
            submission.cancel()
            shutil.rmtree(current.staging, ignore_errors=True)
        for staging in self.going_on.values():  # of cells that are measured after all
            shutil.rmtree(staging, ignore_errors=True)

    def leave(self) -> None:
        """Leave jobs that outlive this run to the process that has taken it over."""
        if isinstance(self.executor, Adopting):
            self.under_way.clear()
            self.going_on.clear()
