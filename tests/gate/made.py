"""Runs on disk for the gate's tests, from scores alone."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import numpy as np
import yaml

from bench.analysis.statistics.intervals import Interval
from bench.analysis.statistics.onesided import OneSided
from bench.core.identity import Identity, TaskIdentity
from bench.core.measured import Environment, Parameters
from bench.core.phases import Phase
from bench.core.record import Prediction, Record, Score
from bench.gate.expand import Kind, Planned
from bench.gate.policy import Tier
from bench.store import run_folder
from bench.store.json_files import write_json
from bench.store.listing import RUN_FILE

HARDWARE = Environment(device="cpu", device_name="a chip", cpu_count=2, threads=2, system="Linux", machine="x86_64")


@dataclass
class Made:
    """A run directory being made."""

    path: Path
    entries: list[dict[str, Any]] = field(default_factory=list)

    def cell(
        self,
        method: str,
        values: Sequence[float] | Sequence[Sequence[int]],
        *,
        task: str = "mail",
        metric: str = "accuracy",
        seed: int = 0,
        probes: Mapping[str, Sequence[float]] | None = None,
        outputs: Sequence[str] | None = None,
        is_base: bool = False,
        written: Sequence[int] | None = None,
        value: float | None = None,
        model: str = "m",
        **changes: Any,
    ) -> Record:
        """One measured cell with its predictions; `values` of a corpus metric are its counts, `value` its score.

        `written`: tokens of each answer.
        """
        key = hashlib.sha256(f"{self.path}{model}{task}{method}{seed}{is_base}".encode()).hexdigest()
        score = float(np.mean(values)) if value is None else value
        two = [2] * len(values)
        record = Record(
            key=key, model=model, task=task, method=method, seed=seed, status="ok",
            created="2026-01-01T00:00:00+00:00", scores={metric: Score(score, "v1")}, items=len(values),
            questions=f"asked {task}", tokens={"prompt_tokens": 30 * len(values), "output_tokens": sum(written or two)},
            parameters=Parameters(100, 0, 0, 0), environment=HARDWARE,
            phases={"predict": Phase(1.0, 2**20, flops=1000 * len(values))}, 
            identity=Identity(task=TaskIdentity(task), method={method: {}}),
            weights_changed=bool(probes) if not is_base else None,
            probes={name: {"exact_match": Score(float(np.mean(v)), "v1")} for name, v in (probes or {}).items()},
        )  # fmt: skip
        record = replace(record, **changes)
        cell = self.path / "cells" / f"{task}.{method}.{seed}-{key[:12]}"
        cell.mkdir(parents=True)
        said = outputs or [f"said {v}" for v in values]
        corpus = not isinstance(values[0], (int, float))
        _write(cell, values, said, metric, corpus, run_folder.PREDICTIONS, written)
        for name, own in (probes or {}).items():
            _write(cell, own, [f"said {v}" for v in own], "exact_match", False, run_folder.probe_file(name))
        run_folder.write_record(cell, record)
        labels = {name: getattr(record, name) for name in ("model", "task", "method", "seed")}
        self.entries.append({"key": key, "name": f"{model} · {task} · {method} · seed {seed}", **labels,
                             "is_base": is_base})  # fmt: skip
        return record

    def done(self) -> Path:
        """The run directory, listed."""
        write_json(self.path / RUN_FILE, {"schema": 1, "suite": "trial", "cells": self.entries})
        (self.path / "suite.yaml").write_text("name: trial\n")
        return self.path


def _write(
    cell: Path,
    values: Sequence[Any],
    said: Sequence[str],
    metric: str,
    corpus: bool,
    name: str,
    written: Sequence[int] | None = None,
) -> None:
    tokens = written or [2] * len(said)
    predictions = [
        Prediction(f"test/{i}", text, prompt_tokens=30, output_tokens=tokens[i]) for i, text in enumerate(said)
    ]

    def beside(i: int) -> dict[str, Any]:
        return {"metrics": {}, "counts": {metric: list(values[i])}} if corpus else {"metrics": {metric: values[i]}}

    run_folder.write_predictions(cell, predictions, beside, name)


def simple(folder: Path, values: Sequence[float], **changes: Any) -> Path:
    """A run of one cell."""
    made = Made(folder)
    made.cell("zero-shot", values, **changes)
    return made.done()


def shares(n: int, right: int, *, lost: int = 0, gained: int = 0) -> tuple[list[float], list[float]]:
    """Baseline and candidate of n items: `right` before, of which `lost` are wrong now, and `gained` of the others."""
    before = [1.0] * right + [0.0] * (n - right)
    now = [0.0] * lost + [1.0] * (right - lost) + [1.0] * gained + [0.0] * (n - right - gained)
    return before, now


def policy(folder: Path, **content: Any) -> Path:
    """A policy file."""
    file = folder / "gate.yaml"
    file.write_text(yaml.safe_dump(content))
    return file


def change(file: Path, **keys: Any) -> None:
    """Put other values into a JSON file."""
    file.write_text(json.dumps({**json.loads(file.read_text()), **keys}))


def planned(
    kind: Kind = "quality", name: str = "accuracy", margin: float = 0.02, detect: float | None = 0.1,
    tier: Tier = "critical", method: str = "lora",
) -> Planned:  # fmt: skip
    """A check of `lora`."""
    return Planned(kind, "m", "mail", method, name, tier, margin, None if kind == "cost" else detect)


def one_sided(
    difference: float, p: float = 0.5, above: Callable[[float], float] = lambda _: 0.01, reach: float = 0.01,
    discordance: float | None = None,
) -> OneSided:  # fmt: skip
    """`p`: of no fall; `reach`: of the interval to either side."""
    return OneSided(
        difference, reach / 2, 200, "a test", lambda _: p, above,
        lambda level: Interval(difference - reach, difference + reach, level), discordance,
    )  # fmt: skip
