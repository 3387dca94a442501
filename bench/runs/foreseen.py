"""What the cells of a suite that are not measured yet would come to, told from those that are, and from pilots."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

from bench.analysis.retention import base_scores
from bench.analysis.statistics.distributions import normal_quantile
from bench.config import assumptions
from bench.config.prices import replaced
from bench.config.suite import Suite
from bench.core.record import Record, Run
from bench.forecast import retained
from bench.forecast.choice import Outlook, outlook
from bench.forecast.contest import Contest, Entrant, Measured, Slot, tasks_of
from bench.forecast.next_cells import NextCell, ranked
from bench.forecast.retained import ChangeForecast
from bench.forecast.scores import LEVEL
from bench.forecast.worlds import variance
from bench.runs.cell_costs import Costs, slots_of, training_items
from bench.runs.cells import Cell
from bench.store.run_folder import Store, read_run

NEXT = 5  # cells that are named


@dataclass(frozen=True, slots=True)
class MethodForecast:
    """A method on a task at its largest size, with all of its seeds. None: nothing is said of it."""

    task: str
    method: str  # with its model, where the suite has several
    measured: int  # seeds
    left: int
    metric: str | None
    score: float | None
    low: float | None  # limits of the interval at LEVEL; those of the score where all is measured
    high: float | None
    from_pilots: bool
    refused: str  # why no score is forecast
    retention: tuple[ChangeForecast, ...]
    seconds: float | None  # of the cells that are left
    money: float | None
    chance: float | None  # to be the choice of the full grid


@dataclass(frozen=True, slots=True)
class Foreseen:
    """A suite's forecast."""

    methods: tuple[MethodForecast, ...]
    outlooks: tuple[Outlook, ...]
    next: tuple[NextCell, ...]  # in money
    seconds: float | None  # of all cells that are left
    money: float | None
    factor: float | None  # by which the seconds of a cell may be off, in a share LEVEL of cells
    cells_left: int
    cells: int
    pilots: int  # cells of other sizes or seeds that were taken up
    unfit: int  # cells of pilot runs that are of other methods, models or tasks
    currency: str


def foresee(suite: Suite, cells: Sequence[Cell], folder: Path, pilots: Sequence[Path] = ()) -> Foreseen:
    """The forecast of a suite from the cells in `folder`, where it is there, and in the runs `pilots`.

    Raises:
        UsageError: a run that cannot be read.
        NotComparableError: methods were not asked the same.
    """
    prices = replaced(suite.prices, suite.name)
    measured = Measured(folder, prices, assumptions.read(suite.decide, suite.name))
    costs, slots = Costs(cells, prices, suite.engine.threads), slots_of(cells)
    records = Store(folder).records([cell.ref for cell in cells]) if folder.is_dir() else {}
    for cell in cells:
        if cell.key in records and counts(records[cell.key], suite):
            measured.add(cell.ref, records[cell.key])
            costs.add(cell.key, records[cell.key])
    taken, unfit, own = 0, 0, {cell.key for cell in cells}
    for run in pilots:
        for pilot, record in _pilots(read_run(run), cells):
            if pilot is None:
                unfit += 1
            elif record.key not in measured.records:
                taken += 1
                measured.add(replace(pilot.ref, key=record.key), record, run)
                costs.add(f"pilot {record.key}", record, pilot)  # a run would measure it again in this folder
                if record.key not in own:
                    slots.append(Slot(replace(pilot.ref, key=record.key), record.train_size))
    outlooks = tuple(outlook(measured.contest(task, slots)) for task in tasks_of(slots))
    seconds, known = costs.expected("seconds"), bool(costs.seconds())
    money = {key: costs.in_unit(key, each, "money") for key, each in seconds.items()} if known else {}
    left = [cell.key for cell in cells if cell.key in seconds]
    told = [one for each in outlooks for one in _methods(each, measured, slots, seconds if known else {}, money)]
    return Foreseen(
        methods=tuple(told),
        outlooks=outlooks,
        next=tuple(ranked(outlooks, money or seconds, set(left))[:NEXT]),
        seconds=sum(seconds[key] for key in left) if known else None,
        money=sum(money[key] for key in left) if known else None,
        factor=costs.factor(),
        cells_left=len(left),
        cells=len(cells),
        pilots=taken,
        unfit=unfit,
        currency=prices.currency,
    )


def counts(record: Record, suite: Suite) -> bool:
    """Whether a cell of the run is measured: one that failed is measured again unless the suite keeps failures."""
    return record.status == "ok" or suite.failed == "keep"


def _pilots(run: Run, cells: Sequence[Cell]) -> Iterator[tuple[Cell | None, Record]]:
    """The records of a pilot run, each with a cell of the suite, or with one of a smaller size that it is of.

    None for those of another method, model or task.
    """
    alike = {_alike(cell.ref.model, cell.identity): cell for cell in cells if not cell.is_base}
    by_key = {cell.key: cell for cell in cells}
    yield from ((by_key[record.key], record) for record in run.base if record.key in by_key)
    for record in run.records:
        cell = alike.get(_alike(record.model, record.identity))
        size = record.train_size
        if cell is None:
            yield None, record
        elif record.key in by_key:
            yield by_key[record.key], record
        elif size is not None and size < (training_items(cell) or 0):
            label = f"{cell.suite_method}, {size} items"
            yield replace(cell, label=label, seed=record.seed, train_size=size), record


def _alike(model: str, identity: Any) -> tuple[object, ...]:
    """What a pilot has in common with the cell that it is a pilot of."""
    return model, identity.model.digest, identity.task, repr(sorted(identity.method.items()))


def _methods(
    one: Outlook, measured: Measured, slots: Sequence[Slot], seconds: Mapping[str, float], money: Mapping[str, float]
) -> Iterator[MethodForecast]:
    for entrant in one.contest.entrants:
        keys = [slot.ref.key for slot in entrant.left]
        known = all(key in seconds for key in keys)
        yield MethodForecast(
            task=one.contest.task,
            method=entrant.name,
            measured=len(entrant.slots) - len(keys),
            left=len(keys),
            metric=entrant.candidate.answers.metric if entrant.candidate else None,
            **_score(one.contest, entrant),
            from_pilots=entrant.expected is not None,
            refused=entrant.refused,
            retention=_retention(entrant, measured, slots),
            seconds=sum(seconds[key] for key in keys) if known else None,
            money=sum(money[key] for key in keys) if known else None,
            chance=one.chances.get(entrant.name, 0.0) if one.chances else None,
        )


def _score(contest: Contest, one: Entrant) -> dict[str, float | None]:
    """The mean over all seeds, with the interval that seeds to come leave."""
    if one.candidate is None:
        return {"score": None, "low": None, "high": None}
    if one.expected:
        return {"score": one.expected.value, "low": one.expected.low, "high": one.expected.high}
    known, value = len(one.candidate.answers.scores), one.candidate.answers.score
    left = variance(contest) * (1 / known - 1 / (known + len(one.left)))
    half = normal_quantile(0.5 + LEVEL / 2) * math.sqrt(left)
    return {"score": value, "low": value - half, "high": value + half}


def _retention(one: Entrant, measured: Measured, slots: Sequence[Slot]) -> tuple[ChangeForecast, ...]:
    """What it forgets with its largest size; from pilots alone where that is not measured."""
    ref, size = one.slots[0].ref, one.slots[0].size
    own = [slot for slot in slots if (slot.ref.model, slot.ref.task) == (ref.model, ref.task)]
    by_size: dict[int, list[Record]] = {}
    for slot in own:
        record = measured.records.get(slot.ref.key)
        if slot.suite_method == one.slots[0].suite_method and record is not None and record.status == "ok":
            by_size.setdefault(slot.size or 1, []).append(record)
    base = base_scores(Run(measured.path, "", (), base=tuple(measured.base.values())), ref.model)
    return tuple(retained.forecast(by_size, base, size or 1, len(one.slots)))


def as_json(found: Foreseen) -> dict[str, Any]:
    """The forecast for scripts."""
    return {
        "level": LEVEL,
        "currency": found.currency,
        "cells": found.cells,
        "cells_left": found.cells_left,
        "seconds": found.seconds,
        "money": found.money,
        "times_off": found.factor,
        "pilots": found.pilots,
        "unfit_pilots": found.unfit,
        "methods": [asdict(one) for one in found.methods],
        "contests": [
            {"task": one.contest.task, "now": one.now, "chances": dict(one.chances), "failed": list(one.contest.failed)}
            for one in found.outlooks
        ],
        "next": [
            {"cell": one.slot.ref.name, "key": one.slot.ref.key, "worth": one.worth, "cost": one.cost, "why": one.why}
            for one in found.next
        ],
    }
