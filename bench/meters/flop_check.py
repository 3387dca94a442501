"""One batch of a cell's real work as torch counts it, and what `bench.meters.flops` works out for it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import torch

from bench.core.measured import FlopCheck
from bench.core.record import Prediction
from bench.engine.backend import Backend, local
from bench.engine.predictor import ModelPredictor
from bench.engine.prompts import Encoded
from bench.meters import flops
from bench.meters.optional import optional
from bench.training.batches import Pair, Pairs, collate
from bench.training.loss import arranged, on, summed_loss

_TOKENS = 2  # generated for a count: one of them by a step of its own
_ROWS = 2  # of the batch: attention is done as plain products while torch counts, which takes memory


@dataclass(frozen=True, slots=True)
class Checked:
    """How a batch was trained that is counted again: it must take no more memory than it did then."""

    pad: int
    rows: int  # of a batch at most
    bf16: bool
    recomputed: bool  # as in `flops.training`


def of_training(model: Any, pairs: Sequence[Pair], checked: Checked) -> FlopCheck | None:
    """Operations of a forward and backward pass; the gradients are thrown away."""
    return optional("operations of a training batch", lambda: _of_training(model, pairs, checked))


def of_answers(predictor: ModelPredictor, prompts: Sequence[Encoded], predictions: Sequence[Prediction]) -> int | None:
    """What all answers of a cell multiplied, worked out; None for a model without a shape."""
    return optional("operations of the answers", lambda: _of_answers(predictor, prompts, predictions))


def of_prediction(predictor: ModelPredictor, prompts: Sequence[Encoded]) -> FlopCheck | None:
    """The same of answering an item; choices of unequal length are padded, which is counted and not worked out."""
    return optional("operations of an answer", lambda: _of_prediction(predictor, prompts))


def _of_training(model: Any, pairs: Sequence[Pair], checked: Checked) -> FlopCheck | None:
    shape = flops.shape_of(model)
    if shape is None:
        return None
    chosen = sorted(pairs, key=lambda pair: len(pair[0]) + len(pair[1]))[len(pairs) // 2 :][: min(checked.rows, _ROWS)]
    was_training = model.training
    model.train(checked.recomputed)  # activations are recomputed in training alone
    try:
        with arranged(model) as arrangement:
            batch = on(model.device, collate(Pairs(chosen).rows, checked.pad, arrangement))
            with flops.counted() as found:
                with torch.autocast(model.device.type, torch.bfloat16, enabled=checked.bf16):
                    loss = summed_loss(model, batch)
                loss.backward()
    finally:
        model.zero_grad(set_to_none=True)
        model.train(was_training)
    return FlopCheck(flops.training(shape, batch["layout"].work, checked.recomputed), found[0])


def _of_answers(predictor: ModelPredictor, prompts: Sequence[Encoded], predictions: Sequence[Prediction]) -> int | None:
    shape = _shape_of(predictor.backend)
    if shape is None:
        return None
    answered = [(prompt, answer) for prompt, answer in zip(prompts, predictions, strict=True) if prompt.failure is None]
    found = _worked_out(shape, predictor, [p for p, _ in answered], [answer.output_tokens for _, answer in answered])
    priors = predictor.priors.prompts
    return found + (flops.scoring(shape, priors, local(predictor.backend).reading) if priors else 0)


def _of_prediction(predictor: ModelPredictor, prompts: Sequence[Encoded]) -> FlopCheck | None:
    shape = _shape_of(predictor.backend)
    fitting = [prompt for prompt in prompts if prompt.failure is None]
    if shape is None or not fitting:
        return None
    alike = sorted((p for p in fitting if p.prefix == fitting[0].prefix), key=lambda p: len(p.query))
    chosen = alike[len(alike) // 2 :][:1]  # of several, those that end first would be padded, and padding counted
    backend = predictor.backend.one_at_a_time()
    outputs: list[int] = []
    with flops.counted() as counted:
        if predictor.task.kind == "text":
            tokens = min(_TOKENS, predictor.task.max_new_tokens)
            outputs = [text.tokens for text in backend.generate(chosen, (), tokens, lambda done: None)]
        else:
            backend.score(chosen, lambda done: None)
    return FlopCheck(_worked_out(shape, predictor, chosen, outputs), counted[0])


def _worked_out(
    shape: flops.Shape, predictor: ModelPredictor, prompts: Sequence[Encoded], outputs: Sequence[int]
) -> int:
    backend = local(predictor.backend)
    if predictor.task.kind == "text":
        return flops.writing(shape, prompts, outputs, backend.writing)
    return flops.scoring(shape, prompts, backend.reading)


def _shape_of(backend: Backend) -> flops.Shape | None:
    """None also for a model that is not in this process: its work is counted where it is done."""
    return flops.shape_of(local(backend).model) if backend.is_local else None
