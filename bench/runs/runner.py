"""Runs the cells of a suite, each in its own process, and leaves a record of every one of them."""

from __future__ import annotations

import os
import shutil
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Protocol

from bench.config.suite import Suite
from bench.core.errors import AdaptbenchError, CellError, CrashedError
from bench.core.record import Failure, Record
from bench.runs import cell_process
from bench.runs.cells import Cell
from bench.store.run_folder import LOG, VECTORS, Store, write_json, write_record

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


def run(suite: Suite, cells: Sequence[Cell], store: Store, display: Display) -> RunOutcome:
    """Measure every cell that has no record yet; a failed one is tried again unless the suite keeps failures."""
    ok = failed = cached = 0
    records: dict[str, Record] = {}
    for cell in cells:
        record = store.record(cell.ref)
        known = record is not None and (record.status == "ok" or suite.failed == "keep")
        if record is None or not known:
            display.start(cell)
            record = _measure(suite, cell, store, display, records.get(cell.chooser or ""))
        records[cell.key] = record
        display.finish(cell, record, known)
        cached += known
        ok += record.status == "ok"
        failed += record.status != "ok"
    if not failed or suite.failed == "keep":  # nothing is left to be measured
        shutil.rmtree(store.path / VECTORS, ignore_errors=True)
    return RunOutcome(ok, failed, cached)


def _measure(suite: Suite, cell: Cell, store: Store, display: Display, chooser: Record | None) -> Record:
    """The cell's record, published; a failure of any kind becomes a record with its reason.

    `chooser` is the record of the cell whose choice of options this one takes over.
    """
    staging = store.staging(cell.ref)
    try:
        chosen = _chosen(chooser) if cell.chooser else None
        write_json(staging / _JOB, _job(suite, cell, store, staging, chosen))
        _attend(staging, suite, display)
    except CellError as error:
        write_record(staging, _failed(cell, error))
    (staging / _JOB).unlink(missing_ok=True)
    store.publish(staging, cell.ref)
    record = store.record(cell.ref)
    assert record is not None
    return record


def _chosen(chooser: Record | None) -> dict[str, Any]:
    if chooser is None or chooser.status != "ok":
        seed = "the first seed" if chooser is None else f"seed {chooser.seed}"
        raise CellError(f"its options are chosen on {seed}, and that cell failed")
    return dict(chooser.tuning["chosen"])


def _job(suite: Suite, cell: Cell, store: Store, out: Path, chosen: dict[str, Any] | None) -> dict[str, Any]:
    weights, context = cell.method.weights, cell.method.context
    return {
        "key": cell.key,
        "identity": dict(cell.identity),
        "model": {**asdict(cell.model), "folder": str(cell.model.folder)},
        "task": cell.task_path,
        "limit": cell.limit,
        "train_size": cell.train_size,
        "probes": list(cell.probes),
        "probe_limit": suite.probe_limit,
        "adapter_scales": suite.adapter_scales if cell.probes and not cell.is_base else [],
        "counterfactuals": 0 if cell.is_base else suite.counterfactuals,
        "checkpoints": suite.checkpoints if cell.probes and not cell.is_base else 0,
        "method": cell.method.name,
        "options": {**weights.options.model_dump(mode="json"), **context.options.model_dump(mode="json")},
        "trials": suite.trials,
        "chosen": chosen,
        "label": cell.label,
        "seed": cell.seed,
        "embedder": suite.embedder,
        "device": suite.engine.device.partition(":")[0],  # the worker sees one device only
        "batch_tokens": suite.engine.batch_tokens,
        "train_tokens": suite.engine.train_tokens,
        "batch_size": suite.engine.batch_size,
        "out": str(out),
        "vectors": str(store.path / VECTORS),
    }


def _attend(staging: Path, suite: Suite, display: Display) -> None:
    """Start the cell's process and follow it to its end.

    Raises:
        CellError: the kind that the process reported, or a time-out, or a crash.
    """
    variables = {
        "CUDA_VISIBLE_DEVICES": visible_device(suite.engine.device, os.environ.get("CUDA_VISIBLE_DEVICES")),
    }
    with cell_process.start(staging / _JOB, staging / LOG, variables, suite.engine.threads) as cell:
        for message in cell.messages(suite.cell_timeout_s):
            if "progress" in message:
                display.progress(*message["progress"])
            elif "failure" in message:
                raise _typed(message["failure"])
            elif "done" in message:
                cell.code()
                return
        raise CrashedError(_how_it_ended(cell.code(), staging / LOG))


def visible_device(asked: str, visible: str | None) -> str:
    """The one device a worker may see, as CUDA_VISIBLE_DEVICES says it: a cell is measured on one device.

    `asked` is the suite's device, `visible` what the variable is now (None: every device).
    """
    if asked == "cpu":
        return ""
    index = int(asked.partition(":")[2] or 0)
    if visible is None:
        return str(index)
    listed = visible.split(",")
    return listed[index] if index < len(listed) else ""


def _typed(failure: Mapping[str, str]) -> CellError:
    """A CellError of the kind a worker named."""
    kinds = {cls.kind: cls for cls in CellError.__subclasses__()}
    return kinds.get(failure["kind"], CellError)(failure["message"])


def _how_it_ended(code: int, log: Path) -> str:
    if code == -9:
        return "the cell's process was killed (signal 9), most often because the machine ran out of memory"
    if code < 0:
        return f"the cell's process died of signal {-code}"
    lines = log.read_text(encoding="utf-8", errors="replace").strip().splitlines() if log.exists() else []
    return f"the cell's process ended with code {code}: {lines[-1] if lines else 'it printed nothing'}"


def _failed(cell: Cell, error: AdaptbenchError) -> Record:
    return Record(
        key=cell.key,
        model=cell.model.name,
        task=cell.task.name,
        method=cell.label,
        seed=cell.seed,
        status="failed",
        created=datetime.now(UTC).isoformat(timespec="seconds"),
        failure=Failure(error.kind, str(error)),
        kind=cell.task.kind,
        items=len(cell.task.test),
        identity=cell.identity,
    )
