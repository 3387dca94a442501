"""Records to rows: one row for each (model, task, method), its numbers aggregated over seeds.

Reads records alone; nothing here knows how a table looks. What failed or is missing stays in the row and in
its denominator.
"""

from __future__ import annotations

import math
import statistics
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, fields, is_dataclass
from os import PathLike
from typing import Annotated, Any, Literal, TypeVar

from pydantic import Field, computed_field

from bench.core.model_kind import NAMES
from bench.core.phases import PhaseName
from bench.core.record import Failure, Record, Run
from bench.core.values import Count

Name = TypeVar("Name", bound=str)
Status = Literal["ok", "partial", "failed", "not run"]


@dataclass(frozen=True, slots=True)
class Spread:
    """Mean over `n` seeds and their sample standard deviation (n - 1 in the denominator; None for one)."""

    mean: float  # over n seeds
    sd: float | None  # sample standard deviation; null for one seed
    n: Annotated[int, Field(ge=1)]  # seeds


@dataclass(frozen=True, slots=True)
class SummaryRow:
    """A method on a task with a model. Means are over the cells that ended; `cells` counts all asked for."""

    model: str  # as the suite names it
    task: str  # as the suite names it
    method: str  # as the suite names it; of a point of a learning curve with its size
    cells: Count  # measured, failed and missing, one for each seed; 0 where the suite has no such cell
    seeds: tuple[int, ...] = ()  # of the cells that ended
    failures: tuple[tuple[int, Failure], ...] = ()  # [seed, reason] of each cell that failed
    missing: tuple[int, ...] = ()  # seeds of cells without a record
    scores: Mapping[str, Spread] = field(default_factory=dict)  # metric -> its value; the first is the primary one
    seconds: Mapping[PhaseName, Spread] = field(default_factory=dict)  # phase -> wall time in seconds
    validation_s: float | None = None  # mean seconds of validation losses while training, which `seconds` leaves out
    peak_bytes: Count | None = None  # highest memory over phases and seeds; null where no phase was measured
    peak_of: Literal["device", "host", ""] = ""  # what `peak_bytes` is of: the accelerator, the process, or nothing
    tokens: Mapping[str, float] = field(default_factory=dict)  # prompt, context (of these), output; per item, unpadded
    retrieval: Mapping[str, Spread] = field(default_factory=dict)  # hit@k, recall@k, mrr, ndcg@k; questions: how many
    items: Count = 0  # test items over all seeds that ended
    item_failures: Mapping[str, Count] = field(default_factory=dict)  # typed reason -> items without an answer
    dropped: Mapping[str, Count] = field(default_factory=dict)  # over the same items, to fit the model's context
    training_too_long: Count = 0  # training examples left out because they do not fit the model's context

    @computed_field  # type: ignore[prop-decorator]  # a property, which the schema of the report has too
    @property
    def status(self) -> Status:
        """ok: every cell ended; partial: some did; failed: none did and one failed; not run: neither."""
        if self.seeds:
            return "ok" if len(self.seeds) == self.cells else "partial"
        return "failed" if self.failures else "not run"

    @computed_field  # type: ignore[prop-decorator]
    @property
    def metric(self) -> str | None:
        """The primary metric: the first of `scores`; null where no cell ended."""
        return next(iter(self.scores), None)


def spread(values: Sequence[float]) -> Spread:
    """Mean and sample standard deviation of at least one value."""
    return Spread(statistics.fmean(values), statistics.stdev(values) if len(values) > 1 else None, len(values))


def summarise(run: Run) -> list[SummaryRow]:
    """Every row of the grid models × (their tasks × their methods), in the order of the run's records.

    A combination with neither a record nor a missing cell is there as "not run", with no cells. Answers of base
    models that are missing are left to the caller to show.
    """
    missing = [((c.model, c.task, c.method), c.seed) for c in run.missing if not c.is_base]
    records = [((r.model, r.task, r.method), r) for r in run.records]
    grid = [key for key, _ in records] + [key for key, _ in missing]
    rows = []
    for model in _unique(key[0] for key in grid):
        for task in _unique(key[1] for key in grid if key[0] == model):
            for method in _unique(key[2] for key in grid if key[0] == model):
                key = (model, task, method)
                seeds = tuple(seed for other, seed in missing if other == key)
                rows.append(_row(key, [record for other, record in records if other == key], seeds))
    return rows


def by_method(
    run: Run, model: str, wanted: Callable[[Record], bool] = lambda record: True
) -> dict[tuple[str, str], list[Record]]:
    """(method, task) -> the cells (seeds) of a model that ended and are wanted, in the order of the run."""
    groups: dict[tuple[str, str], list[Record]] = {}
    for record in run.records:
        if record.model == model and record.status == "ok" and wanted(record):
            groups.setdefault((record.method, record.task), []).append(record)
    return groups


def with_kind(run: Run, model: str) -> str:
    """The name of a model, with its kind where the run has models of another than causal."""
    kinds = {record.model: record.identity.model.kind for record in (*run.base, *run.records)}
    said = model in kinds and set(kinds.values()) != {"causal"}
    return f"{model} ({NAMES[kinds[model]]})" if said else model


def plain(value: Any) -> Any:
    """`value` in what JSON can hold: dataclasses as objects, numbers that are no numbers as null."""
    if is_dataclass(value) and not isinstance(value, type):
        return {f.name: plain(getattr(value, f.name)) for f in fields(value)}
    if isinstance(value, Mapping):
        return {str(key): plain(each) for key, each in value.items()}
    if isinstance(value, float):
        return value if math.isfinite(value) else None
    if value is None or isinstance(value, str | int):
        return value
    if isinstance(value, PathLike):
        return str(value)
    return [plain(each) for each in value]


def _row(key: tuple[str, str, str], records: Sequence[Record], missing: tuple[int, ...]) -> SummaryRow:
    ended = [record for record in records if record.status == "ok"]
    peak_bytes, peak_of = _peak(ended)
    items = sum(record.items for record in ended)
    tokens = _totals(record.tokens for record in ended)
    return SummaryRow(
        *key,
        cells=len(records) + len(missing),
        seeds=tuple(record.seed for record in ended),
        failures=tuple((r.seed, r.failure or Failure("unknown", "")) for r in records if r.status != "ok"),
        missing=missing,
        scores=_spreads(ended, lambda record: {n: score.value for n, score in record.scores.items()}),
        seconds=_spreads(ended, lambda record: {n: record.wall_s(n) for n in record.phases}),
        validation_s=_validation(ended),
        peak_bytes=peak_bytes,
        peak_of=peak_of,
        tokens={name: total / items for name, total in tokens.items()} if items else {},
        retrieval=_spreads(ended, lambda record: record.retrieval),
        items=items,
        item_failures=_totals(record.item_failures for record in ended),
        dropped=_totals(record.dropped for record in ended),
        training_too_long=max((record.training.examples_too_long for record in ended if record.training), default=0),
    )


def _validation(records: Sequence[Record]) -> float | None:
    known = [r.training.validation_s for r in records if r.training and r.training.validation_s is not None]
    return statistics.fmean(known) if known else None


def _spreads(records: Sequence[Record], read: Callable[[Record], Mapping[Name, float]]) -> dict[Name, Spread]:
    """Spread of every named number, over the records that have it."""
    values: dict[Name, list[float]] = {}
    for record in records:
        for name, value in read(record).items():
            values.setdefault(name, []).append(value)
    return {name: spread(each) for name, each in values.items()}


def _peak(records: Sequence[Record]) -> tuple[int | None, Literal["device", "host", ""]]:
    """Highest memory of the device where any phase had one, else of the process."""
    phases = [phase for record in records for phase in record.phases.values()]
    device = [p.peak_device_bytes for p in phases if p.peak_device_bytes is not None]
    if device:
        return max(device), "device"
    return (max(p.peak_host_bytes for p in phases), "host") if phases else (None, "")


def _totals(counts: Iterable[Mapping[str, int]]) -> dict[str, int]:
    totals: dict[str, int] = {}
    for each in counts:
        for name, count in each.items():
            totals[name] = totals.get(name, 0) + count
    return totals


def _unique(names: Iterable[str]) -> list[str]:
    return list(dict.fromkeys(names))
