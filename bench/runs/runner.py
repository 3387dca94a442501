"""Runs the cells of a suite, each in its own process, and leaves a record of every one of them."""

from __future__ import annotations

import shutil
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Protocol

from bench.cell.job import Job
from bench.config.suite import Suite
from bench.core.errors import AdaptbenchError, CellError
from bench.core.method import parts_of
from bench.core.record import Failure, Record
from bench.runs import winners
from bench.runs.cells import Cell
from bench.runs.executor import Executor, LocalProcess, Submission
from bench.store.json_files import write_json
from bench.store.listing import read_listing
from bench.store.run_folder import LOG, VECTORS, Store, write_record

_JOB = "job.json"


class Display(Protocol):
    """Shows a run as it goes; see `bench.runs.progress`."""

    def start(self, cell: Cell) -> None: ...

    def progress(self, phase: str, done: int, total: int) -> None: ...

    def finish(self, cell: Cell, record: Record, cached: bool) -> None: ...


@dataclass(frozen=True)
class RunOutcome:
    """How a run ended."""

    ok: int
    failed: int
    cached: int


def run(
    suite: Suite, cells: Sequence[Cell], store: Store, display: Display, executor: Executor | None = None
) -> RunOutcome:
    """Measure every cell that has no record yet; a failed one is tried again unless the suite keeps failures.

    `executor`: where; None: in processes of this machine, as the suite says. With `keep: winner` weights that cannot
    win go once all cells of their model and task are there; a shard, which has no verdict, keeps them.
    """
    executor = executor or LocalProcess(suite.engine.device, suite.engine.threads, suite.cell_timeout_s)
    ok = failed = cached = 0
    records: dict[str, Record] = {}
    for cell in cells:
        record = store.record(cell.ref)
        known = record is not None and (record.status == "ok" or suite.failed == "keep")
        if record is None or not known:
            display.start(cell)
            record = _measure(suite, cell, store, display, executor, records.get(cell.chooser or ""))
        records[cell.key] = record
        display.finish(cell, record, known)
        cached += known
        ok += record.status == "ok"
        failed += record.status != "ok"
        group = {other.key for other in cells if _contest(other) == _contest(cell)}
        if suite.keep == "winner" and group <= records.keys() and not read_listing(store.path).shard:
            winners.prune(store.path, *_contest(cell))
    if not failed or suite.failed == "keep":  # nothing is left to be measured
        shutil.rmtree(store.path / VECTORS, ignore_errors=True)
    return RunOutcome(ok, failed, cached)


def _contest(cell: Cell) -> tuple[str, str]:
    """The model and task whose cells are compared with each other."""
    return cell.model.name, cell.task.name


def _measure(
    suite: Suite, cell: Cell, store: Store, display: Display, executor: Executor, chooser: Record | None
) -> Record:
    """The cell's record, published; a failure of any kind becomes a record with its reason.

    `chooser` is the record of the cell whose choice of options this one takes over.
    """
    staging = store.staging(cell.ref)
    try:
        chosen = _chosen(chooser) if cell.chooser else None
        write_json(staging / _JOB, asdict(_job(suite, cell, store, staging, chosen)))
        _follow(executor.submit(staging / _JOB, staging / LOG), display)
    except CellError as error:
        write_record(staging, _failed(cell, error))
    (staging / _JOB).unlink(missing_ok=True)
    store.publish(staging, cell.ref)
    record = store.record(cell.ref)
    assert record is not None
    return record


def _chosen(chooser: Record | None) -> dict[str, Any]:
    if chooser is None or chooser.tuning is None:
        seed = "the first seed" if chooser is None else f"seed {chooser.seed}"
        raise CellError(f"its options are chosen on {seed}, and that cell failed")
    return dict(chooser.tuning.chosen)


def _job(suite: Suite, cell: Cell, store: Store, out: Path, chosen: dict[str, Any] | None) -> Job:
    weights, context = cell.method.weights, cell.method.context
    return Job(
        key=cell.key,
        identity=cell.identity,
        model={**asdict(cell.model), "folder": str(cell.model.folder)},
        task=cell.task_path,
        limit=cell.limit,
        train_size=cell.train_size,
        probes=list(cell.probes),
        probe_limit=suite.probe_limit,
        adapter_scales=suite.adapter_scales if cell.probes and not cell.is_base else [],
        counterfactuals=0 if cell.is_base else suite.counterfactuals,
        checkpoints=suite.checkpoints if cell.probes and not cell.is_base else 0,
        method=cell.method.name,
        options={**weights.options.model_dump(mode="json"), **context.options.model_dump(mode="json")},
        trials=suite.trials,
        chosen=chosen,
        label=cell.label,
        suite_method=cell.suite_method,
        seed=cell.seed,
        embedder=suite.embedder,
        device=suite.engine.device.partition(":")[0],  # the worker sees one device only
        batch_tokens=suite.engine.batch_tokens,
        train_tokens=suite.engine.train_tokens,
        batch_size=suite.engine.batch_size,
        micro_batch=suite.engine.micro_batch,
        out=str(out),
        keeps_weights=suite.keep != "none" and not cell.is_base,
        vectors=str(store.path / VECTORS),
        turned_off=list(suite.measure.turned_off),
        times_tail="latency_p95_s" in (suite.decide.get("require") or {}),
    )


def _follow(submission: Submission, display: Display) -> None:
    """Show what a job reports until it has ended; raises the CellError it ended with."""
    try:
        for event in submission.events():
            display.progress(event.phase, event.done, event.total)
    finally:
        submission.cancel()


def _failed(cell: Cell, error: AdaptbenchError) -> Record:
    return Record(
        key=cell.key,
        model=cell.model.name,
        task=cell.task.name,
        method=cell.label,
        seed=cell.seed,
        suite_method=cell.suite_method,
        train_size=cell.train_size,
        parts=parts_of(cell.method),
        status="failed",
        created=datetime.now(UTC).isoformat(timespec="seconds"),
        failure=Failure(error.kind, str(error)),
        kind=cell.task.kind,
        items=len(cell.task.test),
        identity=cell.identity,
    )
