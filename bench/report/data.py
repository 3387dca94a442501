"""The report of runs as data: aggregated rows and the records they come from."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from bench.analysis.summary import plain, summarise
from bench.core.record import Run

SCHEMA = 1
SCHEMA_FILE = Path(__file__).with_name(f"schema-{SCHEMA}.json")


def to_json(runs: Sequence[Run]) -> dict[str, Any]:
    """{"schema": 1, "runs": [{path, suite, rows, missing, records, base}]}: aggregated rows, then the records.

    A row is `bench.analysis.summary.SummaryRow` with its `status` and primary `metric`; a record is
    `bench.core.record.Record`.
    `schema` describes all of it.
    """
    return {"schema": SCHEMA, "runs": [_run_json(run) for run in runs]}


def schema() -> dict[str, Any]:
    """The JSON Schema (draft 2020-12) of what `to_json` gives, with units and what null means."""
    found = json.loads(SCHEMA_FILE.read_text(encoding="utf-8"))
    assert isinstance(found, dict)
    return found


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
