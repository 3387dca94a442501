"""Weights in a precision of fewer bits, as transformers loads a checkpoint in it."""

from __future__ import annotations

from typing import Any


def in_dtype(model: Any, dtype: Any) -> Any:
    """`model` with its weights in `dtype`; what it works out for itself and what it names stay in float32.

    `model.to(dtype)` would also round the frequencies of rotary positions, which are no weights: in bfloat16 position
    200 is then off by up to 0.4 rad. Parameters that an architecture keeps in float32 (the bias that chooses experts)
    stay so as well.
    """
    kept = tuple(getattr(model, "_get_dtype_plan", lambda dtype: {})(dtype))
    for prefix, module in model.named_modules():
        tensors = [*module._parameters.items(), *module._buffers.items()]
        for name, tensor in tensors:
            of_its_own = name in module._non_persistent_buffers_set
            if tensor is not None and tensor.is_floating_point() and not of_its_own and tensor.dtype != dtype:
                path = f".{prefix}.{name}."
                if not any(f".{part}." in path for part in kept):
                    tensor.data = tensor.data.to(dtype)
    return model
