"""Calibration from predictions: values of scikit-learn and by hand, intervals over items, its table."""

from __future__ import annotations

import math
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import sklearn.metrics

from bench.analysis.calibration import Calibration, calibration
from bench.core.record import Prediction, Record, Run, Score
from bench.report.tables import calibration as table
from bench.store import run_folder

CHOICES, ITEMS = 3, 60


def draw(seed: int) -> tuple[Any, Any]:
    """Log-likelihoods [items, choices] and the right choices; overconfident."""
    rng = np.random.default_rng(seed)
    scores = 3 * rng.normal(size=(ITEMS, CHOICES)) - 7
    noisy = scores / 3 + rng.gumbel(size=scores.shape)
    return scores, noisy.argmax(1)


def measured(folder: Path, seeds: list[int], known: bool = True) -> tuple[Run, list[Record]]:
    records = []
    for seed in seeds:
        scores, right = draw(seed)
        key = str(seed) * 64
        place = folder / "cells" / f"x-{key[:12]}"
        place.mkdir(parents=True)
        kept: list[dict[str, Any]] = [{"metrics": {}, **({"right": int(each)} if known else {})} for each in right]
        lines = [Prediction(f"test/{i}", scores=tuple(row)) for i, row in enumerate(scores.tolist())]
        run_folder.write_predictions(place, lines, kept.__getitem__)
        records.append(Record(key, "m", "t", "full", seed, "ok", "now", kind="choice", scores={"accuracy": Score(0.5)}))
    return Run(folder, "trial", tuple(records)), records


def found(folder: Path, seeds: list[int]) -> Calibration:
    run, records = measured(folder, seeds)
    result = calibration(run, records)
    assert result is not None
    return result


def by_hand(seed: int) -> tuple[float, float, float]:
    """(ECE, Brier score, log loss), ECE with 15 bins."""
    scores, right = draw(seed)
    shares = np.exp(scores) / np.exp(scores).sum(1, keepdims=True)
    sure, correct = shares.max(1), shares.argmax(1) == right
    place = np.digitize(sure, np.linspace(0, 1, 16), right=True)
    gaps = sum(abs((sure - correct)[place == k].sum()) for k in range(1, 16)) / ITEMS
    brier = ((shares - np.eye(CHOICES)[right]) ** 2).sum(1).mean()
    return float(gaps), float(brier), float(sklearn.metrics.log_loss(right, shares))


def test_values_are_those_of_an_independent_implementation(tmp_path: Path) -> None:
    one = found(tmp_path, [3])
    assert (one.ece.value, one.brier.value, one.log_loss.value) == pytest.approx(by_hand(3), abs=1e-6)
    assert sum(count for count, _, _ in one.bins) == one.items == ITEMS


def test_seeds_are_averaged_and_intervals_hold_the_value(tmp_path: Path) -> None:
    several = found(tmp_path, [3, 4])
    expected = np.mean([by_hand(3), by_hand(4)], axis=0)
    for estimate, value in zip((several.ece, several.brier, several.log_loss), expected, strict=True):
        assert estimate.value == pytest.approx(value, abs=1e-6)
        assert 0 <= estimate.interval.low < value < estimate.interval.high


def test_the_interval_of_a_mean_is_as_wide_as_its_standard_error_says(tmp_path: Path) -> None:
    one = found(tmp_path, [3])
    scores, right = draw(3)
    shares = np.exp(scores) / np.exp(scores).sum(1, keepdims=True)
    losses = -np.log(shares[np.arange(ITEMS), right])
    width = one.log_loss.interval.high - one.log_loss.interval.low
    assert width == pytest.approx(2 * 1.96 * losses.std(ddof=1) / math.sqrt(ITEMS), rel=0.15)


def test_the_table_and_runs_that_do_not_say_which_choice_is_right(tmp_path: Path) -> None:
    run, _ = measured(tmp_path / "new", [3])
    [drawn] = table.tables(run, "m")
    shown = [cell.text.split("\n")[0] for cell in drawn.rows[0]]
    assert shown == ["full", "t", *(f"{value:.3f}" for value in by_hand(3))]
    old, records = measured(tmp_path / "old", [3], known=False)
    assert calibration(old, records) is None
    assert table.tables(old, "m") == []
