"""How many cells are measured at once on this machine, and on what: `engine: {workers: …}` of a suite."""

from __future__ import annotations

import os
from collections.abc import Sequence
from functools import partial

import torch

from bench.config.suite import EngineSettings, Suite
from bench.core.errors import UsageError
from bench.model.devices import pick_device
from bench.model.visible import VARIABLE, visible_device
from bench.runs import runner, trial
from bench.runs.cells import Cell
from bench.runs.executor import LocalProcesses
from bench.runs.runner import Display
from bench.store.run_folder import Store


def at_once(suite: Suite, cells: Sequence[Cell], store: Store, display: Display) -> int:
    """How many of these cells are measured at once: one on each GPU; on the CPU one, unless the suite says otherwise.

    Raises:
        UsageError: the device is not there, or more cells at once are asked for than there are GPUs.
    """
    asked, there = suite.engine.workers, _cards(suite.engine)
    if there:
        return there if asked in (None, "auto") else int(asked)
    if asked != "auto":
        return asked or 1
    known = runner.measured(suite, cells, store)
    todo = [cell for cell in cells if cell.key not in known]
    before = [record.environment.cells_at_once for record in known.values() if record.status == "ok"]
    if before and todo:
        display.say(f"workers: auto: {max(before)} at once, as the cells that are measured already")
    if before or not todo:
        return max(before, default=1)
    return trial.choose(suite, todo, store, display, partial(executor, suite))


def executor(suite: Suite, cells_at_once: int) -> LocalProcesses:
    """So many cells at once, each with its share of the cores: on a GPU of its own, or all on the CPU."""
    engine, visible = suite.engine, os.environ.get(VARIABLE)
    threads = engine.threads
    if threads is None and cells_at_once > 1:
        threads = max(1, torch.get_num_threads() // cells_at_once)
    if not _cards(engine):
        names = ["cpu"] * cells_at_once
    elif ":" in engine.device:
        names = [engine.device]
    else:
        names = [f"cuda:{cell * engine.ranks}" for cell in range(cells_at_once)]
    devices = [visible_device(name, visible, engine.ranks) for name in names]
    return LocalProcesses(devices, threads, suite.cell_timeout_s)


def _cards(engine: EngineSettings) -> int:
    """Cells that may be measured at once, on a GPU for each of their ranks; 0 where they are measured on the CPU."""
    if pick_device(engine.device).type != "cuda":
        return 0
    cards = 1 if ":" in engine.device else torch.cuda.device_count()
    if engine.ranks > cards:
        raise UsageError(f"engine.ranks: {engine.ranks} ranks need a GPU each; allowed here: 1 to {cards}")
    there = cards // engine.ranks
    if isinstance(engine.workers, int) and engine.workers > there:
        each = "a GPU" if engine.ranks == 1 else f"{engine.ranks} GPUs"
        raise UsageError(f"engine.workers: {engine.workers} cells at once need {each} each; allowed here: 1 to {there}")
    return there
