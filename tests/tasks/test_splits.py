"""Ids, carved-out splits, samples, limits and digests follow content, not the order of rows."""

from __future__ import annotations

import hashlib
import json
import tempfile
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

import tasks
from bench.core.errors import UsageError
from bench.core.item import Example
from bench.core.prompt import Prompt
from bench.core.task import Task
from tasks.loader.digest import task_digest
from tasks.loader.examples import Draft
from tasks.loader.problems import Problems
from tasks.loader.splits import carve, first_by_hash, folds, named

Make = Callable[..., Path]
PROMPT = Prompt("", "{text}:")
LETTERS = st.text("abcdef", min_size=1, max_size=2)
ROWS = st.lists(st.tuples(LETTERS, st.sampled_from(["yes", "no"])), min_size=1, max_size=30)


def jsonl(rows: Sequence[dict[str, Any]]) -> str:
    return "".join(json.dumps(row) + "\n" for row in rows)


def drafts(rows: Sequence[tuple[str, str]]) -> list[Draft]:
    return [
        Draft(Example("", {"text": text}, ("no", "yes"), (label,)), row, "a.csv")
        for row, (text, label) in enumerate(rows, start=1)
    ]


def contents(found: Sequence[Draft]) -> Counter[tuple[str, str]]:
    return Counter((draft.example.fields["text"], draft.example.references[0]) for draft in found)


@given(ROWS, st.integers(2, 6), st.randoms())
def test_folds_hold_every_item_out_once_and_part_no_question(rows: list[tuple[str, str]], count: int, rng: Any) -> None:
    examples = [replace(draft.example, id=str(i)) for i, draft in enumerate(drafts(rows))]
    found = folds(examples, count, PROMPT)
    questions = {example.fields["text"] for example in examples}
    assert len(found) == min(count, len(questions))
    assert sorted(e.id for _, held in found for e in held) == sorted(e.id for e in examples)
    for rest, held in found:
        assert {e.id for e in rest} == {e.id for e in examples} - {e.id for e in held}
        assert not {e.fields["text"] for e in rest} & {e.fields["text"] for e in held}
    sizes = [len({e.fields["text"] for e in held}) for _, held in found]
    assert max(sizes) - min(sizes) <= 1
    shuffled = rng.sample(examples, len(examples))
    assert [{e.id for e in held} for _, held in folds(shuffled, count, PROMPT)] == [{e.id for e in h} for _, h in found]


def test_items_of_one_group_are_in_one_fold() -> None:
    examples = [Example(str(i), {"text": str(i)}, (), ("x",), group=f"page {i // 3}") for i in range(12)]
    found = folds(examples, 4, PROMPT)
    assert sorted(sorted(e.id for e in held) for _, held in found) == [
        ["0", "1", "2"], ["10", "11", "9"], ["3", "4", "5"], ["6", "7", "8"]
    ]  # fmt: skip


@given(ROWS.flatmap(lambda rows: st.tuples(st.just(rows), st.permutations(rows), st.integers(1, 30))))
def test_carving_is_disjoint_deterministic_and_blind_to_order(
    case: tuple[list[tuple[str, str]], list[tuple[str, str]], int],
) -> None:
    rows, shuffled, size = case
    rest, carved = carve(drafts(rows), size, PROMPT, "validation")
    assert contents(rest) + contents(carved) == Counter(rows)
    assert not {text for text, _ in contents(rest)} & {text for text, _ in contents(carved)}
    assert len(carved) <= size
    again = carve(drafts(shuffled), size, PROMPT, "validation")
    assert (contents(again[0]), contents(again[1])) == (contents(rest), contents(carved))


@given(st.sets(LETTERS, min_size=2, max_size=30).flatmap(lambda s: st.tuples(st.just(s), st.integers(1, len(s)))))
def test_distinct_questions_are_carved_to_the_exact_size(case: tuple[set[str], int]) -> None:
    texts, size = case
    rest, carved = carve(drafts([(text, "yes") for text in sorted(texts)]), size, PROMPT, "validation")
    assert (len(rest), len(carved)) == (len(texts) - size, size)


def test_a_group_too_large_is_passed_over() -> None:
    rows = [("a", "yes")] * 5 + [("b", "yes")]
    rest, carved = carve(drafts(rows), 1, PROMPT, "validation")
    assert (contents(rest), contents(carved)) == (Counter({("a", "yes"): 5}), Counter({("b", "yes"): 1}))


@given(ROWS.flatmap(lambda rows: st.tuples(st.just(rows), st.permutations(rows), st.integers(1, 30))))
def test_ids_and_samples_are_blind_to_order(
    case: tuple[list[tuple[str, str]], list[tuple[str, str]], int],
) -> None:
    rows, shuffled, count = case

    def ids(order: list[tuple[str, str]]) -> tuple[dict[str, tuple[str, str]], set[str]]:
        found = named("test", drafts(order), Problems())
        sample = first_by_hash(found, count)
        assert [draft for draft in found if draft in sample] == sample  # the file's order
        assert len(sample) == min(count, len(found))
        by_id = {d.example.id: (d.example.fields["text"], d.example.references[0]) for d in found}
        return by_id, {draft.example.id for draft in sample}

    assert ids(rows) == ids(shuffled)
    assert len(ids(rows)[0]) == len(rows)  # unique


def test_an_id_is_a_hash_of_fields_choices_references_and_gold() -> None:
    content = '[{"text":"é"},["no","yes"],["yes"],[]]'
    expected = hashlib.sha256(content.encode()).hexdigest()[:12]
    found = named("test", drafts([("é", "yes"), ("é", "yes"), ("é", "no")]), Problems())
    ids = [draft.example.id for draft in found]
    assert ids[:2] == [f"test/{expected}", f"test/{expected}#2"]
    assert "#" not in ids[2]


def test_ids_of_the_file_are_kept(make_task: Make) -> None:
    rows: list[dict[str, Any]] = [
        {"id": 7, "text": "a", "label": "yes"},
        {"id": "x y", "text": "b", "label": "no"},
    ]
    assert [e.id for e in tasks.load(make_task(files={"test.jsonl": jsonl(rows)})).test] == [
        "test/7",
        "test/x y",
    ]


def test_grouped_items_have_hashes_for_ids(make_task: Make) -> None:
    rows: list[dict[str, Any]] = [{"id": n, "text": "a", "label": f"r{n}"} for n in range(3)]
    spec = {"kind": "text", "splits": {"test": {"path": "test.jsonl", "group_by": "text"}}}
    ids = {
        tasks.load(make_task(spec, {"test.jsonl": jsonl(order)})).test[0].id
        for order in (rows, rows[::-1], [*rows[1:], rows[0]])
    }
    assert len(ids) == 1


NUMBERED = [{"text": f"text {n}", "label": ("yes", "no")[n % 2]} for n in range(20)]


def test_limit_keeps_a_fixed_part_in_any_order(make_task: Make) -> None:
    folder = make_task(files={"test.jsonl": jsonl(NUMBERED)})
    whole, part, smaller = tasks.load(folder).test, tasks.load(folder, 7).test, tasks.load(folder, 3).test
    assert [example for example in whole if example in part] == list(part)
    assert (len(part), len(smaller)) == (7, 3)
    assert {example.id for example in smaller} < {example.id for example in part}
    shuffled = tasks.load(make_task(files={"test.jsonl": jsonl(NUMBERED[::-1])}), 7)
    assert {example.id for example in shuffled.test} == {example.id for example in part}
    assert shuffled.digest == tasks.load(make_task(files={"test.jsonl": jsonl(NUMBERED)}), 7).digest
    assert len(tasks.load(folder, 100).test) == 20


def test_limit_leaves_train_and_validation_alone(make_task: Make) -> None:
    splits = {"train": "train.jsonl", "validation": {"from": "train", "size": 1}, "test": "test.jsonl"}
    task = tasks.load(make_task({"splits": splits}), 1)
    assert (len(task.train), len(task.validation), len(task.test)) == (3, 1, 1)
    assert {example.id.split("/")[0] for example in task.validation} == {"validation"}


@pytest.mark.parametrize("limit", [0, -3])
def test_a_limit_below_one_is_refused(make_task: Make, limit: int) -> None:
    with pytest.raises(UsageError, match=f"^limit is {limit}; it must be 1 or more$"):
        tasks.load(make_task(), limit)


def test_sample_and_test_carved_from_train(make_task: Make) -> None:
    files = {"all.jsonl": jsonl(NUMBERED)}
    splits = {
        "train": {"path": "all.jsonl", "sample": 10},
        "validation": {"from": "train", "size": 3},
        "test": {"from": "train", "size": 5},
    }
    task = tasks.load(make_task({"splits": splits}, files))
    assert (len(task.train), len(task.validation), len(task.test)) == (10, 3, 5)
    texts = [example.fields["text"] for example in (*task.train, *task.validation, *task.test)]
    assert len(set(texts)) == 18


@given(ROWS.flatmap(lambda rows: st.tuples(st.just(rows), st.permutations(rows))))
def test_digest_is_blind_to_the_order_of_rows_and_to_the_place(
    case: tuple[list[tuple[str, str]], list[tuple[str, str]]],
) -> None:
    def digest(rows: list[tuple[str, str]]) -> str:
        with tempfile.TemporaryDirectory() as name:
            folder = Path(name)
            (folder / "task.yaml").write_text(
                'name: t\nkind: choice\ntemplate: "{text}:"\nanswer: label\nchoices: [yes, no]\n'
                "splits: {train: a.jsonl, test: b.jsonl}\n"
            )
            (folder / "a.jsonl").write_text(jsonl([{"text": text, "label": label} for text, label in rows]))
            (folder / "b.jsonl").write_text(jsonl([{"text": "the test", "label": "yes"}]))
            return tasks.load(folder).digest

    assert digest(case[0]) == digest(case[1])


SAME: list[dict[str, Any]] = [
    {"name": "other"},
    {"description": "d"},
    {"licence": "MIT"},
    {"source": "s"},
    {"version": 2},
    {"metrics": ["accuracy"]},
    {"lowercase": True},
    {"choices": ["no", "yes"]},
]
DIFFERENT: list[dict[str, Any]] = [
    {"instruction": "i"},
    {"template": "{text}\n"},
    {"passage_template": "{text}"},
    {"query_template": "{text}"},
    {"choices": ["yes", "no"]},
    {"choices": {"yes": "Y", "no": "N"}},
    {"normalise": "tokens"},
    {"normalise": "pmi"},
    {"stop": "\n"},
    {"max_new_tokens": 65},
    {"splits": {"train": "train.jsonl", "validation": "more.jsonl", "test": "test.jsonl"}},
    {"splits": {"train": "train.jsonl", "test": "more.jsonl"}},
    {"splits": {"train": "more.jsonl", "test": "test.jsonl"}},
    {"corpus": "corpus.jsonl"},
]
FILES = {
    "more.jsonl": jsonl([{"text": "more", "label": "yes"}, {"text": "less", "label": "no"}]),
    "corpus.jsonl": jsonl([{"id": "1", "text": "p"}]),
}


@pytest.mark.parametrize("change", SAME)
def test_what_changes_no_prediction_changes_no_digest(make_task: Make, change: dict[str, Any]) -> None:
    assert tasks.load(make_task(change)).digest == tasks.load(make_task()).digest


def test_each_thing_that_decides_predictions_changes_the_digest(make_task: Make) -> None:
    changes: list[dict[str, Any]] = [{}, *DIFFERENT]
    digests = {tasks.load(make_task(change, FILES)).digest for change in changes}
    assert len(digests) == len(changes)


def test_what_is_scored_of_a_text_changes_the_digest_where_it_is_set(make_task: Make) -> None:
    rules = (None, "first_line", "last_number", "json", {"regex": "a"}, {"regex": "b"})
    text = {"kind": "text", "choices": None}
    found = {tasks.load(make_task({**text, **({"extract": rule} if rule else {})})).digest for rule in rules}
    assert len(found) == len(rules)


def test_digest_of_a_task_in_memory() -> None:
    example = Example("test/1", {"text": "a"}, (), ("x", "y"))
    task = Task("t", "text", PROMPT, (), (), (example,))
    assert task_digest(task) == task_digest(replace(task, name="u", metrics=("bleu",), digest="old"))
    swapped = replace(task, test=(replace(example, references=("y", "x")),))
    assert task_digest(swapped) != task_digest(task)  # the first reference is the one that is shown


@dataclass(frozen=True)
class LaterPrompt(Prompt):
    tone: str = ""


def test_a_field_of_the_prompt_that_is_added_later_changes_the_digest_only_where_it_is_set() -> None:
    task = Task("t", "text", PROMPT, (), (), (Example("test/1", {"text": "a"}, (), ("x",)),))
    assert task_digest(replace(task, prompt=LaterPrompt(**asdict(PROMPT)))) == task_digest(task)
    assert task_digest(replace(task, prompt=LaterPrompt(**asdict(PROMPT), tone="dry"))) != task_digest(task)
