"""A model that is read once and used several times: each use has modules of its own, on the same tensors."""

from __future__ import annotations

import copy
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import torch


def on_same_weights(model: Any) -> Any:
    """A copy of a model whose parameters lie in the same memory; all else, buffers among it, is its own.

    What is done to its modules (adapters, hooks, flags, the training mode, tensors that are replaced) does not reach
    `model`. What is written into the tensors of its parameters does.

    Raises:
        RuntimeError, TypeError: it holds something that cannot be copied.
    """
    return copy.deepcopy(model, {id(parameter): _alias(parameter) for parameter in model.parameters()})


def _alias(parameter: torch.nn.Parameter) -> torch.nn.Parameter:
    if type(parameter) is not torch.nn.Parameter:
        raise TypeError(f"a parameter of type {type(parameter).__name__}")
    alias = torch.nn.Parameter(parameter.detach(), parameter.requires_grad)
    alias.__dict__.update(parameter.__dict__)
    return alias


@dataclass
class SharedWeights:
    """The model that was read last, for uses that leave its weights as they are."""

    _key: object = None
    _model: Any = None

    def use(self, key: object, read: Callable[[], Any]) -> Any:
        """A model on the weights that `read` gives, which is not asked again for the same `key` until `release`."""
        if self._model is None or key != self._key:
            self.release()
            self._key, self._model = key, read()
        try:
            return on_same_weights(self._model)
        except (RuntimeError, TypeError):  # a model of other code, that holds a lock or a tensor of its own making
            model = self._model
            self.release()
            return model

    def release(self) -> None:
        """Forget the model: its memory is free as soon as no use holds it."""
        self._key = self._model = None
