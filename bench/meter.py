"""What each phase of a cell costs: wall time and peak memory, with the device synchronised at both ends."""

from __future__ import annotations

import resource
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager

import torch

from bench.nouns import Phase


class Meter:
    """Measures named phases; a phase entered again adds to what it cost before."""

    def __init__(self, device: torch.device) -> None:
        self.device = device
        self.phases: dict[str, Phase] = {}

    @contextmanager
    def phase(self, name: str) -> Iterator[None]:
        """Measure what the block costs under `name`. Phases do not nest."""
        self._synchronise()
        if self._cuda:
            torch.cuda.reset_peak_memory_stats(self.device)
        start = time.perf_counter()
        try:
            yield
        finally:
            self._synchronise()
            self._add(name, time.perf_counter() - start)

    @property
    def _cuda(self) -> bool:
        return self.device.type == "cuda"

    def _synchronise(self) -> None:
        if self._cuda:
            torch.cuda.synchronize(self.device)

    def _add(self, name: str, wall_s: float) -> None:
        before = self.phases.get(name)
        device = torch.cuda.max_memory_allocated(self.device) if self._cuda else None
        if before:
            wall_s += before.wall_s
            device = None if device is None else max(device, before.peak_device_bytes or 0)
        self.phases[name] = Phase(wall_s, peak_host_bytes(), device)


def peak_host_bytes() -> int:
    """Highest resident set size of this process so far, in bytes."""
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return peak if sys.platform == "darwin" else peak * 1024  # Linux counts in KiB
