"""Metrics for other scripts and habits: values by hand, by sacrebleu and rouge-score called directly, by counting."""

from __future__ import annotations

import random

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sacrebleu.metrics.bleu import BLEU
from sacrebleu.metrics.chrf import CHRF

from bench.core.errors import TaskError
from bench.metrics import NAMES, compute, from_statistics, missing_for, refuse_unfit, statistics
from bench.metrics.scripts import hidden, words

ZH = ["猫坐在垫子上", "他昨天去了北京大学", "我喜欢喝茶"]
ZH_REFERENCES = [["猫坐在垫子上面"], ["昨天他去了北京大学"], ["我喜欢喝茶"]]


@pytest.mark.parametrize(("name", "tokenize"), [("bleu_zh", "zh"), ("bleu_char", "char"), ("bleu_intl", "intl")])
def test_bleu_with_other_tokens_is_sacrebleus(name: str, tokenize: str) -> None:
    expected = BLEU(tokenize=tokenize).corpus_score(ZH, [[texts[0] for texts in ZH_REFERENCES]])
    found = compute(name, ZH, ZH_REFERENCES)
    assert found.value == pytest.approx(expected.score, abs=1e-9)
    assert f"tok:{tokenize}" in found.signature
    counts = statistics(name, ZH, ZH_REFERENCES)
    assert from_statistics(name, counts.sum(axis=0, keepdims=True)) == pytest.approx(expected.score, abs=1e-9)


def test_13a_sees_a_chinese_sentence_as_one_word() -> None:
    assert compute("bleu", ZH, ZH_REFERENCES).value < 1.0 < compute("bleu_zh", ZH, ZH_REFERENCES).value


TEXTS = st.lists(st.text("ab cd", min_size=1, max_size=12), min_size=1, max_size=5)


@settings(max_examples=25, deadline=None)
@given(st.data())
def test_chrf_with_words_is_sacrebleus_and_adds_up(data: st.DataObject) -> None:
    said = data.draw(TEXTS)
    meant = [data.draw(st.text("ab cd", min_size=1, max_size=12)) for _ in said]
    expected = CHRF(word_order=2).corpus_score(said, [meant]).score
    references = [[text] for text in meant]
    assert compute("chrf_pp", said, references).value == pytest.approx(expected, abs=1e-9)
    counts = statistics("chrf_pp", said, references)
    assert counts.shape == (len(said), 24)
    assert from_statistics("chrf_pp", counts.sum(axis=0, keepdims=True)) == pytest.approx(expected, abs=1e-6)


def test_rouge_lsum_takes_a_line_for_a_sentence() -> None:
    """Lin 2004, section 3.2: the union of the longest common subsequences of each reference sentence with all others.

    Reference w1 w2 w3 w4 w5, candidates w1 w2 w6 w7 w8 and w1 w3 w8 w9 w5: the union is w1 w2 w3 w5, so recall is
    4/5, precision 4/10, F 2 * 0.8 * 0.4 / 1.2.
    """
    said = "w1 w2 w6 w7 w8\nw1 w3 w8 w9 w5"
    assert compute("rouge_lsum", [said], [["w1 w2 w3 w4 w5"]]).value == pytest.approx(0.64 / 1.2)


def test_rouge_with_stems() -> None:
    assert compute("rouge1", ["he runs fishing"], [["he run fished"]]).value == pytest.approx(1 / 3)
    assert compute("rouge1_stem", ["he runs fishing"], [["he run fished"]]).value == pytest.approx(1.0)


def test_rouge_over_unicode_words() -> None:
    russian = ("кот сидит дома", "кот спит дома")  # two of three words
    assert compute("rouge1", [russian[0]], [[russian[1]]]).value == 0.0
    assert compute("rouge1_unicode", [russian[0]], [[russian[1]]]).value == pytest.approx(2 / 3)
    assert compute("rouge_l_unicode", ["猫坐垫子"], [["猫在垫子"]]).value == pytest.approx(
        3 / 4
    )  # three of four characters
    assert compute("rouge1_unicode", ["The cat, sat"], [["the cat sat"]]).value == pytest.approx(1.0)


def test_character_f1() -> None:
    """Five and six characters share four."""
    assert compute("char_f1", ["北京大学在"], [["北京的大学是"]]).value == pytest.approx(8 / 11)
    assert compute("char_f1", ["x y!"], [["XY"]]).value == 1.0


@pytest.mark.parametrize(
    ("answer", "reference", "found"),
    [
        ("The answer is 2 days later.", "2 days", 1.0),
        ("It is Paris, of course", "paris", 1.0),
        ("Parisian", "Paris", 0.0),
        ("days 2", "2 days", 0.0),
        ("", "Paris", 0.0),
        ("答案是北京大学。", "北京大学", 1.0),
        ("an apple", "The apple", 1.0),
        ("C++ and Rust", "Rust", 1.0),
    ],
)
def test_contains(answer: str, reference: str, found: float) -> None:
    assert compute("contains", [answer], [["no such thing", reference]]).value == found


def test_strict_match_tells_what_squad_does_not() -> None:
    assert compute("exact_match", ["C++"], [["C#"]]).value == 1.0  # no ASCII punctuation is left
    assert compute("exact_match_strict", ["C++"], [["C#"]]).value == 0.0
    assert compute("exact_match_strict", [" a  b\n"], [["a b"]]).value == 1.0
    assert compute("exact_match_strict", ["A"], [["a"]]).value == 0.0


@pytest.mark.parametrize(
    "name", ["exact_match", "exact_match_strict", "token_f1", "contains", "rouge1_unicode", "bleu_char"]
)
def test_texts_are_compared_in_one_unicode_form(name: str) -> None:
    composed, apart = "un café crème à Orléans", "un cafe\u0301 cre\u0300me a\u0300 Orle\u0301ans"
    assert compute(name, [apart], [[composed]]).value == pytest.approx(NAMES[name].scale)


def test_numbers_of_fields_are_compared_as_they_are_written() -> None:
    assert compute("field_f1", ['{"total": 1184.50, "n": 3}'], [['{"total": "1184.50", "n": "3"}']]).value == 1.0
    assert compute("field_f1", ['{"total": 1184.5}'], [['{"total": "1184.50"}']]).value == 0.0


def test_macro_f1_of_labels_whose_crc_is_one() -> None:
    """plumless and buckeroo share a CRC-32."""
    truth, said = [["plumless"], ["buckeroo"]], ["buckeroo", "buckeroo"]
    rows = statistics("macro_f1", said, truth)
    assert rows[0, 0] != rows[1, 0]
    from bench.metrics import additive

    [counts] = additive("macro_f1", rows)
    [found] = from_statistics("macro_f1", counts.sum(axis=0, keepdims=True))
    assert found == pytest.approx(compute("macro_f1", said, truth).value)


def test_macro_f1_counts_of_an_older_version_still_agree() -> None:
    from bench.metrics import additive

    truth, said = [["a"], ["b"], ["b"]], ["a", "a", ""]
    new = statistics("macro_f1", said, truth)
    old = np.where(new < 0, new, new % 2**32)
    first, second = additive("macro_f1", old, new)
    assert (first == second).all()


@pytest.mark.parametrize(
    ("text", "sees", "is_hidden"),
    [
        ("the cat", "ascii", False),
        ("кот дома", "ascii", True),
        ("кот дома", "spaced", False),
        ("猫坐在垫子上", "spaced", True),
        ("猫坐在垫子上", "", False),
        ("iPhone 15 の", "spaced", False),
        ("!?", "ascii", False),
    ],
)
def test_which_texts_a_metric_cannot_see(text: str, sees: str, is_hidden: bool) -> None:
    assert hidden(text, sees) is is_hidden


def test_words_of_every_script() -> None:
    assert words("The 猫 sat, кот-дома!") == ["the", "猫", "sat", "кот", "дома"]


def test_a_tokenizer_that_is_not_there_is_one_line() -> None:
    absent = [name for name in ("bleu_ja", "bleu_flores") if missing_for(name)]
    for name in absent:
        with pytest.raises(TaskError, match=f'^t: metric "{name}" needs '):
            refuse_unfit([name], "text", "t")
    assert not missing_for("bleu_zh")


def test_the_order_of_items_changes_no_value() -> None:
    order = list(range(3))
    random.Random(0).shuffle(order)
    for name in ("bleu_zh", "chrf_pp", "char_f1"):
        turned = compute(name, [ZH[i] for i in order], [ZH_REFERENCES[i] for i in order])
        assert turned.value == pytest.approx(compute(name, ZH, ZH_REFERENCES).value)
