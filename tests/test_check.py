"""`adaptbench check`: every problem at once, or what the data looks like."""

from __future__ import annotations

import io
import json
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from rich.console import Console

from bench.authoring.check import (
    Lengths,
    _unseen_scripts,
    gold_coverage,
    label_counts,
    lengths,
    near_duplicates,
    normalised,
    repeated,
    report,
)
from bench.core.errors import UsageError
from bench.core.item import Example, Passage
from bench.core.prompt import Prompt
from bench.core.task import Task

PROMPT = Prompt("", "{text}:")


def write(folder: Path, spec: dict[str, Any], **splits: Sequence[dict[str, Any]]) -> Path:
    """A task folder; JSON is YAML too."""
    folder.mkdir(exist_ok=True)
    for name, rows in splits.items():
        (folder / f"{name}.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    names = [name for name in splits if name != "corpus"]
    whole = {
        "name": "toy",
        "template": "{text}:",
        "answer": "label",
        "splits": {n: f"{n}.jsonl" for n in names},
    }
    (folder / "task.yaml").write_text(json.dumps({**whole, **spec}))
    return folder


def said(folder: Path | str, width: int = 200) -> tuple[str, list[str]]:
    """(what the terminal would show, the problems)."""
    shown, problems = report(folder)
    console = Console(file=io.StringIO(), width=width, force_terminal=False)
    console.print(shown)
    output = console.file
    assert isinstance(output, io.StringIO)
    return output.getvalue(), problems


def row(text: str, label: str, **more: Any) -> dict[str, Any]:
    return {"text": text, "label": label, **more}


def examples(*pairs: tuple[str, str]) -> list[Example]:
    return [Example(f"s/{n}", {"text": t}, ("no", "yes"), (label,)) for n, (t, label) in enumerate(pairs)]


def test_lengths_are_nearest_rank_percentiles() -> None:
    texts = ["x" * n for n in range(1, 101)]
    assert lengths(texts) == Lengths(100, (50, 95, 100), (1, 1, 1))
    assert lengths(["a b", "abcd"]) == Lengths(2, (3, 4, 4), (1, 2, 2))
    assert lengths([]) is None


def test_normalised_forgets_case_punctuation_and_spaces() -> None:
    assert normalised("  Where's my\tPARCEL?! ") == "where s my parcel"
    assert normalised("ﬁne ２") == "fine 2"
    assert normalised("?!") == "?!"  # nothing else is left to compare


def test_near_duplicates_are_not_equal() -> None:
    train, test = examples(("Hi there", "yes"), ("bye", "no")), examples(("hi, there!", "no"), ("bye", "no"))
    assert near_duplicates(train, test, PROMPT) == [(train[0], test[0])]


def test_repeated_questions() -> None:
    found = examples(("a", "yes"), ("a", "yes"), ("a", "no"), ("b", "yes"))
    assert repeated(found, PROMPT) == (2, 1)
    assert repeated([], PROMPT) == (0, 0)


def task(**splits: Any) -> Task:
    return Task("t", "choice", PROMPT, **{"train": (), "validation": (), "test": (), **splits})


def test_labels_are_counted_for_each_split() -> None:
    found = task(train=tuple(examples(("a", "no"), ("b", "no"))), test=tuple(examples(("c", "yes"))))
    assert label_counts(found) == {
        "yes": {"train": 0, "validation": 0, "test": 1},
        "no": {"train": 2, "validation": 0, "test": 0},
    }


def test_items_with_their_own_choices_have_no_label_balance() -> None:
    two = (Example("1", {}, ("a", "b"), ("a",)), Example("2", {}, ("c", "d"), ("c",)))
    assert label_counts(task(test=two)) == {}


def test_gold_coverage() -> None:
    test = (
        Example("1", {}, (), ("Paris",), ("p",)),
        Example("2", {}, (), ("Rome",), ("p",)),
        Example("3", {}, (), ("Rome",)),
        Example("4", {}, (), ("Oslo", "capital"), ("p",)),
    )
    found = task(test=test, corpus=(Passage("p", "the Capital of France", "paris"),))
    assert gold_coverage(found) == {"with gold passages": 0.75, "answer in a gold passage": 0.5}


def test_a_sound_task(tmp_path: Path) -> None:
    train = [row("good", "yes"), row("bad", "no"), row("bad", "no")]
    spec = {"kind": "choice", "description": "A toy.", "licence": "MIT"}
    text, problems = said(write(tmp_path / "toy", spec, train=train, test=[row("great", "yes")]))
    assert problems == []
    assert "✓ toy: kind choice, version 1\ndescription: A toy.\nlicence: MIT\n" in text
    lines = [[cell.strip() for cell in line.split("│")[1:-1]] for line in text.splitlines() if "│" in line]
    assert ["train", "3", "1", "3", "1"] in lines
    assert ["test", "1", "0", "1", "1"] in lines
    assert ["train question", "4 / 5 / 5", "1 / 1 / 1"] in lines  # "bad:" and "good:"
    assert ["yes", "1 (33.3%)", "-", "1 (100.0%)"] in lines
    assert ["no", "2 (66.7%)", "-", "0 (0.0%)"] in lines
    assert "derived: choices: the 2 labels that occur in train, sorted" in text
    assert "! no validation split: " in text
    assert '! "yes" is the answer to 100% of the test items' in text


def test_warnings(tmp_path: Path) -> None:
    train = [row("Hi there", "no"), row("bad", "no")]
    test = [row("hi there!", "yes"), row("x", "yes"), row("x", "no")]
    spec = {"kind": "choice", "choices": ["yes", "no"]}
    text, problems = said(write(tmp_path / "toy", spec, train=train, validation=[row("v", "no")], test=test))
    assert problems == []
    warnings = [line for line in text.splitlines() if line.startswith("! ")]
    assert warnings[0].startswith("! near duplicates: 1 test questions and one of train differ only in case, ")
    assert warnings[1:] == [
        "! test: questions that stand twice or more with different answers: 1",
        '! 1 labels of the test split never occur in train: "yes"',
    ]


def test_a_task_without_train_says_what_does_not_apply(tmp_path: Path) -> None:
    spec = {"kind": "text", "corpus": "corpus.jsonl", "gold": "gold"}
    test = [row("where", "Rome", gold=["1"]), row("who", "Ann", gold=[])]
    folder = write(tmp_path / "toy", spec, test=test, corpus=[{"id": "1", "text": "in Rome"}])
    text, problems = said(folder)
    assert problems == []
    assert "! no train split: methods that train, and few-shot, do not apply" in text
    assert "gold passages, share of test items: with gold passages 50.0%, answer in a gold passage 50.0%" in text
    assert "passage" in text


def test_an_allowed_overlap_is_a_warning(tmp_path: Path) -> None:
    spec = {"kind": "text", "allow_overlap": True}
    text, problems = said(write(tmp_path / "toy", spec, train=[row("a", "b")], test=[row("a", "b")]))
    assert problems == []
    assert "! toy/test.jsonl:1: 1 test item also stands in train (row 1 = toy/train.jsonl:1)" in text


def test_every_problem_is_shown(tmp_path: Path) -> None:
    test = [row("a", "maybe"), row("", "yes")]
    folder = write(tmp_path / "toy", {"kind": "choice", "choices": ["yes", "no"]}, test=test)
    text, problems = said(folder, width=300)
    assert len(problems) == 2
    assert all(f"✗ {problem}" in text for problem in problems)
    assert "toy: not usable" in text


def test_data_is_shown_as_plain_text(tmp_path: Path) -> None:
    label = "[bold]\x1b[31mred\x07[/bold]"
    spec = {"kind": "choice", "choices": [label, "no"], "description": "[red]x[/red]"}
    text, problems = said(write(tmp_path / "toy", spec, train=[row("t", label)], test=[row("a", label)]))
    assert problems == []
    assert "[bold]\\x1b[31mred\\x07[/bold]" in text
    assert "description: [red]x[/red]" in text
    assert "\x1b" not in text
    assert "\x07" not in text


def test_many_labels_are_cut_to_the_ends(tmp_path: Path) -> None:
    labels = [f"label {n:02}" for n in range(30)]
    test = [row(f"t{n} {i}", label) for n, label in enumerate(labels) for i in range(30 - n)]
    text, _ = said(write(tmp_path / "toy", {"kind": "choice", "choices": labels}, test=test))
    assert "labels: 30, the 6 most and least frequent" in text
    shown = [label for label in labels if label in text]
    assert shown == labels[:6] + labels[-6:]


def test_an_unknown_task_is_a_usage_error() -> None:
    with pytest.raises(UsageError, match='unknown task "support-intens"'):
        report("support-intens")


def test_a_bundled_task_has_nothing_to_warn_of() -> None:
    text, problems = said("support-intents")
    assert problems == []
    assert "! " not in text


def test_metrics_that_cannot_see_the_script_are_warned_of() -> None:
    items = tuple(Example(f"test/{n}", {"text": "?"}, (), ("猫坐在垫子上",)) for n in range(4))
    whole = ("exact_match", "exact_match_strict", "contains")  # compare the whole text, or characters of such scripts
    metrics = ("rouge_l", "bleu", "token_f1", "chrf", "rouge_l_unicode", *whole)
    found = replace(task(test=items), kind="text", metrics=metrics)
    assert list(_unseen_scripts(found)) == [
        "metric rouge_l cannot tell the words of 100% of the references apart; use rouge_l_unicode",
        "metric bleu cannot tell the words of 100% of the references apart; use bleu_zh",
        "metric token_f1 cannot tell the words of 100% of the references apart; use char_f1",
    ]
    english = replace(found, test=tuple(replace(item, references=("the cat sat",)) for item in items))
    assert list(_unseen_scripts(english)) == []
