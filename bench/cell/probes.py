"""Probes: the same questions to a model before and after it is adapted, to see what it forgot.

The base model's answers are a cell of their own, measured once for each model. An adapted model is asked in its own
cell, with no context: what is measured is the weights. Where the weights are bit for bit those of the base, as with
every method that only writes prompts, its answers are the base's, and nothing is asked again.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any, cast

import methods
import tasks
from bench.adapt.nearest_features import nearest_layer
from bench.core.method import Material
from bench.core.record import Prediction, Scores
from bench.core.task import Task
from bench.engine.backend import Backend, LocalBackend
from bench.engine.encoder_prompts import PictureWriter
from bench.engine.predictor import ModelPredictor, question
from bench.engine.prompts import Writer
from bench.metrics.scoring import score
from bench.model.base import Base, PictureBase
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
    reports = partial(progress, f"probe {task.name}")
    if isinstance(base, PictureBase):
        predictions = _by_features(task, cast(LocalBackend, backend), base, reports)
    else:
        predictor = ModelPredictor(backend, _writer(task, base), task, reports)
        predictions = predictor.predict([question(example) for example in task.test])
    scored = score(task, predictions)
    if out is not None:
        run_folder.write_predictions(out, predictions, scored.of, name=run_folder.probe_file(task.name, untrained))
    return task.name, scored.scores


def _by_features(
    task: Task, backend: LocalBackend, base: PictureBase, reports: Callable[[int, int], None]
) -> list[Prediction]:
    """The labels of the probe's nearest training pictures, by the features that the model has now."""
    plain, context = replace(task, normalise="none"), methods.create("zero-shot", {}).context
    material = Material(task.name, task.prompt, task.train, (), (), 0, _no_index)
    writer = PictureWriter(
        base.codec, task.prompt, context.build(material), base.context_length, 0,
        labels=task.test[0].choices, store=base.store,
    )  # fmt: skip
    model = backend.model
    with model.bare():
        model.use(nearest_layer(backend, writer, task.train))
        return ModelPredictor(backend, writer, plain, reports).predict([question(each) for each in task.test])


def _no_index(retriever: str, documents: object) -> Any:
    raise AssertionError("a probe is asked without context")


def _writer(task: Task, base: Base) -> Writer:
    context = methods.create("zero-shot", {}).context
    material = Material(task.name, task.prompt, (), (), (), 0, _no_index)
    reserve = task.max_new_tokens if task.kind == "text" else 0
    return Writer(base.codec, task.prompt, context.build(material), base.context_length, reserve)
