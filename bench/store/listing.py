"""`run.json`: the cells of a run's suite, in their order."""

from __future__ import annotations

import os
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path
from typing import Literal

from pydantic import TypeAdapter, ValidationError

import tasks
from bench.core.atomic import write_changed
from bench.core.errors import DamagedError, UsageError, nearest
from bench.core.record import CellRef, Contamination
from bench.core.values import Strict
from bench.store import upgrade
from bench.store.archive import SUFFIX, files_of
from bench.store.json_files import as_json, read_json

RUN_FILE = "run.json"


@dataclass(frozen=True, slots=True)
class Listing(Strict):
    """What a run directory should hold."""

    suite: str
    cells: tuple[CellRef, ...]
    shard: str = ""  # such as "1/3" where it is a part
    left_out: tuple[str, ...] = ()  # sentences: methods without cells, as a model is of a kind that they are not for
    contamination: Contamination = field(default_factory=dict)
    suite_folder: str = ""  # of the suite's file, as seen from the run: its models' paths start there
    schema: Literal[2] = 2


_LISTING = TypeAdapter(Listing)


def read_listing(path: Path) -> Listing:
    """The listing of a run directory.

    Raises:
        UsageError: `path` is no run directory.
        DamagedError: the file is not what adaptbench writes.
    """
    file = files_of(path) / RUN_FILE
    if not file.is_file():
        near = [p.parent.name for p in path.parent.glob(f"*/{RUN_FILE}")]
        near += [p.name for p in path.parent.glob(f"*{SUFFIX}")]
        raise UsageError(f'"{path}" is no run directory (no {RUN_FILE}){nearest(path.name, near)}')
    try:
        return _LISTING.validate_python(upgrade.listing(read_json(file)))
    except (ValidationError, KeyError, TypeError, AttributeError):
        raise DamagedError(f"{file} is not what adaptbench writes; run the suite again") from None


def write_listing(path: Path, listing: Listing) -> None:
    """Write `run.json` into a run directory."""
    write_changed(path / RUN_FILE, as_json(asdict(listing)))


def relocated(cell: CellRef, old: Path, new: Path) -> CellRef:
    """A cell of the run at `old` as the run at `new` names it: a task's folder is found from there."""
    if cell.task_path in tasks.available():
        return cell
    return replace(cell, task_path=os.path.relpath(old / cell.task_path, new))
