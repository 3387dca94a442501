"""Weights part `scratch`: the same architecture from a random start; shows what pretraining was worth."""

from __future__ import annotations

from typing import Any

from bench.core.model_kind import reads_pictures
from methods.full import Full, FullOptions


class Scratch(Full):
    """The same architecture from a random start; shows what pretraining was worth."""

    name = "scratch"
    starts_as_base = False
    Options = FullOptions

    def start(self, model: Any, seed: int) -> Any:
        import torch

        torch.manual_seed(seed)
        if reads_pictures(model):
            return model.redrawn().requires_grad_(True)
        fresh = type(model)(model.config).to(device=model.device, dtype=model.dtype)
        return fresh.requires_grad_(True)


PART = Scratch
