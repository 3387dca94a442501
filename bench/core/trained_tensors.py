"""What a training changes of a model: what is kept of it, and given back."""

from __future__ import annotations

from typing import Any

_STATISTICS = ("running_mean", "running_var")


def trained_tensors(model: Any) -> dict[str, Any]:
    """By name: parameters that are trained, and the running statistics of norms whose parameters are."""
    found = {name: parameter for name, parameter in model.named_parameters() if parameter.requires_grad}
    for path, module in model.named_modules():
        if any(parameter.requires_grad for parameter in module.parameters(recurse=False)):
            for name, tensor in module.named_buffers(recurse=False):
                if name in _STATISTICS:
                    found[f"{path}.{name}" if path else name] = tensor
    return found
