"""A run as records of Every Eval Ever, one file for each cell and one of its items, at the paths of its data store.

Schema version 0.3.0 of github.com/evaleval/every_eval_ever, every_eval_ever/schemas/eval.schema.json.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from bench.bridges.cells import CellResult, file_name, measured
from bench.bridges.every_eval_ever_samples import samples
from bench.core.errors import UsageError
from bench.core.record import Run, Score
from bench.metrics import NAMES
from bench.metrics.formats import clean, title

SCHEMA = "0.3.0"
_UNITS = {1.0: "proportion", 100.0: "points"}


def write(runs: Sequence[Run], folder: Path) -> list[Path]:
    """Write `data/<suite>/<developer>/<model>/<uuid>.json` below `folder` for each measured cell; the files written.

    Beside it stands `<uuid>_samples.jsonl` with its items, where their texts and answers are at hand.

    Raises:
        UsageError: the folder cannot be written.
    """
    files = []
    try:
        for run in runs:
            for cell in measured(run):
                files += _written(cell, folder)
    except OSError as error:
        raise UsageError(f"cannot write to {folder}: {error.strerror or error}") from None
    return files


def _written(cell: CellResult, folder: Path) -> list[Path]:
    developer, _, model = clean(cell.record.model).rpartition("/")
    place = Path("data", file_name(cell.run.suite), file_name(developer or "unknown"), file_name(model))
    (folder / place).mkdir(parents=True, exist_ok=True)
    content, files = entry(cell), [folder / place / f"{cell.id}.json"]
    if lines := samples(cell, content):
        text = "".join(json.dumps(line, ensure_ascii=False) + "\n" for line in lines).encode()
        files.append(folder / place / f"{cell.id}_samples.jsonl")
        files[1].write_bytes(text)
        content["detailed_evaluation_results"] = {
            "format": "jsonl",
            "file_path": (place / files[1].name).as_posix(),
            "hash_algorithm": "sha256",
            "checksum": hashlib.sha256(text).hexdigest(),
            "total_rows": len(lines),
        }
    files[0].write_text(json.dumps(content, indent=1, ensure_ascii=False) + "\n", encoding="utf-8")
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
