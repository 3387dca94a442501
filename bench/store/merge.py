"""Several runs of one suite joined into one: the shards of a matrix of jobs, or what was measured on several machines.

Published cells are copied whole into a hidden folder beside the new run, which is renamed when all of it is on the
disk: a kill leaves no half run. Reads no predictions and loads no model.
"""

from __future__ import annotations

import math
import os
from collections.abc import Mapping, Sequence
from contextlib import ExitStack
from dataclasses import dataclass, replace
from pathlib import Path

from bench.core.atomic import sync
from bench.core.errors import DamagedError, UsageError
from bench.core.record import CellRef, Record, Score
from bench.store.archive import RunPath, files_of
from bench.store.listing import Listing, read_listing, relocated, write_listing
from bench.store.run_folder import ANSWERS, RECORD, TAUGHT, WEIGHTS, cell_folders, read_record
from bench.store.staging import refuse_taken, staging, unwritten

_SUITE = "suite.yaml"
_CLOSE = 1e-6  # two scores of one cell may differ by this share of them: sums of floats depend on the processor


@dataclass(frozen=True, slots=True)
class Merged:
    """What is in the joined run."""

    cells: int  # of the suite, base models' answers to probes among them
    missing: tuple[str, ...]  # names of cells without a record
    failed: tuple[str, ...]  # names of cells that ended with a failure


@dataclass(frozen=True, slots=True)
class _Source:
    """One of the runs that are joined."""

    path: Path
    listing: Listing
    text: str  # of suite.yaml
    folders: Mapping[str, RunPath]

    def folder(self, key: str) -> RunPath | None:
        """The published folder of a cell, None where there is none."""
        found = self.folders.get(key[:12])
        return found if found is not None and (found / RECORD).is_file() else None


def merge(runs: Sequence[Path], out: Path) -> Merged:
    """Join `runs` into the new run directory `out`.

    Of a cell that several have, the one that was measured is taken before one that failed, then the first given.

    Raises:
        UsageError: `out` is there already or cannot be written; a path is no run, is given twice, or is being
            written; the runs are of different suites, or measured with other settings; the same cell has other
            results in two of them.
    """
    refuse_taken(out)
    with ExitStack() as stack:
        for path in runs:
            stack.enter_context(unwritten(path))
        sources = [_source(path) for path in runs]
        _refuse_other_suites(sources)
        cells = _cells(sources)
        chosen = {cell.key: _choose(cell, sources) for cell in cells}
        with staging(out, "merging") as folder:
            _write(folder, out, sources, cells, {key: found[0] for key, found in chosen.items() if found})
    missing = tuple(cell.full_name for cell in cells if chosen[cell.key] is None)
    failed = (found[1] for found in chosen.values() if found and found[1].status != "ok")
    names = {cell.key: cell.full_name for cell in cells}
    return Merged(len(cells), missing, tuple(names[record.key] for record in failed))


def _source(path: Path) -> _Source:
    listing = read_listing(path)
    try:
        text = (files_of(path) / _SUITE).read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise DamagedError(f"{path / _SUITE} cannot be read: {error}") from None
    return _Source(path, listing, text, cell_folders(path))


def _refuse_other_suites(sources: Sequence[_Source]) -> None:
    first, places = sources[0], set[Path]()
    for one in sources:
        if one.path.resolve() in places:
            raise UsageError(f"{one.path} is given twice")
        places.add(one.path.resolve())
        names = first.listing.suite, one.listing.suite
        if names[0] != names[1]:
            raise UsageError(f"not the same suite: {first.path} is of {names[0]}, {one.path} of {names[1]}")
        if one.text != first.text:
            raise UsageError(f"not the same suite: {first.path / _SUITE} and {one.path / _SUITE} differ")
    keys: dict[str, tuple[str, Path]] = {}
    for one in sources:
        for cell in one.listing.cells:
            key, path = keys.setdefault(cell.full_name, (cell.key, one.path))
            if key != cell.key:
                other = f"{path} and {one.path}"
                raise UsageError(f'"{cell.full_name}" has other settings, weights or data in {other}; measure it alike')


def _cells(sources: Sequence[_Source]) -> list[CellRef]:
    """The cells of all runs, each once: in the order of the first, others behind what stands before them in theirs."""
    found: list[CellRef] = []
    for one in sources:
        known = {cell.key: place for place, cell in enumerate(found)}
        behind: list[list[CellRef]] = [[] for _ in range(len(found) + 1)]
        place = 0
        for cell in one.listing.cells:
            if cell.key in known:
                place = known[cell.key] + 1
            else:
                behind[place].append(cell)
        found = [*behind[0], *(each for i, old in enumerate(found) for each in (old, *behind[i + 1]))]
    return found


def _choose(cell: CellRef, sources: Sequence[_Source]) -> tuple[RunPath, Record] | None:
    """The folder of a cell to copy, and its record; None where no run has one.

    Raises:
        UsageError: two runs have measured it, with other results.
    """
    found = []
    for one in sources:
        folder = one.folder(cell.key)
        if folder is not None:
            record = read_record(folder / RECORD)
            if record.key != cell.key:
                raise DamagedError(f"{folder / RECORD} is of another cell than its folder's name says")
            found.append((folder, record))
    measured = [pair for pair in found if pair[1].status == "ok"]
    for folder, record in measured[1:]:
        difference = _difference(measured[0][1], record)
        if difference:
            raise UsageError(
                f'"{cell.full_name}" was measured twice, with other results ({difference}); '
                f"remove {measured[0][0]} or {folder}"
            )
    return next(iter(measured or found), None)


def _difference(a: Record, b: Record) -> str:
    """How two records of one cell differ in what its key decides; "" where they do not. Times may differ."""
    for name in ("questions", "items", "item_failures", "tokens", "dropped"):
        if getattr(a, name) != getattr(b, name):
            return f"{name}: {getattr(a, name)} and {getattr(b, name)}"
    pairs = [("", a.scores, b.scores)]
    pairs += [(f" of {probe}", a.probes.get(probe, {}), b.probes.get(probe, {})) for probe in {**a.probes, **b.probes}]
    return next(filter(None, (_scores(*pair) for pair in pairs)), "")


def _scores(where: str, a: Mapping[str, Score], b: Mapping[str, Score]) -> str:
    if a.keys() != b.keys():
        return f"metrics{where}: {', '.join(a)} and {', '.join(b)}"
    for name, one in a.items():
        if one.signature != b[name].signature:
            return f"signature of {name}{where}: {one.signature} and {b[name].signature}"
        if not math.isclose(one.value, b[name].value, rel_tol=_CLOSE):
            return f"{name}{where}: {one.value:.6g} and {b[name].value:.6g}"
    return ""


def _write(
    folder: Path, out: Path, sources: Sequence[_Source], cells: Sequence[CellRef], folders: Mapping[str, RunPath]
) -> None:
    """The joined run in `folder`, which will be `out`; `run.json` comes last."""
    (folder / "cells").mkdir()
    for published in folders.values():
        _copy(published, folder / "cells" / published.name)
    sync(folder / "cells")
    for name in (TAUGHT, ANSWERS):
        _join_answers(folder / name, [files_of(source.path) / name for source in sources])
    (folder / _SUITE).write_text(sources[0].text, encoding="utf-8")
    sync(folder / _SUITE)
    home = {cell.key: one.path for one in reversed(sources) for cell in one.listing.cells}
    moved = (replace(relocated(cell, home[cell.key], out), elsewhere=False) for cell in cells)
    first = sources[0]
    place = first.listing.suite_folder and os.path.relpath(first.path / first.listing.suite_folder, out)
    write_listing(folder, replace(first.listing, cells=tuple(moved), shard="", suite_folder=place))
    sync(folder)


def _join_answers(target: Path, folders: Sequence[RunPath]) -> None:
    """What teachers and endpoints answered, of all runs: lines of one endpoint's file behind each other.

    A file of a teacher's answers is whole, and the same wherever it was asked: the first is taken.
    """
    for source in folders:
        for file in sorted(source.iterdir(), key=lambda one: one.name) if source.is_dir() else ():
            if file.is_symlink() or not file.is_file():
                raise UsageError(f"{file} is no plain file; a run's answers are no others")
            target.mkdir(exist_ok=True)
            own = target / file.name
            if own.suffix == ".jsonl":
                content = file.read_bytes()
                with own.open("ab") as stream:
                    stream.write(content if content.endswith(b"\n") else content + b"\n")  # behind a kill's cut line
            elif not own.exists():
                own.write_bytes(file.read_bytes())
            sync(own)
    if target.is_dir():
        sync(target)


def _copy(cell: RunPath, target: Path, nests: bool = False) -> None:
    """A cell's folder, on the disk. A link in it could name any file of this machine, so none is followed.

    `nests`: it may hold folders, as trained weights do.
    """
    target.mkdir()
    for file in cell.iterdir():
        if (nests or file.name == WEIGHTS) and file.is_dir() and not file.is_symlink():
            _copy(file, target / file.name, nests=True)
            continue
        if file.is_symlink() or not file.is_file():
            raise UsageError(f"{file} is no plain file; a cell's folder holds no others")
        (target / file.name).write_bytes(file.read_bytes())
        sync(target / file.name)
    sync(target)
