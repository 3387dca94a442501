"""A suite from its file to a folder of records: what `adaptbench run` and `bench.run` both do."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Literal

from bench.config import suite as suites
from bench.config.suite import Suite
from bench.core.errors import UsageError
from bench.core.identity import Surroundings
from bench.runs import RESULTS, cell_process, runner, shards
from bench.runs.cell_costs import cell_work
from bench.runs.cells import Cell, contamination, expand, left_out
from bench.runs.executor import Executor
from bench.runs.graph import waits
from bench.runs.placement import Place, refuse_unfitting
from bench.runs.time_left import CellWork
from bench.runs.until_decided import Budget, UntilDecided
from bench.store.listing import read_listing
from bench.store.run_folder import Part, Store, cell_folders, open_run

_NOTES = 20  # lines on files at most


@dataclass(frozen=True, slots=True)
class Finished:
    """How the measuring of a suite ended."""

    outcome: runner.RunOutcome
    cells: int  # of this run
    suite_cells: int  # of all shards
    until: tuple[str, ...] = ()  # sentences: where it was measured until verdicts were settled, how that ended


def read(
    suite: str,
    limit: int | None,
    device: str | None,
    seeds: Sequence[int] | None,
    keep_failed: bool = False,
    workers: int | Literal["auto"] | None = None,
) -> tuple[Path, Suite]:
    """The file of a suite given by bundled name or path, and its checked content with these changes.

    Raises:
        UsageError: there is no such suite, or something in it is wrong.
    """
    file = suites.find(suite)
    engine = {name: value for name, value in (("device", device), ("workers", workers)) if value is not None}
    changes = {
        "limit": limit,
        "seeds": None if seeds is None else list(seeds),
        "failed": "keep" if keep_failed else None,
        "engine": engine or None,
    }
    return file, suites.load(file, {key: value for key, value in changes.items() if value is not None})


def default_folder(suite: str, shard: shards.Shard | None = None) -> Path:
    """Where a suite's run goes: a folder of its own for each shard, so that several can be measured at once."""
    return RESULTS / (f"{suite}-{shard.number}-of-{shard.of}" if shard else suite)


@dataclass(frozen=True, slots=True)
class Elsewhere:
    """Machines that measure cells in place of this one."""

    executor: Callable[[Path, Suite], Executor]  # for a run's folder
    bfloat16: bool  # whether GPUs, where the suite's device is cuda, multiply it themselves
    place: Place  # what a cell gets there
    at_once: int  # cells
    others: tuple[Place, ...] = ()  # to compare with


def measure(
    suite: Suite,
    file: Path,
    folder: Path,
    shard: shards.Shard | None,
    display: Callable[[Mapping[str, CellWork]], AbstractContextManager[runner.Display]],
    elsewhere: Elsewhere | None = None,
    until: Budget | None = None,
) -> Finished:
    """Measure what has no record in `folder` yet, on this machine or elsewhere.

    `display` is given the work of each cell, by key; `until`: measure what settles the verdicts alone, for so much.

    Raises:
        UsageError: a model or task of the suite does not exist or is wrong, or the folder cannot be written.
    """
    around = partial(surroundings_elsewhere, elsewhere.bfloat16) if elsewhere else partial(_prepared, folder)
    every = expand(suite, file, around)
    cells = shards.part(every, shard) if shard else every
    if elsewhere:
        known = runner.measured(suite, cells, Store(folder))
        refuse_unfitting([cell for cell in cells if cell.key not in known], elsewhere.place.of(suite.engine.ranks))
    part = Part(str(shard), frozenset(cell.key for cell in cells)) if shard else None
    from bench.runs import workers  # which loads torch, as the suite is known to be right

    executor: Executor
    after = waits(cells)
    with (
        open_run(
            folder, file, suite.name, [cell.ref for cell in every], part, left_out(suite, every), contamination(every)
        ) as opened,
        display({cell.key: cell_work(cell, after[cell.key]) for cell in cells}) as shown,
    ):
        for line in _notes(every):
            shown.say(line)
        if elsewhere:
            executor = elsewhere.executor(folder, suite)
        else:
            executor = workers.executor(suite, workers.at_once(suite, cells, opened, shown))
        order = UntilDecided(suite, cells, opened, until) if until else None
        outcome = runner.run(suite, cells, opened, shown, executor, order)
        said = tuple(order.lines()) if order else ()
    return Finished(outcome, len(cells), len(every), said)


def _notes(cells: Sequence[Cell]) -> list[str]:
    """What the tasks say of files that they could not read."""
    notes = list(dict.fromkeys(note for cell in cells for note in cell.task.notes))
    more = len(notes) - _NOTES
    return notes[:_NOTES] + ([f"(+{more} more; `adaptbench check` names all)"] if more > 0 else [])


def _prepared(folder: Path, suite: Suite) -> Surroundings:
    """What of the machine decides predictions; asked once the suite is known to be right, before torch is loaded."""
    if not _seems_finished(folder):
        cell_process.prepare()
    return asked_surroundings(suite)


def asked_surroundings(suite: Suite) -> Surroundings:
    """See `bench.runs.surroundings`, which loads torch."""
    from bench.runs import surroundings

    return surroundings.surroundings(suite)


def surroundings_elsewhere(bfloat16: bool, suite: Suite) -> Surroundings:
    """The same of machines that have the device of the suite, which this one may not have."""
    from bench.runs import surroundings

    return surroundings.elsewhere(suite, bfloat16)


def _seems_finished(folder: Path) -> bool:
    """Whether every cell that a run there had is there: told from names, before this run's own cells are known."""
    try:
        listing = read_listing(folder)
    except UsageError:
        return False
    return {cell.key[:12] for cell in listing.cells} <= cell_folders(folder).keys()
