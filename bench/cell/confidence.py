"""How sure a model is of what it said, and below which confidence it had better say nothing."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import replace

from bench.cell.side_evals import ITEMS
from bench.core.item import Item
from bench.core.record import Prediction
from bench.core.refusal import Judged, Threshold, best_threshold
from bench.core.task import Task
from bench.engine.predictor import ModelPredictor, question
from bench.meters.phases import Meter
from bench.metrics import is_right
from bench.metrics.probabilities import confidence as surest
from bench.metrics.probabilities import probabilities
from bench.metrics.scoring import score
from tasks.loader.splits import sample


def confidence(
    predictor: ModelPredictor, task: Task, items: Sequence[Item], predictions: Sequence[Prediction], meter: Meter
) -> tuple[Sequence[float | None], Threshold | None]:
    """How sure each answer is, and below which confidence it had better be a refusal; nothing without refusals."""
    if task.refusal is None:
        return (), None
    with meter.phase("probe"):
        sure = confidences(predictor, items, predictions)
    with meter.phase("tune"):
        return sure, threshold(predictor, task)


def confidences(
    predictor: ModelPredictor, items: Sequence[Item], predictions: Sequence[Prediction]
) -> list[float | None]:
    """From 0 to 1 for each item: of a choice its probability, of a text the mean probability of its tokens.

    The mean is geometric (Malinin and Gales 2021, arXiv:2002.07650, section 3). None where there is no answer, and
    where likelihoods are not to be had.
    """
    if items and items[0].choices:
        return [_of_choice(prediction) for prediction in predictions]
    if not predictor.backend.is_local or predictor.thinking_tokens:
        return [None] * len(items)
    said = [i for i, prediction in enumerate(predictions) if not prediction.failure and prediction.output.strip()]
    written = predictor.writer.write([Item(items[i].id, items[i].fields, (predictions[i].output,)) for i in said])
    asked = [(i, prompt) for i, prompt in zip(said, written, strict=True) if prompt.failure is None]
    scores = predictor.backend.score([prompt for _, prompt in asked], lambda count: None)
    found: list[float | None] = [None] * len(items)
    for (i, prompt), (likelihood,) in zip(asked, scores, strict=True):
        found[i] = math.exp(likelihood / max(1, len(prompt.choices[0])))
    return found


def threshold(predictor: ModelPredictor, task: Task) -> Threshold | None:
    """The threshold that serves best on the validation split.

    None where no confidence is known of any of its items, or where the primary metric has no value of an item.
    """
    refusal, metric = task.refusal, task.metrics[0]
    examples = sample(task.validation, ITEMS, 0)
    if refusal is None or not examples:
        return None
    items = [question(example) for example in examples]
    predictions = predictor.predict(items)
    sure = confidences(predictor, items, predictions)
    values = score(replace(task, test=examples, metrics=(metric,)), predictions).per_item.get(metric)
    if values is None or all(each is None for each in sure):
        return None
    return best_threshold(
        [
            Judged(
                answerable=not refusal.is_said(example.references[0]),
                refused=refusal.is_said("" if prediction.failure else prediction.output),
                right=is_right(metric, value),
                confidence=of_item,
            )
            for example, prediction, value, of_item in zip(examples, predictions, values, sure, strict=True)
        ]
    )


def _of_choice(prediction: Prediction) -> float | None:
    return surest(probabilities(prediction.scores, 0))[0] if prediction.scores and not prediction.failure else None
