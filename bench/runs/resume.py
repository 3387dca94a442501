"""What an earlier run has left of cells that it did not publish: finished cells, jobs that go on, and remains."""

from __future__ import annotations

import shutil
from collections.abc import Iterable
from pathlib import Path

from bench import __version__
from bench.core.errors import UsageError
from bench.runs.cells import Cell
from bench.runs.executor import Ended, event_of
from bench.runs.jobs import failed
from bench.store.events import ATTEMPT, EVENTS, TICKET, Tail, read_ticket
from bench.store.json_files import read_json
from bench.store.run_folder import JOB, RECORD, Store, read_record, write_record

_ENDS = ("done", "failure")


def settle(store: Store, cells: Iterable[Cell], executor: str) -> dict[str, Path]:
    """Publish the cells that ended while no run looked on; the folders, by key, of jobs that may still run.

    Those are jobs of the executor of that name and of this version of adaptbench. All else is removed; a job that
    still writes there notices, and ends.
    """
    wanted, going_on = {cell.key: cell for cell in cells}, dict[str, Path]()
    for staging in store.stagings():
        cell, ticket = wanted.get(_key(staging)), read_ticket(staging)
        if cell is None or cell.key in going_on:
            shutil.rmtree(staging, ignore_errors=True)
        elif end := ended(staging):
            _publish(store, staging, cell, end)
        elif executor and ticket and (ticket.executor, ticket.version) == (executor, __version__):
            going_on[cell.key] = staging
        else:
            shutil.rmtree(staging, ignore_errors=True)
    return going_on


def ended(staging: Path) -> Ended | None:
    """How a cell's worker said that it ended; None where it has not."""
    said = (message for message in Tail(staging).new() if any(name in message for name in _ENDS))
    message = next(said, None)
    event = None if message is None else event_of(message)
    return event if isinstance(event, Ended) else None


def tidy(staging: Path) -> None:
    """Remove from a cell's folder what only its measuring needed."""
    for name in (JOB, TICKET, EVENTS, ATTEMPT):
        (staging / name).unlink(missing_ok=True)


def _key(staging: Path) -> str:
    try:
        return str(read_json(staging / JOB).get("key"))
    except UsageError:
        return ""


def _publish(store: Store, staging: Path, cell: Cell, end: Ended) -> None:
    """Make it the cell's folder, unless a measured one is there."""
    published = store.folder(cell.ref)
    if published and read_record(published / RECORD).status == "ok":
        shutil.rmtree(staging, ignore_errors=True)
        return
    if end.failure is not None:
        write_record(staging, failed(cell, end.failure))
    tidy(staging)
    store.publish(staging, cell.ref)
