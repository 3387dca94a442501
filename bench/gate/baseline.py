"""A run, accepted as a baseline: a named folder to commit, with what a comparison needs and nothing more.

```
<folder>/<name>/run.json, suite.yaml, cells/<cell>/record.json   as the run has them
                cells/<cell>/predictions.jsonl, probe-*.jsonl    id, answer, scores, tokens and group of each item
                baseline.json                                    who accepted what, digests of items and of all files
                noise.json                                       beside it, once it was calibrated
```
Weights, logs, prompts and token scores stay behind.
"""

from __future__ import annotations

import dataclasses
import hashlib
import json
import re
import shutil
from collections.abc import Iterator, Mapping
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from fnmatch import fnmatch
from pathlib import Path
from typing import Literal

from bench.analysis.item_texts import asked
from bench.core.atomic import naming, sync
from bench.core.errors import IncompleteError, UsageError
from bench.core.record import Record, Run
from bench.gate.reading import read, read_beside
from bench.store import run_folder
from bench.store.archive import RunPath, files_of
from bench.store.json_files import write_json
from bench.store.lines import Line, lines_of
from bench.store.listing import read_listing, relocated, write_listing
from tasks.loader.digest import item_digest

FILE = "baseline.json"
FOLDER = Path("baselines")
_REMEDY = "accept the run again"
_KEPT = ("id", "output", "metrics", "counts", "group", "prompt_tokens", "context_tokens", "output_tokens")
_HARMLESS = "not_applicable"  # a method that a task cannot have is no cell that failed


@dataclass(frozen=True, slots=True)
class Accepted:
    """Who accepted what."""

    name: str
    accepted: str  # when: ISO 8601, UTC
    source: str  # the run's folder
    suite: str
    items: Mapping[str, str]  # task or probe -> digest of its items, of those that could be read
    files: Mapping[str, str]  # file -> sha256
    schema: Literal[1] = 1


def accept(source: Path, name: str, folder: Path = FOLDER, *, replace: bool = False, outputs: bool = True) -> Path:
    """Write the run at `source` as the baseline `name` below `folder`; returns where.

    `outputs`: keep the answers' texts, which flips are shown from; without, for data that must not be committed.

    Raises:
        UsageError: no run, a name that is none, or a baseline of that name that may not be replaced.
        IncompleteError: cells that failed or were not measured, or predictions that are not there.
    """
    if not re.fullmatch(r"[A-Za-z0-9][\w.-]*", name):
        raise UsageError(f'"{name}" is no name for a folder: letters, digits, dots, dashes and underscores')
    run = read(source, "baseline")
    _refuse_incomplete(run)
    final, old = folder / name, folder / f".old-{name}"
    if old.exists() and not final.exists():  # killed between the two, see `_put`
        old.rename(final)
    if final.exists() and not replace:
        raise UsageError(f"{final} exists; --replace puts this run in its place")
    staging = folder / f".writing-{name}"
    shutil.rmtree(staging, ignore_errors=True)
    try:
        staging.mkdir(parents=True)
    except OSError as error:
        raise UsageError(f"cannot write to {folder}: {error.strerror}; choose another folder with --to") from None
    try:
        with naming(final):
            _copy(run, staging, final, outputs)
        accepted = Accepted(
            name=name,
            accepted=datetime.now(UTC).isoformat(timespec="seconds"),
            source=source.name if source.is_absolute() else source.as_posix(),  # others have other folders
            suite=run.suite,
            items=_items(run),
            files={str(file.relative_to(staging)): _digest(file) for file in _files(staging)},
        )
        write_json(staging / FILE, asdict(accepted))
        _put(staging, final, old)
    finally:
        shutil.rmtree(staging, ignore_errors=True)
    return final


def _put(staging: Path, final: Path, old: Path) -> None:
    """Make `staging` the baseline. Killed at any moment, either of the two is there, at worst as `old`."""
    for place in (*staging.rglob("*"), staging):
        sync(place)
    shutil.rmtree(old, ignore_errors=True)
    if final.exists():
        final.rename(old)
    staging.rename(final)
    sync(final.parent)
    shutil.rmtree(old, ignore_errors=True)


def refuse_changed(baseline: Path) -> None:
    """Raise IncompleteError where an accepted baseline is not what was accepted; a plain run is never refused."""
    kept = files_of(baseline)
    accepted = read_beside(kept / FILE, Accepted, _REMEDY)
    if accepted is None:
        return
    cells = kept / "cells"
    for cell in cells.iterdir() if cells.is_dir() else ():
        for found in cell.iterdir() if cell.is_dir() else ():
            if f"cells/{cell.name}/{found.name}" not in accepted.files:
                raise IncompleteError(f"{found} is none of the files that were accepted; accept the run again")
    for name, digest in accepted.files.items():
        file = kept / name
        if not file.is_file():
            raise IncompleteError(f"{file} is missing from the accepted baseline")
        if _digest(file) != digest:
            raise IncompleteError(f"{file} is not as it was accepted; accept the run again")


def unread_items(baseline: Path) -> list[str]:
    """Tasks and probes of an accepted baseline whose items were not at hand as they were asked, so that it has no
    digest of them.
    """
    accepted = read_beside(files_of(baseline) / FILE, Accepted, _REMEDY)
    run = read(baseline, "baseline")
    names = {record.task for record in (*run.records, *run.base) if record.status == "ok"}
    return sorted(names - set(accepted.items if accepted else ()))


def item_digest_of(run: Run, task: str) -> str | None:
    """Digest of a task's items alone, as a baseline keeps it, or from the task where it is at hand; else None."""
    accepted = read_beside(files_of(run.path) / FILE, Accepted, _REMEDY)
    return (accepted.items if accepted else _items(run, task)).get(task)


def _items(run: Run, only: str | None = None) -> dict[str, str]:
    """Task or probe -> digest of its items, of those (or that one) that can be read as they were asked."""
    found = {}
    first: dict[str, Record] = {}
    for record in (*run.records, *run.base):
        if record.status == "ok" and only in (None, record.task):
            first.setdefault(record.task, record)
    for name, record in first.items():
        task, _ = asked(run, record)
        if task is not None:
            found[name] = item_digest(task)
    return found


def failed(record: Record) -> bool:
    """Whether a cell that should have been measured was not."""
    return record.status != "ok" and (record.failure is None or record.failure.kind != _HARMLESS)


def _refuse_incomplete(run: Run) -> None:
    names = [cell.full_name for cell in run.missing]
    names += [f"{record.name} (failed)" for record in run.records if failed(record)]
    if names:
        raise IncompleteError(
            f"{run.path}: not measured: {names[0]}{f' and {len(names) - 1} more' if names[1:] else ''}"
        )
    if not any(record.status == "ok" for record in run.records):
        raise IncompleteError(f"{run.path} holds no measured cell")


def _copy(run: Run, staging: Path, final: Path, outputs: bool) -> None:
    kept, folders = files_of(run.path), run_folder.cell_folders(run.path)
    listing = read_listing(run.path)
    moved = tuple(relocated(cell, run.path, final) for cell in listing.cells)
    write_listing(staging, dataclasses.replace(listing, cells=moved))
    if (kept / "suite.yaml").is_file():
        (staging / "suite.yaml").write_bytes((kept / "suite.yaml").read_bytes())
    for record in (*run.records, *run.base):
        source = folders[record.key[:12]]
        cell = staging / "cells" / source.name
        cell.mkdir(parents=True)
        (cell / run_folder.RECORD).write_bytes((source / run_folder.RECORD).read_bytes())
        probes = sorted(f.name for f in source.iterdir() if fnmatch(f.name, run_folder.probe_file("*")))
        files = [source / name for name in (run_folder.PREDICTIONS, *probes)]
        for file in files if record.status == "ok" else []:
            if not file.is_file():
                raise IncompleteError(f"{source} has no {file.name}; a baseline is compared item by item")
            _write_lines(cell / file.name, lines_of(file), outputs)


def _write_lines(file: Path, lines: list[Line], outputs: bool) -> None:
    with file.open("w", encoding="utf-8") as stream:
        for line in lines:
            kept = {name: value for name, value in line.items() if name in _KEPT}
            if not outputs:
                kept["output"] = ""
            stream.write(json.dumps(kept, ensure_ascii=False, allow_nan=False) + "\n")


def _digest(file: RunPath) -> str:
    return hashlib.sha256(file.read_bytes()).hexdigest()


def _files(folder: Path) -> Iterator[Path]:
    """All files, in order; unlike `rglob` it raises OSError for a folder that may not be read."""
    for entry in sorted(folder.iterdir()):
        if entry.is_dir():
            yield from _files(entry)
        else:
            yield entry
