"""Scores published by others: the E2E Challenge's outputs, and ROUGE-1.5.5's own values.

Both are read from `ADAPTBENCH_DATA`: e2e_system_outputs and e2e_nlg (Dušek et al. 2020), rouge
(google-research/rouge, testdata computed with the original Perl script).
"""

from __future__ import annotations

import csv
import json
from pathlib import Path
from typing import Any, cast

import pytest

from bench.metrics import compute, from_statistics, statistics
from bench.metrics.rouge import Rouge, RougeType, scores

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
    assert from_statistics("bleu", counts.sum(axis=0)) == pytest.approx(lowered.value, abs=1e-9)


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
