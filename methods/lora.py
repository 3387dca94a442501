"""Weights part `lora`: low-rank adapters on every linear layer and every expert (Hu et al. 2021), through peft.

Of a model of pictures also on convolutions that mix channels.

All linear layers rather than attention alone, alpha = 2r, rank-stabilised scaling off: the setting in
which LoRA matches full fine-tuning on small supervised sets (Schulman et al. 2025; Biderman et al.
2024). Its best learning rate is about ten times that of full fine-tuning, so its grid is too.

Adapters leave the output matrix alone. Where the base model never learnt its EOS token, they cannot make it end an
answer, so the one row of that token is trained too. The head of a classifier is new, and trained whole.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from pydantic import Field

from bench.core.model_kind import ModelKind
from methods.matrices import Matrices
from methods.peft_part import MatrixOptions, MatrixPart


class LoraOptions(MatrixOptions):
    learning_rate: tuple[float, ...] = Field((2e-4, 1e-3, 5e-3), min_length=1)
    rank: int = Field(16, gt=0, description="of the two factors of each matrix")
    alpha: int | None = Field(None, gt=0, description="null: 2 x rank")
    dropout: float = Field(0.0, ge=0, lt=1, description="share of the adapter's inputs that a training step drops")
    rank_stabilised: bool = Field(False, description="scale by alpha / sqrt(rank) (Kalajdzievski 2023)")
    train_end_token: bool = Field(
        True, description="also train the output row of the EOS token; not of an encoder-decoder model, which knows it"
    )


class Lora(MatrixPart):
    """Low-rank adapters on every linear layer, merged into the weights for prediction."""

    name = "lora"
    kinds = MatrixPart.kinds | frozenset[ModelKind]({"image"})
    takes_conv1d = True
    Options = LoraOptions
    options: LoraOptions

    def config(self, model: Any, matrices: Matrices, seed: int) -> Any:
        from peft import LoraConfig

        ends = self.options.train_end_token and not matrices.head
        return LoraConfig(
            **matrices.config(),
            target_parameters=self.experts(matrices) or None,
            r=self.options.rank,
            lora_alpha=self.options.alpha or 2 * self.options.rank,
            lora_dropout=self.options.dropout,
            use_rslora=self.options.rank_stabilised,
            trainable_token_indices=_end_rows(model) if ends else None,
        )

    def experts(self, matrices: Matrices) -> list[str]:
        return [] if self.options.dropout else matrices.experts  # peft has no dropout before a parameter

    @contextmanager
    def scaled(self, model: Any, factor: float) -> Iterator[None]:
        """While it lasts, every adapter adds `factor` of its update; the EOS token's row stays as trained."""
        from peft.tuners.lora import LoraLayer

        layers = [module for module in model.modules() if isinstance(module, LoraLayer)]
        for layer in layers:
            layer.scale_layer(factor)
        try:
            yield
        finally:
            for layer in layers:
                layer.unscale_layer()  # to alpha and rank: no division by a factor of 0


def _end_rows(model: Any) -> list[int] | dict[str, list[int]] | None:
    """The EOS tokens' rows as peft wants them: of the embeddings where the output shares them, else of the output."""
    if model.config.is_encoder_decoder:  # a decoder has learnt to end what it writes
        return None
    config = model.config if hasattr(model.config, "eos_token_id") else model.config.get_text_config()
    ids = config.eos_token_id
    rows = [ids] if isinstance(ids, int) else list(ids or ())
    output, embeddings = model.get_output_embeddings(), model.get_input_embeddings()
    if not rows or output is None:
        return None
    if output.weight is embeddings.weight:
        return rows
    name = next(name for name, module in model.named_modules() if module is output)
    return {name.rsplit(".", 1)[-1]: rows}


PART = Lora
