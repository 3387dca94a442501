"""Where a model computes, in which precision and by which library.

Imports torch alone: a run asks before it measures anything.
"""

from __future__ import annotations

from functools import cache
from pathlib import Path

import torch

from bench.core.errors import UsageError


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


@cache
def onednn_pays() -> bool:
    """Whether products in fp32 are quicker by oneDNN: AVX-512, and a maker for whose processors MKL does not use it."""
    here = hasattr(torch.ops.mkldnn, "_linear_pointwise") and torch.backends.mkldnn.is_available()
    return here and torch.backends.cpu.get_cpu_capability() == "AVX512" and cpu("vendor_id") not in ("", "GenuineIntel")


def cpu(what: str) -> str:
    """A field of the processor as Linux names it ("model name", "vendor_id"); empty elsewhere."""
    try:
        lines = Path("/proc/cpuinfo").read_text(encoding="utf-8").splitlines()
    except OSError:
        return ""
    return next((line.split(":", 1)[1].strip() for line in lines if line.startswith(what)), "")
