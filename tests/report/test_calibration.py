"""Calibration from predictions: values of scikit-learn and by hand, intervals over items, its table."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import sklearn.metrics

from bench.analysis.calibration import FEWEST_ITEMS, Calibration, calibration
from bench.analysis.statistics import limits
from bench.core.record import Prediction, Record, Run, Score
from bench.report.tables import calibration as table
from bench.store import run_folder

CHOICES, ITEMS = 3, 60
GRID = [(items, seeds) for items in (40, 200, 1000) for seeds in (1, 2, 3, 5)]


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
    assert (one.ece, one.brier.value, one.log_loss.value) == pytest.approx(by_hand(3), abs=1e-6)
    assert sum(count for count, _, _ in one.bins) == one.items == ITEMS


def test_seeds_are_averaged(tmp_path: Path) -> None:
    several = found(tmp_path, [3, 4])
    expected = np.mean([by_hand(3), by_hand(4)], axis=0)
    assert (several.ece, several.brier.value, several.log_loss.value) == pytest.approx(tuple(expected), abs=1e-6)


def test_the_log_loss_has_no_interval_for_few_items(tmp_path: Path) -> None:
    assert found(tmp_path, [3]).log_loss.interval is None


def test_chance_is_what_calibrated_answers_give(tmp_path: Path) -> None:
    """Against answers drawn one at a time."""
    scores, _ = draw(3)
    sure = (np.exp(scores) / np.exp(scores).sum(1, keepdims=True)).max(1)
    place = np.digitize(sure, np.linspace(0, 1, 16), right=True)
    rng = np.random.default_rng(9)
    eces = []
    for _ in range(2000):
        right = rng.random(ITEMS) < sure
        eces.append(sum(abs((sure - right)[place == k].sum()) for k in range(1, 16)) / ITEMS)
    assert found(tmp_path, [3]).ece_by_chance == pytest.approx(np.mean(eces), rel=0.05)


@pytest.mark.parametrize(
    ("items", "seeds"), [(100, 1), (40, 3), *(pytest.param(*each, marks=pytest.mark.slow) for each in GRID)]
)
def test_intervals_cover_the_truth(items: int, seeds: int) -> None:
    """Four choices, from calibrated to far too sure; 2,000 runs tell a coverage to 1 point (two standard errors)."""
    for sure, real in ((1, 1), (3, 1), (8, 1), (8, 4)):
        (brier, loss), (true_brier, true_loss) = (
            simulated(shape, sure, real) for shape in ((2000, seeds, items), (100, 1, 4000))
        )
        assert 0.93 - 0.012 <= covered(limits.score_limits(brier, 2.0), true_brier.mean()) <= 0.985
        if items >= FEWEST_ITEMS:
            assert 0.93 - 0.012 <= covered(limits.score_limits(loss, None), true_loss.mean()) <= 0.985


def simulated(shape: tuple[int, int, int], sure: float, real: float) -> tuple[Any, Any]:
    """(Brier scores, log losses) [runs, seeds, items] of models whose logits are `sure` times what they share."""
    rng = np.random.default_rng(1)
    runs, seeds, items = shape
    shared = rng.normal(size=(runs, 1, items, 4))
    given = sure * (np.sqrt(0.7) * shared + np.sqrt(0.3) * rng.normal(size=(runs, seeds, items, 4)))
    right = (real * shared + rng.gumbel(size=shared.shape)).argmax(-1)[..., None]
    shares = np.exp(given) / np.exp(given).sum(-1, keepdims=True)
    taken = np.take_along_axis(shares, np.broadcast_to(right, (runs, seeds, items, 1)), -1)[..., 0]
    return (shares**2).sum(-1) - 2 * taken + 1, -np.log(taken)


def covered(limits: tuple[Any, Any], truth: float) -> float:
    low, high = limits
    return float(((low <= truth) & (truth <= high)).mean())


def test_the_table_and_runs_that_do_not_say_which_choice_is_right(tmp_path: Path) -> None:
    run, _ = measured(tmp_path / "new", [3])
    [drawn] = table.tables(run, "m")
    shown = [cell.text.split("\n")[0] for cell in drawn.rows[0]]
    assert shown == ["full", "t", *(f"{value:.3f}" for value in by_hand(3))]
    old, records = measured(tmp_path / "old", [3], known=False)
    assert calibration(old, records) is None
    assert table.tables(old, "m") == []
