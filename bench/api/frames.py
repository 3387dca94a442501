"""Records as pandas frames, tidy: a row for each observation, seeds apart. Nothing is rounded."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

from pandas import DataFrame

from bench.analysis.comparison import Family
from bench.analysis.costs import cost
from bench.analysis.measures import measures, unit
from bench.analysis.retention import base_scores, changes
from bench.config.prices import Prices
from bench.core.record import CellRef, Record, Run
from bench.metrics import NAMES
from bench.report.tables import comparison
from bench.store.run_folder import read_predictions

_CELL = ["model", "task", "method", "seed"]
_FAMILY = ["model", "task", "metric"]
_TESTED = ["p", "p_adjusted", "differ", "detectable", "items", "statistic"]  # of a difference
_COSTS = ("time", "energy", "memory", "latency", "tokens")  # kinds of measures


def cells(run: Run) -> DataFrame:
    """Status of every cell of the suite."""
    rows = [
        {
            **_cell(record),
            "status": record.status,
            "failure": record.failure.kind if record.failure else None,
            "reason": record.failure.message if record.failure else None,
            "items": record.items,
            "train_size": record.train_size,
            "created": record.created,
            "key": record.key,
        }
        for record in run.records
    ]
    rows += [{**_cell(ref), "status": "missing", "key": ref.key} for ref in run.missing if not ref.is_base]
    more = ["status", "failure", "reason", "items", "train_size", "created", "key"]
    return DataFrame(rows, columns=[*_CELL, *more])


def scores(run: Run) -> DataFrame:
    """Scores of the measured cells."""
    rows = [
        {
            **_cell(record),
            "train_size": record.train_size,
            "metric": metric,
            "value": score.value,
            "unit": unit(metric),
            "primary": place == 0,
            "higher_is_better": NAMES[metric].higher_is_better if metric in NAMES else None,
        }
        for record in _measured(run)
        for place, (metric, score) in enumerate(record.scores.items())
    ]
    return DataFrame(
        rows, columns=[*_CELL, "train_size", "metric", "value", "unit", "primary", "higher_is_better"]
    ).astype({"primary": bool})


def costs(run: Run, prices: Prices) -> DataFrame:
    """What each measured cell took; columns end with their unit."""
    rows = []
    for record in _measured(run):
        found = {_column(m.kind, m.name, m.unit): m.value for m in measures(record) if m.kind in _COSTS}
        priced = cost(record, prices).model_dump()
        money = {f"money_{name}": math.nan if value is None else value for name, value in priced.items()}
        setting = {"currency": prices.currency, "cells_at_once": record.environment.cells_at_once}
        rows.append({**_cell(record), **found, **money, **setting})
    return DataFrame(rows, columns=None if rows else _CELL)


def retention(run: Run) -> DataFrame:
    """Scores on the probes before and after."""
    base = {model: base_scores(run, model) for model in {record.model for record in run.records}}
    rows = [
        {
            **_cell(record),
            "probe": change.probe,
            "metric": change.metric,
            "before": change.base,
            "after": change.adapted,
            "difference": change.difference,
        }
        for record in _measured(run)
        for change in changes(record, base[record.model])
    ]
    return DataFrame(rows, columns=[*_CELL, "probe", "metric", "before", "after", "difference"])


def predictions(run: Run, task: str | None, method: str | None) -> DataFrame:
    """Every answer to every test item, with its scores in a column for each metric."""
    rows = []
    for record in _measured(run):
        if (task in (None, record.task)) and (method in (None, record.method)):
            for line in read_predictions(run.path, record.key):
                own = {name: value for name, value in line.items() if name not in ("metrics", "counts")}
                rows.append({**_cell(record), **own, **line.get("metrics", {})})
    return DataFrame(rows, columns=None if rows else [*_CELL, "id", "output"])


def differences(families: Sequence[Family]) -> DataFrame:
    """The differences of a comparison: the rows of its JSON, flat."""
    found = comparison.to_json(families)["families"]
    rows = [_flat(family, one) for family in found for one in family["differences"]]
    return DataFrame(rows, columns=[*_FAMILY, "a", "b", "score_a", "score_b", "difference", "low", "high", *_TESTED])


def _flat(family: dict[str, Any], one: dict[str, Any]) -> dict[str, Any]:
    sides = {"a": one["a"]["method"], "b": one["b"]["method"]}
    scored = {"score_a": one["a"]["score"], "score_b": one["b"]["score"]}
    low, high = one["interval"]
    figures = {name: one[name] for name in ("difference", *_TESTED)}
    return {**{name: family[name] for name in _FAMILY}, **sides, **scored, **figures, "low": low, "high": high}


def _measured(run: Run) -> list[Record]:
    return [record for record in run.records if record.status == "ok"]


def _cell(of: Record | CellRef) -> dict[str, Any]:
    return {name: getattr(of, name) for name in _CELL}


def _column(kind: str, name: str, unit: str) -> str:
    """Such as `time_train_s`, `memory_peak_host_bytes` or `tokens_prompt_tokens`."""
    suffix = {"s": "_s", "J": "_j", "B": "_bytes"}.get(unit, "")
    return f"{kind}_{name.replace('.', '_')}{suffix}"
