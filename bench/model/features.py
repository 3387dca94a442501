"""A model whose outputs are features, until a layer of labels is put behind them."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import torch


class FeatureModel(torch.nn.Module):
    """`label_layer` makes logits of the features of `body`: at first these themselves."""

    base_model_prefix = "body"

    def __init__(self, body: Any, config: Any) -> None:
        super().__init__()
        self.body, self.config = body, config
        self.label_layer: torch.nn.Module = torch.nn.Identity()

    @property
    def device(self) -> torch.device:
        return next(self.parameters()).device

    @property
    def dtype(self) -> torch.dtype:
        return next(self.parameters()).dtype

    def get_output_embeddings(self) -> None:
        """There is no output matrix."""

    def use(self, layer: torch.nn.Module) -> None:
        """Put `layer` [width -> outputs] behind the features."""
        self.label_layer = layer.to(device=self.device, dtype=self.dtype)

    def release(self) -> None:
        """Give the features themselves again."""
        self.label_layer = torch.nn.Identity()

    @contextmanager
    def bare(self) -> Iterator[None]:
        """While it lasts, what is put behind the features can be anything; afterwards it is what it was."""
        before = self.label_layer
        self.release()
        try:
            yield
        finally:
            self.label_layer = before
