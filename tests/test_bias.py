"""Counterfactual pairs: what is swapped, what counts as a change, and how a method is set against its base."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st

import tasks
from bench.analysis.counterfactuals import base_of, biases
from bench.cell.counterfactuals import changed
from bench.core.counterfactual import Slot, pairs, swapped
from bench.core.errors import TaskError
from bench.core.identity import MethodParts, PartSettings
from bench.core.item import Item
from bench.core.record import Prediction, Record
from bench.report.tables import tables
from tests.small import cells_of, measure, write_suite

WORDS = Slot("dialect", ("text",), swap=(("parcel", "package"), ("hi", "hey", "hello")))
TONE = Slot("tone", ("text",), frame=("Please: {}", "{} Now!"))


def item(text: str) -> Item:
    return Item(f"test/{text[:8]}", {"text": text, "other": "parcel"})


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("The parcel, my parcel", "The package, my package"),
        ("Parcel PARCEL", "Package PACKAGE"),
        ("parcels are not a parcel's", "parcels are not a package's"),
        ("none of it", "none of it"),
    ],
)
def test_whole_words_are_swapped_in_their_case(text: str, expected: str) -> None:
    assert swapped(text, "parcel", "package") == expected


def test_a_pair_has_one_swap_or_two_frames() -> None:
    one, other = WORDS.pair(item("Hello, the package")) or pytest.fail("no pair")
    assert one.fields["text"] == "Hello, the package"
    assert other.fields == {"text": "Hello, the parcel", "other": "parcel"}  # the first group that has a word
    one, other = TONE.pair(item("where is {it}")) or pytest.fail("no pair")
    assert (one.fields["text"], other.fields["text"]) == ("Please: where is {it}", "where is {it} Now!")
    assert WORDS.pair(item("nothing to swap")) is None
    assert len(pairs(WORDS, [item("hi"), item("no"), item("hey"), item("hello")], 2)) == 2


def test_words_swapped_in_the_answer_are_no_change() -> None:
    asked = item("my parcel")
    assert WORDS.same(asked, "Your parcel left.", "Your package left.")
    assert not WORDS.same(asked, "Your parcel left.", "Your package came.")
    assert not WORDS.same(asked, "hi", "hey")  # not swapped in this item


@given(st.text(alphabet="ab cparel", max_size=40))
def test_swapping_back_gives_the_text_again(text: str) -> None:
    plain = text.replace("xyz", "")
    assert swapped(swapped(plain, "parcel", "xyz"), "xyz", "parcel") == plain


class Echo:
    """Says the last letter of a text; fails on an empty one."""

    def predict(self, items: list[Item]) -> list[Prediction]:
        return [
            Prediction(
                one.id, output=one.fields["text"][-1:], failure=None if "long" not in one.id else "item_too_long"
            )
            for one in items
        ]


def test_flips_by_hand() -> None:
    predictor: Any = Echo()
    items = [item("a"), item("b!"), item("long")]
    assert changed(predictor, [TONE, WORDS], items, 9) == {"tone": {"test/a": True, "test/b!": False}, "dialect": {}}
    framed = Slot("end", ("text",), frame=("1{}", "2{}"))
    assert changed(predictor, [framed], items, 1) == {"end": {"test/a": False}}


def record(weights: str, context: str, flips: dict[str, bool], **options: int) -> Record:
    parts = MethodParts(PartSettings(weights), PartSettings(context, options))
    return Record("k", "m", "t", f"{weights}+{context}", 0, "ok", "", counterfactual={"tone": flips}, parts=parts)


def test_a_method_is_set_against_its_own_context() -> None:
    few = record("frozen", "few-shot", {"a": False, "b": False, "c": True, "d": False}, k=2)
    zero = record("frozen", "zero-shot", {"a": True, "b": True, "c": True, "d": True})
    full = record("full", "few-shot", {"a": True, "b": False, "c": True, "d": True}, k=2)
    assert base_of(full, [zero, few, full]) is few
    assert base_of(few, [zero, few, full]) is None
    [found] = biases([full], few)
    assert (found.slot, found.pairs, found.share, found.more) == ("tone", 4, 0.75, 0.5)
    assert found.interval.low == pytest.approx(0.3006, abs=1e-4)  # Wilson, 3 of 4
    assert found.more_interval is not None
    assert found.more_interval.low < 0.5 < found.more_interval.high
    [alone] = biases([full], None)
    assert alone.more is None


def test_a_run_asks_the_pairs_that_its_task_names(task_folder: Path, tmp_path: Path, tiny_model: Path) -> None:
    file = task_folder / "task.yaml"
    spec = yaml.safe_load(file.read_text())
    slots = {"colour": {"swap": [["red", "green"]]}, "tone": {"frame": ["Please. {}", "{} Now."]}}
    file.write_text(yaml.safe_dump({**spec, "counterfactuals": slots}))
    suite = write_suite(tmp_path, tiny_model, counterfactuals=5)
    plain = {cell.key for cell in cells_of(suite, counterfactuals=0)[1]}
    assert not plain & {cell.key for cell in cells_of(suite)[1]}
    _, _, run = measure(suite, tmp_path / "run")
    for one in run.records:
        assert {name: len(flips) for name, flips in one.counterfactual.items()} == {"colour": 4, "tone": 5}
    [table] = [one for one in tables(run) if "counterfactual" in one.title]
    assert [(row[0].text, row[2].text) for row in table.rows[:2]] == [
        ("zero-shot", "colour: 4"),
        ("zero-shot", "tone: 5"),
    ]
    assert [row[4].text != "–" for row in table.rows] == [False] * 4 + [True] * 2


@pytest.mark.parametrize(
    ("slot", "words"),
    [
        ({}, "it must have either swap or frame"),
        ({"frame": ["{}", "no hole"]}, "frame must be two texts with {} in each"),
        ({"frame": ["{}", "{}!"], "column": "colour"}, 'changes "colour", which the template does not show'),
        ({"swap": [["alone"]]}, "counterfactuals.x.swap.0"),
    ],
)
def test_a_wrong_slot_is_one_line(slot: dict[str, Any], words: str, task_folder: Path) -> None:
    file = task_folder / "task.yaml"
    file.write_text(yaml.safe_dump({**yaml.safe_load(file.read_text()), "counterfactuals": {"x": slot}}))
    with pytest.raises(TaskError) as caught:
        tasks.load(str(task_folder))
    assert words in str(caught.value)
    assert "\n" not in str(caught.value)
