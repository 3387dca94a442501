"""Probes: the same questions to a model before and after it is adapted, to see what it forgot.

The base model's answers are a cell of their own, measured once for each model. An adapted model is asked in its own
cell, with no context: what is measured is the weights. Where the weights are bit for bit those of the base, as with
every method that only writes prompts, its answers are the base's, and nothing is asked again.
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import methods
import tasks
from bench.core.method import Material
from bench.core.record import Scores
from bench.core.task import Task
from bench.engine.backend import Backend
from bench.engine.predictor import ModelPredictor, question
from bench.engine.prompts import Writer
from bench.metrics.scoring import score
from bench.model.base import Base
from bench.store import run_folder


def ask(
    path: str,
    limit: int | None,
    backend: Backend,
    base: Base,
    out: Path | None,
    progress: Callable[[str, int, int], None],
    untrained: bool = False,
) -> tuple[str, Scores]:
    """(name, scores) of the probe at `path`, asked without context; its per-item answers go to `out`, if given."""
    task = tasks.load(path, limit)
    predictor = ModelPredictor(
        backend, _writer(task, base), task, lambda done, total: progress(f"probe {task.name}", done, total)
    )
    predictions = predictor.predict([question(example) for example in task.test])
    scored = score(task, predictions)
    if out is not None:
        run_folder.write_predictions(out, predictions, scored.of, name=run_folder.probe_file(task.name, untrained))
    return task.name, scored.scores


def _writer(task: Task, base: Base) -> Writer:
    def index(retriever: str, documents: object) -> Any:
        raise AssertionError("a probe is asked without context")

    context = methods.create("zero-shot", {}).context
    material = Material(task.name, task.prompt, (), (), (), 0, index)
    reserve = task.max_new_tokens if task.kind == "text" else 0
    return Writer(base.codec, task.prompt, context.build(material), base.context_length, reserve)
