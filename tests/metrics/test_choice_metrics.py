"""Accuracy, macro-F1 and calibration: by hand, and scikit-learn and plain counts as second implementations."""

from __future__ import annotations

import math
import random
from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn.metrics import accuracy_score, f1_score, label_ranking_average_precision_score
from sklearn.metrics import log_loss as sklearn_log_loss

from bench.core.errors import UsageError
from bench.metrics import compute
from bench.metrics.probabilities import BINS, bins, ece, probabilities

LABELS = ("refund", "card lost", "top up")
pairs = st.lists(st.tuples(st.sampled_from(("", *LABELS)), st.sampled_from(LABELS)), min_size=1, max_size=30)


def naive_macro_f1(predictions: list[str], truth: list[str]) -> float:
    """F1 of each label by counting, and their plain mean."""
    labels = {*truth, *predictions} - {""}
    scores = []
    for label in labels:
        hits = sum(p == label == t for p, t in zip(predictions, truth, strict=True))
        asked, said = truth.count(label), predictions.count(label)
        scores.append(2 * hits / (asked + said))
    return sum(scores) / len(scores)


def test_accuracy_by_hand() -> None:
    result = compute("accuracy", ["a", "b", "", "c"], [["a"], ["a"], ["a"], ["b", "c"]])
    assert result.value == 0.5
    assert result.per_item == (1.0, 0.0, 0.0, 1.0)
    assert result.signature == "match:exact|case:mixed"


def test_accuracy_heeds_case_and_punctuation_even_when_asked_not_to() -> None:
    # Choices are names: "US" and "us" may be two of them.
    assert compute("accuracy", ["us"], [["US"]], lowercase=True).value == 0.0


def test_a_failed_prediction_is_wrong_even_where_the_reference_is_empty() -> None:
    assert compute("accuracy", [""], [[""]]).value == 0.0
    assert compute("macro_f1", [""], [[""]]).value == 0.0


def test_macro_f1_by_hand() -> None:
    # a: 1 hit, asked 2, said 1 -> 2/3; b: 1 hit, asked 1, said 2 -> 2/3; c: asked 1, never said -> 0;
    # d: said once, never asked -> 0. The failed prediction is no label of its own.
    result = compute("macro_f1", ["a", "b", "b", "", "d"], [["a"], ["a"], ["b"], ["c"], ["b"]])
    # b is asked twice here: 2 * 1 / (2 + 2) = 1/2.
    assert result.value == pytest.approx((2 / 3 + 1 / 2 + 0 + 0) / 4)
    assert result.per_item is None
    assert "labels:4" in result.signature
    assert "scikit-learn" in result.signature


def test_macro_f1_refuses_two_different_labels_for_one_item() -> None:
    with pytest.raises(UsageError, match="item 1 has 2 different references"):
        compute("macro_f1", ["a", "b"], [["a", "a"], ["a", "b"]])


@settings(max_examples=30, deadline=None)
@given(pairs)
def test_choice_metrics_equal_second_implementations(rows: list[tuple[str, str]]) -> None:
    predictions, truth = [p for p, _ in rows], [t for _, t in rows]
    references = [[t] for t in truth]
    macro = compute("macro_f1", predictions, references).value
    assert macro == pytest.approx(naive_macro_f1(predictions, truth))
    seen = sorted({*predictions, *truth} - {""})
    assert macro == pytest.approx(f1_score(truth, predictions, labels=seen, average="macro", zero_division=0.0))
    accuracy = compute("accuracy", predictions, references)
    assert accuracy.value == pytest.approx(accuracy_score(truth, predictions))


@settings(max_examples=20, deadline=None)
@given(pairs, st.randoms(use_true_random=False))
def test_choice_metrics_ignore_order(rows: list[tuple[str, str]], order: random.Random) -> None:
    shuffled = order.sample(rows, len(rows))
    for name in ("accuracy", "macro_f1"):
        before, after = (compute(name, [p for p, _ in r], [[t] for _, t in r]) for r in (rows, shuffled))
        assert before.value == after.value


@pytest.mark.parametrize("name", ["accuracy", "macro_f1"])
def test_perfect_choices_score_one(name: str) -> None:
    assert compute(name, list(LABELS), [[label] for label in LABELS]).value == 1.0


def test_mrr_by_hand() -> None:
    # right at places 1, 3 and 2, and one item that failed: (1 + 1/3 + 1/2 + 0) / 4
    rankings = [["a", "b", "c"], ["c", "b", "a"], ["b", "a", "c"], []]
    result = compute("mrr", rankings, [["a"], ["a"], ["a"], ["a"]])
    assert result.value == pytest.approx(11 / 24)
    assert result.per_item == (1.0, 1 / 3, 0.5, 0.0)
    assert result.signature == "rank:first-right|depth:all"


@given(st.lists(st.permutations(LABELS), min_size=1, max_size=20))
def test_mrr_equals_scikit_learns_average_precision_of_one_right_choice(rankings: list[list[str]]) -> None:
    """With a single right label the label-ranking average precision is the reciprocal rank."""
    truth = [[label == "refund" for label in LABELS]] * len(rankings)
    scores = [[-ranking.index(label) for label in LABELS] for ranking in rankings]
    expected = label_ranking_average_precision_score(truth, scores)
    assert compute("mrr", rankings, [["refund"]] * len(rankings)).value == pytest.approx(expected)


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
