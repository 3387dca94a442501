"""How long a run will still take, learnt from the phases of its cells, those of the cells under way included.

A cell is the phases that grow with its work (tokens through the model, `bench.runs.plan`) and an overhead. Seconds for
a token come from the same phase of the same model and task where there are any, else from what is nearest, and from
another model in proportion to its parameters; the overhead comes from cells of the same method, and where none has
ended it is what evaluations may take. Cells that were measured in an earlier go tell what this one has not seen yet: in
proportion, as the machine may be faster or slower now. Cells that are measured at once are laid out as the run will
start them.
"""

from __future__ import annotations

import time
from collections import defaultdict
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import TypeAlias

from bench.core.phases import PhaseName, spent
from bench.core.record import Record
from bench.metrics.formats import duration
from bench.runs.graph import chains, makespan

_ANY_MODEL = ("",)
_NEAREST = 4  # words of a description: phase, model, task and method
_OF_WORK = 1 / 3  # an overhead that is not known yet: evaluations take a quarter of a cell
_UNKNOWN = "time left: not known yet"
_EVERY_S = 1.0  # for which an estimate is shown again, unless a cell has ended
_TIMES = 50  # and for so many times what it took


@dataclass(frozen=True, slots=True)
class CellWork:
    """What is known of a cell before it starts."""

    model: str
    task: str
    method: str
    tokens: Mapping[PhaseName, float]  # through the model, by the phases that grow with them
    parameters: int  # of the model; 0: its time does not grow with them
    waits: frozenset[str] = frozenset()  # keys of the cells that have to end before


@dataclass
class UnderWay:
    """A cell that is being measured: seconds of its phases so far."""

    started: float
    entered: float  # when its phase was last looked at
    phase: str = ""
    done: float = 0.0  # share of the phase
    seconds: dict[str, float] = field(default_factory=dict)

    def share(self, name: str) -> float:
        """How much of a phase is done."""
        return self.done if name == self.phase else float(name in self.seconds)


class _Sums:
    """Tokens and seconds of phases, by every description of where they are from that may be asked for."""

    def __init__(self, before: _Sums | None = None) -> None:
        self._sums: defaultdict[tuple[str, ...], tuple[float, float]] = defaultdict(lambda: (0.0, 0.0))
        self._sums.update(before._sums if before else {})

    def add(self, cell: CellWork, phase: PhaseName, tokens: float, seconds: float) -> None:
        for name in _descriptions(cell, phase):
            before = self._sums[name]
            self._sums[name] = before[0] + _amount(cell, name, tokens), before[1] + seconds

    def __bool__(self) -> bool:
        return any(tokens for tokens, _ in self._sums.values())

    def at(self, name: tuple[str, ...]) -> float | None:
        """Seconds for a token where a description fits; for a token and parameter where it names no model."""
        tokens, seconds = self._sums.get(name, (0.0, 0.0))
        return seconds / tokens if tokens else None

    def over(self, other: _Sums) -> float:
        """How many times as long as at the rates of `other` the phases took that both know: 1 where there are none."""
        both = [(sums, other.at(name)) for name, sums in self._sums.items() if len(name) == _NEAREST]
        took = sum(seconds for (_, seconds), rate in both if rate is not None)
        expected = sum(tokens * rate for (tokens, _), rate in both if rate is not None)
        return took / expected if took and expected else 1.0


def _descriptions(cell: CellWork, phase: PhaseName) -> Iterator[tuple[str, ...]]:
    """The nearest first."""
    yield phase, cell.model, cell.task, cell.method
    yield phase, cell.model, cell.task
    yield phase, cell.model
    yield "", cell.model, cell.task
    yield "", cell.model
    yield _ANY_MODEL


def _amount(cell: CellWork, name: tuple[str, ...], tokens: float) -> float:
    """What seconds grow with: tokens, times the model's parameters where models are compared."""
    return tokens * cell.parameters if name == _ANY_MODEL else tokens


class _Rates:
    """Seconds for a token: as seen now, or in an earlier go and then in proportion to what was seen in both."""

    def __init__(self, now: _Sums, earlier: _Sums) -> None:
        self._now, self._earlier = now, earlier
        self.slower = now.over(earlier)

    def of(self, cell: CellWork, phase: PhaseName) -> float:
        """Of the nearest phases there are; 0 where there are none."""
        for name in _descriptions(cell, phase):
            now, earlier = self._now.at(name), self._earlier.at(name)
            if now is not None:
                return _amount(cell, name, now)
            if earlier is not None:
                return _amount(cell, name, earlier) * self.slower
        return 0.0


Overheads: TypeAlias = dict[tuple[str, ...], tuple[float, int]]  # where from -> seconds and cells


class Clock:
    """Time left of the cells of a run, by key."""

    def __init__(self, cells: Mapping[str, CellWork]) -> None:
        self.cells = cells
        self.left = dict.fromkeys(cells)
        self.under_way: dict[str, UnderWay] = {}
        self.most = 1  # cells under way at once, so far
        self._ended, self._overheads = _Sums(), Overheads()
        self._earlier, self._earlier_overheads = _Sums(), Overheads()  # of cells that were measured in an earlier go
        self._said, self._said_at, self._took = "", float("-inf"), 0.0
        self._has_ended = False  # a cell, since that was said

    def start(self, key: str) -> None:
        """A cell begins."""
        now = time.monotonic()
        self.under_way[key] = UnderWay(now, now)
        self.most = max(self.most, len(self.under_way))

    def progress(self, key: str, phase: str, done: int, total: int) -> None:
        """A cell under way says where it is."""
        current, now = self.under_way.get(key), time.monotonic()
        if current is None:
            return
        if current.phase:
            current.seconds[current.phase] = current.seconds.get(current.phase, 0.0) + now - current.entered
        current.entered = now
        same = phase == current.phase
        current.phase, current.done = phase, done / total if total else current.done if same else 0.0

    def finish(self, key: str, record: Record, cached: bool) -> None:
        """A cell has ended; `cached`: in an earlier go."""
        self.left.pop(key, None)
        self._has_ended = True
        current = self.under_way.pop(key, None)
        if record.failure or (current is None and not cached):  # neither says how long a cell takes
            return
        cell, worked = self.cells[key], 0.0
        for name, tokens in cell.tokens.items():
            if tokens and name in record.phases:
                worked += spent(record.phases[name])
                (self._earlier if cached else self._ended).add(cell, name, tokens, spent(record.phases[name]))
        whole = time.monotonic() - current.started if current else sum(map(spent, record.phases.values()))
        overheads = self._earlier_overheads if cached else self._overheads
        for place in _places(cell):
            seconds, count = overheads.get(place, (0.0, 0))
            overheads[place] = seconds + max(0.0, whole - worked), count + 1

    def seconds_left(self) -> float | None:
        """Seconds until all cells have ended; None before anything tells."""
        seen = _Sums(self._ended)
        for key, current in self.under_way.items():
            for name, tokens in self.cells[key].tokens.items():
                if tokens * current.share(name):
                    seen.add(self.cells[key], name, tokens * current.share(name), current.seconds.get(name, 0.0))
        if not (seen or self._earlier):
            return None
        rates = _Rates(seen, self._earlier)
        seconds = {key: self._of_cell(key, rates) for key in self.left}
        after = {key: self.cells[key].waits & self.left.keys() for key in self.left}
        started = dict.fromkeys(self.under_way, float("inf"))
        return makespan(after, seconds, {**chains(after, seconds), **started}, self.most)

    def each(self) -> dict[str, float]:
        """Seconds of each cell that has not ended, from those that have; {} before anything tells."""
        if not (self._ended or self._earlier):
            return {}
        rates = _Rates(self._ended, self._earlier)
        return {key: self._of_cell(key, rates) for key in self.left}

    def remaining(self) -> str:
        """The same in words."""
        start = time.monotonic()
        soonest = max(0.0 if self._has_ended else _EVERY_S, _TIMES * self._took)  # thousands of cells take a while
        if start - self._said_at >= soonest:
            seconds, self._has_ended = self.seconds_left(), False
            self._said_at = time.monotonic()
            self._took = self._said_at - start
            self._said = _UNKNOWN if seconds is None else f"about {duration(seconds, rough=True)} left"
        return self._said

    def _of_cell(self, key: str, rates: _Rates) -> float:
        cell, current = self.cells[key], self.under_way.get(key)
        whole = {name: tokens * rates.of(cell, name) for name, tokens in cell.tokens.items()}
        overhead = self._overhead(cell, sum(whole.values()), rates.slower)
        if current is None:
            return sum(whole.values()) + overhead
        beside = sum(seconds for name, seconds in current.seconds.items() if name not in whole)
        return sum(each * (1 - current.share(name)) for name, each in whole.items()) + max(0.0, overhead - beside)

    def _overhead(self, cell: CellWork, work_s: float, slower: float) -> float:
        for overheads, factor in ((self._overheads, 1.0), (self._earlier_overheads, slower)):
            for place in _places(cell):
                if place in overheads:
                    seconds, count = overheads[place]
                    return factor * seconds / count
        return work_s * _OF_WORK


def _places(cell: CellWork) -> Iterator[tuple[str, ...]]:
    """Where an overhead may be from, the nearest first."""
    yield cell.model, cell.task, cell.method
    yield cell.model, cell.method
