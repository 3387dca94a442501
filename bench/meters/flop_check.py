"""One batch of a cell's real work as torch counts it, beside what `bench.meters.flops` works out for the same batch."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from bench.core.record import Prediction
from bench.engine.backend import Backend, local
from bench.engine.predictor import ModelPredictor
from bench.engine.prompts import Encoded
from bench.meters import flops
from bench.training.batches import BatchWork, Pair, Pairs, collate
from bench.training.loss import arranged, on, summed_loss

_TOKENS = 8  # generated for a count
_ROWS = 2  # of the batch: attention is done as plain products while torch counts, which takes memory


def of_training(model: Any, pairs: Sequence[Pair], pad: int, rows: int, recomputed: bool) -> dict[str, int] | None:
    """{"worked_out", "counted"} of a forward and backward pass; the gradients are thrown away.

    `rows`: of a batch at most, so that it takes no more memory than training did; `recomputed`: as in `flops.training`.
    """
    shape = flops.shape_of(model)
    if shape is None:
        return None
    chosen = sorted(pairs, key=lambda pair: len(pair[0]) + len(pair[1]))[len(pairs) // 2 :][: min(rows, _ROWS)]
    with arranged(model) as arrangement:
        batch = on(model.device, collate(Pairs(chosen).rows, pad, arrangement))
        with flops.counted() as found:
            summed_loss(model, batch).backward()
    model.zero_grad(set_to_none=True)
    return {"worked_out": flops.training(shape, BatchWork.of(batch["layout"]), recomputed), "counted": found[0]}


def of_answers(predictor: ModelPredictor, prompts: Sequence[Encoded], predictions: Sequence[Prediction]) -> int | None:
    """What all answers of a cell multiplied, worked out; None for a model without a shape."""
    shape = _shape_of(predictor.backend)
    if shape is None:
        return None
    answered = [(prompt, answer) for prompt, answer in zip(prompts, predictions, strict=True) if prompt.failure is None]
    fitting, shared = [prompt for prompt, _ in answered], predictor.backend.abilities.shares_prefixes
    if predictor.task.kind == "text":
        return flops.writing(shape, fitting, [answer.output_tokens for _, answer in answered], shared)
    return flops.scoring(shape, fitting, shared)


def of_prediction(predictor: ModelPredictor, prompts: Sequence[Encoded]) -> dict[str, int] | None:
    """The same of answering an item; choices of unequal length are padded, which is counted and not worked out."""
    shape = _shape_of(predictor.backend)
    fitting = [prompt for prompt in prompts if prompt.failure is None]
    if shape is None or not fitting:
        return None
    alike = sorted((p for p in fitting if p.prefix == fitting[0].prefix), key=lambda p: len(p.query))
    chosen = alike[len(alike) // 2 :][:1]  # of several, those that end first would be padded, and padding counted
    backend = predictor.backend.one_at_a_time()
    shared = backend.abilities.shares_prefixes
    if predictor.task.kind == "text":
        tokens = min(_TOKENS, predictor.task.max_new_tokens)
        with flops.counted() as counted:
            written = backend.generate(chosen, (), tokens, lambda done: None)
        worked_out = flops.writing(shape, chosen, [text.tokens for text in written], shared)
    else:
        with flops.counted() as counted:
            backend.score(chosen, lambda done: None)
        worked_out = flops.scoring(shape, chosen, shared)
    return {"worked_out": worked_out, "counted": counted[0]}


def _shape_of(backend: Backend) -> flops.Shape | None:
    """None also for a model that is not in this process: its work is counted where it is done."""
    return flops.shape_of(local(backend).model) if backend.abilities.local else None
