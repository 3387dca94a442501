"""Weights part `dora`: LoRA that learns direction and length of every row apart (Liu et al. 2024, arXiv:2402.09353).

A row's length is a number of its own; low-rank adapters turn the rows. Rank, scale and rates are LoRA's. peft has no
form of it for experts, which are parameters and no layers: they stay as they are, and count as left out.
"""

from __future__ import annotations

from typing import Any

from methods.lora import Lora, LoraOptions
from methods.matrices import Matrices
from methods.peft_part import MatrixPart


class Dora(Lora):
    """Low-rank adapters and a length for each row of every linear layer, merged into the weights for prediction."""

    name = "dora"
    plain_work = False  # the length of every row is worked out anew in each step
    Options = LoraOptions
    scaled = MatrixPart.scaled  # a share of the way, lengths included

    def config(self, model: Any, matrices: Matrices, seed: int) -> Any:
        config = super().config(model, matrices, seed)
        config.use_dora = True
        return config

    def experts(self, matrices: Matrices) -> list[str]:
        return []  # peft cannot give a parameter lengths


PART = Dora
