"""Weights part `rslora`: LoRA at rank 64 with rank-stabilised scaling (Kalajdzievski 2023, arXiv:2312.03732).

An update is scaled by alpha / sqrt(rank), so that a higher rank does not learn more slowly. With alpha = 16, as there,
rank 64 has the scale 2 that `lora` has at rank 16, and so its rates.
"""

from __future__ import annotations

from typing import Literal

from pydantic import Field

from methods.lora import Lora, LoraOptions


class RsLoraOptions(LoraOptions):
    rank: int = Field(64, gt=0, description="of the two factors of each matrix")
    alpha: int | None = Field(16, gt=0, description="null: 2 x rank")
    rank_stabilised: Literal[True] = Field(True, description="scale by alpha / sqrt(rank), always")


class RsLora(Lora):
    """Low-rank adapters of rank 64, scaled for it, on every linear layer, merged into the weights for prediction."""

    name = "rslora"
    Options = RsLoraOptions


PART = RsLora
