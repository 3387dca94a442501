"""What a cell that is measured elsewhere leaves in its folder: who was told to measure it, and what it says.

Two files, each with one writer, so that a shared disk and names are all that driver and worker have in common:
`ticket.json` by the driver, when the job is submitted, and `events.jsonl` by the worker, a line for each message.
"""

from __future__ import annotations

import json
import os
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from bench.core.atomic import naming
from bench.core.json_text import parse
from bench.store.json_files import write_json

EVENTS = "events.jsonl"
TICKET = "ticket.json"
ATTEMPT = ".attempt"  # which of a job's starts writes the folder


@dataclass(frozen=True, slots=True)
class Ticket:
    """A job as it was submitted."""

    executor: str  # its name
    job_id: str  # as the executor knows it
    host: str  # of the driver
    version: str  # of adaptbench


def write_ticket(folder: Path, ticket: Ticket) -> None:
    """Write `ticket.json` into the folder of a cell."""
    write_json(folder / TICKET, asdict(ticket), synced=False)  # without it the cell is measured again


def read_ticket(folder: Path) -> Ticket | None:
    """The ticket in the folder of a cell; None where there is none that this version knows."""
    try:
        return Ticket(**parse((folder / TICKET).read_text(encoding="utf-8")))
    except (OSError, ValueError, TypeError):
        return None


def append(folder: Path, message: dict[str, Any]) -> None:
    """Add a message to the events of a cell; it is on the disk when this returns.

    Raises:
        FileNotFoundError: the folder is gone: nobody waits for the cell any more.
    """
    line = json.dumps(message, ensure_ascii=False, allow_nan=False)
    with naming(folder / EVENTS), (folder / EVENTS).open("ab") as stream:
        stream.write(f"\n{line}\n".encode())  # on a line of its own, also after what a killed worker began
        stream.flush()
        os.fsync(stream.fileno())


@dataclass
class Tail:
    """Reads the events of a cell as they come."""

    folder: Path
    offset: int = 0

    def new(self) -> list[dict[str, Any]]:
        """Whole lines since the last call; nothing while there is no such file."""
        file = self.folder / EVENTS
        try:
            if file.stat().st_size <= self.offset:
                return []
            with file.open("rb") as stream:
                stream.seek(self.offset)
                content = stream.read()
        except OSError:
            return []
        whole = content[: content.rfind(b"\n") + 1]
        self.offset += len(whole)
        return [message for line in whole.splitlines() if (message := _message(line))]


def _message(line: bytes) -> dict[str, Any] | None:
    """A line as a message; None for one that a killed worker left unfinished."""
    try:
        message = parse(line)
    except ValueError:
        return None
    return message if isinstance(message, dict) else None
