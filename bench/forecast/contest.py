"""Who can be the choice on a task: each method with its largest training size, and what is measured of it."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path

from bench.analysis import answers as reading
from bench.analysis.answers import Answers
from bench.analysis.comparison import Family
from bench.analysis.decision.candidates import Candidate, candidates
from bench.analysis.decision.learning import at_full_size
from bench.config.assumptions import Assumptions
from bench.config.prices import Prices
from bench.core.record import CellRef, Record, Run
from bench.forecast.curves import Curve, curves
from bench.forecast.scores import SHIPPED, ScoreForecast, forecast, record, refusal, seed_variance
from bench.forecast.scores import Record as WaysRecord


@dataclass(frozen=True, slots=True)
class Slot:
    """A cell of a suite, measured or not, that is no probe of a base model and no control."""

    ref: CellRef
    size: int | None  # training items; None where it learns and draws from none

    @property
    def label(self) -> str:
        """How reports name the method."""
        return self.ref.method

    @property
    def suite_method(self) -> str:
        """As the suite names it."""
        return self.ref.suite_method or self.ref.method

    @property
    def curve_size(self) -> int | None:
        """Training items of a point of a learning curve; None for all that the suite gives the method."""
        return None if self.label == self.suite_method else self.ref.train_size


@dataclass(frozen=True, slots=True)
class Entrant:
    """A method with its largest size. Without a `candidate`, nothing tells what it would score."""

    name: str  # with its model, where the contest has several
    slots: tuple[Slot, ...]  # of each seed
    left: tuple[Slot, ...]  # of these: not measured
    candidate: Candidate | None = None  # of its measured cells, or of its largest pilot
    expected: ScoreForecast | None = None  # where only pilots are measured
    pilot_times: float = 1.0  # as many training items as the pilot had that the candidate is of
    refused: str = ""  # why no score is forecast

    @property
    def measured(self) -> bool:
        """Whether any cell of its largest size is."""
        return self.candidate is not None and self.expected is None


@dataclass(frozen=True, slots=True)
class Contest:
    """A task and all that can be chosen on it, over all models."""

    task: str
    entrants: tuple[Entrant, ...]
    assumed: Assumptions
    failed: tuple[str, ...] = ()  # methods that failed in all cells, or whose answers have no price

    @property
    def unknown(self) -> tuple[Entrant, ...]:
        """Those of which nothing tells what they would score."""
        return tuple(one for one in self.entrants if one.candidate is None)


@dataclass
class Measured:
    """The records of a run so far; what is read of their answers is read once."""

    path: Path
    prices: Prices
    assumed: Assumptions
    records: dict[str, Record] = field(default_factory=dict)  # by key
    base: dict[str, Record] = field(default_factory=dict)  # the base models' answers to probes, by key
    _elsewhere: dict[str, Path] = field(default_factory=dict)  # key -> the run that it is in
    _candidates: dict[tuple[str, ...], Candidate | None] = field(default_factory=dict)

    def add(self, ref: CellRef, measured: Record, run: Path | None = None) -> None:
        """Take up a record under the names that the suite gives it; `run`: another one, where its answers are."""
        if run is not None:
            self._elsewhere[ref.key] = run
        names = {name: getattr(ref, name) for name in ("model", "task", "method", "seed", "suite_method")}
        (self.base if ref.is_base else self.records)[ref.key] = replace(measured, **names)

    def contest(self, task: str, slots: Collection[Slot]) -> Contest:
        """The contest on a task, of the slots of a suite."""
        own = [slot for slot in slots if slot.ref.task == task]
        models = list(dict.fromkeys(slot.ref.model for slot in own))
        entrants, failed = [], []
        on_task = self._curves(own)
        known = record(on_task).joined(SHIPPED)
        for model in models:
            by_method: dict[str, list[Slot]] = {}
            for slot in at_full_size([slot for slot in own if slot.ref.model == model]):
                by_method.setdefault(slot.suite_method, []).append(slot)
            for method, full in by_method.items():
                name = f"{full[0].label} with {model}" if len(models) > 1 else full[0].label
                there = [self.records[slot.ref.key] for slot in full if slot.ref.key in self.records]
                if len(there) == len(full) and all(one.status != "ok" for one in there):
                    failed.append(name)
                    continue
                pilots = [slot for slot in own if (slot.ref.model, slot.suite_method) == (model, method)]
                found = self._entrant(name, full, pilots, on_task, known)
                if found.candidate is None and self._ended(full):
                    failed.append(name)  # it has no price
                else:
                    entrants.append(found)
        return Contest(task, tuple(entrants), self.assumed, tuple(failed))

    def _curves(self, slots: Iterable[Slot]) -> list[Curve]:
        there = [(slot, self.records[slot.ref.key]) for slot in slots if slot.ref.key in self.records]
        return curves((one, slot.size) for slot, one in there)

    def _entrant(
        self, name: str, full: Sequence[Slot], own: Sequence[Slot], on_task: Sequence[Curve], known: WaysRecord
    ) -> Entrant:
        left = tuple(slot for slot in full if slot.ref.key not in self.records)
        there = self._ended(full)
        if there:
            return Entrant(name, tuple(full), left, self._candidate(name, there))
        pilots = self._largest_pilot(own)
        size = full[0].size
        if not pilots or size is None:
            return Entrant(name, tuple(full), left, refused="nothing of it is measured")
        curve = next(c for c in on_task if (c.model, c.method) == (full[0].ref.model, full[0].suite_method))
        variance = seed_variance([curve])
        if variance is None:
            variance = seed_variance([other for other in on_task if other.metric == curve.metric])
        refused = refusal(curve, size, variance)
        if refused or variance is None:
            return Entrant(name, tuple(full), left, refused=refused or "")
        expected = forecast(curve, size, variance, known, len(full))
        return Entrant(name, tuple(full), left, self._candidate(name, pilots), expected, size / curve.last.size)

    def _ended(self, slots: Iterable[Slot]) -> list[Record]:
        there = (self.records.get(slot.ref.key) for slot in slots)
        return [one for one in there if one is not None and one.status == "ok"]

    def _largest_pilot(self, slots: Iterable[Slot]) -> list[Record]:
        ended = [slot for slot in slots if slot.size is not None and self._ended([slot])]
        largest = max((slot.size or 0 for slot in ended), default=0)
        return self._ended([slot for slot in ended if slot.size == largest])

    def _candidate(self, name: str, there: Sequence[Record]) -> Candidate | None:
        """None where its queries have no price."""
        keys = tuple(one.key for one in there)
        if keys not in self._candidates:
            run = Run(self._elsewhere.get(keys[0], self.path), "", tuple(there), base=tuple(self.base.values()))
            own: Answers = reading.read(run, there[0].method, there, None)
            family = Family(there[0].model, there[0].task, own.metric, (), (own,))
            self._candidates[keys] = next(iter(candidates(run, family, self.prices, self.assumed)), None)
        found = self._candidates[keys]
        if found is None:
            return None
        label = replace(found.answers, label=name, suite_method=name, method=there[0].method)
        return replace(found, label=name, answers=label)


def tasks_of(every: Sequence[Slot]) -> list[str]:
    """The tasks of a suite, in its order."""
    return list(dict.fromkeys(slot.ref.task for slot in every))
