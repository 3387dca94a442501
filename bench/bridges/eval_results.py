"""Scores for a model's repository on the Hub: `.eval_results/*.yaml`, which its page and a benchmark's board read.

The format is that of huggingface.co/docs/hub/eval-results, written by huggingface_hub's own types. Nothing is sent.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from statistics import fmean
from typing import Any

import yaml

from bench.analysis.item_texts import task_spec
from bench.bridges.cells import file_name
from bench.core.errors import UsageError, unknown
from bench.core.missing_package import need
from bench.core.record import Record, Run
from bench.metrics.formats import clean

FOLDER, FILE = ".eval_results", "adaptbench.yaml"
EXTRA = "hub"


def write(runs: Sequence[Run], folder: Path, benchmarks: Mapping[str, str]) -> list[Path]:
    """Write `<model>-<method>/.eval_results/adaptbench.yaml` below `folder`, the files written.

    `benchmarks`: task -> `owner/name` of the data set that ranks it, or `owner/name:task_id`. A task that is read from
    the Hub is known by its own; others are left out.

    Raises:
        UsageError: no task of the runs is one of the Hub's, or one is named that they do not have.
    """
    known = dict.fromkeys(record.task for run in runs for record in run.records)
    for task in benchmarks:
        if task not in known:
            raise UsageError(unknown("task of the run", task, known))
    entries: dict[str, list[Any]] = {}
    for run in runs:
        for records in _methods(run):
            found = _entry(run, records, benchmarks)
            if found is not None:
                entries.setdefault(file_name(f"{records[0].model}-{records[0].method}"), []).append(found)
    if not entries:
        raise UsageError(
            f"no task of the run is read from the Hub ({', '.join(map(clean, known)) or 'no cell is measured'}); "
            "name the data set that ranks one: --hub-dataset TASK=OWNER/NAME:TASK_ID"
        )
    return [_written(folder / name / FOLDER, found) for name, found in entries.items()]


def _methods(run: Run) -> list[list[Record]]:
    """The cells of each model, task and method: its seeds."""
    found: dict[tuple[str, str, str], list[Record]] = {}
    for record in run.records:
        if record.status == "ok":
            found.setdefault((record.model, record.task, record.method), []).append(record)
    return list(found.values())


def _entry(run: Run, records: Sequence[Record], benchmarks: Mapping[str, str]) -> Any:
    first = records[0]
    spec = task_spec(run, first.task)
    hub = spec.hub if spec else None
    named = benchmarks.get(first.task) or (f"{hub.dataset}:{hub.config or 'default'}" if hub else "")
    if not named:
        return None
    dataset, _, task_id = named.partition(":")
    metric, version = next(iter(first.scores)), first.environment.adaptbench
    seeds = ", ".join(str(record.seed) for record in records)
    return need("huggingface_hub", EXTRA).EvalResultEntry(
        dataset_id=dataset,
        task_id=task_id or "default",
        value=fmean(record.scores[metric].value for record in records),
        dataset_revision=hub.revision if hub and hub.dataset == dataset else None,
        date=max(record.created for record in records)[:10],
        notes=f"{clean(first.method)}; {metric} of {first.items} items; seed {seeds}; adaptbench {version}",
    )


def _written(folder: Path, entries: Sequence[Any]) -> Path:
    said = need("huggingface_hub", EXTRA).eval_result_entries_to_yaml(list(entries))
    try:
        folder.mkdir(parents=True, exist_ok=True)
        (folder / FILE).write_text(yaml.safe_dump(said, sort_keys=False, allow_unicode=True), encoding="utf-8")
    except OSError as error:
        raise UsageError(f"cannot write to {folder}: {error.strerror or error}") from None
    return folder / FILE
