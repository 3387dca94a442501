"""Shows a run as it goes: bars on a terminal, plain lines elsewhere."""

from __future__ import annotations

import time
from collections.abc import Mapping
from importlib.util import find_spec

from rich.console import Console
from rich.markup import escape
from rich.progress import BarColumn, Progress, SpinnerColumn, TextColumn, TimeElapsedColumn

from bench.core.phases import GROWING, spent
from bench.core.record import Record
from bench.metrics.formats import duration
from bench.runs.cells import Cell


class Clock:
    """Time left, from the cells of this run that have ended: an overhead for each, and a rate of work beside it."""

    def __init__(self, work: Mapping[str, float]) -> None:
        self.left = dict(work)
        self.work = self.worked_s = self.overhead_s = 0.0
        self.cells = 0
        self._started = 0.0

    def start(self) -> None:
        self._started = time.monotonic()

    def finish(self, key: str, record: Record, cached: bool) -> None:
        amount = self.left.pop(key, 0.0)
        if cached or record.failure:  # neither says how long a cell takes
            return
        worked = sum(spent(phase) for name, phase in record.phases.items() if name in GROWING)
        self.work += amount
        self.worked_s += worked
        self.overhead_s += max(0.0, time.monotonic() - self._started - worked)
        self.cells += 1

    def remaining(self) -> str:
        """About how long the cells not yet finished will take; no word before there is a basis for one."""
        if not self.work:
            return "time left: known after the first cell"
        working = self.worked_s / self.work * sum(self.left.values())
        return f"about {duration(working + self.overhead_s / self.cells * len(self.left), rough=True)} left"


class PlainDisplay:
    """One line for each cell that ends: for logs and pipes."""

    def __init__(self, console: Console, work: Mapping[str, float]) -> None:
        self.console, self.clock = console, Clock(work)
        self.total, self.done = len(work), 0

    def __enter__(self) -> PlainDisplay:
        return self

    def __exit__(self, *error: object) -> None:
        pass

    def start(self, cell: Cell) -> None:
        self.clock.start()

    def progress(self, phase: str, done: int, total: int) -> None:
        pass

    def finish(self, cell: Cell, record: Record, cached: bool) -> None:
        self.done += 1
        self.clock.finish(cell.key, record, cached)
        left = f"; {self.clock.remaining()}" if self.clock.left else ""
        self.console.print(
            f"[{self.done}/{self.total}] {cell.name}: {outcome(record, cached)}{left}",
            markup=False,
            highlight=False,
            soft_wrap=True,
        )


class BarDisplay:
    """A bar for the run and one for the phase under way."""

    def __init__(self, console: Console, work: Mapping[str, float]) -> None:
        self.console, self.clock = console, Clock(work)
        self.bars = Progress(
            SpinnerColumn(),
            TextColumn("{task.description}"),
            BarColumn(),
            TextColumn("{task.fields[note]}"),
            TimeElapsedColumn(),
            console=console,
            transient=True,
        )
        self.overall = self.bars.add_task("cells", total=len(work), note="")
        self.current = self.bars.add_task("", total=None, note="")

    def __enter__(self) -> BarDisplay:
        self.bars.start()
        return self

    def __exit__(self, *error: object) -> None:
        self.bars.stop()

    def start(self, cell: Cell) -> None:
        self.clock.start()
        self.bars.reset(self.current, description=escape(cell.name), total=None, note="starting")

    def progress(self, phase: str, done: int, total: int) -> None:
        self.bars.update(self.current, completed=done, total=total, note=f"{phase} {done}/{total}")

    def finish(self, cell: Cell, record: Record, cached: bool) -> None:
        self.clock.finish(cell.key, record, cached)
        self.bars.update(self.overall, advance=1, note=self.clock.remaining() if self.clock.left else "")
        self.bars.console.print(f"{cell.name}: {outcome(record, cached)}", markup=False, highlight=False)


def outcome(record: Record, cached: bool) -> str:
    """A finished cell in a few words."""
    if record.failure:
        return f"failed ({record.failure.kind}): {record.failure.message}"
    name, score = next(iter(record.scores.items()))
    seconds = sum(spent(phase) for phase in record.phases.values())
    return f"{name} {score.value:.4g}" + (" (already measured)" if cached else f" in {duration(seconds, rough=True)}")


def display_for(console: Console, work: Mapping[str, float]) -> BarDisplay | PlainDisplay:
    """Bars where somebody watches, lines where nobody does, or where a notebook has nothing to draw bars with."""
    drawn = console.is_terminal or (console.is_jupyter and find_spec("ipywidgets") is not None)
    return BarDisplay(console, work) if drawn else PlainDisplay(console, work)
