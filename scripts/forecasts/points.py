"""Held-out points of learning curves, and what the cells of a largest size were told to take."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from bench.analysis.statistics.distributions import normal_quantile
from bench.config.prices import replaced
from bench.config.suite import find, load
from bench.forecast import scores
from bench.forecast.curves import Curve, curves
from bench.metrics import NAMES
from bench.runs.cell_costs import Costs
from bench.runs.cells import expand
from bench.runs.suite_run import asked_surroundings
from bench.store.run_folder import read_run
from scripts.forecasts.archived import RESULTS, name_of, name_of_record, seconds_of

TIMES = 4.0
HALF = normal_quantile(0.5 + scores.LEVEL / 2)
LONG_S = 10.0  # of cells, below which their cost hardly matters


@dataclass(frozen=True, slots=True)
class Held:
    """A held-out point, in shares of its metric's scale."""

    run: str
    model: str
    task: str
    method: str
    pilots: int  # sizes
    largest_pilot: int
    size: int
    truth: float
    value: float
    low: float
    high: float
    apart: float  # how far the ways lie apart
    noise: float  # of seeds: standard deviation of the difference
    ways: Mapping[str, float]
    refused: str = ""


def held_out() -> list[Held]:
    """All held-out points of the committed runs; what is refused has its reason."""
    return [point for file in sorted(RESULTS.glob("*.run.zip")) for point in _of_run(file)]


def _of_run(file: Path) -> Iterator[Held]:
    every = curves((record, record.train_size) for record in read_run(file).records)
    for curve in every:
        for point in curve.points:
            pilots = curve.up_to(point.size / TIMES)
            if len(pilots.points) and pilots.last.size * TIMES >= 0.95 * point.size:
                yield _held(file.name.removesuffix(".run.zip"), pilots, curve, point.size, every)


def _held(run: str, pilots: Curve, curve: Curve, size: int, every: Sequence[Curve]) -> Held:
    """A point with what pilots say: its own, and for their record those of its task, all up to the same size."""
    scale, truth = NAMES[curve.metric].scale, curve.at(size)
    assert truth is not None
    known = [other.up_to(pilots.last.size) for other in every if other.task == curve.task]
    variance = scores.seed_variance([pilots])
    refused = scores.refusal(pilots, size, variance)
    which = (run, curve.model, curve.task, curve.method, len(pilots.points), pilots.last.size, size, truth.mean / scale)
    if refused or variance is None:
        return Held(*which, math.nan, math.nan, math.nan, math.nan, math.nan, {}, refused or "no seeds")
    record = scores.record(one for one in known if one.points).joined(scores.SHIPPED)
    found = scores.forecast(pilots, size, variance, record, len(truth.scores))
    ways: dict[str, float] = {way: value / scale for way, value in found.ways.items()}
    noise = math.sqrt(variance * (1 / len(truth.scores) + 1 / len(pilots.last.scores))) / scale
    limits = found.value / scale, found.low / scale, found.high / scale
    return Held(*which, *limits, max(ways.values()) - min(ways.values()), noise, ways)


def summary(points: Sequence[Held]) -> dict[str, Any]:
    """Coverage and errors of what is not refused; the errors of each way beside them."""
    told = [one for one in points if not one.refused]
    error = np.array([one.value - one.truth for one in told])
    ways = {way: np.array([one.ways[way] - one.truth for one in told if way in one.ways]) for way in scores.WAYS}
    return {
        "points": len(told),
        "refused": len(points) - len(told),
        "curves": len({(one.run, one.model, one.task, one.method) for one in told}),
        "tasks": len({one.task for one in told}),
        "models": len({one.model for one in told}),
        "covered": float(np.mean([one.low <= one.truth <= one.high for one in told])),
        "covered_when_fitted_without_the_task": _without_task(told),
        "mean_width": float(np.mean([one.high - one.low for one in told])),
        "mean_absolute_error": {"forecast": _mean(error), **{way: _mean(each) for way, each in ways.items()}},
        "root_mean_square": {"forecast": _root(error), **{way: _root(each) for way, each in ways.items()}},
        "nearer_than_last_value": float(np.mean(np.abs(error) < np.abs(ways["last value"]))),
    }


def _without_task(points: Sequence[Held]) -> float:
    """Coverage where the two figures of the interval are fitted to the points of the other tasks, by likelihood."""
    covered = []
    for task in {one.task for one in points}:
        others = [one for one in points if one.task != task]
        grid = [(apart, least) for apart in np.arange(0.2, 1.3, 0.1) for least in np.arange(0.005, 0.045, 0.005)]
        best = max(grid, key=lambda pair: sum(_likelihood(one, *pair) for one in others))
        covered += [abs(one.value - one.truth) <= HALF * _sd(one, *best) for one in points if one.task == task]
    return float(np.mean(covered))


def _sd(one: Held, apart: float, least: float) -> float:
    return math.sqrt(one.noise**2 + least**2 + (apart * one.apart) ** 2)


def _likelihood(one: Held, apart: float, least: float) -> float:
    sd = _sd(one, apart, least)
    return -0.5 * ((one.value - one.truth) / sd) ** 2 - math.log(sd)


def _mean(errors: np.typing.NDArray[np.float64]) -> float:
    return float(np.mean(np.abs(errors)))


def _root(errors: np.typing.NDArray[np.float64]) -> float:
    return float(np.sqrt(np.mean(errors**2)))


def told_costs(name: str) -> dict[str, float | None]:
    """The seconds of the cells of the largest size, told from cells with at most a quarter of its items."""
    file = find(name)
    suite = load(file)
    cells, whole = expand(suite, file, asked_surroundings), read_run(RESULTS / f"{name}.run.zip")
    records = {name_of_record(record): record for record in whole.records}
    there = [(cell, records[name_of(cell)]) for cell in cells if name_of(cell) in records]
    largest = max(cell.train_size or 0 for cell, _ in there)
    costs = Costs([cell for cell, _ in there], replaced(suite.prices, name), suite.engine.threads)
    for cell, record in there:
        if (cell.train_size or 0) * TIMES <= largest:
            costs.add(cell.key, record)
    factor, told = costs.factor(), costs.seconds()
    pairs = [(told[cell.key], seconds_of(record)) for cell, record in there if cell.train_size == largest]
    off = np.abs(np.log([value / truth for value, truth in pairs]))
    long = [abs(math.log(value / truth)) for value, truth in pairs if truth >= LONG_S]
    return {
        "cells": len(pairs),
        "told_s": sum(value for value, _ in pairs),
        "took_s": sum(truth for _, truth in pairs),
        "median_times_off": float(np.exp(np.median(off))),
        "long_cells": len(long),
        "median_times_off_of_long_cells": float(np.exp(np.median(long))) if long else None,
        "said_times_off": factor,
        "within_said": float(np.mean(off <= math.log(factor))) if factor else None,
    }
