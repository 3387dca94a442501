"""Whether the probabilities of a method's choices mean what they say: ECE, Brier score, log loss, with intervals.

Reads predictions: the log-likelihoods of each item's choices, and which of them is right. Probabilities are their
softmax, whatever rule ranked the choices.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

import numpy as np
from numpy.typing import NDArray

from bench.analysis.statistics.intervals import Interval
from bench.analysis.statistics.limits import score_limits
from bench.core.record import Record, Run
from bench.metrics.probabilities import BINS, bin_of, bins, brier, confidence, ece, log_loss, probabilities
from bench.store.archive import RunPath
from bench.store.lines import lines_of
from bench.store.run_folder import find_predictions

Array = NDArray[np.float64]
FEWEST_ITEMS = 100  # for an interval of the log loss, whose skewed items leave 91% of coverage to 40
_HIGHEST_BRIER = 2.0
_DRAWS = 200  # of calibrated answers
_SEED = 0


@dataclass(frozen=True, slots=True)
class Estimate:
    """A value of these checkpoints, mean over seeds, with its interval on new items where one holds its coverage."""

    value: float
    interval: Interval | None


@dataclass(frozen=True, slots=True)
class Calibration:
    """The calibration of one method on one task."""

    items: int
    ece: float  # without an interval: a bootstrap of it is centred too high
    ece_by_chance: float  # what the ECE of so many answers would be if their probabilities were right
    brier: Estimate
    log_loss: Estimate  # nats
    bins: tuple[tuple[int, float, float], ...]  # answers of all seeds, mean confidence, share correct; of each bin


def calibration(run: Run, records: Sequence[Record]) -> Calibration | None:
    """The calibration of the cells (seeds) of one method; None where predictions do not say which choice is right.

    Raises:
        UsageError: predictions that cannot be read.
    """
    files = [find_predictions(run.path, record.key) for record in records]
    found = tuple(file for file in files if file is not None)
    return _calibration(found) if found and len(found) == len(files) else None


@lru_cache(maxsize=256)
def _calibration(files: tuple[RunPath, ...]) -> Calibration | None:
    lines = [lines_of(file) for file in files]
    if len(lines[0]) < 2 or len({len(each) for each in lines}) > 1:
        return None
    if not all(_places(line) for each in lines for line in each):
        return None
    if not any(line["scores"] for each in lines for line in each):
        return None  # choices were read off a text
    given = [[probabilities(line["scores"], line["right"]) for line in each] for each in lines]
    return Calibration(
        items=len(given[0]),
        ece=float(np.mean([ece(seed) for seed in given])),
        ece_by_chance=float(np.mean([_ece_by_chance(seed) for seed in given])),
        brier=_mean([[brier(item) for item in seed] for seed in given], _HIGHEST_BRIER),
        log_loss=_mean([[log_loss(item) for item in seed] for seed in given], None),
        bins=tuple(bins([item for seed in given for item in seed])),
    )


def _places(line: Mapping[str, Any]) -> bool:
    """Whether a line says which of its choices is right."""
    right, scores = line.get("right"), line.get("scores", ())
    return isinstance(right, int) and (not scores or 0 <= right < len(scores))


def _ece_by_chance(given: Sequence[Sequence[float]]) -> float:
    """Mean ECE of answers that are correct as often as their confidence says."""
    sure = np.array([confidence(item)[0] for item in given])
    in_bin = np.eye(BINS)[[bin_of(each) for each in sure]]  # [items, bins]
    correct = np.random.default_rng(_SEED).random((_DRAWS, len(sure))) < sure
    return float(np.abs((correct - sure) @ in_bin).sum(axis=1).mean() / len(sure))


def _mean(values: Sequence[Sequence[float]], scale: float | None) -> Estimate:
    scores = np.array(values)
    if scale is None and scores.shape[1] < FEWEST_ITEMS:
        return Estimate(float(scores.mean()), None)
    low, high = score_limits(scores, scale)
    return Estimate(float(scores.mean()), Interval(float(low), float(high), 0.95))
