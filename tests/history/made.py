"""Runs made by hand, on disk and in memory."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from bench.analysis.comparison import Answers
from bench.analysis.history.tracks import Panel, Track, TrackPoint
from bench.core.record import Record, Run, Score
from bench.store import run_folder
from bench.store.json_files import write_json
from bench.store.listing import RUN_FILE
from tests.test_comparison import answers, scored

Lines = Sequence[dict[str, Any]]


def day(number: int) -> str:
    return f"2026-03-{number:02d}T12:00:00+00:00"


def made(root: Path, number: int, methods: Mapping[str, Lines | Sequence[float]], **changes: Any) -> Run:
    """A run of day `number` on disk, with one seed of each method: values of items, or lines of predictions."""
    folder = root / f"run{number}"
    records = []
    for method, values in methods.items():
        lines = [one if isinstance(one, dict) else scored([one])[0] for one in values]
        records.append(answers(folder, method, 0, lines, **{"created": day(number), **changes}))
    return listed(folder, records)


def listed(folder: Path, records: Sequence[Record]) -> Run:
    """A run directory of records whose predictions are there already."""
    found = run_folder.cell_folders(folder)
    for record in records:
        (folder / "cells" / found[record.key[:12]].name / run_folder.RECORD).write_text(json.dumps(asdict(record)))
    entries = [
        {"key": r.key, "name": f"{r.model} · {r.task} · {r.method} · seed {r.seed}", "model": r.model, "task": r.task,
         "method": r.method, "seed": r.seed}
        for r in records
    ]  # fmt: skip
    write_json(folder / RUN_FILE, {"schema": 1, "suite": "trial", "cells": entries})
    return run_folder.read_run(folder)


def right(count: int, of: int = 40) -> list[float]:
    return [1.0] * count + [0.0] * (of - count)


def panel(metric: str, **methods: Sequence[NDArray[np.float64]]) -> Panel:
    """A panel in memory: of each method the scores [seeds, items] in each run."""
    tracks = tuple(
        Track(label, 1, tuple(_point(metric, label, number, values) for number, values in enumerate(runs, 1)))
        for label, runs in methods.items()
    )
    return Panel("m", "mail", metric, tracks)


def _point(metric: str, label: str, number: int, values: NDArray[np.float64]) -> TrackPoint:
    seeds, items = values.shape
    score = {metric: Score(float(values.mean()), "v1")}
    record = Record(str(number), "m", "mail", label, 0, "ok", day(1), scores=score, items=items, questions="q")
    found = Answers(
        label, "m", "mail", metric, "v1", "q", tuple(range(seeds)), False, tuple(f"test/{i}" for i in range(items)),
        ("",) * items, (("",) * items,) * seeds, tuple(values.mean(axis=1).tolist()), values,
    )  # fmt: skip
    return TrackPoint(number, found.score, record, metric, found.seeds, None, found)
