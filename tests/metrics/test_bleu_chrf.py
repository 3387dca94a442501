"""BLEU and chrF: by hand, a naive second BLEU, ragged references; scores published by others.

The published ones are read from `ADAPTBENCH_DATA`: e2e_system_outputs and e2e_nlg (Dušek et al. 2020), rouge
(google-research/rouge, testdata computed with the original Perl script).
"""

from __future__ import annotations

import csv
import json
import math
from collections import Counter
from pathlib import Path
from typing import Any, cast

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sacrebleu.metrics.bleu import BLEU
from sacrebleu.metrics.chrf import CHRF

from bench.core.errors import UsageError
from bench.metrics import compute, from_statistics, statistics
from bench.metrics.rouge import Rouge, RougeType, scores

Rows = list[tuple[str, list[str]]]
sentences = st.lists(st.sampled_from("abcdef"), max_size=8).map(" ".join)
rows = st.lists(st.tuples(sentences, st.lists(sentences, min_size=1, max_size=4)), min_size=1, max_size=6)


def split(data: Rows) -> tuple[list[str], list[list[str]]]:
    return [prediction for prediction, _ in data], [references for _, references in data]


def ngrams(text: str, n: int) -> Counter[tuple[str, ...]]:
    words = text.split()
    return Counter(tuple(words[start : start + n]) for start in range(len(words) - n + 1))


def naive_bleu(data: Rows) -> float:
    """Papineni et al. 2002, with NIST's smoothing: the k-th order without a match counts 1 / 2^k matches."""
    said = sum(len(prediction.split()) for prediction, _ in data)
    wanted = 0
    for prediction, references in data:
        lengths = sorted(len(text.split()) for text in references)
        wanted += min(lengths, key=lambda length: abs(length - len(prediction.split())))
    logs, halves = [], 0
    for n in range(1, 5):
        total = sum(ngrams(prediction, n).total() for prediction, _ in data)
        clipped = 0
        for prediction, references in data:
            for gram, count in ngrams(prediction, n).items():
                clipped += min(count, max(ngrams(text, n)[gram] for text in references))
        if n == 1 and clipped == 0:
            return 0.0
        if total == 0:
            return 0.0
        if clipped == 0:
            halves += 1
        logs.append(math.log(clipped / total if clipped else 1 / (2**halves * total)))
    brevity = min(0.0, 1 - wanted / said)
    return 100 * math.exp(brevity + sum(logs) / 4)


def test_bleu_by_hand_with_ragged_references() -> None:
    # Item 1 is perfect. Item 2: all 5 words are in some reference; bigrams a-b, c-d, d-e of 4;
    # trigram c-d-e of 3; no 4-gram of 2. Together 9/9, 6/7, 3/5, 1/3; lengths 9 and 4 + 5.
    data = [("a b c d", ["a b c d"]), ("a b c d e", ["a b x x x", "x x c d e"])]
    assert compute("bleu", *split(data)).value == pytest.approx(100 * (6 / 7 * 3 / 5 * 1 / 3) ** 0.25)


def test_bleu_punishes_brevity() -> None:
    # all n-grams match; 4 words where 8 were wanted: exp(1 - 8 / 4)
    data = [("a b c d", ["a b c d e f g h"])]
    assert compute("bleu", *split(data)).value == pytest.approx(100 * math.exp(-1))


def test_every_segment_is_scored_not_only_the_first() -> None:
    # References handed over the wrong way round score the first segment alone and give 100.
    data = [("the cat sat down", ["the cat sat down"]), ("w x y z", ["all of it wrong"])]
    # 4 of 8, 3 of 6, 2 of 4, 1 of 2
    assert compute("bleu", *split(data)).value == pytest.approx(50.0)
    assert compute("chrf", *split(data)).value < 70.0


def test_every_reference_is_used_not_only_the_first() -> None:
    data = [("the cat sat down", ["all of it wrong", "the cat sat down"])]
    for name in ("bleu", "chrf"):
        assert compute(name, *split(data)).value == pytest.approx(100.0)


def test_a_reference_more_elsewhere_changes_nothing_here() -> None:
    plain = [("a b c d", ["a b c d"]), ("e f g h", ["e f g x"])]
    ragged = [("a b c d", ["a b c d"]), ("e f g h", ["e f g x", "e f g x", "e f g x"])]
    for name in ("bleu", "chrf"):
        assert compute(name, *split(plain)).value == compute(name, *split(ragged)).value


def test_chrf_by_hand() -> None:
    # "ab" against "abc" (spaces do not count): order 1: P 1, R 2/3; order 2: P 1, R 1/2; no order 3 said.
    # mean P 1, mean R 7/12; F2 = 5PR / (4P + R) = (35/12) / (55/12) = 7/11
    assert compute("chrf", ["a b"], [["ab c"]]).value == pytest.approx(100 * 7 / 11)


@pytest.mark.parametrize(("name", "lowered"), [("bleu", "case:lc"), ("chrf", "case:lc")])
def test_lowercase_is_a_choice_and_stands_in_the_signature(name: str, lowered: str) -> None:
    predictions, references = ["THE CAT SAT DOWN"], [["the cat sat down"]]
    cased = compute(name, predictions, references)
    assert cased.value == 0.0
    assert "case:mixed" in cased.signature
    folded = compute(name, predictions, references, lowercase=True)
    assert folded.value == pytest.approx(100.0)
    assert lowered in folded.signature
    assert "version:" in folded.signature
    assert "nrefs:1" in folded.signature
    ragged = compute(name, ["a", "b"], [["a"], ["b", "c"]])
    assert "nrefs:var" in ragged.signature


@settings(max_examples=60, deadline=None)
@given(rows)
def test_bleu_equals_a_naive_second_implementation(data: Rows) -> None:
    assert compute("bleu", *split(data)).value == pytest.approx(naive_bleu(data), abs=1e-6)


@settings(max_examples=30, deadline=None)
@given(rows, st.booleans())
def test_corpus_score_follows_from_summed_statistics(data: Rows, lowercase: bool) -> None:
    for name, width in (("bleu", 10), ("chrf", 18)):
        counts = statistics(name, *split(data), lowercase=lowercase)
        assert counts.shape == (len(data), width)
        assert np.issubdtype(counts.dtype, np.integer)
        whole = compute(name, *split(data), lowercase=lowercase).value
        drawn = data + data[:1]  # a resample that holds the first item twice
        resampled = compute(name, *split(drawn), lowercase=lowercase).value
        sums = np.array([counts.sum(axis=0), counts.sum(axis=0) + counts[0]])
        assert from_statistics(name, sums) == pytest.approx([whole, resampled], abs=1e-12)


@settings(max_examples=100, deadline=None)
@given(st.lists(st.lists(st.integers(0, 3) | st.integers(0, 9000), min_size=6, max_size=6), min_size=1, max_size=5))
def test_many_sums_at_once_are_worth_what_each_is(drawn: list[list[int]]) -> None:
    bleu = [[c[0], c[1], *(min(x, y) for x, y in zip(c[2:], c[1:5], strict=True)), *c[1:5]] for c in drawn]
    chrf = [[each for i in range(6) for each in (c[i], c[-i], min(c[i], c[-i]))] for c in drawn]
    for name, sums, expected in (
        ("bleu", bleu, [BLEU()._compute_score_from_stats(each).score for each in bleu]),
        ("chrf", chrf, [CHRF()._compute_score_from_stats(each).score for each in chrf]),
        ("macro_f1", drawn, [naive_macro_f1(*each) for each in drawn]),
    ):
        assert from_statistics(name, np.array(sums)) == pytest.approx(expected, rel=1e-12, abs=1e-12)


def naive_macro_f1(a: int, b: int, true_a: int, true_b: int, said_a: int, said_b: int) -> float:
    """Of two labels: hits, times true, times predicted; a label that occurs nowhere is no class."""
    each = [2 * h / (t + s) for h, t, s in ((a, true_a, said_a), (b, true_b, said_b)) if t + s]
    return sum(each) / len(each) if each else 0.0


def test_statistics_honour_case() -> None:
    # counts: lengths 2 and 2, then 1-gram matches
    assert statistics("bleu", ["A b"], [["a b"]])[0, :3].tolist() == [2, 2, 1]
    assert statistics("bleu", ["A b"], [["a b"]], lowercase=True)[0, :3].tolist() == [2, 2, 2]


def test_statistics_are_refused_where_there_are_none() -> None:
    with pytest.raises(UsageError, match=r'"accuracy" has no per-item statistics; allowed: macro_f1, bleu'):
        statistics("accuracy", ["a"], [["a"]])
    with pytest.raises(UsageError, match=r'unknown metric "blue" \(did you mean "bleu"\?\)'):
        from_statistics("blue", np.zeros((1, 10)))


SYSTEMS = ("tgen", "slug", "chen", "forge1", "zhaw2")


@pytest.fixture(scope="module")
def references(public_data: Path) -> dict[str, list[str]]:
    """All references of each of the 630 meaning representations of the test set."""
    grouped: dict[str, list[str]] = {}
    with (public_data / "e2e_nlg" / "testset_w_refs.csv").open(encoding="utf-8", newline="") as stream:
        for row in csv.DictReader(stream):
            grouped.setdefault(row["mr"], []).append(row["ref"])
    assert len(grouped) == 630
    assert sum(map(len, grouped.values())) == 4693
    assert len({len(texts) for texts in grouped.values()}) > 1  # ragged, which is the point
    return grouped


@pytest.mark.parametrize("system", SYSTEMS)
def test_e2e_challenge_outputs(system: str, public_data: Path, references: dict[str, list[str]]) -> None:
    folder = public_data / "e2e_system_outputs"
    published = json.loads((folder / "scores.json").read_text(encoding="utf-8"))[system]
    with (folder / f"{system}.tsv").open(encoding="utf-8", newline="") as stream:
        outputs = {row["MR"]: row["output"] for row in csv.DictReader(stream, delimiter="\t")}
    assert len(outputs) == published["n"]
    texts, wanted = list(outputs.values()), [references[mr] for mr in outputs]

    lowered = compute("bleu", texts, wanted, lowercase=True)
    assert lowered.value == pytest.approx(published["sacrebleu_lc"], abs=5e-5)
    assert lowered.value / 100 == pytest.approx(published["bleu_e2e"], abs=5e-7)  # the organisers' script
    assert lowered.signature.startswith("nrefs:var|case:lc|eff:no|tok:13a|smooth:exp|version:")
    assert compute("bleu", texts, wanted).value == pytest.approx(published["sacrebleu"], abs=5e-5)
    assert compute("chrf", texts, wanted).value == pytest.approx(published["chrf"], abs=5e-5)

    counts = statistics("bleu", texts, wanted, lowercase=True)
    assert from_statistics("bleu", counts.sum(axis=0, keepdims=True)) == pytest.approx(lowered.value, abs=1e-9)


def rouge_cases(folder: Path) -> list[dict[str, Any]]:
    cases: list[dict[str, Any]] = json.loads((folder / "rouge" / "rouge155_cases.json").read_text("utf-8"))
    assert len(cases) == 19
    return cases


def test_rouge_equals_rouge_155(public_data: Path) -> None:
    for case in rouge_cases(public_data):
        [found] = scores(
            [case["prediction"]],
            [[case["target"]]],
            cast(RougeType, case["type"]),
            use_stemmer=case["use_stemmer"],
        )
        wanted = [case[name] for name in ("precision", "recall", "fmeasure")]
        places = case["places"]
        assert [round(x - y, places) for x, y in zip(found, wanted, strict=True)] == [0.0] * 3, case["type"]


def test_the_rouge_module_reports_the_f_measure(public_data: Path) -> None:
    for case in rouge_cases(public_data):
        answer = Rouge(keep_in_memory=True).compute(
            predictions=[case["prediction"]],
            references=[["", case["target"]]],  # the better of two references
            rouge_type=case["type"],
            use_stemmer=case["use_stemmer"],
        )
        assert round(answer["rouge"] - case["fmeasure"], case["places"]) == 0.0
        assert f"type:{case['type']}|" in answer["signature"]
