"""How far runs of one and the same suite lie apart: below that floor the gate claims nothing.

Repeats of a run differ although nothing was changed: kernels add in another order, a batch is cut elsewhere, a machine
is busy. What the items of one run show of that is in its tests already; what moves all of them together is not.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from statistics import fmean, stdev
from typing import Annotated, Literal

from annotated_types import Ge
from pydantic import FiniteFloat

from bench.analysis.statistics.distributions import t_quantile
from bench.core.errors import IncompleteError, NotComparableError, UsageError
from bench.core.hashing import canonical
from bench.core.record import Record, Run
from bench.gate import costs
from bench.gate.expand import Group, groups, probe_metrics
from bench.gate.reading import read_beside
from bench.store.archive import files_of
from bench.store.json_files import as_json
from bench.store.pack import put

FILE = "noise.json"
LEAST_RUNS = 3
LEVEL = 0.95
Key = tuple[str, str, str, str, str, str]  # kind, model, task, method, probe, name


@dataclass(frozen=True, slots=True)
class Floor:
    """One figure over the repeats."""

    kind: str
    model: str
    task: str
    method: str
    probe: str
    name: str
    mean: float
    sd: float  # between repeats, in the unit of the score; of a cost a share of its mean
    floor: Annotated[
        FiniteFloat, Ge(0)
    ]  # a difference of two unchanged runs that is not exceeded with a chance of `LEVEL`

    @property
    def key(self) -> Key:
        return self.kind, self.model, self.task, self.method, self.probe, self.name


@dataclass(frozen=True, slots=True)
class Calibration:
    """The floors of a baseline, and what they were measured with."""

    repeats: list[str]
    floors: tuple[Floor, ...]
    level: float = LEVEL
    schema: Literal[1] = 1


def calibrate(baseline: Run, repeats: Sequence[Run]) -> list[Floor]:
    """Floors of every score and cost from a baseline and at least three repeats of it.

    A new difference of two runs lies above t_(0.95, k-1) s sqrt(2) with a chance of 1 in 20, with s the standard
    deviation of k runs and normal noise: the prediction limit of one more observation (Hahn and Meeker 1991,
    Statistical Intervals, section 4.7), for a difference of two.

    Raises:
        UsageError: too few repeats, or one that is a copy of another.
        IncompleteError: a repeat without a cell of the baseline.
        NotComparableError: a repeat of something else.
    """
    if len(repeats) < LEAST_RUNS:
        raise UsageError(
            f"at least {LEAST_RUNS} repeats are needed to know the noise of a baseline; got {len(repeats)}"
        )
    runs = [baseline, *repeats]
    _refuse_copies(runs)
    cells = [groups(run) for run in runs]
    found = []
    for group in cells[0]:
        for run, own in zip(runs, cells, strict=True):
            _refuse_other(run, group, cells[0][group], own.get(group, []))
        for (kind, probe, name), values in _figures(runs, [own[group] for own in cells]).items():
            found.append(_floor((kind, *group, probe, name), values))
    return found


def write(baseline: Path, floors: Sequence[Floor], repeats: Sequence[Path]) -> Path:
    """Keep the floors with a baseline, in its folder or archive; returns the file."""
    named = [str(path) for path in repeats]
    put(baseline, FILE, as_json(asdict(Calibration(named, tuple(floors)))))
    return baseline / FILE


def read(baseline: Path) -> dict[Key, float]:
    """Floors beside a baseline, by what they are of; none where it was never calibrated.

    Raises:
        IncompleteError: the file is damaged.
    """
    kept = read_beside(files_of(baseline) / FILE, Calibration, "calibrate again")
    return {floor.key: floor.floor for floor in kept.floors} if kept else {}


def _floor(key: Key, values: Sequence[float]) -> Floor:
    mean, sd = fmean(values), stdev(values)
    if key[0] == "cost":
        sd = sd / mean if mean else 0.0
    return Floor(*key, mean, sd, t_quantile(LEVEL, len(values) - 1) * sd * math.sqrt(2))


def _figures(runs: Sequence[Run], cells: Sequence[Sequence[Record]]) -> dict[tuple[str, str, str], list[float]]:
    """(kind, probe, name) -> a value for each run, of what all of them hold."""
    each = [dict(_of_run(run, records)) for run, records in zip(runs, cells, strict=True)]
    together = [record for records in cells for record in records]
    alike = costs.same_conditions(together, together)
    return {
        key: [own[key] for own in each]
        for key in each[0]
        if all(key in own for own in each) and (alike or key[2] not in costs.MEASURED)
    }


def _of_run(run: Run, records: Sequence[Record]) -> Iterator[tuple[tuple[str, str, str], float]]:
    for name in records[0].scores:
        if all(name in record.scores for record in records):
            yield ("quality", "", name), fmean(record.scores[name].value for record in records)
    base = {record.task: record.scores for record in run.base if record.model == records[0].model}
    for probe, names in probe_metrics(records, run).items():
        held = [record.probes.get(probe, {}) if record.weights_changed else base.get(probe, {}) for record in records]
        for name in names:
            if all(name in scores for scores in held):
                yield ("retention", probe, name), fmean(scores[name].value for scores in held)
    for name in costs.ALL:
        value = costs.value(records, name)
        if value is not None:
            yield ("cost", "", name), value


def _refuse_copies(runs: Sequence[Run]) -> None:
    seen: dict[frozenset[tuple[str, str]], Path] = {}
    for run in runs:
        made = frozenset((record.key, record.created) for record in run.records if record.status == "ok")
        if made in seen:
            raise UsageError(f"{run.path} holds the same records as {seen[made]}: a copy says nothing of noise")
        seen[made] = run.path


def _refuse_other(run: Run, group: Group, before: Sequence[Record], now: Sequence[Record]) -> None:
    where = f"{run.path}: {' · '.join(group)}"
    if len(now) < len(before):
        raise IncompleteError(f"{where}: {len(now)} of {len(before)} seeds were measured")
    if {_identity(record) for record in now} != {_identity(record) for record in before}:
        raise NotComparableError(f"{where}: not a repeat of the baseline: model, items, prompt or options differ")
    if _signatures(now) != _signatures(before):
        raise NotComparableError(f"{where}: scored in another way than the baseline")


def _identity(record: Record) -> str:
    """All that decides the predictions of a cell but its seed."""
    tuning = replace(record.identity.tuning, seed=0) if record.identity.tuning else None
    return canonical(replace(record.identity, seed=None, tuning=tuning).content()) + record.questions


def _signatures(records: Sequence[Record]) -> set[tuple[str, str]]:
    return {(name, score.signature) for record in records for name, score in record.scores.items()}
