"""What each phase of a cell costs: wall time, peak memory and energy, with the device synchronised at both ends."""

from __future__ import annotations

import resource
import sys
import time
from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, replace
from operator import add, sub
from pathlib import Path
from typing import Any, TypeVar

import torch

from bench.core.phases import Phase, PhaseName
from bench.meters.energy import Energy, counter_for
from bench.model.memory import give_back

_STATUS, _CLEAR = Path("/proc/self/status"), Path("/proc/self/clear_refs")
_UNCOUNTED = "what was taken over was computed without an energy counter"
_RESET_PEAK = "5"  # what Linux takes as "forget the highest resident set size so far" (proc(5), clear_refs)
T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class MeasuredWork:
    """What a piece of work took, to be told again where its result is taken over."""

    wall_s: float = 0.0
    joules: float | None = 0.0  # None where they were not counted
    grown: tuple[int, ...] = ()  # bytes above those held at its start, at most; places as in `Meter._peaks`


@dataclass(frozen=True, slots=True)
class Taken:
    """What a part of a cell took, to be counted in the attempt that goes on with it."""

    work: MeasuredWork
    flops: Mapping[PhaseName, int]
    side_s: float


class Meter:
    """Measures named phases; a phase entered again adds to what it cost before."""

    def __init__(self, device: torch.device, entered: Callable[[PhaseName], None] = lambda name: None) -> None:
        self.device = device
        self.current: PhaseName | None = None  # in progress, or the latest
        self._entered = entered
        self.phases: dict[PhaseName, Phase] = {}
        self.side_s = 0.0  # of phases of work: evaluations within them
        self._energy = counter_for(device)
        self._multiplied_so_far: Counter[PhaseName] = Counter()  # in phases that have not ended once
        self._reused = MeasuredWork()  # in the phase in progress
        self._earlier = MeasuredWork()  # in the phase in progress, of an attempt before
        self._all_taken_over = MeasuredWork()  # so far, of both kinds
        self._begun: tuple[PhaseName, Any, float] | None = None  # phase in progress, energy and time at its start
        self._highest: tuple[int, ...] = ()  # peaks of the phase so far, before they were last forgotten

    @contextmanager
    def phase(self, name: PhaseName) -> Iterator[None]:
        """Measure what the block costs under `name`. Phases do not nest."""
        self._begin(name)
        try:
            yield
        finally:
            self._end()

    @contextmanager
    def aside(self, name: PhaseName) -> Iterator[None]:
        """Measure the block under `name`, and nothing of it in the phase in progress, which goes on afterwards."""
        outer = self._begun
        if outer is not None:
            self._end()
        try:
            with self.phase(name):
                yield
        finally:
            if outer is not None:
                self._begin(outer[0])

    def is_in(self, name: PhaseName) -> bool:
        """Whether the phase `name` is in progress."""
        return self._begun is not None and self._begun[0] == name

    def _begin(self, name: PhaseName) -> None:
        self.current = name
        self._entered(name)
        if self._cuda:
            torch.cuda.empty_cache()  # what earlier phases left reserved is not this one's
        self.held()
        self._highest = ()
        self._begun = name, self._energy.read(), time.perf_counter()

    def _end(self) -> None:
        assert self._begun is not None
        name, before, start = self._begun
        self._synchronise()
        wall_s = time.perf_counter() - start
        self._add(name, wall_s, self._energy.between(before, self._energy.read()))
        self._begun = None

    def timed(self, work: Callable[[], T]) -> tuple[T, MeasuredWork]:
        """What `work` gives and what it took, on its own; it counts in the phase in progress as everything does."""
        held = self.held()
        before = self._energy.read()
        start = time.perf_counter()
        result = work()
        self._synchronise()
        wall_s = time.perf_counter() - start
        joules = self._energy.between(before, self._energy.read()).joules
        return result, MeasuredWork(wall_s, joules, tuple(map(sub, self._peaks(), held)))

    def reuse(self, work: MeasuredWork) -> None:
        """Add to the phase in progress what an earlier cell spent on what this one takes over.

        A record then says what its cell costs on its own, whatever was measured before it.
        """
        self._reused = _both(self._reused, work)
        self._grown(work)

    def watch(self) -> Callable[[], Taken]:
        """Begin to measure; what is given back says what was taken since, with all that was taken over meanwhile."""
        held, before, start = self.held(), self._energy.read(), time.perf_counter()
        flops, side_s, others = self._flops(), self.side_s, self._all_taken_over

        def taken() -> Taken:
            self._synchronise()
            more = self._all_taken_over
            joules = self._energy.between(before, self._energy.read()).joules
            over = None if more.joules is None or others.joules is None else more.joules - others.joules
            wall_s = time.perf_counter() - start + more.wall_s - others.wall_s
            grown = tuple(max(0, most - first) for most, first in zip(self._peaks(), held, strict=True))
            return Taken(MeasuredWork(wall_s, _sum(joules, over), grown), self._flops() - flops, self.side_s - side_s)

        return taken

    def take_over(self, taken: Taken) -> None:
        """Add to the phase in progress what an attempt before spent on what is not done again."""
        self._earlier = _both(self._earlier, taken.work)
        self._grown(taken.work)
        self.side_s += taken.side_s
        for name, flops in taken.flops.items():
            self.multiplied(name, flops)

    def _grown(self, work: MeasuredWork) -> None:
        self._all_taken_over = _both(self._all_taken_over, work)
        held = self.held()
        self._highest = higher(self._highest, tuple(map(add, held, work.grown)))

    def _flops(self) -> Counter[PhaseName]:
        ended = Counter({name: phase.flops or 0 for name, phase in self.phases.items()})
        return ended + self._multiplied_so_far

    def multiplied(self, name: PhaseName, flops: int) -> None:
        """Add floating-point operations, worked out elsewhere, to a phase, during it or when it has ended."""
        phase = self.phases.get(name)
        if phase is None:
            self._multiplied_so_far[name] += flops
        else:
            self.phases[name] = replace(phase, flops=(phase.flops or 0) + flops)

    def move(self, source: PhaseName, target: PhaseName, seconds: float) -> None:
        """Count `seconds` of a phase that has ended in another, for whose sake they were spent.

        Energy stays where it was counted: no counter tells the shares.
        """
        whole = self.phases[source]
        self.phases[source] = replace(whole, wall_s=max(0.0, whole.wall_s - seconds))
        moved = replace(whole, wall_s=seconds, joules=whole.joules and 0.0, reused_s=0.0,
                        flops=self._multiplied_so_far.pop(target, None))  # fmt: skip
        before = self.phases.get(target)
        self.phases[target] = moved if before is None else _joined(before, moved)

    @property
    def _cuda(self) -> bool:
        return self.device.type == "cuda"

    def _synchronise(self) -> None:
        if self._cuda:
            torch.cuda.synchronize(self.device)

    def _peaks(self) -> tuple[int, ...]:
        """The highest there was of the host's bytes and, on CUDA, of those allocated and reserved, since `held`."""
        if not self._cuda:
            return (peak_host_bytes(),)
        found = torch.cuda.max_memory_allocated(self.device), torch.cuda.max_memory_reserved(self.device)
        return peak_host_bytes(), *found

    def held(self) -> tuple[int, ...]:
        """What is held now, as `_peaks`, which begin anew; the phase's own are noted."""
        self._synchronise()
        self._highest = higher(self._highest, self._peaks())
        _forget_peak()
        if self._cuda:
            torch.cuda.reset_peak_memory_stats(self.device)
        return self._peaks()

    def _add(self, name: PhaseName, wall_s: float, energy: Energy) -> None:
        reused, self._reused = self._reused, MeasuredWork()
        over, self._earlier = _both(reused, self._earlier), MeasuredWork()
        host, *others = higher(self._highest, self._peaks())
        allocated, reserved = others or (None, None)
        now = Phase(
            wall_s=wall_s + over.wall_s,
            peak_host_bytes=host,
            peak_device_bytes=allocated,
            peak_reserved_bytes=reserved,
            joules=_sum(energy.joules, over.joules),
            joules_missing=energy.why or ("" if over.joules is not None else _UNCOUNTED),
            flops=self._multiplied_so_far.pop(name, None),
            reused_s=reused.wall_s,
        )
        before = self.phases.get(name)
        self.phases[name] = now if before is None else _joined(before, now)


class OnePhase(Meter):
    """Measures work that has phases of its own as one phase of `whole`."""

    def __init__(self, whole: Meter, name: PhaseName) -> None:
        super().__init__(whole.device, whole._entered)
        self._name, self.phases = name, whole.phases

    @contextmanager
    def phase(self, name: PhaseName) -> Iterator[None]:
        with super().phase(self._name):
            yield

    def multiplied(self, name: PhaseName, flops: int) -> None:
        super().multiplied(self._name, flops)


def peak_host_bytes() -> int:
    """Highest resident set size of this process in bytes: since the phase began on Linux, else so far."""
    try:
        line = next(line for line in _STATUS.read_text().splitlines() if line.startswith("VmHWM:"))
        return int(line.split()[1]) * 1024
    except (OSError, StopIteration):
        peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
        return peak if sys.platform == "darwin" else peak * 1024  # Linux counts in KiB


def _forget_peak() -> None:
    give_back()  # else what an earlier phase has freed would count as this one's
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
        joules=_sum(a.joules, b.joules),
        joules_missing=a.joules_missing or b.joules_missing,
        flops=a.flops,
        reused_s=a.reused_s + b.reused_s,
    )


def _both(a: MeasuredWork, b: MeasuredWork) -> MeasuredWork:
    return MeasuredWork(a.wall_s + b.wall_s, _sum(a.joules, b.joules))


def higher(a: tuple[int, ...], b: tuple[int, ...]) -> tuple[int, ...]:
    """The higher of both at each place; an empty tuple is lower than all."""
    return tuple(map(max, a, b)) if a and b else a or b


def _sum(a: float | None, b: float | None) -> float | None:
    return None if a is None or b is None else a + b


def _highest(a: int | None, b: int | None) -> int | None:
    return None if a is None or b is None else max(a, b)
