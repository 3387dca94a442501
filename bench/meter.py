"""What each phase of a cell costs: wall time, peak memory and energy, with the device synchronised at both ends."""

from __future__ import annotations

import resource
import sys
import time
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path

import torch

from bench.energy import Energy, counter_for
from bench.nouns import Phase

_STATUS, _CLEAR = Path("/proc/self/status"), Path("/proc/self/clear_refs")
_RESET_PEAK = "5"  # what Linux takes as "forget the highest resident set size so far" (proc(5), clear_refs)


class Meter:
    """Measures named phases; a phase entered again adds to what it cost before."""

    def __init__(self, device: torch.device) -> None:
        self.device = device
        self.phases: dict[str, Phase] = {}
        self._energy = counter_for(device)
        self._multiplied_so_far: Counter[str] = Counter()  # in phases that have not ended once

    @contextmanager
    def phase(self, name: str) -> Iterator[None]:
        """Measure what the block costs under `name`. Phases do not nest."""
        self._synchronise()
        _forget_peak()
        if self._cuda:
            torch.cuda.reset_peak_memory_stats(self.device)
        before = self._energy.read()
        start = time.perf_counter()
        try:
            yield
        finally:
            self._synchronise()
            wall_s = time.perf_counter() - start
            self._add(name, wall_s, self._energy.between(before, self._energy.read()))

    def multiplied(self, name: str, flops: int) -> None:
        """Add floating-point operations, worked out elsewhere, to a phase, during it or when it has ended."""
        phase = self.phases.get(name)
        if phase is None:
            self._multiplied_so_far[name] += flops
        else:
            self.phases[name] = replace(phase, flops=(phase.flops or 0) + flops)

    @property
    def _cuda(self) -> bool:
        return self.device.type == "cuda"

    def _synchronise(self) -> None:
        if self._cuda:
            torch.cuda.synchronize(self.device)

    def _add(self, name: str, wall_s: float, energy: Energy) -> None:
        now = Phase(
            wall_s=wall_s,
            peak_host_bytes=peak_host_bytes(),
            peak_device_bytes=torch.cuda.max_memory_allocated(self.device) if self._cuda else None,
            peak_reserved_bytes=torch.cuda.max_memory_reserved(self.device) if self._cuda else None,
            joules=energy.joules,
            joules_missing=energy.why,
            flops=self._multiplied_so_far.pop(name, None),
        )
        before = self.phases.get(name)
        self.phases[name] = now if before is None else _joined(before, now)


def peak_host_bytes() -> int:
    """Highest resident set size of this process in bytes: since the phase began on Linux, else so far."""
    try:
        line = next(line for line in _STATUS.read_text().splitlines() if line.startswith("VmHWM:"))
        return int(line.split()[1]) * 1024
    except (OSError, StopIteration):
        peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
        return peak if sys.platform == "darwin" else peak * 1024  # Linux counts in KiB


def _forget_peak() -> None:
    try:
        _CLEAR.write_text(_RESET_PEAK)
    except OSError:
        return  # the peak is then that of the whole process so far, which is no less


def _joined(a: Phase, b: Phase) -> Phase:
    return Phase(
        wall_s=a.wall_s + b.wall_s,
        peak_host_bytes=max(a.peak_host_bytes, b.peak_host_bytes),
        peak_device_bytes=_highest(a.peak_device_bytes, b.peak_device_bytes),
        peak_reserved_bytes=_highest(a.peak_reserved_bytes, b.peak_reserved_bytes),
        joules=None if a.joules is None or b.joules is None else a.joules + b.joules,
        joules_missing=a.joules_missing or b.joules_missing,
        flops=a.flops,
    )


def _highest(a: int | None, b: int | None) -> int | None:
    return None if a is None or b is None else max(a, b)
