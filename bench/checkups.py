"""What a trained model is asked beside the test: items it was trained on, and probes of what it knew before."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from bench.adapt import Base
from bench.drift import divergence
from bench.engine import Engine
from bench.nouns import Score, Task
from bench.predict import ModelPredictor, question
from bench.probes import ask, fingerprint
from bench.prompting import Encoded
from bench.scoring import score
from tasks.splits import sample

Progress = Callable[[str, int, int], None]
ITEMS = 100  # of the training or validation split, at most


def on_training_items(predictor: ModelPredictor, task: Task) -> dict[str, Score]:
    """The scores on items of the training split, no more than the test has: what is above the test's is memorised."""
    asked = sample(task.train, min(len(task.test), ITEMS), 0)
    predictions = predictor.predict([question(example) for example in asked])
    return score(replace(task, test=asked), predictions).scores


def midway(
    probes: Sequence[str], limit: int | None, task: Task, predictor: ModelPredictor, base: Base, progress: Progress
) -> dict[str, Any]:
    """Scores on validation items and probes of a model in the midst of its training; its answers are not kept."""
    asked = sample(task.validation, ITEMS, 0)
    found = predictor.predict([question(example) for example in asked])
    known = dict(ask(path, limit, predictor.engine, base, None, progress) for path in probes)
    own = score(replace(task, test=asked), found).scores if asked else {}
    return {"validation": own, "probes": known}


def after(
    probes: Sequence[str],
    limit: int | None,
    engine: Engine,
    base: Base,
    prompts: Sequence[Encoded],
    out: Path,
    progress: Progress,
) -> tuple[bool, float, dict[str, Mapping[str, Score]]]:
    """Whether the weights are no longer the base's; if so how far they are from it, and what they answer to probes."""
    before = base.load(False)
    if fingerprint(engine.model) == fingerprint(before):
        return False, 0.0, {}
    apart = divergence(engine, Engine(before, engine.pad, engine.stops, engine.batch_tokens), prompts)
    del before
    return True, apart or 0.0, dict(ask(path, limit, engine, base, out, progress) for path in probes)
