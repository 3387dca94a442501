"""One batch of a cell's real work as torch counts it, beside what `bench.meters.flops` works out for the same batch."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from bench.core.record import Prediction
from bench.engine.predictor import ModelPredictor
from bench.engine.prompts import Encoded
from bench.engine.transformers_engine import Engine
from bench.meters import flops
from bench.training.batches import BatchWork, Pair, Pairs, collate
from bench.training.loss import on, packed, summed_loss

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
    with packed(model) as packs:
        batch = on(model.device, collate(Pairs(chosen).rows, pad, packs))
        with flops.counted() as found:
            summed_loss(model, batch).backward()
    model.zero_grad(set_to_none=True)
    return {"worked_out": flops.training(shape, BatchWork.of(batch["layout"]), recomputed), "counted": found[0]}


def of_answers(predictor: ModelPredictor, prompts: Sequence[Encoded], predictions: Sequence[Prediction]) -> int | None:
    """What all answers of a cell multiplied, worked out; None for a model without a shape."""
    shape = flops.shape_of(predictor.engine.model)
    if shape is None:
        return None
    asked = [(prompt, answer) for prompt, answer in zip(prompts, predictions, strict=True) if prompt.failure is None]
    fitting, shared = [prompt for prompt, _ in asked], predictor.engine.shares
    if predictor.task.kind == "text":
        return flops.writing(shape, fitting, [answer.output_tokens for _, answer in asked], shared)
    return flops.scoring(shape, fitting, shared)


def of_prediction(predictor: ModelPredictor, prompts: Sequence[Encoded]) -> dict[str, int] | None:
    """The same of answering a question; choices of unequal length are padded, which is counted and not worked out."""
    shape = flops.shape_of(predictor.engine.model)
    fitting = [prompt for prompt in prompts if prompt.failure is None]
    if shape is None or not fitting:
        return None
    alike = sorted((p for p in fitting if p.prefix == fitting[0].prefix), key=lambda p: len(p.query))
    chosen = alike[len(alike) // 2 :][:1]  # of several, those that end first would be padded, and padding counted
    used = predictor.engine
    engine = Engine(used.model, used.pad, used.stops, used.batch_tokens)
    shared = engine.shares
    prefix, queries = chosen[0].prefix, [prompt.query for prompt in chosen]
    with flops.counted() as found:
        if predictor.task.kind == "text":
            texts = engine.generate(prefix, queries, lambda ids: None, min(_TOKENS, predictor.task.max_new_tokens))
        else:
            engine.score(prefix, queries, [prompt.choices for prompt in chosen])
    if predictor.task.kind == "text":
        worked_out = flops.writing(shape, chosen, [len(text) for text in texts], shared)
    else:
        worked_out = flops.scoring(shape, chosen, shared)
    return {"worked_out": worked_out, "counted": found[0]}
