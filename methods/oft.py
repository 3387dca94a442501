"""Weights part `oft`: the inputs of every linear layer are rotated, in blocks (Qiu et al. 2023, arXiv:2306.07280).

A rotation keeps the angles between the rows of a matrix, and so what they had learnt of each other. It is worked out on
the inputs, by a truncated Neumann series (OFTv2, Qiu et al. 2025, arXiv:2506.19847). Rates are LoRA's, as in peft's
comparison of methods. Layers with transposed weights and experts have no form of it.
"""

from __future__ import annotations

from typing import Any

from pydantic import Field

from methods.matrices import Matrices
from methods.peft_part import MatrixOptions, MatrixPart


class OftOptions(MatrixOptions):
    learning_rate: tuple[float, ...] = Field((2e-4, 1e-3, 5e-3), min_length=1)
    block: int = Field(32, gt=1, description="inputs that are rotated together; the nearest divisor of their number")


class Oft(MatrixPart):
    """Rotations of blocks of every linear layer's inputs, merged into the weights for prediction."""

    name = "oft"
    plain_work = False
    Options = OftOptions
    options: OftOptions

    def config(self, model: Any, matrices: Matrices, seed: int) -> Any:
        from peft import OFTConfig

        return OFTConfig(**matrices.config(), oft_block_size=self.options.block)

    def start(self, model: Any, seed: int) -> Any:
        from peft.tuners.oft.layer import OFTRotationModule

        class Rotation(OFTRotationModule):
            """peft's, which takes what has four dimensions for a picture; here that is heads of attention."""

            def forward(self, x: Any) -> Any:
                rows = x.flatten(0, 1) if x.ndim == 4 else x
                return super().forward(rows).view(x.shape)  # type: ignore[no-untyped-call]

        started = super().start(model, seed)
        for module in started.modules():
            if type(module) is OFTRotationModule:
                module.__class__ = Rotation
        return started


PART = Oft
