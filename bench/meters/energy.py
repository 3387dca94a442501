"""Energy from the counters of the hardware: NVML's for a GPU, RAPL's for a CPU; or why there is none.

Both count the whole device, whoever uses it. So a reading counts only where this process had the device to itself:
no other process on the GPU, and on a CPU nearly all of the processor time of the window. What is not measured is None
with a reason, never 0 and never an estimate from a power rating.
"""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol

import torch

_POWERCAP = Path("/sys/class/powercap")
_STAT = Path("/proc/stat")
LEAST_SHARE = 0.9  # of the CPU time of all processes that must be this one's


@dataclass(frozen=True, slots=True)
class Energy:
    """What a window cost; `joules` is None where `why` says why."""

    joules: float | None
    why: str = ""


class Counter(Protocol):
    """A counter that is read at both ends of a window."""

    def read(self) -> Any:
        """The counter's state now."""

    def between(self, before: Any, after: Any) -> Energy:
        """The energy of the window from one state to a later one."""


def counter_for(device: torch.device) -> Counter:
    """The counter of a device, or one that says why there is none."""
    if device.type == "cuda":
        return _gpu(device)
    domains = sorted(path for path in _POWERCAP.glob("intel-rapl:*") if path.name.count(":") == 1)
    readable = [path for path in domains if os.access(path / "energy_uj", os.R_OK)]
    if not domains:
        return _Absent("this machine shows no energy counter of its CPU (no RAPL in /sys/class/powercap)")
    if len(readable) < len(domains):
        return _Absent("the energy counter of the CPU may not be read by this user (energy_uj in /sys/class/powercap)")
    return Rapl(tuple(readable))


@dataclass(frozen=True)
class _Absent:
    why: str

    def read(self) -> None:
        return None

    def between(self, before: None, after: None) -> Energy:
        return Energy(None, self.why)


@dataclass(frozen=True)
class Rapl:
    """Running average power limit: microjoules of each processor package, which wrap around."""

    domains: tuple[Path, ...]
    stat: Path = _STAT

    def read(self) -> tuple[list[int], float, float]:
        """Microjoules of each package, seconds of CPU time of this process, and of all."""
        own = os.times()
        counts = [int((domain / "energy_uj").read_text()) for domain in self.domains]
        return counts, own.user + own.system + own.children_user + own.children_system, self._busy()

    def between(self, before: tuple[list[int], float, float], after: tuple[list[int], float, float]) -> Energy:
        own, busy = after[1] - before[1], after[2] - before[2]
        if busy > 0 and own / busy < LEAST_SHARE:
            return Energy(
                None, f"other processes took {1 - own / busy:.0%} of the CPU time, so the counter is not ours"
            )
        used = 0
        for domain, first, last in zip(self.domains, before[0], after[0], strict=True):
            around = int((domain / "max_energy_range_uj").read_text()) if last < first else 0
            used += last - first + around
        return Energy(used / 1e6)

    def _busy(self) -> float:
        """Seconds that all processors together did not idle, since the machine started."""
        user, nice, system, _, _, irq, softirq, *_ = map(int, self.stat.read_text().split("\n", 1)[0].split()[1:])
        return (user + nice + system + irq + softirq) / os.sysconf("SC_CLK_TCK")


@dataclass(frozen=True)
class Nvml:
    """Millijoules of a GPU since its driver was loaded (Volta and later)."""

    nvml: Any
    handle: Any

    def read(self) -> tuple[int, frozenset[int]] | str:
        """Millijoules, and the processes that compute on the GPU; or why they cannot be read."""
        try:
            processes = self.nvml.nvmlDeviceGetComputeRunningProcesses(self.handle)
            millijoules = int(self.nvml.nvmlDeviceGetTotalEnergyConsumption(self.handle))
        except self.nvml.NVMLError as error:
            return f"the GPU's energy counter cannot be read: {error}"
        return millijoules, frozenset(process.pid for process in processes)

    def between(self, before: tuple[int, frozenset[int]] | str, after: tuple[int, frozenset[int]] | str) -> Energy:
        if isinstance(before, str) or isinstance(after, str):
            return Energy(None, before if isinstance(before, str) else str(after))
        pids = before[1] | after[1]
        if not (before[1] and after[1]):
            return Energy(None, "the driver shows no process on the GPU, not even this one: others cannot be ruled out")
        # This process is on the GPU. Where its number is not listed (a container has numbers of its own), one of
        # those that are stands for it.
        others = len(pids) - 1
        if others:
            return Energy(None, f"{others} other processes were on the GPU, so its counter is not ours")
        return Energy((after[0] - before[0]) / 1e3)


def _gpu(device: torch.device) -> Counter:
    try:
        import pynvml  # type: ignore[import-not-found, unused-ignore]  # of nvidia-ml-py, where it is installed
    except ImportError:
        return _Absent("the GPU's energy counter needs the package nvidia-ml-py (extra gpu)")
    torch.zeros(1, device=device)  # from now on this process is among those on the GPU
    try:
        pynvml.nvmlInit()
        uuid = str(torch.cuda.get_device_properties(device).uuid)  # NVML and CUDA number devices differently
        handle = _handle(pynvml, uuid.removeprefix("GPU-").removeprefix("MIG-"))
        if handle is None or _is_divided(pynvml, handle):
            return _Absent("the GPU is divided (MIG), and its energy counter counts all parts together")
        pynvml.nvmlDeviceGetTotalEnergyConsumption(handle)
    except (pynvml.NVMLError, AttributeError) as error:
        return _Absent(f"the GPU shows no energy counter: {error}")
    return Nvml(pynvml, handle)


def _handle(nvml: Any, uuid: str) -> Any:
    """NVML's handle of a card; None where the UUID is of a part of one."""
    try:
        return nvml.nvmlDeviceGetHandleByUUID(f"GPU-{uuid}")
    except nvml.NVMLError:
        nvml.nvmlDeviceGetHandleByUUID(f"MIG-{uuid}")  # raises where it is of neither
        return None


def _is_divided(nvml: Any, handle: Any) -> bool:
    try:
        return bool(nvml.nvmlDeviceGetMigMode(handle)[0])
    except nvml.NVMLError:  # of a card that cannot be divided
        return False
