"""The precision of a model's weights, as transformers sets it when it loads a checkpoint."""

from __future__ import annotations

from typing import Any


def in_dtype(model: Any, dtype: Any) -> Any:
    """`model` with its weights in `dtype`: parameters and persistent buffers, changed in place.

    Buffers that are not saved, such as the frequencies of rotary positions, stay in float32, and so do parameters that
    the architecture names (the bias that chooses experts). `model.to(dtype)` would round them too: with frequencies in
    bfloat16 the angle at position 200 is off by up to 0.4 rad.
    """
    kept = tuple(getattr(model, "_get_dtype_plan", lambda dtype: {})(dtype))
    for prefix, module in model.named_modules():
        for name, tensor in [*module._parameters.items(), *module._buffers.items()]:
            is_saved = name not in module._non_persistent_buffers_set
            if tensor is not None and tensor.is_floating_point() and is_saved:
                path = f".{prefix}.{name}."
                if not any(f".{part}." in path for part in kept):
                    tensor.data = tensor.data.to(dtype)
    return model
