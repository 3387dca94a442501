"""Bundled data that a script made: the script still makes it, byte for byte; and what all bundled tasks owe."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from collections import Counter
from pathlib import Path
from statistics import fmean

import pytest
from pyarrow import parquet

import tasks
from bench.authoring.check import near_duplicates
from bench.core.spans import Span
from bench.metrics import refuse_unfit
from scripts.tasks.world import relations, say

ROOT = Path(__file__).resolve().parents[2]
SCRIPTS = sorted((ROOT / "scripts" / "tasks").glob("*/generate.py"))
BUNDLED = [script.parent.name.replace("_", "-") for script in SCRIPTS]
SIZES = {"train": 400, "validation": 100, "test": 300}
RANKED = {"world-facts": 0.25, "reading": 0.25, "arithmetic": (40 / 2 + 260 / 4) / 300, "grammar-pairs": 0.5}  # chance
FAMILY = (
    *("support-intents", "support-replies", "invoice-fields", "next-purchase", "handbook-qa", "product-sheets"),
    "manuals-qa",
)


def bundled(script: Path) -> str:
    """The name of the task whose rows a script makes."""
    return script.parent.name.replace("_", "-")


def contents(folder: Path) -> dict[str, object]:
    """What a script's files hold: of text the bytes, of Parquet the rows, whose bytes are the library's own."""
    found: dict[str, object] = {file.name: file.read_bytes() for file in folder.glob("*.jsonl")}
    return found | {file.name: parquet.read_table(file).to_pylist() for file in folder.glob("*.parquet")}


def test_there_are_scripts() -> None:
    assert set(FAMILY) <= set(BUNDLED)


@pytest.mark.parametrize("script", SCRIPTS, ids=BUNDLED)
def test_the_script_still_makes_the_data(script: Path, tmp_path: Path) -> None:
    environment = {**os.environ, "PYTHONPATH": str(ROOT), "PYTHONHASHSEED": "7"}
    module = f"scripts.tasks.{script.parent.name}.generate"
    subprocess.run([sys.executable, "-m", module, str(tmp_path)], check=True, env=environment, timeout=60, cwd=ROOT)
    made = contents(tmp_path)
    assert made
    assert made == contents(ROOT / "tasks" / bundled(script))


@pytest.mark.parametrize("name", FAMILY)
def test_the_familys_tasks_are_large_enough_and_leak_nothing(name: str) -> None:
    task = tasks.load(name)
    refuse_unfit(task.metrics, task.kind, name)
    for split, least in SIZES.items():
        assert len(getattr(task, split)) >= least
    for split in ("train", "validation"):  # equal questions are refused when a task is loaded
        assert not near_duplicates(getattr(task, split), task.test, task.prompt)


def test_manuals_are_long_and_their_spans_hold_the_answers() -> None:
    task = tasks.load("manuals-qa")
    texts = {passage.id: passage.text for passage in task.corpus}
    words = [len(text.split()) for text in texts.values()]
    assert len(words) >= 200
    assert min(words) >= 1000
    assert max(words) <= 5000
    for split in (task.train, task.validation, task.test):
        spans = [(example, place) for example in split for place in example.gold]
        assert len(spans) == 0.8 * len(split)
        for example, place in spans:
            assert isinstance(place, Span)
            said = texts[place.document][place.start : place.end]
            assert any(reference in said for reference in example.references)
        silent = [example for example in split if not example.gold]
        assert {example.references for example in silent} == {("not in the manual",)}


@pytest.mark.parametrize(("name", "sizes"), [("parcel-marks", (20, 8, 25)), ("fabric-patterns", (10, 0, 15))])
def test_every_label_of_pictures_has_as_many_in_a_split(name: str, sizes: tuple[int, ...]) -> None:
    task = tasks.load(name)
    for split, count in zip((task.train, task.validation, task.test), sizes, strict=True):
        labels = Counter(example.references[0] for example in split)
        assert set(labels.values()) <= {count}
        assert len(labels) in (0, len(task.test[0].choices))


@pytest.mark.parametrize("name", RANKED)
def test_probes_rank_answers_and_chance_is_known(name: str) -> None:
    task = tasks.load(name)
    assert (task.kind, task.metrics[0]) == ("choice", "accuracy")
    assert fmean(1 / len(example.choices) for example in task.test) == pytest.approx(RANKED[name])
    first = fmean(example.choices[0] == example.references[0] for example in task.test)
    assert first == pytest.approx(RANKED[name], abs=0.08)  # the answer has no place of its own


def test_no_alternative_of_a_fact_is_another_right_answer() -> None:
    facts = {say(relation.held_out, fact): (relation, fact) for relation in relations() for fact in relation.rows}
    for example in tasks.load("world-facts").test:
        relation, fact = facts[example.fields["question"]]
        assert example.references == (fact.object,)
        wrong = {*example.choices} - {fact.object}
        assert len(wrong) == 3
        assert not wrong & {*fact.accepted}
        assert not any(fact.object in group and wrong & group for group in relation.alike)
        assert wrong <= {row.object for row in relation.rows} | {*relation.others}


def test_alternatives_of_a_sum_are_near_it() -> None:
    for example in tasks.load("arithmetic").test:
        if example.references[0].isdigit() and len(example.choices) == 4:
            shown = [int(number) for number in re.findall(r"\d+", example.fields["question"])]
            far = sorted(abs(int(choice) - int(example.references[0])) for choice in example.choices)
            assert far[0] == 0
            assert {*far[1:]} <= {2, 3, 4, 5, 10}
            assert not ({*map(int, example.choices)} - {int(example.references[0])}) & {*shown}


def test_alternatives_of_a_passage_are_in_it_before_others_are() -> None:
    """The race is won by one of the three runners that the passage names."""
    race = [x for x in tasks.load("reading").test if x.fields["question"] == "Who won the race?"]
    assert race
    for example in race:
        second, first, third = re.search(
            r"(\w+) led for most .* So (\w+) won, and third place went to (\w+)\.", example.fields["passage"]
        ).groups()  # type: ignore[union-attr]
        assert example.references == (first,)
        assert {first, second, third} < {*example.choices}
