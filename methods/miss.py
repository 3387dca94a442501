"""Weights part `miss`: one small matrix is added to every shard of a weight matrix (Kang and Yin 2024, MiSS).

arXiv:2409.15371. A matrix is cut into shards of `rank` columns, and all of them share the update. Rates are LoRA's, as
in peft's comparison of methods. Layers with transposed weights and experts have no form of it.
"""

from __future__ import annotations

from typing import Any

from pydantic import Field

from methods.matrices import Matrices
from methods.peft_part import MatrixOptions, MatrixPart


class MissOptions(MatrixOptions):
    learning_rate: tuple[float, ...] = Field((2e-4, 1e-3, 5e-3), min_length=1)
    rank: int = Field(32, gt=0, description="columns of a shard; as many numbers as LoRA of half the rank has")
    dropout: float = Field(0.0, ge=0, lt=1, description="share of the adapter's inputs that a training step drops")


class Miss(MatrixPart):
    """One update for all shards of the matrix of every linear layer, merged into the weights for prediction."""

    name = "miss"
    plain_work = False
    Options = MissOptions
    options: MissOptions

    def misfit(self, layer: Any) -> str:
        inputs = layer.weight.shape[1]
        too_few = f"rank {self.options.rank} is more than its {inputs} inputs" if self.options.rank > inputs else ""
        return super().misfit(layer) or too_few

    def config(self, model: Any, matrices: Matrices, seed: int) -> Any:
        from peft import MissConfig

        return MissConfig(**matrices.config(), r=self.options.rank, miss_dropout=self.options.dropout)


PART = Miss
