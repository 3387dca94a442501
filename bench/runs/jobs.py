"""A cell as its process is told of it, and the record of one that failed."""

from __future__ import annotations

from dataclasses import asdict
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from bench.cell.job import Job
from bench.config.suite import Suite
from bench.core.errors import AdaptbenchError
from bench.core.method import parts_of
from bench.core.record import Failure, Record
from bench.model.resolve import ResolvedModel
from bench.runs.cells import Cell
from bench.store.run_folder import ANSWERS, TAUGHT, VECTORS, Store


def job_of(
    suite: Suite, cell: Cell, store: Store, out: Path, chosen: dict[str, Any] | None, cells_at_once: int = 1
) -> Job:
    """What the process of a cell is told; `chosen`: of its open options, None where it chooses them itself."""
    weights, context = cell.method.weights, cell.method.context
    return Job(
        key=cell.key,
        identity=cell.identity,
        model=_told(cell.model),
        teacher=_told(cell.teacher.model) if cell.teacher else None,
        reflector=_told(cell.reflector) if cell.reflector else None,
        unlabelled=str(cell.teacher.file) if cell.teacher and cell.teacher.file else None,
        taught=str(store.path / TAUGHT),
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
        device=suite.engine.device.partition(":")[0],  # the worker sees its own alone
        batch_tokens=suite.engine.batch_tokens,
        train_tokens=suite.engine.train_tokens,
        batch_size=suite.engine.batch_size,
        micro_batch=suite.engine.micro_batch,
        ranks=suite.engine.ranks,
        out=str(out),
        keeps_weights=suite.keep != "none" and not cell.is_base,
        vectors=str(store.path / VECTORS),
        answers=str(store.path / ANSWERS),
        unfinished=str(store.unfinished(cell.ref)),
        turned_off=list(suite.measure.turned_off),
        cells_at_once=cells_at_once,
        times_tail="latency_p95_s" in (suite.decide.get("require") or {}),
    )


def _told(model: ResolvedModel) -> dict[str, Any]:
    return {**asdict(model), "folder": str(model.folder)}


def failed(cell: Cell, error: AdaptbenchError) -> Record:
    """The record of a cell that ended with an error."""
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
