"""The reference line of texts: the answer of the training example whose question is most alike."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import yaml

import tasks
from bench.analysis import item_texts
from bench.analysis.comparison import within
from bench.analysis.decision.headline_words import advice, against, caution
from bench.analysis.decision.reference_line import reference_line
from bench.analysis.statistics.intervals import Interval
from bench.core.item import Example
from bench.core.record import Prediction, Run, Score
from bench.metrics.scoring import score
from tasks.loader.digest import question_digest
from tests.decision.test_headline import headed
from tests.decision.test_verdict import method
from tests.test_comparison import answers, run

TRAIN = (
    ("When does the shop open?", "at nine"),
    ("Who mends the boat?", "Ada"),
    ("What does a jar cost?", "two pounds"),
)
TEST = (("who mends boats", "Ada"), ("what does one jar cost", "three pounds"), ("when does a shop open", "at nine"))
COPIED = ("Ada", "two pounds", "at nine")  # by hand: the words they share


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A task of three questions, each with one like it in the training split."""
    item_texts._read.cache_clear()
    made = tmp_path / "shop"
    made.mkdir()
    for split, pairs in (("train", TRAIN), ("validation", TRAIN), ("test", TEST)):
        rows = [{"id": at, "q": question, "a": answer} for at, (question, answer) in enumerate(pairs)]
        (made / f"{split}.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    spec = {
        "name": "shop", "kind": "text", "instruction": "Answer.", "template": "{q}\nAnswer:", "answer": "a",
        "splits": {split: f"{split}.jsonl" for split in ("train", "validation", "test")},
    }  # fmt: skip
    (made / "task.yaml").write_text(yaml.safe_dump(spec))
    return made


def measured(tmp_path: Path, folder: Path, outputs: tuple[str, ...], **changes: Any) -> Run:
    """A run whose one method gave these answers, scored as a run scores them."""
    task = tasks.load(folder)
    said = [Prediction(item.id, output) for item, output in zip(task.test, outputs, strict=True)]
    scored = score(task, said)
    primary = task.metrics[0]
    lines = [{"id": one.id, "output": one.output, **scored.of(at)} for at, one in enumerate(said)]
    timed = method(tmp_path / "timed", "x", 1, 3)
    record = answers(
        tmp_path, "full", 0, lines, task="shop", questions=question_digest(task), phases=timed.phases,
        environment=timed.environment, scores={primary: Score(scored.scores[primary].value,
        scored.scores[primary].signature)}, **changes,
    )  # fmt: skip
    found = run(tmp_path, record)
    return Run(tmp_path, found.suite, found.records, task_paths={"shop": str(folder)})


def test_the_nearest_training_answers_are_scored_like_those_of_a_method(tmp_path: Path, folder: Path) -> None:
    copied = measured(tmp_path / "copied", folder, COPIED)
    [expected] = within(copied)[0].answers
    found = measured(tmp_path / "own", folder, ("Bob", "two", "at noon"))
    [family] = within(found)
    line = reference_line(found, family)
    assert line is not None
    assert (line.label, line.score) == ("nearest answer", expected.score)
    assert line.values is not None
    assert expected.values is not None
    assert line.values.tolist() == expected.values.tolist()


def test_it_is_compared_with_and_does_not_forbid_a_choice(tmp_path: Path, folder: Path) -> None:
    """A copied answer knows the training examples: being no better is no sign of knowing nothing."""
    shown = headed(measured(tmp_path / "own", folder, COPIED))
    assert shown.beats_reference
    assert against(shown).startswith("nearest answer 0.000 [")


@pytest.mark.parametrize(("high", "said"), [(-0.1, "copying the nearest answer of"), (0.1, "")])
def test_a_choice_that_copying_beats_comes_with_a_caution(tmp_path: Path, folder: Path, high: float, said: str) -> None:
    shown = headed(measured(tmp_path / "own", folder, COPIED))
    [line] = shown.against
    assert line.a.label == "full"
    behind = replace(line, difference=-0.3, interval=Interval(-0.5, high, 0.95))
    doubted = replace(shown, verdict=replace(shown.verdict, evidence="enough", undecided=False), against=(behind,))
    assert caution(doubted).startswith(said)
    assert bool(caution(doubted)) == bool(said)
    assert advice(doubted) == ("of the methods measured choose full" if said else "choose full")


def test_without_the_tasks_folder_there_is_none(tmp_path: Path, folder: Path) -> None:
    found = measured(tmp_path / "own", folder, COPIED)
    [family] = within(found)
    gone = Run(found.path, found.suite, found.records, task_paths={"shop": "nowhere"})
    assert reference_line(gone, family) is None


def test_an_answer_is_that_of_the_example_and_not_of_its_place() -> None:
    """Whatever the order of the training examples."""
    from bench.core.nearest import Nearest, text_of

    train = [
        Example(f"train/{at}", {"q": question}, references=(answer,)) for at, (question, answer) in enumerate(TRAIN)
    ]
    test = [Example(f"test/{at}", {"q": question}) for at, (question, _) in enumerate(TEST)]
    for turned in (train, train[::-1]):
        assert tuple(Nearest(turned).answers([text_of(item) for item in test])) == COPIED
