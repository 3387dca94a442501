"""In which precision a model computes.

`dtype: auto` is bfloat16 where the device multiplies it itself and clearly faster than float32. CPUs with AMX have
units for it. AVX512-BF16 multiplies twice as fast at best, and a training takes two thirds of its time (decision 17):
not enough for other numbers. What the processor has decides, not a timed product: keys of cells depend on the answer,
and a machine that is busy for a moment would change them.
"""

from __future__ import annotations

import os
import subprocess
import sys
from dataclasses import dataclass
from functools import cache
from typing import Any

import torch

from bench.core.errors import UsageError
from bench.model.devices import cpu
from bench.model.visible import VARIABLE, visible_device

_FLAGS = {"avx512_bf16", "amx_bf16", "bf16"}  # x86, x86 with tiles, Arm
_LIMITS = ("ONEDNN_MAX_CPU_ISA", "DNNL_MAX_CPU_ISA")  # what a user lets oneDNN use


def entries(parameter: Any) -> int:
    """Numbers that a parameter holds; of one in 4 bits, whose tensor holds two in a byte, as many as it had before."""
    state = getattr(parameter, "quant_state", None)
    return int(parameter.numel() if state is None else state.shape.numel())


def pick_dtype(asked: str, device: torch.device) -> torch.dtype:
    """bfloat16 on a device that multiplies it clearly faster, else float32, unless the suite says which."""
    if asked != "auto":
        found = getattr(torch, asked)
        assert isinstance(found, torch.dtype)
        return found
    return torch.bfloat16 if multiplies_bf16(device) else torch.float32


def multiplies_bf16(device: torch.device) -> bool:
    """Whether a device multiplies bfloat16 itself: where it is emulated, float32 is quicker and exacter.

    Starts CUDA in this process; `multiplies_bf16_apart` does not.
    """
    if device.type != "cuda":
        return cpu_bf16().pays
    with torch.cuda.device(device):
        return bool(torch.cuda.is_bf16_supported(including_emulation=False))


def multiplies_bf16_apart(device: torch.device) -> bool:
    """The same, asked in a process that ends: this one holds none of the device's memory afterwards.

    Raises:
        UsageError: CUDA does not start.
    """
    if device.type != "cuda":
        return cpu_bf16().pays
    code = "import torch; print(torch.cuda.is_bf16_supported(including_emulation=False))"
    environment = {**os.environ, VARIABLE: visible_device(str(device), os.environ.get(VARIABLE))}
    done = subprocess.run(
        [sys.executable, "-P", "-c", code], env=environment, capture_output=True, text=True, check=False
    )
    if done.stdout.strip() not in ("True", "False"):
        reason = (done.stderr.strip().splitlines() or ["it says nothing"])[-1]
        raise UsageError(f"CUDA does not start on {device}: {reason}")
    return done.stdout.strip() == "True"


@dataclass(frozen=True, slots=True)
class CpuBf16:
    """Whether `dtype: auto` takes bfloat16 on this processor, and why."""

    pays: bool
    reason: str


@cache
def cpu_bf16() -> CpuBf16:
    """The verdict for this processor."""
    flags = set(cpu("flags").split()) | set(cpu("Features").split())
    if "amx_bf16" in flags and _amx_is_allowed():
        return CpuBf16(True, "the processor multiplies bfloat16 in tiles (AMX)")
    if flags & _FLAGS:
        return CpuBf16(False, "the processor multiplies bfloat16 without tiles (AMX), which gains too little")
    return CpuBf16(False, "the processor has no bfloat16 instructions")


def _amx_is_allowed() -> bool:
    """Whether the system gives processes tiles, and the user lets oneDNN use them."""
    limit = _limit()
    allowed = not limit or "AMX" in limit or limit in ("ALL", "DEFAULT")
    return allowed and bool(torch.cpu._is_amx_tile_supported())


def _limit() -> str:
    return next((os.environ[name].upper() for name in _LIMITS if os.environ.get(name)), "")
