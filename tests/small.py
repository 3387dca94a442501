"""A small suite on a small task, and a run of it with a display that says nothing."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import yaml

from bench.config.suite import Suite, load
from bench.core.identity import Surroundings
from bench.core.record import Record, Run
from bench.runs import runner, shards
from bench.runs.cells import Cell, expand
from bench.store import run_folder

AROUND = Surroundings("cpu", "float32", None)


def write_task(folder: Path) -> Path:
    """A choice task of 12 training items and 6 of each other split, in the folder `paint`."""
    colours = ["red", "green", "blue"]
    task = folder / "paint"
    task.mkdir()
    for split, count in (("train", 12), ("validation", 6), ("test", 6)):
        rows = [
            {"id": i, "text": f"{split} thing {i} looks {colours[i % 3]}", "label": colours[i % 3]}
            for i in range(count)
        ]
        (task / f"{split}.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    spec = {
        "name": "paint", "kind": "choice", "instruction": "Name the colour.", "template": "{text}\nColour:",
        "answer": "label", "splits": {s: f"{s}.jsonl" for s in ("train", "validation", "test")},
    }  # fmt: skip
    (task / "task.yaml").write_text(yaml.safe_dump(spec))
    return task


def write_suite(folder: Path, model: Path, **changes: Any) -> Path:
    content = {
        "name": "small", "models": [str(model)], "tasks": ["paint"], "embedder": "none",
        "methods": ["zero-shot", {"few-shot": {"k": 2}}, {"full": {"learning_rate": 1e-3, "max_steps": 2}}],
        "defaults": {"batch_size": 4}, **changes,
    }  # fmt: skip
    file = folder / "small.yaml"
    file.write_text(yaml.safe_dump(content))
    return file


def cells_of(file: Path, **changes: Any) -> tuple[Suite, list[Cell]]:
    suite = load(file, changes)
    return suite, expand(suite, file, lambda suite: AROUND)


class Silent:
    """A display that remembers what was measured."""

    def __init__(self) -> None:
        self.started: list[str] = []
        self.said: list[str] = []

    def say(self, text: str) -> None:
        self.said.append(text)

    def start(self, cell: Cell) -> None:
        self.started.append(cell.label)

    def progress(self, cell: Cell, phase: str, done: int, total: int) -> None: ...

    def finish(self, cell: Cell, record: Record, cached: bool) -> None: ...


def measure(
    file: Path, out: Path, shard: str | None = None, **changes: Any
) -> tuple[runner.RunOutcome, list[str], Run]:
    from bench.runs import workers  # which loads torch

    suite, cells = cells_of(file, **changes)
    own = cells if shard is None else shards.part(cells, shards.parse(shard))
    part = None if shard is None else run_folder.Part(shard, frozenset(cell.key for cell in own))
    shown = Silent()
    with run_folder.open_run(out, file, suite.name, [cell.ref for cell in cells], part) as opened:
        count = workers.at_once(suite, own, opened, shown)
        outcome = runner.run(suite, own, opened, shown, workers.executor(suite, count))
    return outcome, shown.started, run_folder.read_run(out)
