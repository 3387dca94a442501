"""What the report's tables say: records and rows of aggregated numbers as titled tables of text, a module a subject.

Every way of writing a report is written from tables, so that none can disagree with another. Text that comes from a
record is cleaned here of control characters; escaping is left to who writes the table.
"""

from __future__ import annotations

from collections.abc import Sequence

from bench.analysis.summary import summarise
from bench.core.record import Run
from bench.metrics.formats import clean
from bench.report.table import Chapter, ReportTable
from bench.report.tables import (
    bias,
    calibration,
    costs,
    judged,
    notes,
    passages_used,
    prompts,
    refusals,
    retention,
    retrieval,
    scores,
    second_stage,
    served,
    teaching,
    tuning,
)


def chapters(runs: Sequence[Run]) -> list[Chapter]:
    """Every table of some runs, a chapter for each."""
    every: list[Chapter] = []
    for run in runs:
        shard = f", shard {clean(run.shard)}" if run.shard else ""
        every.append((f"{clean(run.suite)}{shard} ({clean(run.path)})", tables(run)))
    return every


def tables(run: Run) -> list[ReportTable]:
    """Every table of a run: for each model scores, other metrics, costs by task, retrieval; then notes."""
    rows = summarise(run)
    every: list[ReportTable] = []
    for model in dict.fromkeys(row.model for row in rows):
        model_rows = [row for row in rows if row.model == model]
        tasks = list(dict.fromkeys(row.task for row in model_rows))
        every += scores.tables(run, model, tasks, model_rows)
        every += calibration.tables(run, model)
        every += judged.tables(run, model)
        every += costs.tables(run, model, tasks, model_rows)
        every += served.tables(run, model)
        every += retrieval.tables(model, model_rows)
        every += passages_used.tables(run, model)
        every += refusals.tables(run, model)
        every += second_stage.tables(run, model)
        every += teaching.tables(run, model)
        every += prompts.tables(run, model)
        every += tuning.tables(run, model)
        every += retention.tables(run, model)
        every += bias.tables(run, model)
    return [*every, *notes.tables(run, rows)]
