"""A run as records of Every Eval Ever, one file for each cell, at the paths of its data store.

Schema version 0.3.0 of github.com/evaleval/every_eval_ever, every_eval_ever/schemas/eval.schema.json.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from bench.bridges.cells import CellResult, file_name, measured
from bench.core.errors import UsageError
from bench.core.record import Run, Score
from bench.metrics import NAMES
from bench.metrics.formats import clean, title

SCHEMA = "0.3.0"
_UNITS = {1.0: "proportion", 100.0: "points"}


def write(runs: Sequence[Run], folder: Path) -> list[Path]:
    """Write `data/<suite>/<developer>/<model>/<uuid>.json` below `folder` for each measured cell; the files written.

    Raises:
        UsageError: the folder cannot be written.
    """
    files = []
    try:
        for run in runs:
            for cell in measured(run):
                developer, _, model = clean(cell.record.model).rpartition("/")
                place = folder / "data" / file_name(run.suite) / file_name(developer or "unknown") / file_name(model)
                place.mkdir(parents=True, exist_ok=True)
                file = place / f"{cell.id}.json"
                file.write_text(json.dumps(entry(cell), indent=1, ensure_ascii=False) + "\n", encoding="utf-8")
                files.append(file)
    except OSError as error:
        raise UsageError(f"cannot write to {folder}: {error.strerror or error}") from None
    return files


def entry(cell: CellResult) -> dict[str, Any]:
    """The record of a cell."""
    record = cell.record
    when = str(int(cell.made.timestamp()))
    model = clean(record.model)
    return {
        "schema_version": SCHEMA,
        "evaluation_id": f"{clean(cell.run.suite)}/{model}/{record.key[:16]}",
        "evaluation_timestamp": when,
        "retrieved_timestamp": when,
        "source_metadata": {
            "source_name": "adaptbench",
            "source_type": "evaluation_run",
            "source_organization_name": "unknown",
            "evaluator_relationship": "other",
        },
        "eval_library": {"name": "adaptbench", "version": record.environment.adaptbench or "unknown"},
        "model_info": {"name": model, "id": model, "additional_details": _model(cell)},
        "evaluation_results": [_result(cell, name, score) for name, score in record.scores.items()],
    }


def _model(cell: CellResult) -> dict[str, str]:
    """What the model is, and the method by which it was adapted: all values are texts."""
    served = cell.record.served is not None
    return {
        "deployment_type": "externally_managed" if served else "self_deployed",
        "model_availability": "unknown" if served else "open_weights",
        "digest": cell.record.identity.model.digest,
        **{name: str(value) for name, value in cell.settings.items()},
    }


def _result(cell: CellResult, name: str, score: Score) -> dict[str, Any]:
    record = cell.record
    return {
        "evaluation_result_id": f"{cell.id}:{name}",
        "evaluation_name": clean(record.task),
        "source_data": {"dataset_name": clean(record.task), "source_type": "other",
                        "additional_details": {"questions_sha256": record.questions}},
        "metric_config": {"metric_id": name, "metric_name": title(name), **_metric(name)},
        "score_details": {"score": score.value, "details": {"signature": score.signature},
                          "uncertainty": {"num_samples": record.items}},
    }  # fmt: skip


def _metric(name: str) -> dict[str, Any]:
    """Direction and range; of a metric that another distribution brings, what is taken of scores in general."""
    if name not in NAMES:
        return {"lower_is_better": False}
    info = NAMES[name]
    most: float | str = info.scale if info.bounded else "Infinity"
    return {
        "lower_is_better": not info.higher_is_better,
        "score_type": "continuous",
        "min_score": 0.0,
        "max_score": most,
        **({"metric_unit": _UNITS[info.scale]} if info.bounded and info.scale in _UNITS else {}),
    }
