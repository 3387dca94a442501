"""How long a run will still take, learnt from the phases of its cells, those of the cell under way included.

A cell is the phases that grow with its work (tokens through the model, `bench.runs.plan`) and an overhead. Seconds for
a token come from the same phase of the same model and task where there are any, else from what is nearest; the overhead
comes from cells of the same method, and where none has ended it is what evaluations may take.
"""

from __future__ import annotations

import statistics
import time
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field

from bench.core.phases import PhaseName, spent
from bench.core.record import Record
from bench.metrics.formats import duration

_OF_WORK = 1 / 3  # an overhead that is not known yet: evaluations take a quarter of a cell
_UNKNOWN = "time left: not known yet"


@dataclass(frozen=True, slots=True)
class CellWork:
    """What is known of a cell before it starts."""

    model: str
    task: str
    method: str
    tokens: Mapping[PhaseName, float]  # through the model, by the phases that grow with them


@dataclass
class UnderWay:
    """The cell that is being measured: seconds of its phases so far."""

    key: str
    phase: str = ""
    done: float = 0.0  # share of the phase
    seconds: dict[str, float] = field(default_factory=dict)

    def share(self, name: str) -> float:
        """How much of a phase is done."""
        return self.done if name == self.phase else float(name in self.seconds)


class Clock:
    """Time left of the cells of a run, by key."""

    def __init__(self, cells: Mapping[str, CellWork]) -> None:
        self.cells = cells
        self.left = dict.fromkeys(cells)
        self.current: UnderWay | None = None
        self.started = self._entered = 0.0
        self._phases: list[tuple[CellWork, PhaseName, float, float]] = []  # that ended: cell, phase, tokens, seconds
        self._overheads: list[tuple[CellWork, float]] = []

    def start(self, key: str) -> None:
        """A cell begins."""
        self.started = self._entered = time.monotonic()
        self.current = UnderWay(key)

    def progress(self, phase: str, done: int, total: int) -> None:
        """The cell under way says where it is."""
        current, now = self.current, time.monotonic()
        if current is None:
            return
        if current.phase:
            current.seconds[current.phase] = current.seconds.get(current.phase, 0.0) + now - self._entered
        self._entered = now
        same = phase == current.phase
        current.phase, current.done = phase, done / total if total else current.done if same else 0.0

    def finish(self, key: str, record: Record, cached: bool) -> None:
        """A cell has ended."""
        self.left.pop(key, None)
        self.current = None
        if cached or record.failure:  # neither says how long a cell takes
            return
        cell, worked = self.cells[key], 0.0
        for name, tokens in cell.tokens.items():
            if tokens and name in record.phases:
                worked += spent(record.phases[name])
                self._phases.append((cell, name, tokens, spent(record.phases[name])))
        self._overheads.append((cell, max(0.0, time.monotonic() - self.started - worked)))

    def seconds_left(self) -> float | None:
        """Seconds that all cells still take; None before anything tells."""
        seen = [*self._phases, *self._so_far()]
        if not sum(tokens for *_, tokens, _ in seen):
            return None
        return sum(self._of_cell(key, seen) for key in self.left)

    def remaining(self) -> str:
        """The same in words."""
        seconds = self.seconds_left()
        return _UNKNOWN if seconds is None else f"about {duration(seconds, rough=True)} left"

    def _so_far(self) -> Iterator[tuple[CellWork, PhaseName, float, float]]:
        """The phases of the cell under way, as far as they are done."""
        if self.current is None:
            return
        cell = self.cells[self.current.key]
        for name, tokens in cell.tokens.items():
            done = tokens * self.current.share(name)
            if done:
                yield cell, name, done, self.current.seconds.get(name, 0.0)

    def _of_cell(self, key: str, seen: list[tuple[CellWork, PhaseName, float, float]]) -> float:
        cell, current = self.cells[key], self.current if self.current and self.current.key == key else None
        whole = {name: tokens * _rate(cell, name, seen) for name, tokens in cell.tokens.items()}
        overhead = self._overhead(cell, sum(whole.values()))
        if current is None:
            return sum(whole.values()) + overhead
        beside = sum(seconds for name, seconds in current.seconds.items() if name not in whole)
        return sum(each * (1 - current.share(name)) for name, each in whole.items()) + max(0.0, overhead - beside)

    def _overhead(self, cell: CellWork, work_s: float) -> float:
        for alike in (("model", "task", "method"), ("model", "method")):
            known = [seconds for other, seconds in self._overheads if _same(cell, other, alike)]
            if known:
                return statistics.fmean(known)
        return work_s * _OF_WORK


def _rate(cell: CellWork, phase: PhaseName, seen: Iterable[tuple[CellWork, PhaseName, float, float]]) -> float:
    """Seconds for a token, of the nearest phases there are."""
    nearness: tuple[tuple[tuple[str, ...], bool], ...] = (
        (("model", "task", "method"), True), (("model", "task"), True), (("model",), True),
        (("model", "task"), False), (("model",), False), ((), False),
    )  # fmt: skip
    for alike, same_phase in nearness:
        found = [
            (tokens, seconds)
            for other, name, tokens, seconds in seen
            if _same(cell, other, alike) and (name == phase or not same_phase)
        ]
        if found:
            return sum(seconds for _, seconds in found) / sum(tokens for tokens, _ in found)
    return 0.0


def _same(cell: CellWork, other: CellWork, names: Iterable[str]) -> bool:
    return all(getattr(cell, name) == getattr(other, name) for name in names)
