"""The report of runs as data: aggregated rows and the records they come from."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Literal

from bench.analysis.summary import SummaryRow, plain, summarise
from bench.core.record import CellRef, Record, Run
from bench.report.json_schema import schema_of

SCHEMA: Literal[2] = 2


@dataclass(frozen=True, slots=True)
class RunReport:
    """A run."""

    path: str  # folder or archive of the run, as it was named to the command
    suite: str  # name of the suite that was measured
    rows: tuple[SummaryRow, ...]  # models x tasks x methods in the suite's order, each over its seeds
    missing: tuple[CellRef, ...]  # cells of the suite without a record
    records: tuple[Record, ...]  # one for each measured cell, in the suite's order; what the rows are made of
    base: tuple[Record, ...]  # the base models' answers to the probes, one record for each model and probe


@dataclass(frozen=True, slots=True)
class Report:
    """What `adaptbench report --json` prints."""

    schema: Literal[2]  # version of this format
    runs: tuple[RunReport, ...]  # in the order they were asked for


def to_json(runs: Sequence[Run]) -> dict[str, Any]:
    """`Report` as JSON has it; a row has its `status` and primary `metric` too."""
    return {"schema": SCHEMA, "runs": [_run_json(run) for run in runs]}


def schema() -> dict[str, Any]:
    """The JSON Schema (draft 2020-12) of what `to_json` gives."""
    return schema_of(
        Report,
        "report",
        SCHEMA,
        "What `adaptbench report --json` prints: for each run its rows, aggregated over seeds, and the records they "
        "come from. Numbers that are not finite are null. Within a version fields may be added, never removed or given "
        "another meaning: validate with the schema of the adaptbench that wrote the report, and ignore fields you do "
        "not know.",
        finite=False,
    )


def _run_json(run: Run) -> dict[str, Any]:
    rows = [{**plain(row), "status": row.status, "metric": row.metric} for row in summarise(run)]
    return {
        "path": str(run.path),
        "suite": run.suite,
        "rows": rows,
        "missing": plain(run.missing),
        "records": plain(run.records),
        "base": plain(run.base),
    }
