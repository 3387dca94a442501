"""Where a model computes, in which precision, and how much at once.

Imports torch alone: a run asks before it measures anything.
"""

from __future__ import annotations

import torch

from bench.errors import UsageError

# rows × tokens of one batch; on a CPU small enough to stay near the caches (docs/decisions, 16 and 19)
BATCH_TOKENS = {"cpu": 8192, "cuda": 131072}
_TRAIN_TOKENS = {"cpu": 1024, "cuda": 65536}
_NUMBERS = {"cpu": 2**22}  # hidden states of a training micro-batch, all layers together (docs/decisions, 22)


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


def train_tokens(device: torch.device, numbers: int) -> int:
    """Rows × tokens of a training micro-batch, for a model with so many numbers of hidden state for each token."""
    most = _TRAIN_TOKENS[device.type]
    return min(most, _NUMBERS[device.type] // numbers) if device.type in _NUMBERS else most
