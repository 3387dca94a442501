"""Where a model computes, and in which precision. Imports torch alone: a run asks before it measures anything."""

from __future__ import annotations

import torch

from bench.errors import UsageError


def pick_device(asked: str) -> torch.device:
    """CUDA where there is one, else the CPU, unless `asked` names one."""
    if asked != "auto":
        if asked.startswith("cuda") and not torch.cuda.is_available():
            raise UsageError(f'device "{asked}" is not there; use "cpu" or "auto"')
        return torch.device(asked)
    return torch.device("cuda" if torch.cuda.is_available() else "cpu")


def pick_dtype(asked: str, device: torch.device) -> torch.dtype:
    """bfloat16 on a GPU that has it, else float32, unless the suite says which."""
    if asked != "auto":
        found = getattr(torch, asked)
        assert isinstance(found, torch.dtype)
        return found
    return torch.bfloat16 if device.type == "cuda" and torch.cuda.is_bf16_supported() else torch.float32
