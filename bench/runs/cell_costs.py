"""What cells cost: of those that are measured, and of the others what the plan expects, calibrated by the measured."""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from typing import Literal

import numpy as np

from bench.config.prices import Prices
from bench.core.measured import Environment
from bench.core.phases import spent
from bench.core.record import Record
from bench.forecast.contest import Slot
from bench.runs.bill import bills
from bench.runs.cells import Cell
from bench.runs.graph import waits
from bench.runs.plan import relative_seconds, work_by_phase
from bench.runs.time_left import CellWork, Clock

Unit = Literal["money", "seconds"]
_FEWEST, _PARTS = 10, 5  # of measured cells, to tell how far off the others may be; of these a fifth at a time


def training_items(cell: Cell) -> int | None:
    """How many training items a cell learns or draws from; None where it does neither."""
    reads = cell.method.weights.learner.reads_train or cell.method.context.reads_train(cell.task)
    return len(cell.task.train[: cell.train_size]) if reads else None


def slots_of(cells: Iterable[Cell]) -> list[Slot]:
    """The cells that a choice rests on: neither probes of base models nor controls, which nobody can serve."""
    return [
        Slot(cell.ref, training_items(cell)) for cell in cells if not (cell.is_base or cell.method.context.is_control)
    ]


def cell_work(cell: Cell, after: frozenset[str]) -> CellWork:
    """What is known of a cell's time before it starts; `after`: keys of those that it waits for."""
    work = work_by_phase(cell)
    return CellWork(cell.model.digest, cell.task.name, cell.label, work, cell.model.parameters, after)


class Costs:
    """What cells cost, in seconds or in money: of those measured, and what the plan expects of the others."""

    def __init__(self, cells: Sequence[Cell], prices: Prices, threads: int | None) -> None:
        after = waits(cells)
        self.cells = {cell.key: cell for cell in cells}
        self.prices = prices
        self.records: dict[str, Record] = {}
        self.took: dict[str, float] = {}  # seconds of measured cells
        self.works = {cell.key: cell_work(cell, after[cell.key]) for cell in cells}
        self.sizes = {cell.key: training_items(cell) for cell in cells}
        self.clock = Clock(self.works)
        self.environment = Environment(device="cpu", threads=threads)  # of the last cell measured

    def add(self, key: str, record: Record, pilot: Cell | None = None) -> None:
        """Learn from a record; `pilot`: the cell that it is of, where that is none of the suite's."""
        if pilot is not None:
            self.works[key], self.sizes[key] = cell_work(pilot, frozenset()), training_items(pilot)
        if record.status == "ok" and key in self.works:
            self.environment = record.environment
            self.records[key], self.took[key] = record, sum(map(spent, record.phases.values()))
        if key in self.works:
            self.clock.finish(key, record, cached=True)

    def seconds(self) -> dict[str, float]:
        """Of each cell that has no record; {} before anything tells."""
        return self.clock.each()

    def expected(self, unit: Unit) -> dict[str, float]:
        """Of each cell that has no record; before anything tells, its work, which has another unit."""
        seconds = self.seconds()
        if not seconds:
            return {key: relative_seconds(self.cells[key]) for key in self.clock.left}
        return {key: self.in_unit(key, each, unit) for key, each in seconds.items()}

    def in_unit(self, key: str, seconds: float, unit: Unit) -> float:
        """Seconds of a cell in that unit, with the tokens of endpoints where it is money."""
        if unit == "seconds":
            return seconds
        tokens = sum(bill.money or 0.0 for bill in bills(self.cells[key], self.prices))
        return seconds / 3600 * self.prices.hour(self.environment) + tokens

    def factor(self, level: float = 0.8) -> float | None:
        """By how many times the seconds of a cell may be off, either way, in a share `level` of cells.

        Where cells with more training items than any measured are left, the largest measured size is told from the
        smaller ones, and what that is off by is raised to the power of how much farther it is from there; else fifths
        of the measured cells are told from the others. None where there is one size alone, or fewer than ten cells.
        """
        sizes = sorted({size for key in self.took if (size := self.sizes[key]) is not None})
        farthest = max((self.sizes[key] or 0 for key in self.clock.left), default=0)
        if len(self.took) < _FEWEST:
            return None
        if not sizes or farthest <= sizes[-1]:
            keys = sorted(self.took)
            errors = [error for part in range(_PARTS) for error in self._errors(set(keys[part::_PARTS]))]
            return math.exp(float(np.quantile(errors, level))) if errors else None
        if len(sizes) < 2:
            return None
        errors = self._errors({key for key in self.took if self.sizes[key] == sizes[-1]})
        farther = math.log(farthest / sizes[-1]) / math.log(sizes[-1] / sizes[-2])
        return math.exp(float(np.quantile(errors, level)) * max(1.0, farther)) if errors else None

    def _errors(self, held_out: set[str]) -> list[float]:
        """How far off the seconds of measured cells are when told from the others: absolute logarithms of ratios."""
        clock = Clock({key: self.works[key] for key in self.took})
        for key in self.took.keys() - held_out:
            clock.finish(key, self.records[key], cached=True)
        told = {key: seconds for key, seconds in clock.each().items() if seconds > 0}
        return [abs(math.log(self.took[key] / seconds)) for key, seconds in told.items()]
