"""How fast a model reads, timed here before any of its cells is measured."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from bench.core.item import Example
from bench.core.model_kind import is_classifier
from bench.core.task import Task
from bench.runs.cells import Cell

_CLASSICAL_S = 2e-6  # for a token, where words are counted


def timed_rate(cell: Cell, asked: str, tokens_of: Callable[[Task, Example], float]) -> float:
    """Seconds for each token of a forward pass of the cell's model, timed on prompts of its task.

    `tokens_of`: what the plan counts an item as.
    """
    if cell.model.kind == "classical":
        return _CLASSICAL_S
    import torch

    from bench.model.devices import now, pick_device
    from bench.model.load import load_base

    device, first = pick_device(asked), cell.task.test[0]
    base = load_base(cell.model, device)
    model = base.load(False)
    if cell.model.kind == "image":
        return _of_pictures(model, device) / max(1.0, tokens_of(cell.task, first))
    texts = [cell.task.prompt.ask(example) for example in cell.task.test[:16]]
    if cell.model.kind == "decision":
        model.likelihoods(texts[0], cell.task.prompt.instruction, first.choices)  # pays for set-up
        start = now(device)
        model.likelihoods(texts[0], cell.task.prompt.instruction, first.choices)
        return (now(device) - start) / max(1.0, tokens_of(cell.task, first))
    rows = [list(base.codec.encode(text))[: base.context_length] or [base.codec.pad] for text in texts]
    width = max(map(len, rows))
    ids = torch.tensor([[base.codec.pad] * (width - len(row)) + row for row in rows], device=device)
    given = _beside(model, ids)
    with torch.inference_mode():
        model(ids, **given)  # the first pass also pays for set-up
        start = now(device)
        model(ids, **given)
    return (now(device) - start) / ids.numel()


def _of_pictures(model: Any, device: Any) -> float:
    """Seconds of a picture of noise."""
    import torch

    from bench.model.devices import now

    with torch.inference_mode():
        model.trial_logits()
        start = now(device)
        rows = len(model.trial_logits())
    return (now(device) - start) / rows


def _beside(model: Any, ids: Any) -> dict[str, Any]:
    """What a model needs beside the ids of a text, or what spares it work that answering does not need."""
    if is_classifier(model):
        return {"attention_mask": ids.new_ones(ids.shape)}
    if model.config.is_encoder_decoder:
        return {"decoder_input_ids": ids[:, :1]}
    return {"logits_to_keep": 1}
