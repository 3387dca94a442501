"""Exact match, token F1 and ROUGE: hand-computed values and invariants."""

from __future__ import annotations

import json
import random

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from bench.metrics import NAMES, compute, missing_for

TEXT_METRICS = [name for name, info in NAMES.items() if "text" in info.kinds and not missing_for(name)]
words = st.lists(st.sampled_from(["red", "green", "blue", "fish", "tea", "42"]), min_size=4, max_size=9)
sentences = words.map(" ".join)
items = st.lists(st.tuples(sentences, st.lists(sentences, min_size=1, max_size=3)), min_size=1, max_size=6)


@pytest.mark.parametrize(
    ("prediction", "references", "expected"),
    [
        ("The Eiffel Tower!", ["eiffel tower"], 1.0),  # article, case, punctuation
        ("  eiffel \t tower ", ["Eiffel Tower"], 1.0),  # spaces
        ("an apple", ["pear", "the apple"], 1.0),  # best reference; articles
        ("anapple", ["apple"], 0.0),  # an article is a word
        ("U.S.A.", ["USA"], 1.0),
        ("Eiffel", ["Eiffel Tower"], 0.0),
        ("A", ["A"], 1.0),  # nothing is left of it but the answer itself
        ("the", ["A"], 0.0),
        (".", ["A"], 0.0),
        ("", ["the"], 0.0),  # a failed prediction
        ("", [""], 0.0),
        (" \n", ["."], 0.0),
    ],
)
def test_exact_match_by_hand(prediction: str, references: list[str], expected: float) -> None:
    result = compute("exact_match", [prediction], [references])
    assert result.value == expected
    assert result.per_item == (expected,)


@pytest.mark.parametrize(
    ("prediction", "references", "expected"),
    [
        ("the cat sat", ["a cat sat down"], 0.8),  # cat sat / cat sat down: P 1, R 2/3
        ("cat cat", ["cat"], 2 / 3),  # bags, not sets: P 1/2, R 1
        ("dog", ["cat", "dog house"], 2 / 3),  # best reference
        ("dog", ["cat"], 0.0),
        ("", ["cat"], 0.0),
        ("A", ["A."], 0.0),  # "a" against "a.": only what normalisation empties is kept as it is
        ("A", ["a"], 1.0),
    ],
)
def test_token_f1_by_hand(prediction: str, references: list[str], expected: float) -> None:
    assert compute("token_f1", [prediction], [references]).value == pytest.approx(expected)


def test_mean_over_items() -> None:
    result = compute("exact_match", ["x", "y", "z", ""], [["x"], ["q"], ["z"], ["w"]])
    assert result.value == 0.5
    assert result.per_item == (1.0, 0.0, 1.0, 0.0)


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        # "the cat the mat" against "the cat sat on the mat": 4 of 4 and 4 of 6 words
        ("rouge1", 0.8),
        # bigrams: the-cat, the-mat of 3 said and 5 wanted: P 2/3, R 2/5
        ("rouge2", 0.5),
        # longest common subsequence: all four words
        ("rouge_l", 0.8),
    ],
)
def test_rouge_by_hand(name: str, expected: float) -> None:
    result = compute(name, ["The cat, the mat."], [["the dog ran", "the cat sat on the mat"]])
    assert result.value == pytest.approx(expected)
    assert "stem:no" in result.signature


def test_rouge_takes_target_then_prediction() -> None:
    from bench.metrics.rouge import scores

    # one word of three is said: precision 1, recall 1/3
    assert scores(["testing"], [["testing one two"]], "rouge1")[0] == pytest.approx((1.0, 1 / 3, 0.5))


def test_rouge_stems_when_asked() -> None:
    from bench.metrics.rouge import Rouge, scores

    assert scores(["walked"], [["walking"]], "rouge1")[0][2] == 0.0
    assert scores(["walked"], [["walking"]], "rouge1", use_stemmer=True)[0][2] == 1.0
    found = Rouge(keep_in_memory=True).compute(
        predictions=["walked"], references=[["walking"]], rouge_type="rouge1", use_stemmer=True
    )
    assert found["rouge"] == 1.0
    assert "stem:yes" in found["signature"]


@pytest.mark.parametrize("name", TEXT_METRICS)
def test_perfect_text_scores_the_maximum_and_failure_the_minimum(name: str) -> None:
    say = (lambda text: json.dumps({"says": text})) if name == "field_f1" else str
    references = [[say("red tea cup 42"), say("blue fish and tea")], [say("four green fish swim")]]
    best = compute(name, [say("blue fish and tea"), say("four green fish swim")], references)
    assert best.value == pytest.approx(NAMES[name].scale)
    assert compute(name, ["", ""], references).value == 0.0


@settings(max_examples=8, deadline=None)
@given(items, st.randoms(use_true_random=False))
def test_text_metrics_ignore_order_and_stay_in_range(rows: list[tuple[str, list[str]]], order: random.Random) -> None:
    shuffled = order.sample(rows, len(rows))
    for name in TEXT_METRICS:
        before, after = (compute(name, [p for p, _ in r], [t for _, t in r]) for r in (rows, shuffled))
        assert before.value == after.value
        assert 0.0 <= before.value <= NAMES[name].scale * (1 + 1e-9)
        if before.per_item is not None:
            assert before.value == pytest.approx(sum(before.per_item) / len(rows))


@settings(max_examples=15, deadline=None)
@given(items)
def test_more_references_never_hurt_metrics_that_take_the_best(rows: list[tuple[str, list[str]]]) -> None:
    for name in ("exact_match", "token_f1", "rouge1", "rouge2", "rouge_l"):
        one = compute(name, [p for p, _ in rows], [t[:1] for _, t in rows]).per_item
        all_of_them = compute(name, [p for p, _ in rows], [t for _, t in rows]).per_item
        assert one is not None
        assert all_of_them is not None
        assert all(few <= many for few, many in zip(one, all_of_them, strict=True))


@pytest.mark.parametrize(
    ("prediction", "expected"),
    [
        ('{"number": "A1", "total": "9.50", "due": ""}', 1.0),
        (' Fields: {"total": "9.50", "number": "a1"} and more', 1.0),  # order, case and text around do not count
        ('{"number": "A1", "total": "9.5"}', 1 / 2),  # one of two right, one of two found: 2 * 1 / (2 + 2)
        ('{"number": "A1"}', 2 / 3),  # 2 * 1 / (1 + 2)
        ('{"number": "A1", "total": "9.50", "due": "today"}', 4 / 5),  # 2 * 2 / (3 + 2)
        ('{"number": "A1", "total": null}', 2 / 3),
        ('{"number": "A1", "total": "9.50"', 0.0),  # no object: it is not closed
        ('["number", "A1"]', 0.0),
        ("", 0.0),
        ("{" * 5000, 0.0),
    ],
)
def test_field_f1_by_hand(prediction: str, expected: float) -> None:
    result = compute("field_f1", [prediction], [['{"number": "A1", "total": "9.50", "due": ""}']])
    assert result.value == pytest.approx(expected)
    assert result.per_item == (result.value,)


def test_field_f1_takes_the_best_reference_and_the_mean_of_items() -> None:
    result = compute("field_f1", ['{"a": 1}', '{"a": 1}'], [['{"a": "2"}', '{"a": "1"}'], ['{"b": 1}']])
    assert result.per_item == (1.0, 0.0)
    assert result.value == 0.5
