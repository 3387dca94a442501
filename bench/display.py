"""Shows a run as it goes: bars on a terminal, plain lines elsewhere."""

from __future__ import annotations

import time
from collections.abc import Mapping

from rich.console import Console
from rich.markup import escape
from rich.progress import BarColumn, Progress, SpinnerColumn, TextColumn, TimeElapsedColumn

from bench.cells import Cell
from bench.nouns import Record


class Clock:
    """Time left, from the cells of this run that have ended: a start-up for each, and a rate of work after it."""

    def __init__(self, work: Mapping[str, float]) -> None:
        self.left = dict(work)
        self.work = self.worked_s = self.startup_s = 0.0
        self.cells = 0
        self._started = self._ready = 0.0

    def start(self) -> None:
        self._started = time.monotonic()
        self._ready = 0.0

    def ready(self) -> None:
        """The cell's process has begun its work; what came before was its start-up."""
        self._ready = self._ready or time.monotonic()

    def finish(self, key: str, cached: bool) -> None:
        amount = self.left.pop(key, 0.0)
        if cached or not self._ready:  # a cell that never began says nothing of how long others take
            return
        self.work += amount
        self.worked_s += time.monotonic() - self._ready
        self.startup_s += self._ready - self._started
        self.cells += 1

    def remaining(self) -> str:
        """About how long the cells not yet finished will take; no word before there is a basis for one."""
        if not self.work:
            return "time left: known after the first cell"
        working = self.worked_s / self.work * sum(self.left.values())
        return f"about {duration(working + self.startup_s / self.cells * len(self.left))} left"


def duration(seconds: float) -> str:
    """Seconds as people say them."""
    if seconds < 90:
        return f"{seconds:.0f} s"
    return f"{seconds / 60:.0f} min" if seconds < 5400 else f"{seconds / 3600:.1f} h"


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
        self.clock.ready()

    def finish(self, cell: Cell, record: Record, cached: bool) -> None:
        self.done += 1
        self.clock.finish(cell.key, cached)
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
        self.clock.ready()
        self.bars.update(self.current, completed=done, total=total, note=f"{phase} {done}/{total}")

    def finish(self, cell: Cell, record: Record, cached: bool) -> None:
        self.clock.finish(cell.key, cached)
        self.bars.update(self.overall, advance=1, note=self.clock.remaining() if self.clock.left else "")
        self.bars.console.print(f"{cell.name}: {outcome(record, cached)}", markup=False, highlight=False)


def outcome(record: Record, cached: bool) -> str:
    """A finished cell in a few words."""
    if record.failure:
        return f"failed ({record.failure.kind}): {record.failure.message}"
    name, score = next(iter(record.scores.items()))
    seconds = sum(phase.wall_s for phase in record.phases.values())
    return f"{name} {score.value:.4g}" + (" (already measured)" if cached else f" in {duration(seconds)}")


def display_for(console: Console, work: Mapping[str, float]) -> BarDisplay | PlainDisplay:
    """Bars where somebody watches, lines where nobody does."""
    return BarDisplay(console, work) if console.is_terminal else PlainDisplay(console, work)
