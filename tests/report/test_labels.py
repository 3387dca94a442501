"""Labels of choice tasks: F1 of each and what is taken for what, from the predictions alone."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from bench.analysis.labels import confusions, right_labels
from bench.core.record import Record, Run
from bench.report.html import page
from bench.store.run_folder import read_predictions
from tests.decision.test_headline import CLASSES, LABELS, told
from tests.decision.test_verdict import method
from tests.report.test_html import Parsed
from tests.test_comparison import answers, run

SAID = [0, 0, 0, 1, 2, 1, 1, 0, 2, 2]  # of CLASSES: 0 five times, 1 three times, 2 twice


def by_method(found: Run) -> dict[str, list[Record]]:
    return {one.method: [one] for one in found.records}


def test_counts_and_scores_by_hand(tmp_path: Path) -> None:
    found = run(tmp_path, told(tmp_path, "lora", SAID))
    [confusion] = confusions(found, by_method(found)).values()
    assert confusion.labels == LABELS
    assert confusion.counts.tolist() == [[3, 1, 1, 0], [1, 2, 0, 0], [0, 0, 2, 0]]
    expected = [[3 / 4, 3 / 5, 6 / 9], [2 / 3, 2 / 3, 4 / 6], [2 / 3, 1.0, 4 / 5]]  # precision, recall, F1
    assert confusion.scores() == pytest.approx(np.array(expected))


def test_macro_f1_is_the_mean_of_the_labels_f1(tmp_path: Path) -> None:
    """sklearn's definition, from the counts that a record keeps for macro-F1."""
    from sklearn.metrics import f1_score

    lines = [
        {"metrics": {"accuracy": float(said == truth)}, "output": LABELS[said], "counts": {"macro_f1": [truth, said]}}
        for said, truth in zip(SAID, CLASSES, strict=True)
    ]
    found = run(tmp_path, answers(tmp_path, "full", 0, lines))
    [confusion] = confusions(found, by_method(found)).values()
    assert confusion.scores()[:, 2].mean() == pytest.approx(f1_score(CLASSES, SAID, average="macro"))


def test_a_failure_is_no_answer_and_a_label_that_is_never_right_stays(tmp_path: Path) -> None:
    lines = [
        {"metrics": {"accuracy": 0.0}, "output": "", "right": 0, "scores": [], "order": [], "failure": "too long"},
        {"metrics": {"accuracy": 0.0}, "output": "card", "right": 0, "scores": [0, 0], "order": [1, 0]},
        {"metrics": {"accuracy": 0.0}, "output": "card", "right": 0, "scores": [0, 0], "order": [1, 0]},
    ]
    found = run(tmp_path, answers(tmp_path, "full", 0, lines))
    [confusion] = confusions(found, by_method(found)).values()
    assert confusion.labels == ("never answered 1", "card")
    assert confusion.counts.tolist() == [[0, 2, 1], [0, 0, 0]]
    assert confusion.scores().tolist() == [[0, 0, 0], [0, 0, 0]]


def test_choices_of_each_item_are_no_labels(tmp_path: Path) -> None:
    lines = [{"output": f"text {at}", "right": 0, "order": [0, 1], "metrics": {"accuracy": 1.0}} for at in range(4)]
    found = run(tmp_path, answers(tmp_path, "full", 0, lines))
    assert right_labels(read_predictions(tmp_path, found.records[0].key)) is None
    assert confusions(found, by_method(found)) == {}


def test_the_page_shows_both_and_lists_confusions_where_labels_are_many(tmp_path: Path) -> None:
    timed = method(tmp_path / "timed", "x", 1, 10)
    record = told(tmp_path, "lora", SAID, phases=timed.phases, environment=timed.environment, kind="choice")
    text = Parsed(page.html([run(tmp_path, record)])).text
    assert "mail: F1 of each label" in text
    assert "right label and answer, lora" in text
    many = tmp_path / "many"
    lines = [
        {"metrics": {"accuracy": float(at % 3 > 0)}, "output": f"label {at % 30 if at % 3 else (at + 1) % 30}",
         "right": at % 30, "order": [at % 30 if at % 3 else (at + 1) % 30], "scores": [0.0] * 30}
        for at in range(60)
    ]  # fmt: skip
    wide = answers(many, "lora", 0, lines, phases=timed.phases, environment=timed.environment, kind="choice")
    text = Parsed(page.html([run(many, wide)])).text
    assert "Commonest confusions of lora" in text
    assert "right label and answer" not in text
