"""Shows a run as it goes: bars on a terminal, plain lines elsewhere."""

from __future__ import annotations

import time
from collections.abc import Mapping
from importlib.util import find_spec

from rich.console import Console
from rich.markup import escape
from rich.progress import BarColumn, Progress, SpinnerColumn, TaskID, TextColumn, TimeElapsedColumn

from bench.core.phases import spent
from bench.core.quoting import plain
from bench.core.record import Record
from bench.metrics.formats import duration
from bench.runs.cells import Cell
from bench.runs.time_left import CellWork, Clock

LINE_EVERY_S = 30.0  # within cells, where nobody watches
NAMED, BARS = 4, 12  # cells under way that are shown at most, in a line and as bars
STARTING = "starting"


class PlainDisplay:
    """A line for each cell that ends, and now and then one from within long ones: for logs and pipes."""

    def __init__(self, console: Console, work: Mapping[str, CellWork]) -> None:
        self.console, self.clock = console, Clock(work)
        self.total, self.done = len(work), 0
        self.said = 0.0
        self.where: dict[str, str] = {}  # key of a cell under way -> where it is

    def __enter__(self) -> PlainDisplay:
        return self

    def __exit__(self, *error: object) -> None:
        pass

    def say(self, text: str) -> None:
        self.console.print(plain(text), markup=False, highlight=False, soft_wrap=True)

    def start(self, cell: Cell) -> None:
        self.clock.start(cell.key)
        if not self.where:
            self.said = time.monotonic()
        self.where[cell.key] = f"{cell.name}: {STARTING}"

    def progress(self, cell: Cell, phase: str, done: int, total: int) -> None:
        self.clock.progress(cell.key, phase, done, total)
        self.where[cell.key] = f"{cell.name}: {at(phase, done, total)}"
        if time.monotonic() - self.said >= LINE_EVERY_S:
            self.said = time.monotonic()
            more = len(self.where) - NAMED
            named = list(self.where.values())[:NAMED] + ([f"and {more} more cells"] if more > 0 else [])
            self._say(" | ".join(named))

    def finish(self, cell: Cell, record: Record, cached: bool) -> None:
        self.done += 1
        self.where.pop(cell.key, None)
        self.clock.finish(cell.key, record, cached)
        self._say(f"{cell.name}: {outcome(record, cached)}")

    def _say(self, line: str) -> None:
        left = f"; {self.clock.remaining()}" if self.clock.left else ""
        self.say(f"[{self.done}/{self.total}] {line}{left}")


class BarDisplay:
    """A bar for the run and one for the phase of each cell under way."""

    def __init__(self, console: Console, work: Mapping[str, CellWork]) -> None:
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
        self.under_way: dict[str, TaskID] = {}

    def __enter__(self) -> BarDisplay:
        self.bars.start()
        return self

    def __exit__(self, *error: object) -> None:
        self.bars.stop()

    def say(self, text: str) -> None:
        self.bars.console.print(plain(text), markup=False, highlight=False)

    def start(self, cell: Cell) -> None:
        self.clock.start(cell.key)
        shown = len(self.under_way) < BARS
        self.under_way[cell.key] = self.bars.add_task(
            escape(plain(cell.name)), total=None, note=STARTING, visible=shown
        )

    def progress(self, cell: Cell, phase: str, done: int, total: int) -> None:
        self.clock.progress(cell.key, phase, done, total)
        self.bars.update(self.under_way[cell.key], completed=done, total=max(1, total), note=at(phase, done, total))
        self.bars.update(self.overall, note=self.clock.remaining())

    def finish(self, cell: Cell, record: Record, cached: bool) -> None:
        self.clock.finish(cell.key, record, cached)
        if cell.key in self.under_way:
            self.bars.remove_task(self.under_way.pop(cell.key))
        self.bars.update(self.overall, advance=1, note=self.clock.remaining() if self.clock.left else "")
        self.say(f"{cell.name}: {outcome(record, cached)}")


def at(phase: str, done: int, total: int) -> str:
    """Where a cell is."""
    return f"{phase} {done:,} of {total:,}" if total else phase


def outcome(record: Record, cached: bool) -> str:
    """A finished cell in a few words."""
    if record.failure:
        return f"failed ({record.failure.kind}): {record.failure.message}"
    name, score = next(iter(record.scores.items()))
    seconds = sum(spent(phase) for phase in record.phases.values())
    return f"{name} {score.value:.4g}" + (" (already measured)" if cached else f" in {duration(seconds, rough=True)}")


def display_for(console: Console, work: Mapping[str, CellWork]) -> BarDisplay | PlainDisplay:
    """Bars where somebody watches, lines where nobody does, or where a notebook has nothing to draw bars with."""
    drawn = console.is_terminal or (console.is_jupyter and find_spec("ipywidgets") is not None)
    return BarDisplay(console, work) if drawn else PlainDisplay(console, work)
