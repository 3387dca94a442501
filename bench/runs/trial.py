"""Whether several cells at once are faster on a CPU: shortened cells are measured in both ways, nothing is presumed.

The heaviest cell of the run is cut down to a few items and measured alone, with all threads, and several times at once,
with a share of the threads each. Seconds for a token of each phase, and the seconds of a cell besides, then give how
long all cells would take in either way, with what waits for what.
"""

from __future__ import annotations

import os
import shutil
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import accumulate
from pathlib import Path

import psutil

import tasks
from bench.cell.budget import SHARE
from bench.config.search_space import candidates, grid, settle
from bench.config.suite import MeasureSettings, Suite
from bench.core.phases import PhaseName, spent
from bench.core.record import Record
from bench.metrics.formats import duration, size
from bench.runs import runner
from bench.runs.cells import Cell
from bench.runs.executor import Executor
from bench.runs.graph import chains, makespan, waits
from bench.runs.plan import memory_bytes, relative_seconds, work_by_phase
from bench.store.run_folder import Store

FEWEST = 4  # cells, below which a trial costs more than it can give
ITEMS = 16  # test items and training items of a shortened cell
GAIN = 0.95  # of the time one by one: several at once must be expected to take less
_OF_MEMORY = 0.8
_CGROUP = Path("/sys/fs/cgroup")


@dataclass(frozen=True, slots=True)
class Speed:
    """What shortened cells took, each."""

    seconds: Mapping[PhaseName, float]  # for a token, by the phases that grow with them
    overhead_s: float  # of a cell: its process, loading, metrics
    parameters: int  # of the model

    def of(self, cell: Cell) -> float:
        """Seconds of a whole cell."""
        rates = self.seconds
        rate = {"predict": rates["predict"], "train": rates.get("train", rates["predict"])}
        rate["tune"] = rate["train"]
        tokens = sum(count * rate[phase] for phase, count in work_by_phase(cell).items())
        return tokens * cell.model.parameters / max(1, self.parameters) / (1 - SHARE) + self.overhead_s


def choose(
    suite: Suite, cells: Sequence[Cell], store: Store, display: runner.Display, executor: Callable[[int], Executor]
) -> int:
    """How many of these cells, which are to be measured, are fastest at once. Says so, with the figures."""
    most, why = most_at_once(cells)
    if most < 2:
        display.say(f"workers: auto: one cell at a time, {why}")
        return 1
    local = [cell for cell in cells if cell.model.kind != "served"]
    if not local:
        display.say(
            "workers: auto: one cell at a time, as requests of a trial would be paid for; give a number instead"
        )
        return 1
    heaviest = max(local, key=lambda cell: (not cell.method.context.retrieves, relative_seconds(cell)))
    which = f"{heaviest.label} on {heaviest.task.name} with {heaviest.model.name}"
    display.say(f"workers: auto: a trial with {which} says how many cells at once are fastest")
    started, folder = time.monotonic(), Store(store.cells / ".trial")
    try:
        counts = [most >> halved for halved in range(most.bit_length()) if most >> halved > 1]
        took = _totals(suite, heaviest, cells, folder, executor, counts)
    except _TrialFailed as error:
        display.say(f"workers: auto: one cell at a time, as the trial failed: {error}")
        return 1
    finally:
        shutil.rmtree(folder.path, ignore_errors=True)
    best = min(took, key=lambda count: (took[count] * (GAIN if count == 1 else 1.0), count))
    display.say(_said(best, took, time.monotonic() - started))
    return best


def _totals(
    suite: Suite, cell: Cell, cells: Sequence[Cell], folder: Store, executor: Callable[[int], Executor],
    counts: Sequence[int],
) -> dict[int, float]:  # fmt: skip
    """Seconds that all cells would take one by one and so many at once, up to where more halving helps no further."""
    measure(suite, cell, folder, executor(1), 1)  # pays for what is read and compiled but once
    took = {1: total(cells, measure(suite, cell, folder, executor(1), 1), 1)}
    before = float("inf")
    for count in counts:
        took[count] = total(cells, measure(suite, cell, folder, executor(count), count), count)
        if took[count] >= before:
            break
        before = took[count]
    return took


def total(cells: Sequence[Cell], speed: Speed, count: int) -> float:
    """Seconds that all cells take, so many at once."""
    after, seconds = waits(cells), {cell.key: speed.of(cell) for cell in cells}
    return makespan(after, seconds, chains(after, seconds), count)


def most_at_once(cells: Sequence[Cell]) -> tuple[int, str]:
    """As many cells as cores and memory carry; why not more than one, where that is so."""
    usable = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    room = _OF_MEMORY * _free_bytes()
    needed = list(accumulate(sorted(map(memory_bytes, cells), reverse=True)))
    carried = sum(each <= room for each in needed)
    if len(cells) < FEWEST:
        return 1, f"as {len(cells)} are to be measured and a trial takes about as long"
    if usable < 2:
        return 1, "as there is one core"
    if carried < 2:
        return 1, f"as two take about {size(needed[1])} of memory and {size(int(room))} may be used"
    return min(usable, carried, len(cells)), ""


def _free_bytes() -> int:
    """Memory that is available, of the machine and of the container."""
    free = int(psutil.virtual_memory().available)
    try:
        limit, held = ((_CGROUP / f"memory.{name}").read_text().strip() for name in ("max", "current"))
        return free if limit == "max" else min(free, int(limit) - int(held))
    except (OSError, ValueError):  # another system, or another version of control groups
        return free


class _TrialFailed(Exception):
    """A shortened cell could not be measured."""


class _Timer:
    """A display that takes the time."""

    def __init__(self) -> None:
        self.ended: list[tuple[Cell, Record, float]] = []
        self._started: dict[str, float] = {}

    def say(self, text: str) -> None: ...

    def start(self, cell: Cell) -> None:
        self._started[cell.key] = time.monotonic()

    def progress(self, cell: Cell, phase: str, done: int, total: int) -> None: ...

    def finish(self, cell: Cell, record: Record, cached: bool) -> None:
        self.ended.append((cell, record, time.monotonic() - self._started[cell.key]))


def measure(suite: Suite, cell: Cell, folder: Store, executor: Executor, count: int) -> Speed:
    """What a shortened cell takes, `count` of it at once."""
    off = MeasureSettings(latency="off", training_items="off", flop_check="off")
    bare = suite.model_copy(update={"measure": off, "counterfactuals": 0, "checkpoints": 0, "keep": "none"})
    shutil.rmtree(folder.path, ignore_errors=True)
    timer, short = _Timer(), [shortened(cell, number) for number in range(count)]
    runner.run(bare, short, folder, timer, executor)
    for _, record, _ in timer.ended:
        if record.failure:
            raise _TrialFailed(f"{record.failure.kind}: {record.failure.message}")
    return _speed(timer.ended)


def shortened(cell: Cell, number: int) -> Cell:
    """A cell with a few items, nothing to choose and nothing asked in addition; those of other numbers are others."""
    task = tasks.load(cell.task_path, min(ITEMS, len(cell.task.test)))
    open_ = grid(cell.method)
    method = settle(cell.method, candidates(open_, 1)[0]) if open_ else cell.method
    size = min(ITEMS, len(task.train)) if method.weights.learner.reads_train else None
    identity = replace(
        cell.identity, task=replace(cell.identity.task, limit=len(task.test)), seed=number, train_size=size,
        validation_items=min(ITEMS // 2, len(task.validation)) or None, probes=None, counterfactuals=None, tuning=None,
    )  # fmt: skip
    return replace(
        cell, task=task, method=method, identity=identity, limit=len(task.test), train_size=size, probes=(), trials=0,
        chooser=None,
    )  # fmt: skip


def _speed(ended: Sequence[tuple[Cell, Record, float]]) -> Speed:
    tokens, seconds, overhead = dict[PhaseName, float](), dict[PhaseName, float](), 0.0
    for cell, record, wall_s in ended:
        for phase, count in work_by_phase(cell).items():
            if count and phase in record.phases:
                tokens[phase] = tokens.get(phase, 0.0) + count
                seconds[phase] = seconds.get(phase, 0.0) + spent(record.phases[phase])
        overhead += wall_s
    overhead -= sum(seconds.values())
    rates = {phase: seconds[phase] / tokens[phase] for phase in tokens}
    return Speed(rates, max(0.0, overhead) / len(ended), ended[0][0].model.parameters)


def _said(best: int, took: Mapping[int, float], trial_s: float) -> str:
    alone = f"{duration(took[1], rough=True)} one by one"
    several = [f"{duration(seconds, rough=True)} with {count} at once" for count, seconds in took.items() if count > 1]
    chosen = f"{best} cells at once" if best > 1 else "one cell at a time"
    return f"workers: auto: {chosen}; the trial ({duration(trial_s)}) expects {', '.join([alone, *several])}"
