"""Weights part `shira`: a few entries of every matrix are trained, drawn at random (Bhardwaj et al. 2024, SHiRA).

arXiv:2406.13175. As many entries as LoRA of the same rank has numbers, but the update has a high rank. Rates are three
times LoRA's, as in peft's comparison of methods. Layers with transposed weights and experts have no form of it.
"""

from __future__ import annotations

from typing import Any

from pydantic import Field

from methods.matrices import Matrices
from methods.peft_part import MatrixOptions, MatrixPart


class ShiraOptions(MatrixOptions):
    learning_rate: tuple[float, ...] = Field((6e-4, 3e-3, 1.5e-2), min_length=1)
    rank: int = Field(16, gt=0, description="rank x (rows + columns) entries of a matrix are trained")


class Shira(MatrixPart):
    """A few entries of every linear layer, drawn by the seed, merged into the weights for prediction."""

    name = "shira"
    plain_work = False  # gradients are those of whole matrices
    bytes_of_place = 8  # row and column
    Options = ShiraOptions
    options: ShiraOptions

    @property
    def bytes_per_weight(self) -> int:
        return 8  # peft holds a changed copy of the weights for the backward pass

    def misfit(self, layer: Any) -> str:
        rows, columns = layer.weight.shape
        most = rows * columns // (rows + columns)
        too_many = f"rank {self.options.rank} is more than all of its entries, rank {most} at most"
        return super().misfit(layer) or (too_many if self.options.rank > most else "")

    def start(self, model: Any, seed: int) -> Any:
        import torch

        torch.sparse.check_sparse_tensor_invariants.disable()  # as by default, of which torch warns unless it is said
        return super().start(model, seed)

    def config(self, model: Any, matrices: Matrices, seed: int) -> Any:
        from peft import ShiraConfig

        return ShiraConfig(**matrices.config(), r=self.options.rank, random_seed=seed)


PART = Shira
