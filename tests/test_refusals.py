"""Answering and refusing: shares and curves worked by hand, thresholds from validation, and a run that has them."""

from __future__ import annotations

import json
import math
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import torch
import yaml
from hypothesis import given
from hypothesis import strategies as st
from transformers import AutoModelForCausalLM

import tasks
from bench.analysis.refusals import of_items, refusals, risk_coverage
from bench.cell.confidence import confidences
from bench.core.errors import TaskError
from bench.core.record import Prediction
from bench.core.refusal import Judged, Refusal, best_threshold
from bench.engine.predictor import question
from bench.report import tables
from bench.report.tables.refusals import risk_at
from bench.store.run_folder import read_predictions
from tests.gpu.test_loading import InThisProcess
from tests.small import measure
from tests.toy import adapted, text_task

NONE = Refusal("not in the handbook", ("cannot say",))
# answerable, refused, right, confidence
ITEMS = [
    Judged(True, False, True, 0.9),
    Judged(True, False, True, 0.8),
    Judged(False, False, False, 0.7),  # a false answer
    Judged(True, False, False, 0.6),
    Judged(True, True, False, None),  # a false refusal
    Judged(False, True, True, None),
    Judged(False, False, False, 0.5),  # a false answer
    Judged(True, False, True, 0.4),
]


@pytest.mark.parametrize(
    ("text", "refuses"),
    [
        ("not in the handbook", True),
        ("Not in the Handbook.", True),
        ("It is not in the handbook, sorry", True),
        ("I cannot  say!", True),
        ("in the handbook", False),
        ("not in the handbooks", False),
        ("", True),
        ("...", True),
        ("4 kilos", False),
    ],
)
def test_what_is_a_refusal(text: str, refuses: bool) -> None:
    assert NONE.is_said(text) is refuses


def test_shares_by_hand() -> None:
    """Five items have an answer: three right, one refused. Three have none: two were answered, one refused."""
    found = of_items([ITEMS], [None])
    assert found.handled.value == pytest.approx(4 / 8)
    assert found.right is not None
    assert [found.right.value, found.right.items] == pytest.approx([3 / 5, 5])
    assert found.false_refusals is not None
    assert found.false_refusals.value == pytest.approx(1 / 5)
    assert found.false_answers is not None
    assert [found.false_answers.value, found.false_answers.items] == pytest.approx([2 / 3, 3])
    assert found.at_threshold is None


def test_the_curve_by_hand() -> None:
    curve = risk_coverage(ITEMS)
    assert [covered for covered, _ in curve] == [k / 8 for k in range(1, 7)]
    assert [risk for _, risk in curve] == pytest.approx([0, 0, 1 / 3, 2 / 4, 3 / 5, 3 / 6])
    assert of_items([ITEMS], [None]).area == pytest.approx((0 + 0 + 1 / 3 + 1 / 2 + 3 / 5 + 1 / 2) / 6)
    assert risk_at(curve, 0.5) == 0.5
    assert risk_at(curve, 0.9) is None


def test_equal_confidence_is_one_step() -> None:
    items = [replace(item, confidence=None if item.refused else 0.5) for item in ITEMS]
    assert risk_coverage(items) == [(6 / 8, 3 / 6)]


def test_no_curve_where_a_confidence_is_unknown() -> None:
    assert risk_coverage([*ITEMS, Judged(True, False, True, None)]) == []


def test_the_threshold_by_hand() -> None:
    """Refusing below 0.6 turns one false answer into a refusal and one right answer too: no gain. Nothing is gained
    above either until 0.75, where two false answers become refusals, and one right answer is lost: 5 of 8.
    """
    found = best_threshold(ITEMS)
    assert found.items == 8
    assert [found.confidence, found.before, found.handled] == pytest.approx([0.75, 4 / 8, 5 / 8])
    at = of_items([ITEMS], [found.confidence]).at_threshold
    assert at is not None
    assert at.value == pytest.approx(5 / 8)


def test_nothing_is_refused_where_that_gains_nothing() -> None:
    assert best_threshold([Judged(True, False, True, 0.2), Judged(True, False, True, 0.9)]).confidence == 0


JUDGED = st.builds(Judged, st.booleans(), st.booleans(), st.booleans(), st.sampled_from([0.1, 0.3, 0.5, 0.9]))


@given(st.lists(JUDGED, min_size=1, max_size=30))
def test_a_threshold_never_costs_on_the_items_it_was_chosen_on(items: list[Judged]) -> None:
    found = best_threshold(items)
    assert found.handled >= found.before
    every = [sum(item.handled(at) for item in items) / len(items) for at in (0.0, 0.2, 0.4, 0.7, 1.0)]
    assert found.handled == max(every)  # every threshold between two confidences


@given(st.lists(JUDGED, min_size=1, max_size=30))
def test_a_curve_ends_at_what_is_answered(items: list[Judged]) -> None:
    curve = risk_coverage(items)
    answered = [item for item in items if not item.refused]
    if answered:
        assert curve[-1][0] == len(answered) / len(items)
        assert curve[-1][1] == pytest.approx(sum(not (i.answerable and i.right) for i in answered) / len(answered))
    else:
        assert curve == []


def write_task(folder: Path, **changes: Any) -> Path:
    task = folder / "notes"
    task.mkdir()
    for split in ("train", "validation", "test"):
        rows = [
            {"id": i, "text": f"{split} thing {i}", "reply": "" if i % 2 else "blue", "nowhere": bool(i % 2)}
            for i in range(4)
        ]
        (task / f"{split}.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    spec = {
        "name": "notes", "kind": "text", "template": "{text}\nColour:", "answer": "reply", "max_new_tokens": 4,
        "splits": {split: f"{split}.jsonl" for split in ("train", "validation", "test")},
        "refusal": {"answer": "none", "also": ["no colour"], "unanswerable": "nowhere"}, **changes,
    }  # fmt: skip
    (task / "task.yaml").write_text(yaml.safe_dump(spec))
    return task


def test_items_without_an_answer_are_marked_by_their_column(tmp_path: Path) -> None:
    task = tasks.load(write_task(tmp_path))
    assert [example.references for example in task.test] == [("blue",), ("none",), ("blue",), ("none",)]
    assert task.refusal == Refusal("none", ("no colour",))


def test_a_column_that_says_neither_is_refused(tmp_path: Path) -> None:
    task = write_task(tmp_path)
    (task / "test.jsonl").write_text(json.dumps({"id": 1, "text": "x", "reply": "blue", "nowhere": "perhaps"}) + "\n")
    with pytest.raises(TaskError, match='column "nowhere" holds "perhaps", which is neither true nor false'):
        tasks.load(task)


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory, tiny_model: Path) -> Any:
    folder = tmp_path_factory.mktemp("refusals")
    write_task(folder)
    file = folder / "suite.yaml"
    suite = {
        "name": "notes",
        "models": [str(tiny_model)],
        "tasks": ["notes"],
        "methods": ["zero-shot"],
        "embedder": "none",
    }
    file.write_text(yaml.safe_dump(suite))
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("bench.runs.workers.executor", lambda suite, cells_at_once: InThisProcess())
        return measure(file, folder / "run")[2]


def test_a_run_keeps_confidences_and_a_threshold(run: Any) -> None:
    (record,) = run.records
    lines = read_predictions(run.path, record.key)
    for line in lines:
        assert (line["confidence"] or 0.0) <= 1
        assert bool(line["output"]) == bool(line["confidence"])
    assert record.threshold is None or record.threshold.items == 4
    found = refusals(run, [record])
    assert found is not None
    assert found.handled.items == 4
    titles = [table.title for table in tables.tables(run)]
    assert any(title.endswith("answering and refusing") for title in titles)


def test_confidence_is_the_mean_probability_of_the_tokens(tiny_model: Path) -> None:
    """Against a plain pass through the model: the geometric mean of the probabilities of the answer's tokens."""
    task = text_task(corpus=False)
    predictor = adapted(task, "zero-shot", {}, tiny_model).predictor
    items = [question(example) for example in task.test[:1]]
    (sure,) = confidences(predictor, items, [Prediction(items[0].id, "blue sky")])
    (prompt,) = predictor.writer.write([replace(items[0], choices=("blue sky",))])
    model = AutoModelForCausalLM.from_pretrained(tiny_model).eval()
    ids = [*prompt.prefix, *prompt.query, *prompt.choices[0]]
    with torch.no_grad():
        logs = model(torch.tensor([ids])).logits[0].log_softmax(-1)
    answer = range(len(ids) - len(prompt.choices[0]), len(ids))
    expected = math.exp(sum(float(logs[i - 1, ids[i]]) for i in answer) / len(prompt.choices[0]))
    assert sure == pytest.approx(expected, rel=1e-4)
