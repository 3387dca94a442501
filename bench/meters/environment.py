"""What was there when a cell was measured: versions, hardware, and what of it decides predictions."""

from __future__ import annotations

import hashlib
import os
import platform
import re
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

import torch

from bench import __version__
from bench.core.measured import Environment
from bench.model.devices import cpu, onednn_pays
from bench.model.precision import cpu_bf16

_DRIVER = Path("/proc/driver/nvidia/version")
_BOOT = Path("/proc/sys/kernel/random/boot_id")
_PACKAGES = (
    "torch",
    "transformers",
    "accelerate",
    "peft",
    "sentence-transformers",
    "faiss-cpu",
    "evaluate",
    "sacrebleu",
    "bm25s",
)


def describe(device: torch.device) -> Environment:
    """The environment block of a record."""
    return Environment(
        adaptbench=__version__,
        python=platform.python_version(),
        system=platform.system(),
        machine=platform.machine(),
        packages={name: _version(name) for name in _PACKAGES},
        device=device.type,
        device_name=_device_name(device),
        cuda=(torch.version.cuda or "") if device.type == "cuda" else "",
        driver=_driver() if device.type == "cuda" else "",
        products="oneDNN" if device.type == "cpu" and onednn_pays() else "torch",
        bf16=cpu_bf16().reason if device.type == "cpu" else "",
        cpu_count=os.cpu_count(),
        threads=torch.get_num_threads(),
        boot=_boot(),
    )


def _driver() -> str:
    """The NVIDIA driver as Linux names it; empty elsewhere."""
    try:
        said = _DRIVER.read_text(encoding="utf-8")
    except OSError:
        return ""
    version = re.search(r"Module.*?\s(\d+(?:\.\d+)+)\s", said)
    return version.group(1) if version else ""


def _boot() -> str | None:
    """What tells one running machine from others, and from itself before it was started anew; Linux alone says it."""
    try:
        said = _BOOT.read_text(encoding="utf-8").strip()
    except OSError:
        return None
    return hashlib.sha256(said.encode()).hexdigest()[:16]


def _version(package: str) -> str | None:
    try:
        return version(package)
    except PackageNotFoundError:
        return None


def _device_name(device: torch.device) -> str:
    if device.type == "cuda":
        return torch.cuda.get_device_name(device)
    return cpu("model name") or platform.processor() or platform.machine()
