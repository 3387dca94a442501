"""What the driver of a large run costs: `python -m scripts.driver_overhead OUT.json --cells 5000 --workers 200`.

The driver, the run's folder and the graph are the real ones; workers are simulated, so that a cell takes its time and
leaves a small record. The ideal is what so many workers need with no driver at all; all beyond it counts as overhead,
the records' writing included. Memory is sampled while the run goes on, and `adaptbench status` asked.
"""

from __future__ import annotations

import heapq
import json
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from statistics import median
from typing import Any

import click
import psutil
import yaml

from bench.config import suite as suites
from bench.core.identity import Surroundings
from bench.core.record import Record, Score
from bench.runs import runner
from bench.runs.cells import Cell, expand
from bench.runs.executor import Ended
from bench.store import run_folder
from bench.store.json_files import write_json

_SAMPLE_S = 5.0
_MEAN = 1 + 7.5 / 8  # of a simulated cell's seconds, in units of what it is given


@dataclass(eq=False)
class Submitted:
    """A cell that ends when its time has come."""

    workers: Simulated
    job: dict[str, Any]
    due: float

    def cancel(self) -> None:
        self.workers.running.remove(self)


@dataclass
class Simulated:
    """Workers that wait: `unit` seconds and up to 15 eighths more, as a cell's key has it."""

    capacity: int
    unit: float
    per_machine: int = 1
    running: list[Submitted] = field(default_factory=list)

    def submit(self, job: Path, log: Path) -> Submitted:
        told = json.loads(job.read_text())
        self.running.append(Submitted(self, told, time.monotonic() + seconds_of(told["key"], self.unit)))
        return self.running[-1]

    def wait(self, seconds: float) -> Iterator[tuple[Submitted, Ended]]:
        soonest = min(self.running, key=lambda each: each.due)
        time.sleep(max(0.0, min(seconds, soonest.due - time.monotonic())))
        if soonest.due <= time.monotonic():
            job = soonest.job
            record = Record(
                job["key"], job["model"]["name"], "paint", job["label"], job["seed"], "ok", "2026-01-01T00:00:00+00:00",
                scores={"accuracy": Score(0.5)},
            )  # fmt: skip
            run_folder.write_record(Path(job["out"]), record)
            yield soonest, Ended()


def seconds_of(key: str, unit: float) -> float:
    """What a cell takes."""
    return unit * (1 + int(key[0], 16) / 8)


class Silent:
    """A display that shows nothing."""

    def say(self, text: str) -> None: ...

    def start(self, cell: Cell) -> None: ...

    def progress(self, cell: Cell, phase: str, done: int, total: int) -> None: ...

    def finish(self, cell: Cell, record: Record, cached: bool) -> None: ...


class Watch(threading.Thread):
    """Samples the memory of this process, and times `adaptbench status` from another one."""

    def __init__(self, run: Path) -> None:
        super().__init__(daemon=True)
        self._run, self._over = run, threading.Event()
        self.memory: list[int] = []
        self.status_s: list[float] = []

    def run(self) -> None:
        command = [sys.executable, "-m", "adaptbench", "status", str(self._run)]
        while not self._over.wait(_SAMPLE_S):
            self.memory.append(psutil.Process().memory_info().rss)
            if len(self.memory) % 12 == 0:
                start = time.perf_counter()
                subprocess.run(command, capture_output=True, check=True)
                self.status_s.append(time.perf_counter() - start)

    def end(self) -> None:
        self._over.set()
        self.join()


@click.command()
@click.argument("out", type=click.Path(dir_okay=False, path_type=Path))
@click.option("--cells", "count", default=5000, show_default=True)
@click.option("--workers", default=200, show_default=True)
@click.option("--seconds", default=20.0, show_default=True, help="that a cell takes in the mean")
def main(out: Path, count: int, workers: int, seconds: float) -> None:
    """Drive a run of simulated cells, and write what the driver cost to OUT."""
    with tempfile.TemporaryDirectory() as name:
        folder, here = Path(name), psutil.Process()
        file = suite_file(folder, count)
        start, cpu = time.perf_counter(), here.cpu_times()
        suite = suites.load(file)
        cells = expand(suite, file, lambda _: Surroundings("cpu", "float32", None))[:count]
        expand_s = time.perf_counter() - start
        run, unit = folder / "run", seconds / _MEAN
        watch = Watch(run)
        with run_folder.open_run(run, file, suite.name, [cell.ref for cell in cells]) as store:
            watch.start()
            start = time.perf_counter()
            outcome = runner.run(suite, cells, store, Silent(), Simulated(workers, unit))
            wall_s = time.perf_counter() - start
            watch.end()
        used = here.cpu_times()
    ideal_s = ideal(cells, workers, unit)
    tenth = max(1, len(watch.memory) // 10)
    found = {
        "cells": outcome.ok, "workers": workers, "seconds_a_cell": seconds, "expand_s": expand_s, "ideal_s": ideal_s,
        "wall_s": wall_s, "overhead": (expand_s + wall_s) / ideal_s - 1,
        "driver_cpu_s": used.user + used.system - cpu.user - cpu.system,
        "memory_first_tenth": median(watch.memory[:tenth]), "memory_last_tenth": median(watch.memory[-tenth:]),
        "status_s_median": median(watch.status_s), "status_s_most": max(watch.status_s),
    }  # fmt: skip
    click.echo(json.dumps(found, indent=1))
    write_json(out, found)


def suite_file(folder: Path, count: int) -> Path:
    """A suite of at least `count` cells on a small task."""
    task = folder / "paint"
    task.mkdir()
    splits = {split: f"{split}.jsonl" for split in ("train", "validation", "test")}
    for split, name in splits.items():
        rows = [{"id": i, "text": f"{split} thing {i}", "label": ("red", "green")[i % 2]} for i in range(6)]
        (task / name).write_text("".join(json.dumps(row) + "\n" for row in rows))
    spec = {"name": "paint", "kind": "choice", "instruction": "Name the colour.", "template": "{text}\nColour:",
            "answer": "label", "splits": splits}  # fmt: skip
    (task / "task.yaml").write_text(yaml.safe_dump(spec))
    methods = [{"few-shot": {"k": k, "label": f"{k} examples"}} for k in range(1, 11)]
    content = {"models": ["mini"], "tasks": ["paint"], "embedder": "none", "methods": methods,
               "seeds": list(range(-(-count // len(methods))))}  # fmt: skip
    file = folder / "many.yaml"
    file.write_text(yaml.safe_dump(content))
    return file


def ideal(cells: Sequence[Cell], workers: int, unit: float) -> float:
    """Seconds until the last cell ends where every worker takes the next at once."""
    free = [0.0] * workers
    for cell in cells:
        heapq.heapreplace(free, free[0] + seconds_of(cell.key, unit))
    return max(free)


if __name__ == "__main__":
    main()
