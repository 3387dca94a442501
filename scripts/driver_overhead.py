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
from collections.abc import Sequence
from pathlib import Path
from statistics import median

import click
import psutil

from bench.runs import runner
from bench.runs.cells import Cell
from bench.store import run_folder
from bench.store.json_files import write_json
from tests.dummy_run import Dummy
from tests.small import Silent, cells_of, write_suite, write_task

_SAMPLE_S = 5.0
_MEAN = 1 + 7.5 / 8  # of a dummy job's seconds, in units of what it is given


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
        write_task(folder)
        methods = [{"few-shot": {"k": k, "label": f"{k} examples"}} for k in range(1, 11)]
        seeds = list(range(-(-count // len(methods))))
        file = write_suite(folder, Path("mini"), models=["mini"], methods=methods, defaults={}, seeds=seeds)
        start, cpu = time.perf_counter(), here.cpu_times()
        suite, cells = cells_of(file)
        cells = cells[:count]
        expand_s = time.perf_counter() - start
        run, unit = folder / "run", seconds / _MEAN
        watch = Watch(run)
        with run_folder.open_run(run, file, suite.name, [cell.ref for cell in cells]) as store:
            watch.start()
            start = time.perf_counter()
            outcome = runner.run(suite, cells, store, Silent(), Dummy(workers, folder / "submitted.txt", unit))
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


def ideal(cells: Sequence[Cell], workers: int, unit: float) -> float:
    """Seconds until the last cell ends where every worker takes the next at once."""
    free = [0.0] * workers
    for cell in cells:
        heapq.heapreplace(free, free[0] + unit * (1 + int(cell.key[0], 16) / 8))
    return max(free)


if __name__ == "__main__":
    main()
