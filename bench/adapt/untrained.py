"""What a weights part makes of a model before anything is trained: nothing, where it says so."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import torch

from bench.core.errors import CellError
from methods.read_by_text import short_logits

_ROUNDING = 1e-4  # of the largest logit: sums differ by less where weights lie elsewhere in memory


def require_base(name: str, model: Any) -> None:
    """Refuse a model whose new adapter changes the answers: what it forgets could not be told from where it starts.

    Asked are models of peft, which can be without their adapter, on one short text.

    Raises:
        CellError: the logits differ from those of the base model by more than rounding.
    """
    if not hasattr(model, "disable_adapter"):
        return
    with torch.no_grad(), _evaluated(model):
        untrained = short_logits(model)
        with model.disable_adapter():
            base = short_logits(model)
    most, rounding = float((untrained - base).abs().max()), max(_ROUNDING, 4 * torch.finfo(base.dtype).eps)
    if most > rounding * float(base.abs().max()):
        raise CellError(f"{name} is not the base model before it is trained: logits differ by up to {most:.2g}")


@contextmanager
def _evaluated(model: Any) -> Iterator[None]:
    """The model without dropout, while it lasts."""
    modes = [(module, module.training) for module in model.modules()]
    try:
        model.eval()
        yield
    finally:
        for module, training in modes:
            module.training = training
