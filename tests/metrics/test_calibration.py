"""Brier score, log loss and calibration error against scikit-learn and a plain count, and by hand."""

from __future__ import annotations

import math
from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from sklearn.metrics import log_loss as sklearn_log_loss

from bench.metrics import compute
from bench.metrics.probabilities import BINS, bins, ece, probabilities


def drawn(items: int, choices: int, seed: int) -> tuple[np.ndarray, np.ndarray]:
    """(log-likelihoods [items, choices], correct choices [items])."""
    rng = np.random.default_rng(seed)
    return rng.normal(0, 2, (items, choices)), rng.integers(0, choices, items)


def test_against_scikit_learn_and_a_plain_count() -> None:
    scores, right = drawn(500, 4, 0)
    shares = np.exp(scores) / np.exp(scores).sum(axis=1, keepdims=True)
    given = [probabilities(row, int(n)) for row, n in zip(scores.tolist(), right, strict=True)]
    unused = [["x"]] * 500
    assert compute("log_loss", given, unused).value == pytest.approx(sklearn_log_loss(right, shares), abs=1e-6)
    truth = np.eye(4)[right]
    assert compute("brier", given, unused).value == pytest.approx(((shares - truth) ** 2).sum(axis=1).mean(), abs=1e-6)
    confidence, correct = shares.max(axis=1), shares.argmax(axis=1) == right
    edges = np.linspace(0, 1, BINS + 1)
    expected = 0.0
    for low, high in pairwise(edges):
        inside = (confidence > low) & (confidence <= high)
        if inside.any():
            expected += inside.mean() * abs(confidence[inside].mean() - correct[inside].mean())
    assert compute("ece", given, unused).value == pytest.approx(expected, abs=1e-6)


def test_by_hand() -> None:
    """Two items at 0.8, one right: confidence 0.8, accuracy 0.5; one at 0.55, right."""
    items = [[0.8, 0.2], [0.2, 0.8], [0.55, 0.45]]
    assert ece(items) == pytest.approx((2 * 0.3 + 0.45) / 3)
    assert [found for found in bins(items, 10) if found[0]] == [(1, 0.55, 1.0), (2, 0.8, 0.5)]
    assert compute("brier", items, [["x"]] * 3).per_item == pytest.approx((0.08, 1.28, 2 * 0.45**2))


def test_an_item_that_failed_is_as_wrong_as_can_be() -> None:
    assert probabilities((), 0) == probabilities([0.0, math.nan], 0) == [0.0, 1.0]
    assert compute("brier", [[0.0, 1.0]], [["x"]]).value == 2.0
    assert compute("log_loss", [[0.0, 1.0]], [["x"]]).value == pytest.approx(15 * math.log(10))


@given(st.lists(st.floats(-700, 0), min_size=2, max_size=6), st.data())
def test_probabilities_add_up_to_one(scores: list[float], data: st.DataObject) -> None:
    right = data.draw(st.integers(0, len(scores) - 1))
    found = probabilities(scores, right)
    assert math.fsum(found) == pytest.approx(1.0)
    assert found[0] == pytest.approx(
        math.exp(scores[right] - max(scores)) / sum(math.exp(s - max(scores)) for s in scores)
    )
