"""Whether passages entail answers: chances against a plain loop over parts, and a case worked by hand."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import torch
from transformers import AutoModelForSequenceClassification, AutoTokenizer

from bench.core.errors import UsageError
from bench.core.record import Run
from bench.core.refusal import Refusal
from bench.core.task import Task
from bench.judging import entailment
from bench.judging.answers import Answers
from bench.judging.entailment import InferenceModel, entailed, hypothesis, load
from bench.report.tables import judged as tables
from bench.store.judged import Bounds, Calibration, Judged, read_entailed, read_judged, write_entailed, write_judged
from tests import reranker
from tests.test_passages_used import CASES, record, task


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A tiny model of three classes, of which the second is entailment."""
    built = reranker.build(tmp_path_factory.mktemp("nli"), scores=3)
    return labelled(built, ["contradiction", "Entailment", "neutral"])


def labelled(folder: Path, labels: Sequence[str]) -> Path:
    config = json.loads((folder / "config.json").read_text())
    config["id2label"] = dict(enumerate(labels))
    config["label2id"] = {label: place for place, label in enumerate(labels)}
    (folder / "config.json").write_text(json.dumps(config))
    return folder


def plain(folder: Path, parts: Sequence[Sequence[int]], claim: Sequence[int]) -> float:
    """The highest chance over parts that were cut by hand, one pass for each."""
    model = AutoModelForSequenceClassification.from_pretrained(folder).eval()
    tokenizer = AutoTokenizer.from_pretrained(folder)
    start, end = tokenizer.cls_token_id, tokenizer.sep_token_id
    chances = []
    for part in parts:
        ids = torch.tensor([[start, *part, end, *claim, end]])
        types = torch.tensor([[0] * (len(part) + 2) + [1] * (len(claim) + 1)])
        with torch.no_grad():
            logits = model(input_ids=ids, token_type_ids=types).logits[0]
        chances.append(float(logits[1].exp() / logits.exp().sum()))
    return max(chances)


def test_chances_are_those_of_a_plain_loop_over_overlapping_parts(folder: Path) -> None:
    model, tokenizer = load(str(folder)), AutoTokenizer.from_pretrained(folder)

    def ids(text: str) -> list[int]:
        return list(tokenizer(text, add_special_tokens=False)["input_ids"])

    claim = "where is the blue cup"
    short, long = "the cup is red", " ".join(["the cup is red", "a pan is blue"] * 7)
    assert model.longest == 32
    room = 32 - 3 - len(ids(claim))
    step = room - room // 4
    cut = [ids(long)[start : start + room] for start in range(0, len(ids(long)) - room // 4, step)]
    assert len(cut) > 2
    assert model.chance([short], claim) == pytest.approx(plain(folder, [ids(short)], ids(claim)), abs=1e-6)
    assert model.chance([long], claim) == pytest.approx(plain(folder, cut, ids(claim)), abs=1e-6)
    assert model.chance([short, long], claim) == max(model.chance([short], claim), model.chance([long], claim))


def test_a_claim_that_leaves_no_room_is_counted(folder: Path) -> None:
    model = load(str(folder))
    assert model.chance(["the cup is red"], "the cup is red " * 8) == 0.0
    assert model.too_long == 1


@pytest.mark.parametrize("labels", [["LABEL_0", "LABEL_1", "LABEL_2"], ["not_entailment", "no", "perhaps"]])
def test_a_model_without_such_a_class_is_refused(tmp_path: Path, labels: list[str]) -> None:
    built = labelled(reranker.build(tmp_path / "other", scores=3), labels)
    with pytest.raises(UsageError, match=f"no class called entailment.*{labels[0]}"):
        load(str(built))


class Scripted(InferenceModel):
    """Sure that a premise entails an answer whose last word stands in it."""

    def __init__(self) -> None:
        super().__init__(None, None, 0, "sha")

    def chance(self, premises: Sequence[str], claim: str) -> float:
        word = claim.rstrip('".').split()[-1]
        return 1.0 if any(word in premise.split() for premise in premises) else 0.25


def judged(monkeypatch: pytest.MonkeyPatch, folder: Path, asked: Task) -> tuple[Run, Any]:
    rag, closed = record("r", "rag", top_k=1, neighbours=0), record("c", "zero-shot")
    lines = [{"id": name, "ranking": ranking} for name, (_, ranking, _, _) in CASES.items()]
    texts = {name: text for name, (_, _, text, _) in CASES.items()}
    answers = [Answers(rag, texts), Answers(closed, texts)]
    monkeypatch.setattr(entailment, "answers_to", lambda run, name: (asked, answers))
    monkeypatch.setattr(entailment, "read_predictions", lambda path, key: lines)
    monkeypatch.setattr(entailment, "load", lambda reference, device: Scripted())
    run: Any = replace(Run(folder, "s", (rag, closed), ()))
    return run, entailed(run, "cups", "nli")


def test_the_first_passage_of_each_answer_is_asked_about(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """Shown is the cup for four questions and "the pan", "the jug" for none; one answer is empty."""
    run, found = judged(monkeypatch, tmp_path, task())
    assert [row.method for row in found.methods] == ["rag"]
    # blue stands in every passage, green in none; pan in that of the pan alone, which is not shown
    assert found.methods[0].chances == ((1.0, 0.25, 0.25, None, 0.25, 0.25, 0.25),)
    write_entailed(tmp_path, found)
    assert read_entailed(tmp_path) == [found]
    (table,) = tables.tables(run, "m")
    _, count, share, mean = (cell.text for cell in table.rows[0])
    assert (count, share[:5], mean[:5]) == ("6", "0.167", "0.375")
    assert any("held against nobody's judgements" in note for note in table.notes)


def test_a_refusal_is_no_statement(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    asked = replace(task(), refusal=Refusal("heavy"))
    _, found = judged(monkeypatch, tmp_path, asked)
    assert found.methods[0].chances == ((1.0, 0.25, 0.25, None, None, None, 0.25),)


def test_methods_without_passages_are_said(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(entailment, "answers_to", lambda run, name: (task(), [Answers(record("c", "zero-shot"), {})]))
    run: Any = Run(Path(), "s", (), ())
    with pytest.raises(UsageError, match="no method shows passages"):
        entailed(run, "cups", "nli")


def test_files_of_the_three_kinds_are_told_apart(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    _, found = judged(monkeypatch, tmp_path, task())
    write_entailed(tmp_path, found)
    calibration = Calibration(60, Bounds(0.5, 0.45, 0.6), 0.9, None, None, None)
    said = Judged("cups", "someone", "sha", "pairs", "kinder?", "reference", calibration, 10, 1.0)
    write_judged(tmp_path, said)
    assert read_judged(tmp_path) == [said]
    assert read_entailed(tmp_path) == [found]


def test_the_hypothesis_holds_question_and_answer() -> None:
    assert hypothesis("Who?", " Ada\n") == 'The answer to the question "Who?" is "Ada".'
