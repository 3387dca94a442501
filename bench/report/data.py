"""The report of runs as data: aggregated rows and the records they come from."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from bench.nouns import Run
from bench.report.summary import plain, summarise

SCHEMA = 1


def to_json(runs: Sequence[Run]) -> dict[str, Any]:
    """{"schema": 1, "runs": [{path, suite, rows, missing, records}]}: aggregated rows, then the records.

    A row is `bench.report.summary.Row` with its `status` and primary `metric`; a record is `bench.nouns.Record`.
    """
    return {"schema": SCHEMA, "runs": [_run_json(run) for run in runs]}


def _run_json(run: Run) -> dict[str, Any]:
    rows = [{**plain(row), "status": row.status, "metric": row.metric} for row in summarise(run)]
    return {
        "path": str(run.path),
        "suite": run.suite,
        "rows": rows,
        "missing": list(run.missing),
        "records": plain(run.records),
    }
