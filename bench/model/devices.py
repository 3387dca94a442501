"""Where a model computes, in which precision and by which library.

Imports torch alone: a run asks before it measures anything.
"""

from __future__ import annotations

import os
import subprocess
import sys
import time
from collections.abc import Sequence
from functools import cache
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from bench.core.errors import UsageError
from bench.model.visible import VARIABLE, visible_device


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


def pick_dtype(asked: str, device: torch.device) -> torch.dtype:
    """bfloat16 on a GPU that multiplies it, else float32, unless the suite says which."""
    if asked != "auto":
        found = getattr(torch, asked)
        assert isinstance(found, torch.dtype)
        return found
    return torch.bfloat16 if multiplies_bf16(device) else torch.float32


def multiplies_bf16(device: torch.device) -> bool:
    """Whether a GPU multiplies bfloat16 itself: where it is emulated, float32 is quicker and exacter.

    Starts CUDA in this process; `multiplies_bf16_apart` does not.
    """
    if device.type != "cuda":
        return False
    with torch.cuda.device(device):
        return bool(torch.cuda.is_bf16_supported(including_emulation=False))


def multiplies_bf16_apart(device: torch.device) -> bool:
    """The same, asked in a process that ends: this one holds none of the device's memory afterwards.

    Raises:
        UsageError: CUDA does not start.
    """
    if device.type != "cuda":
        return False
    code = "import torch; print(torch.cuda.is_bf16_supported(including_emulation=False))"
    environment = {**os.environ, VARIABLE: visible_device(str(device), os.environ.get(VARIABLE))}
    done = subprocess.run(
        [sys.executable, "-P", "-c", code], env=environment, capture_output=True, text=True, check=False
    )
    if done.stdout.strip() not in ("True", "False"):
        reason = (done.stderr.strip().splitlines() or ["it says nothing"])[-1]
        raise UsageError(f"CUDA does not start on {device}: {reason}")
    return done.stdout.strip() == "True"


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
