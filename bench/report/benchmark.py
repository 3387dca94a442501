"""Timings as pytest-benchmark writes them, for what reads that: `pytest-benchmark compare`, github-action-benchmark.

A benchmark is a phase (train, predict, …) of one method on one task with one model; its rounds are the seeds.
"""

from __future__ import annotations

import json
import math
import statistics
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import numpy as np

from bench.analysis.summary import plain
from bench.core.record import Record, Run
from bench.metrics.formats import clean

VERSION = "5.3.1"  # of pytest-benchmark, whose format this is
NOT_KNOWN = "unknown"


def pytest_json(runs: Sequence[Run]) -> str:
    """The wall seconds of every phase of the cells that ended, as pytest-benchmark's JSON.

    The same records give the same bytes. A benchmark's `fullname` is `suite::model::task[method]::phase`, so that
    two runs of one suite compare. Cells that were measured at once share a machine: their names say so, and nothing
    compares them with cells measured alone. Where a name is there twice, the later one ends in " (2)". Records do not
    say which commit they were measured at, so `commit_info` says that it is not known.
    """
    records = [record for run in runs for record in run.records if record.status == "ok"]
    content = {
        "machine_info": _machine(records),
        "commit_info": {
            "id": "unversioned",  # as pytest-benchmark says it
            "time": None,
            "author_time": None,
            "dirty": None,
            "project": "adaptbench",
            "branch": "(unknown)",
            "error": "records do not say at which commit they were measured",
        },
        "benchmarks": list(_unique(entry for run in runs for entry in _benchmarks(run))),
        "datetime": max((record.created for record in records), default=None),
        "version": VERSION,
    }
    return json.dumps(plain(content), indent=1) + "\n"


def _benchmarks(run: Run) -> Iterator[dict[str, Any]]:
    cells: dict[tuple[str, str, str, int], list[Record]] = {}
    for record in run.records:
        at_once = record.environment.cells_at_once
        cells.setdefault((record.model, record.task, record.method, at_once), []).append(record)
    for (*names, at_once), asked in cells.items():
        model, task, method = map(clean, names)
        ended = [record for record in asked if record.status == "ok"]
        for phase in dict.fromkeys(name for record in ended for name in record.phases):
            timed = {r.seed: r.phases[phase].wall_s for r in ended if phase in r.phases}
            timed = {seed: seconds for seed, seconds in timed.items() if math.isfinite(seconds)}
            if not timed:
                continue
            name = f"{task}[{method}]::{clean(phase)}" + (f", {at_once} cells at once" if at_once > 1 else "")
            yield {
                "group": f"{model}: {task}: {clean(phase)}",  # what is worth comparing: methods
                "name": name,
                "fullname": f"{clean(run.suite)}::{model}::{name}",
                "params": {"model": model, "task": task, "method": method, "phase": clean(phase)},
                "param": method,
                "extra_info": {
                    "suite": clean(run.suite),
                    "seeds": list(timed),
                    "cells": len(asked),  # with those that failed, which have no timings
                    "items": max(record.items for record in ended),
                    "device": _of(ended, "device"),
                    "device_name": _of(ended, "device_name"),
                    "threads": _of(ended, "threads"),
                },
                "options": {},
                "stats": stats(list(timed.values())),
            }


def stats(data: Sequence[float]) -> dict[str, Any]:
    """pytest-benchmark's figures of at least one timing, in seconds, by its definitions.

    Quartiles lie half way between the ranks n·q and n·q + 1 (Hazen). `outliers` counts what is beyond one standard
    deviation of the mean, and what is beyond 1.5 interquartile ranges of the quartiles.
    """
    ordered = sorted(data)
    mean, total = statistics.fmean(data), sum(data)
    deviation = statistics.stdev(data) if len(data) > 1 else 0.0
    q1, q3 = np.quantile(ordered, (0.25, 0.75), method="hazen").tolist()
    low, high = q1 - 1.5 * (q3 - q1), q3 + 1.5 * (q3 - q1)
    far = sum(not mean - deviation <= value <= mean + deviation for value in data)
    beyond = sum(not low <= value <= high for value in data)
    return {
        "min": ordered[0],
        "max": ordered[-1],
        "mean": mean,
        "stddev": deviation,
        "rounds": len(data),
        "median": statistics.median(data),
        "iqr": q3 - q1,
        "q1": q1,
        "q3": q3,
        "iqr_outliers": beyond,
        "stddev_outliers": far,
        "outliers": f"{far};{beyond}",
        "ld15iqr": next(value for value in ordered if value >= low),
        "hd15iqr": next(value for value in reversed(ordered) if value <= high),
        "ops": len(data) / total if total else 0.0,
        "total": total,
        "data": list(data),
        "iterations": 1,
    }


def _unique(entries: Iterator[dict[str, Any]]) -> Iterator[dict[str, Any]]:
    """A name that was there before with its count: what reads the file takes `fullname` for a key."""
    seen: Counter[str] = Counter()
    for entry in entries:
        seen[entry["fullname"]] += 1
        count = seen[entry["fullname"]]
        yield entry if count == 1 else {**entry, **{n: f"{entry[n]} ({count})" for n in ("name", "fullname")}}


def _machine(records: Sequence[Record]) -> Mapping[str, Any]:
    """What the records say of the machine they were measured on, under pytest-benchmark's names; several are listed."""
    return {
        "node": NOT_KNOWN,  # records name no host
        "processor": _of(records, "device_name"),
        "machine": _of(records, "machine"),
        "python_compiler": NOT_KNOWN,
        "python_implementation": NOT_KNOWN,
        "python_implementation_version": _of(records, "python"),
        "python_version": _of(records, "python"),
        "python_build": [],
        "release": NOT_KNOWN,
        "system": _of(records, "system"),
        "cpu": {"count": _of(records, "cpu_count")},
        "device": _of(records, "device"),
        "threads": _of(records, "threads"),
    }


def _of(records: Sequence[Record], name: str) -> str:
    """What the records' environments say of `name`, each once."""
    known = (getattr(record.environment, name) for record in records)
    said = dict.fromkeys(clean(value) for value in known if value)
    return ", ".join(said) or NOT_KNOWN
