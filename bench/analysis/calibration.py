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

from bench.analysis.statistics.intervals import Interval, bootstrap_corpus, bootstrap_mean
from bench.core.record import Record, Run
from bench.metrics.probabilities import BINS, bin_of, bins, brier, confidence, ece, log_loss, probabilities
from bench.store.archive import RunPath
from bench.store.lines import lines_of
from bench.store.run_folder import find_predictions

Array = NDArray[np.float64]
DRAWS = 1000  # of the bootstrap over items


@dataclass(frozen=True, slots=True)
class Estimate:
    """A value of these checkpoints, mean over seeds, with its interval on new items."""

    value: float
    interval: Interval


@dataclass(frozen=True, slots=True)
class Calibration:
    """The calibration of one method on one task."""

    items: int
    ece: Estimate
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


@dataclass(frozen=True)
class _EceOfSums:
    """ECE from sums over items of (answers, confidence, correct) in each bin, for each seed."""

    seeds: int

    def __call__(self, totals: Array) -> float:
        return float(self.of_rows(totals[None])[0])

    def of_rows(self, rows: Array) -> Array:
        """[m, seeds × bins × 3] to [m]."""
        sums = rows.reshape(len(rows), self.seeds, BINS, 3)
        gaps = np.abs(sums[..., 1] - sums[..., 2]).sum(2) / sums[..., 0].sum(2)
        return np.asarray(gaps.mean(1), dtype=np.float64)


@lru_cache(maxsize=256)
def _calibration(files: tuple[RunPath, ...]) -> Calibration | None:
    lines = [lines_of(file) for file in files]
    if len(lines[0]) < 2 or len({len(each) for each in lines}) > 1:
        return None
    if not all(_places(line) for each in lines for line in each):
        return None
    given = [[probabilities(line["scores"], line["right"]) for line in each] for each in lines]
    sums = np.concatenate([np.array([_binned(item) for item in seed]) for seed in given], axis=1)
    return Calibration(
        items=len(given[0]),
        ece=Estimate(
            float(np.mean([ece(seed) for seed in given])),
            bootstrap_corpus(sums, _EceOfSums(len(given)), draws=DRAWS),
        ),
        brier=_mean([[brier(item) for item in seed] for seed in given]),
        log_loss=_mean([[log_loss(item) for item in seed] for seed in given]),
        bins=tuple(bins([item for seed in given for item in seed])),
    )


def _places(line: Mapping[str, Any]) -> bool:
    """Whether a line says which of its choices is right."""
    right, scores = line.get("right"), line.get("scores", ())
    return isinstance(right, int) and (not scores or 0 <= right < len(scores))


def _binned(given: Sequence[float]) -> Array:
    """(1, confidence, correct) in the item's bin, 0 in the others."""
    row = np.zeros((BINS, 3))
    sure, correct = confidence(given)
    row[bin_of(sure)] = 1, sure, correct
    return row.ravel()


def _mean(values: Sequence[Sequence[float]]) -> Estimate:
    of_items = np.array(values).mean(axis=0)
    return Estimate(float(of_items.mean()), bootstrap_mean(of_items, draws=DRAWS))
