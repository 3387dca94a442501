"""Weights part `ia3`: keys, values and the inner activations of every MLP are scaled (Liu et al. 2022, (IA)3).

arXiv:2205.05638. One number for each of their features: the fewest of all adapters, so rates are high; those there and
in peft's comparison of methods, 3e-3 and 5e-3, lie in the grid. Where one matrix gives queries, keys and values, all
three are scaled. Experts, which are parameters and no layers, have no form of it.
"""

from __future__ import annotations

import re
from typing import Any

from pydantic import Field

from bench.core.errors import NotApplicableError
from methods.matrices import Matrices
from methods.peft_part import MatrixOptions, MatrixPart

_NAMES = r"k|v|key|value|kv|kv_b|qkv|query_key_value|in_proj_qkvz|c_attn"
_KEYS_AND_VALUES = re.compile(rf"W?({_NAMES})([._](proj|lin))?|in_proj", re.IGNORECASE)


class Ia3Options(MatrixOptions):
    learning_rate: tuple[float, ...] = Field((3e-3, 1e-2, 3e-2), min_length=1)


class Ia3(MatrixPart):
    """A scale for each key, value and inner activation of the MLPs, merged into the weights for prediction."""

    name = "ia3"
    takes_conv1d = True
    Options = Ia3Options
    options: Ia3Options

    def config(self, model: Any, matrices: Matrices, seed: int) -> Any:
        from peft import IA3Config

        attention = [name for name in matrices.of("attention") if _KEYS_AND_VALUES.fullmatch(name.rpartition(".")[2])]
        inner = [name for name in matrices.of("mlp") if _narrows(model, name)]
        if not attention and not inner:
            raise NotApplicableError("ia3 finds no keys, values or MLPs in this architecture")
        return IA3Config(**{**matrices.config(), "target_modules": [*attention, *inner]}, feedforward_modules=inner)


def _narrows(model: Any, name: str) -> bool:
    """Whether a layer of an MLP gives what goes on to the next block, so that its inputs are the inner activations."""
    from transformers.pytorch_utils import Conv1D

    layer, width = model.get_submodule(name), model.config.get_text_config().hidden_size
    rows, columns = layer.weight.shape[::-1] if isinstance(layer, Conv1D) else layer.weight.shape
    return bool(rows == width != columns)


PART = Ia3
