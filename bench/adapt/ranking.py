"""Which rule ranks the choices of a task that names several: one choice for all methods, made with the base model."""

from __future__ import annotations

from dataclasses import replace

import methods
from bench.adapt.session import AdaptSession
from bench.core.errors import CellError
from bench.engine.predictor import question
from bench.metrics import NAMES
from bench.metrics.scoring import score
from tasks.loader.splits import TRIAL_ITEMS, sample


def with_one_rule(session: AdaptSession) -> AdaptSession:
    """The session with the rule that scores best on validation items, asked of the base model without context.

    It depends on model and task alone, so that every method and seed gets the same; ties go to the rule named first.

    Raises:
        CellError: there is no validation split, or no item of it fits into the model's context.
    """
    task = session.task
    if not task.rules:
        return session
    examples = sample(session.material.validation, TRIAL_ITEMS, 0)
    if not examples:
        raise CellError("several rules of normalise need a validation split to choose on; name one")
    items = [question(example) for example in examples]
    predictor = session.predictor(
        session.untouched(), session.writer(methods.create("zero-shot", {}).context.build(session.material))
    )
    prompts = predictor.writer.write(items)
    asked = [(item, prompt) for item, prompt in zip(items, prompts, strict=True) if prompt.failure is None]
    if not asked:
        raise CellError("several rules of normalise need a validation item that fits into the context; name one")
    kept = {item.id for item, _ in asked}
    scores = predictor.backend.score([prompt for _, prompt in asked], lambda done: None)
    criterion, values = task.metrics[0], []
    for rule in task.rules:
        ranked = replace(predictor, task=replace(task, normalise=rule))
        predictions = ranked.choose([item for item, _ in asked], [prompt for _, prompt in asked], scores)
        judged = replace(task, test=tuple(example for example in examples if example.id in kept))
        values.append(score(judged, predictions).scores[criterion].value)
    sign = 1 if NAMES[criterion].higher_is_better else -1
    best = max(range(len(values)), key=lambda i: sign * values[i])
    return replace(session, task=replace(task, normalise=task.rules[best], rules=()))
