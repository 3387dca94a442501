"""What a method will have forgotten with more training items, from what its pilots forgot.

The last value is carried forward, and the interval holds the trend over the sizes as well as the noise of seeds. That
is no law: few of the curves that forecasts were tried on forget anything (docs/forecast.md).
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from bench.analysis.retention import BaseScore, changes
from bench.analysis.statistics.distributions import normal_quantile
from bench.core.record import Record
from bench.forecast.scores import LEVEL

FEWEST_SIZES = 2  # else there is no trend


@dataclass(frozen=True, slots=True)
class ChangeForecast:
    """A probe's score after training less that before, in the unit of its metric."""

    probe: str
    metric: str
    value: float
    low: float
    high: float


def forecast(
    pilots: Mapping[int, Sequence[Record]], base: Mapping[str, BaseScore], size: int, seeds: int
) -> list[ChangeForecast]:
    """The change on each probe with `size` training items, mean of `seeds`; of methods that move no weight it is 0.

    `pilots`: training items -> records. Probes without two sizes, or without two seeds of any size, are left out.
    """
    found: dict[tuple[str, str], dict[int, list[float]]] = {}
    moved = False
    for items, records in pilots.items():
        for record in records:
            moved |= bool(record.weights_changed)
            for change in changes(record, base):
                found.setdefault((change.probe, change.metric), {}).setdefault(items, []).append(change.difference)
    if not moved:
        return [ChangeForecast(probe, metric, 0.0, 0.0, 0.0) for probe, metric in found]
    told = (_of_probe(*which, by_size, size, seeds) for which, by_size in found.items())
    return [one for one in told if one is not None]


def _of_probe(
    probe: str, metric: str, by_size: Mapping[int, Sequence[float]], size: int, seeds: int
) -> ChangeForecast | None:
    several = [values for values in by_size.values() if len(values) > 1]
    if len(by_size) < FEWEST_SIZES or not several:
        return None
    variance = sum(float(np.var(one)) * len(one) for one in several) / sum(len(one) - 1 for one in several)
    sizes = sorted(by_size)
    slope = float(np.polyfit(np.log(sizes), [float(np.mean(by_size[each])) for each in sizes], 1)[0])
    last = by_size[sizes[-1]]
    error = math.sqrt(variance * (1 / seeds + 1 / len(last)) + (slope * math.log(size / sizes[-1])) ** 2)
    value, half = float(np.mean(last)), normal_quantile(0.5 + LEVEL / 2) * error
    return ChangeForecast(probe, metric, value, value - half, value + half)
