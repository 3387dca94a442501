"""The run directory: one folder for each finished cell, published whole or not at all.

```
<run>/run.json                      the suite's cells, in order; of a shard all of them, with those measured elsewhere
<run>/suite.yaml                    the suite as it was given
<run>/cells/<name>-<key>/           record.json, predictions.jsonl, log.txt
<run>/cells/<name>-<key>/weights/   what was trained, where the suite keeps it
<run>/cells/.unfinished-<key>/      what a cell has done so far, see bench.core.unfinished; removed when it is published
<run>/answers/                      all that endpoints answered, a file for each; kept, as it was paid for
<run>/taught/                       answers of teachers, a file for each set of items; shared by cells
<run>/vectors/                      embeddings of documents, shared by cells; removed when all are measured
```
A cell is written into a folder whose name begins with a dot, its files are synced, and the folder is renamed.
Killing the process at any moment leaves finished cells whole and unfinished ones absent.
"""

from __future__ import annotations

import json
import os
import secrets
import shutil
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import asdict, dataclass, replace
from functools import lru_cache, partial
from pathlib import Path
from typing import Any

from pydantic import TypeAdapter, ValidationError

from bench.core.atomic import naming, sync, write_changed
from bench.core.errors import DamagedError, UsageError
from bench.core.hashing import sha256_of_files
from bench.core.measured import KeptWeights
from bench.core.record import SCHEMA, CellRef, Contamination, Prediction, Record, Run
from bench.core.yaml_file import parse
from bench.store import upgrade
from bench.store.archive import SUFFIX, RunPath, files_of
from bench.store.json_files import read_json, write_json
from bench.store.lease import FOLDER, Lease, Owner, hold, holder
from bench.store.lines import Line, lines_of
from bench.store.listing import RUN_FILE, Listing, read_listing, relocated, write_listing
from bench.store.staging import LOCK, take

_PACKAGE = Path(__file__).parents[1]
RECORD = "record.json"
PREDICTIONS = "predictions.jsonl"
LOG = "log.txt"
JOB = "job.json"  # while a cell is measured: what its worker is told
WEIGHTS = "weights"  # of a cell: what was trained
ANSWERS = "answers"  # where cells keep what endpoints answered
TAUGHT = "taught"  # where cells leave each other the answers of teachers
WRITING = ".writing-"  # how the names of folders begin that cells are being written into
UNFINISHED = ".unfinished-"  # how the names of folders begin that hold what a cell has done so far
VECTORS = "vectors"  # where cells leave each other embeddings of documents
_RECORD = TypeAdapter(Record)


@dataclass(frozen=True)
class Store:
    """A run directory being written."""

    path: Path
    lease: Lease | None = None  # by which this process alone writes it

    @property
    def cells(self) -> Path:
        return self.path / "cells"

    def folder(self, cell: CellRef) -> Path | None:
        """The published folder of a cell, found by its key alone: labels may have changed."""
        return next(self.cells.glob(f"[!.]*-{cell.key[:12]}"), None)

    def records(self, cells: Iterable[CellRef]) -> dict[str, Record]:
        """The records of those cells that have one, by key."""
        folders = cell_folders(self.path)
        there = ((cell.key, folders[cell.key[:12]]) for cell in cells if cell.key[:12] in folders)
        return {key: read_record(folder / RECORD) for key, folder in there}

    def check(self) -> None:
        """Raise LeaseLostError where another process writes the run now."""
        if self.lease:
            self.lease.check()

    def heed(self) -> None:
        """Raise KeyboardInterrupt where the end of the run was asked for, see `bench.store.lease.ask_to_end`."""
        if self.lease and self.lease.asked_to_end():
            raise KeyboardInterrupt

    def staging(self, cell: CellRef) -> Path:
        """A fresh folder to write the cell into; no other attempt at the cell, also of a job elsewhere, knows it."""
        self.check()
        folder = self.cells / f"{WRITING}{cell.folder}.{secrets.token_hex(4)}"
        folder.mkdir(parents=True)
        return folder

    def unfinished(self, cell: CellRef) -> Path:
        """Where what the cell has done so far outlives the process that measures it, until it is published."""
        return self.cells / f"{UNFINISHED}{cell.key[:12]}"

    def stagings(self) -> list[Path]:
        """Folders that cells were being written into."""
        return sorted(self.cells.glob(f"{WRITING}*"))

    def publish(self, staging: Path, cell: CellRef) -> Path:
        """Sync `staging` to disk and make it the cell's folder, in place of an older one."""
        for file in (*staging.rglob("*"), staging):
            sync(file)
        self.check()
        old = self.folder(cell)
        if old:
            old.rename(self.cells / f".old-{old.name}")
        final = self.cells / cell.folder
        staging.rename(final)
        sync(self.cells)
        if old:
            shutil.rmtree(self.cells / f".old-{old.name}", ignore_errors=True)
        shutil.rmtree(self.unfinished(cell), ignore_errors=True)
        return final


@dataclass(frozen=True, slots=True)
class Part:
    """What of a suite is measured in a run that is one of several shards."""

    name: str  # such as "1/3"
    keys: frozenset[str]


@contextmanager
def open_run(
    path: Path,
    suite_file: Path,
    suite_name: str,
    cells: Sequence[CellRef],
    part: Part | None = None,
    left_out: Sequence[str] = (),
    contamination: Contamination | None = None,
) -> Iterator[Store]:
    """Create or go on with the run at `path`, locked against other processes.

    `cells` are all of the suite; `part`: the shard that is measured here, and its keys; `left_out`: what has no cells,
    in sentences; `contamination`: what models are known to have seen of the tasks.

    Raises:
        UsageError: another process is writing this run, or the folder cannot be written.
    """
    try:
        (path / "cells").mkdir(parents=True, exist_ok=True)
        lock = (path / LOCK).open("w")
    except OSError as error:
        raise UsageError(f"cannot write to {path}: {error.strerror}; choose another folder with --out") from None
    with ExitStack() as stack:
        stack.enter_context(lock)
        if not take(lock, without_locks=True):
            raise _written(path, holder(path / FOLDER))
        open_keys = {cell.key[:12] for cell in cells} - cell_folders(path).keys()
        lease = None
        try:
            lease = stack.enter_context(hold(path / FOLDER, partial(_written, path)))
        except OSError:
            if open_keys:
                raise
            # nothing is left to measure, and a full disk is no reason not to say so
        for leftover in (path / "cells").glob(".*"):
            begun = leftover.name.startswith(UNFINISHED) and leftover.name.removeprefix(UNFINISHED) in open_keys
            if not begun and not leftover.name.startswith(WRITING):  # in those, `bench.runs.resume` looks
                shutil.rmtree(leftover, ignore_errors=True)
        tasks = {cell.task_path: cell for cell in cells}  # looked up once, whatever the number of cells
        places = {name: relocated(cell, Path(), path).task_path for name, cell in tasks.items()}
        listed = tuple(
            replace(cell, task_path=places[cell.task_path], elsewhere=bool(part and cell.key not in part.keys))
            for cell in cells
        )
        write_changed(path / "suite.yaml", _suite_text(suite_file))
        bundled = suite_file.resolve().is_relative_to(_PACKAGE)  # such a suite names no file beside it
        place = "" if bundled else os.path.relpath(suite_file.parent, path)
        shard = part.name if part else ""
        write_listing(path, Listing(suite_name, listed, shard, tuple(left_out), contamination or {}, place))
        yield Store(path, lease)


def _suite_text(file: Path) -> str:
    try:
        return file.read_text(encoding="utf-8")
    except UnicodeDecodeError as error:
        raise UsageError(f"{file} has changed since it was read: not UTF-8 at byte {error.start}") from None


def _written(path: Path, by: Owner | None) -> UsageError:
    who = f" ({by})" if by else ""
    return UsageError(f"another process is writing {path}{who}; wait for it, or choose another --out")


def cell_folders(path: Path) -> dict[str, RunPath]:
    """The first twelve digits of a key: the folder of its cell, of the published cells of a run."""
    cells = files_of(path) / "cells"
    folders = (f for f in cells.iterdir() if "-" in f.name and f.name[0] != ".") if cells.is_dir() else ()
    return {f.name.rsplit("-", 1)[-1]: f for f in folders}


def read_run(path: Path) -> Run:
    """Every record of a run, in its suite's order, under the suite's present names.

    Raises:
        UsageError: `path` is no run directory.
        DamagedError: a file in it is not what adaptbench writes.
    """
    listing = read_listing(path)
    folders = cell_folders(path)
    records: list[Record] = []
    base: list[Record] = []
    missing: list[CellRef] = []
    for cell in listing.cells:
        folder = folders.get(cell.key[:12])
        if folder is not None and (folder / RECORD).is_file():
            record = read_record(folder / RECORD)
            labels = {name: getattr(cell, name) for name in ("model", "task", "method", "seed", "suite_method")}
            labelled = replace(record, **labels)
            (base if cell.is_base else records).append(labelled)
        elif not cell.elsewhere:
            missing.append(cell)
    places = {cell.task: cell.task_path for cell in listing.cells}
    found = tuple(records), tuple(missing), tuple(base)
    return Run(
        path, listing.suite, *found, *_said(path), places, listing.shard, listing.left_out, listing.contamination
    )


def _said(path: Path) -> tuple[dict[str, Any], dict[str, Any]]:
    """The suite's own prices and assumptions; a suite that cannot be read has none."""
    try:
        suite = parse((files_of(path) / "suite.yaml").read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return {}, {}
    prices, decide = (suite.get(key) if isinstance(suite, dict) else None for key in ("prices", "decide"))
    return prices if isinstance(prices, dict) else {}, decide if isinstance(decide, dict) else {}


def runs(root: Path) -> list[Path]:
    """Runs below `root`, newest first; none that is hidden, as one that is being written by a merge is."""
    files = [f for name in (RUN_FILE, f"*{SUFFIX}") for f in root.glob(f"**/{name}")] if root.is_dir() else []
    shown = (f for f in files if not any(name.startswith(".") for name in f.relative_to(root).parts))
    newest = sorted(shown, key=lambda f: f.stat().st_mtime, reverse=True)
    return [f.parent if f.name == RUN_FILE else f for f in newest]


def read_record(file: RunPath) -> Record:
    """A record from disk, checked against its type."""
    content = read_json(file)
    if content.get("schema") not in (1, SCHEMA):
        raise UsageError(f"{file}: schema {content.get('schema')} is not known to this version of adaptbench")
    try:
        return _RECORD.validate_python(upgrade.record(content))
    except ValidationError as error:
        first = error.errors()[0]
        raise DamagedError(f"{file}: {'.'.join(map(str, first['loc']))}: {first['msg']}") from None
    except (KeyError, TypeError, ValueError, AttributeError) as error:
        raise DamagedError(f"{file} is not what adaptbench wrote: {type(error).__name__}: {error}") from None


def write_record(folder: Path, record: Record) -> None:
    """Write `record.json` into `folder`."""
    write_json(folder / RECORD, asdict(record))


def kept_weights(folder: Path) -> KeptWeights:
    """Digest and size of the files of trained weights in `folder`."""
    files = {file.relative_to(folder).as_posix(): file for file in folder.rglob("*") if file.is_file()}
    return KeptWeights(sha256_of_files(files), sum(file.stat().st_size for file in files.values()))


def weights_folders(run: Path) -> dict[str, Path]:
    """The first twelve digits of a key: where the cell's trained weights are, of those that have any."""
    cells = (run / "cells").glob(f"[!.]*-*/{WEIGHTS}")
    return {folder.parent.name.rsplit("-", 1)[-1]: folder for folder in sorted(cells)}


def probe_file(probe: str, untrained: bool = False) -> str:
    """Where a cell keeps the adapted model's answers to a probe, or those of what its training started from."""
    return f"{'untrained' if untrained else 'probe'}-{probe}.jsonl"


def write_predictions(
    folder: Path, predictions: Sequence[Prediction], extra: Callable[[int], Mapping[str, Any]], name: str = PREDICTIONS
) -> None:
    """One line for each item: what was answered, what it took, and what its scores are made of. No item text.

    `extra` gives what else is kept of item i (see `bench.metrics.scoring.Scored.of`).
    """
    with naming(folder / name), (folder / name).open("w", encoding="utf-8") as stream:
        for i, prediction in enumerate(predictions):
            line = {**asdict(prediction), **extra(i)}
            stream.write(json.dumps(line, ensure_ascii=False, allow_nan=False) + "\n")


def read_predictions(run: Path, key: str) -> list[Line]:
    """The lines that `write_predictions` wrote for the cell of `key`.

    Raises:
        DamagedError: the file is not there, or not what adaptbench writes.
    """
    file = find_predictions(run, key)
    if file is None:
        raise DamagedError(f"{run} has no {PREDICTIONS} for one of its cells; measure it again to compare item by item")
    return lines_of(file)


def find_predictions(run: Path, key: str, name: str = PREDICTIONS) -> RunPath | None:
    """Where the cell of `key` keeps them; None where it does not."""
    place = run if run.is_file() else run / "cells"
    folder = _folders(run, place.stat().st_mtime_ns).get(key[:12]) if place.exists() else None
    return folder / name if folder and (folder / name).is_file() else None


@lru_cache(maxsize=4)
def _folders(run: Path, changed: int) -> dict[str, RunPath]:
    """`cell_folders`, listed once as long as they were not `changed`."""
    return cell_folders(run)
