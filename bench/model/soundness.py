"""Whether the weights in memory are those that the checkpoint's configuration asks for, and are numbers.

transformers fills what a checkpoint lacks with random numbers, leaves out what it has no place for, and warns of both.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Mapping
from typing import Any

import torch

from bench.core.errors import CellError

_MASK = re.compile(r"attn\.(masked_)?bias$|attention\.(masked_)?bias$")  # causal masks that old checkpoints hold
_REMEDY = "the weights and config.json are not of one checkpoint"


def require_whole(model: Any, report: Mapping[str, Any], name: str) -> None:
    """Refuse a model of which weights were missing, left over or of another shape, by transformers' loading report.

    What is left over is refused where it belongs to a part that the model has, such as one layer more or a bias. Parts
    of their own (a vision tower, a value head) may stay unused.

    Raises:
        CellError: with the first such weight.
    """
    if mismatched := sorted(report["mismatched_keys"]):
        weight, stored, wanted = mismatched[0][:3]
        shapes = f"{list(stored)} in the file and {list(wanted)} by config.json"
        raise CellError(f"model {name}: {weight} is {shapes}{_more(mismatched)}; {_REMEDY}")
    if missing := sorted(report["missing_keys"]):
        raise CellError(f"model {name} lacks {missing[0]}{_more(missing)}; {_REMEDY}")
    paths = {path for path, _ in model.named_modules()}
    paths |= {path.removeprefix(f"{model.base_model_prefix}.") for path in paths}  # checkpoints of the bare model
    if surplus := sorted(weight for weight in report["unexpected_keys"] if _belongs(weight, paths)):
        raise CellError(f"model {name} has no use for {surplus[0]}{_more(surplus)}; {_REMEDY}")


def require_finite(model: Any, name: str) -> None:
    """Refuse weights that are not finite, in one pass over each.

    Raises:
        CellError: with the first such weight.
    """
    for weight, values in model.named_parameters():
        if values.numel() and not torch.isfinite(torch.stack(torch.aminmax(values.detach()))).all():
            dtype = str(values.dtype).removeprefix("torch.")
            raise CellError(
                f"model {name}: {weight} holds NaN or infinity in {dtype}; the checkpoint is damaged, or made for "
                "another dtype"
            )


def _belongs(weight: str, modules: Collection[str]) -> bool:
    """Whether a weight without a place stands in a module that the model has, or in one layer more than it has."""
    if _MASK.search(weight):
        return False
    module = weight.rpartition(".")[0]
    stack = re.split(r"\.\d+(?:\.|$)", module)[0]
    return module in modules or (stack != module and stack in modules)


def _more(weights: list[Any]) -> str:
    return f" and {len(weights) - 1} more" if len(weights) > 1 else ""
