"""Measuring until the verdicts cannot change: cells in the order of their worth for what they cost.

A contest is a task with all models of the suite on it. It is settled where the outcome of all cells is the same in all
but a share `ERROR` of the worlds that may be (`bench.forecast`): what is measured so far chooses it too, or it is that
there is not enough evidence. Cells that are not needed for that stay without a record, so that the same command without
the flag measures them.
"""

from __future__ import annotations

import math
import re
import time
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field

from bench.config import assumptions
from bench.config.prices import replaced
from bench.config.suite import Suite
from bench.core.errors import UsageError
from bench.core.phases import spent
from bench.core.record import Record
from bench.forecast.choice import UNDECIDED, Outlook, outlook
from bench.forecast.contest import Measured, tasks_of
from bench.forecast.next_cells import NextCell, ranked, settled_on
from bench.metrics.formats import duration
from bench.runs.cell_costs import Costs, Unit, slots_of
from bench.runs.cells import Cell
from bench.runs.foreseen import counts
from bench.runs.graph import waits
from bench.store.run_folder import Store

_SECONDS = {"s": 1.0, "m": 60.0, "h": 3600.0}
_NAMED = 6  # cells in a line


@dataclass(frozen=True, slots=True)
class Budget:
    """What may be spent on cells: money in the currency of the prices, or seconds of the machine."""

    amount: float = math.inf
    unit: Unit = "seconds"


def budget_of(text: str) -> Budget:
    """`20`: money; `90s`, `30m` or `2h`: time of the machine.

    Raises:
        UsageError: neither.
    """
    read = re.fullmatch(r"([0-9]+(?:\.[0-9]+)?)([smh]?)", text)
    if read is None or not float(read[1]):
        raise UsageError(f'--budget takes money, such as 20, or time, such as 90s, 30m or 2h; got "{text}"')
    if read[2]:
        return Budget(float(read[1]) * _SECONDS[read[2]], "seconds")
    return Budget(float(read[1]), "money")


@dataclass
class UntilDecided:
    """Hands out cells while a contest is open and the budget lasts; see `bench.runs.graph.Queue`."""

    suite: Suite
    cells: Sequence[Cell]
    store: Store
    limit: Budget
    outlooks: dict[str, Outlook] = field(default_factory=dict)
    spent: float = 0.0
    stopped_by_budget: bool = False

    def __post_init__(self) -> None:
        where = self.suite.name
        self.prices = replaced(self.suite.prices, where)
        self.measured = Measured(self.store.path, self.prices, assumptions.read(self.suite.decide, where))
        self.costs = Costs(self.cells, self.prices, self.suite.engine.threads)
        self.slots = slots_of(self.cells)
        self.by_key = {cell.key: cell for cell in self.cells}
        self.after = waits(self.cells)
        self.to_do = set(self.by_key)
        self.under_way: dict[str, tuple[float, float]] = {}  # key -> when it started, what it is expected to cost
        self.asks_probes = self.measured.assumed.require.retention_loss is not None
        for key, record in self.store.records([cell.ref for cell in self.cells]).items():
            if counts(record, self.suite):
                self._take(key, record)
        self.currency = self.prices.currency

    def pop(self) -> str | None:
        """The cell to start next; None where none is needed, none is affordable, or all that are needed wait."""
        expected, known = self.costs.expected(self.limit.unit), bool(self.costs.seconds())
        left = self.limit.amount - self.spent - sum(cost for _, cost in self.under_way.values())
        self.stopped_by_budget = False
        for key in self._wanted(expected):
            first = self._first(key)
            if first is None:
                continue
            cost = expected.get(first, 0.0) if known else 0.0
            if cost > left or left <= 0:
                self.stopped_by_budget = True
                continue
            self.to_do.discard(first)
            self.under_way[first] = time.monotonic(), cost
            return first
        return None

    def done(self, key: str) -> None:
        """A cell has ended, whatever became of it."""
        started, _ = self.under_way.pop(key)
        record = self.store.records([self.by_key[key].ref])[key]
        phases = sum(map(spent, record.phases.values()))
        self.spent += self.costs.in_unit(key, max(phases, time.monotonic() - started), self.limit.unit)
        self._take(key, record)

    def _take(self, key: str, record: Record) -> None:
        ref = self.by_key[key].ref
        self.to_do.discard(key)
        self.measured.add(ref, record)
        self.costs.add(key, record)
        self.outlooks.pop(ref.task, None)
        if ref.is_base:
            self.outlooks.clear()

    def _wanted(self, expected: Mapping[str, float]) -> list[str]:
        """Keys, the most useful first; the base models' probes before all where retention is required."""
        probes = [key for key in self.to_do if self.by_key[key].is_base] if self.asks_probes else []
        return [*probes, *(each.slot.ref.key for each in self.ranking(expected, self.to_do))]

    def ranking(self, expected: Mapping[str, float], among: Collection[str]) -> list[NextCell]:
        """What is worth measuring next."""
        for task in tasks_of(self.slots):
            if task not in self.outlooks:
                self.outlooks[task] = outlook(self.measured.contest(task, self.slots))
        return ranked(self.outlooks.values(), expected, among)

    def _first(self, key: str) -> str | None:
        """The cell itself, or one that it waits for and that has not started; None where it waits for one under way."""
        for other in sorted(self.after[key]):
            if other in self.under_way:
                return None
            if other in self.to_do:
                return self._first(other)
        return key

    def lines(self) -> list[str]:
        """How it ended: each task's outcome, what was spent, and what was left out."""
        self.ranking({}, ())
        found = [told(each) for each in self.outlooks.values()]
        amount = duration(self.spent) if self.limit.unit == "seconds" else f"{self.spent:,.2f} {self.currency}"
        if self.stopped_by_budget:
            found.append(f"stopped by the budget: {amount} spent, no cell that is needed fits what is left of it")
        else:
            found.append(f"spent: {amount}")
        left = [cell for cell in self.cells if cell.key in self.to_do]
        if left:
            seconds = self.costs.seconds()
            took = sum(seconds.get(cell.key, 0.0) for cell in left)
            about = f", about {duration(took, rough=True)}" if seconds else ""
            found.append(f"left out: {len(left)} of {len(self.cells)} cells{about}: {_named(left)}")
            found.append("the same command without --until-decided measures them")
        return found


def told(one: Outlook) -> str:
    """The outcome of a contest in a sentence, with the chance that all cells would come to it."""
    task = one.contest.task
    if one.contest.unknown or one.now is None:
        names = ", ".join(each.name for each in one.contest.unknown[:_NAMED])
        return f"{task}: open; nothing tells yet what {names or 'any method'} scores"
    now, outcome = _words(one.now), settled_on(one)
    if outcome is None:
        chances = ", ".join(f"{_words(name)} {_percent(share)}" for name, share in list(one.chances.items())[:_NAMED])
        return f"{task}: open: {now} so far; with all cells: {chances}"
    chance = _percent(one.chances[outcome])
    if outcome == one.now:
        return f"{task}: settled: {now}; all cells would come to the same with a chance of {chance}"
    return f"{task}: settled: all cells would not be enough evidence to choose with a chance of {chance}; so far: {now}"


def _words(outcome: str) -> str:
    return f"choose {outcome}" if outcome != UNDECIDED else "not enough evidence to choose"


def _percent(share: float) -> str:
    """A share of worlds, none of which is a proof."""
    return "over 99%" if share > 0.99 else f"{100 * share:.0f}%"


def _named(cells: Sequence[Cell]) -> str:
    groups: dict[str, list[int]] = {}
    for cell in cells:
        groups.setdefault(f"{cell.label} on {cell.task.name} with {cell.model.name}", []).append(cell.seed)
    names = [f"{name} (seeds {', '.join(map(str, seeds))})" for name, seeds in groups.items()]
    more = f" and {len(names) - _NAMED} more" if len(names) > _NAMED else ""
    return "; ".join(names[:_NAMED]) + more
