"""Weights part of every prompting method: the base model, untouched."""

from __future__ import annotations

from typing import Any

from methods import parts


class Frozen:
    """Leaves the weights as they are."""

    name = "frozen"
    trains = False
    full_precision = False
    merges = False
    Options = parts.Options

    def __init__(self, options: parts.Options) -> None:
        self.options = options

    def start(self, model: Any, seed: int) -> Any:
        return model

    def finish(self, model: Any) -> Any:
        return model


PART = Frozen
