"""How far a run is, read from its folder alone: from any machine that sees it, whether its driver lives or not."""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path

from bench.core.errors import UsageError
from bench.core.json_text import parse
from bench.core.record import CellRef
from bench.store import lease
from bench.store.archive import RunPath
from bench.store.events import Tail, Ticket, read_ticket
from bench.store.json_files import read_json
from bench.store.lease import Owner
from bench.store.listing import read_listing
from bench.store.run_folder import JOB, RECORD, Store, cell_folders

# the field itself: within a text the quotation marks would be escaped
_STATUS = re.compile(rb'"status": ?"(ok|failed)"')
_HEAD = 1024  # bytes: names, seed and status come first


@dataclass(frozen=True, slots=True)
class UnderWay:
    """A cell that is being measured."""

    name: str
    ticket: Ticket | None  # None: a process of the driver's machine
    host: str  # where it started; "": it has not, or does not say
    at: tuple[str, int, int] | None  # phase, done, total


@dataclass(frozen=True, slots=True)
class Status:
    """A run at this moment."""

    suite: str
    cells: int
    ok: int
    failed: tuple[str, ...]  # names
    under_way: tuple[UnderWay, ...]
    driver: Owner | None
    silent_s: float | None  # since the driver's last sign of life, by the clock of the disk

    @property
    def left(self) -> int:
        """Cells that have neither a record nor a worker."""
        return self.cells - self.ok - len(self.failed) - len(self.under_way)


def status(run: Path) -> Status:
    """How far the run is.

    Raises:
        UsageError: `run` is no run directory.
    """
    listing = read_listing(run)
    own = {cell.key: cell for cell in listing.cells if not cell.elsewhere}
    folders = cell_folders(run)
    states = {key: _status(folders[key[:12]]) for key in own if key[:12] in folders}
    failed = [key for key, state in states.items() if state == "failed"]
    ok = sum(state == "ok" for state in states.values())
    under_way = {}
    for folder in Store(run).stagings():
        if (key := _key(folder)) in own and states.get(key) != "ok":
            under_way[key] = _under_way(folder, own[key])
    names = tuple(own[key].full_name for key in failed if key not in under_way)
    driver = lease.holder(run / lease.FOLDER)
    driver = None if driver and driver.gone else driver
    silent = lease.silent_s(run / lease.FOLDER) if driver else None
    return Status(listing.suite, len(own), ok, names, tuple(under_way.values()), driver, silent)


def _status(folder: RunPath) -> str:
    """Of a record: from its first fields, without the checks that reading thousands of them whole would take."""
    try:
        begins = _STATUS.search(_head(folder / RECORD))
        if begins:
            return begins[1].decode()
        return str(parse((folder / RECORD).read_text(encoding="utf-8"))["status"])
    except (OSError, ValueError, KeyError, TypeError):
        return "unreadable"


def _head(file: RunPath) -> bytes:
    if not isinstance(file, Path):  # a member of an archive, which is unpacked whole
        return file.read_bytes()[:_HEAD]
    with file.open("rb") as stream:
        return stream.read(_HEAD)


def _key(folder: Path) -> str:
    try:
        return str(read_json(folder / JOB).get("key"))
    except UsageError:
        return ""


def _under_way(folder: Path, cell: CellRef) -> UnderWay:
    host, at = "", None
    for message in Tail(folder).new():
        host = message["start"].get("host", "") if "start" in message else host
        at = tuple(message["progress"]) if "progress" in message else at
    return UnderWay(cell.full_name, read_ticket(folder), host, at)
