"""Where a model computes, and by which library.

Imports torch alone: a run asks before it measures anything.
"""

from __future__ import annotations

import time
from collections.abc import Sequence
from functools import cache
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from bench.core.errors import UsageError

_FULL = 0.8  # of a GPU's free memory: the rest is for activations and caches


def pick_device(asked: str) -> torch.device:
    """CUDA where there is one, else the CPU, unless `asked` names one.

    Raises:
        UsageError: the device that is asked for is not there.
    """
    there = torch.cuda.device_count() if torch.cuda.is_available() else 0
    if asked == "cpu" or (asked == "auto" and not there):
        return torch.device("cpu")
    index = int(asked.partition(":")[2] or 0)
    if index >= there:
        allowed = ", ".join(["auto", "cpu", *(f"cuda:{card}" for card in range(there))])
        raise UsageError(f'device "{asked}" is not there; allowed here: {allowed}')
    return torch.device("cuda", index)


def device_map(device: torch.device, weight_bytes: int) -> dict[str, torch.device] | str | None:
    """Where weights of so many bytes are loaded, as transformers takes it: on the device, or over all that are seen."""
    if device.type == "cpu":
        return None
    if torch.cuda.device_count() <= 1 or weight_bytes < _FULL * torch.cuda.mem_get_info(device)[0]:
        return {"": device}  # straight there, without a copy on the host
    return "balanced"


def tensor_on(device: torch.device, values: Sequence[Any]) -> Tensor:
    """Numbers as a tensor on a device; from pinned memory to a GPU, so that nothing waits for what it is doing."""
    if device.type != "cuda":
        return torch.tensor(values, device=device)
    return torch.tensor(values).pin_memory().to(device, non_blocking=True)


def now(device: torch.device) -> float:
    """Seconds on the clock, once the device has done what it was given."""
    if device.type == "cuda":
        torch.cuda.synchronize(device)
    return time.perf_counter()


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
