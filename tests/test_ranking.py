"""Rules that rank choices, and choices as trees: by hand, against plain passes of transformers, and invariants."""

from __future__ import annotations

import random
import shutil
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import torch
import yaml
from hypothesis import given
from hypothesis import strategies as st
from transformers import AutoModelForCausalLM, AutoTokenizer

from bench.core.errors import UsageError
from bench.core.item import Example, Item
from bench.core.prompt import Prompt
from bench.core.task import Rule, Task
from bench.engine.choice_tree import PlacedTree, TokenRead, Tree, place_trees, trees_of, with_ancestors
from bench.engine.ranking import ranked
from tests.small import measure, write_suite
from tests.test_engine import engine, plain_score
from tests.toy import adapted, blind, choice_task

ITEM = Item("test/1", {}, ("ab", "abcd"))
LENGTHS = (1, 3)  # tokens


@pytest.mark.parametrize(
    ("rule", "values"),
    [("none", [-2.0, -3.0]), ("tokens", [-2.0, -1.0]), ("chars", [-1.0, -0.75]), ("pmi", [-1.5, 1.0])],
)
def test_rules_by_hand(rule: Rule, values: list[float]) -> None:
    assert ranked(rule, ITEM, LENGTHS, [-2.0, -3.0], [-0.5, -4.0]) == values


@pytest.mark.parametrize(
    ("template", "cue"),
    [
        ("Thing {n} is {c}.\nColour: ", "Colour:"),
        ("{choices}\n{n}\n\n{{x}}:\n", "{x}:\n"),
        ("Is {n} right? Say yes or no:", "right? Say yes or no:"),
        ("{n}. Answer:", "Answer:"),
        ("Answer: {n}", ""),
    ],
)
def test_the_cue_is_what_follows_the_last_column(template: str, cue: str) -> None:
    assert Prompt("", template).cue() == cue


def likelihood(model: torch.nn.Module, tokenizer: object, before: str, answer: str) -> float:
    """Sum of the log-probabilities of the tokens that `answer` adds to `before`; one pass, nothing shared."""
    start, whole = (tokenizer(text)["input_ids"] for text in (before, before + answer))  # type: ignore[operator]
    assert whole[: len(start)] == start
    with torch.no_grad():
        logits = model(torch.tensor([whole])).logits[0].double().log_softmax(-1)
    return float(sum(logits[at - 1, whole[at]] for at in range(len(start), len(whole))))


@pytest.mark.parametrize("shots", [0, 2])
def test_pmi_is_that_of_plain_passes(tiny_model: Path, shots: int) -> None:
    task = replace(choice_task(), normalise="pmi")
    method, options = ("few-shot", {"k": 2, "select": "stratified"}) if shots else ("zero-shot", {})
    predictor = adapted(task, method, options, tiny_model).predictor
    model, tokenizer = (
        AutoModelForCausalLM.from_pretrained(tiny_model).eval(),
        AutoTokenizer.from_pretrained(tiny_model),
    )
    before = "Name the colour.\n\n"
    for block in predictor.writer.context.shared:
        before += block.written
    predictions = predictor.predict(blind(task.test))
    bare = predictor.priors.of(predictor.backend, predictor.writer.write_bare(blind(task.test)))
    assert len(predictor.priors.prompts) == 1  # the labels are those of every item
    for example, prediction, priors in zip(task.test, predictions, bare, strict=True):
        asked = f"{before}Thing {example.fields['number']} is painted {example.fields['colour']}.\nColour:"
        expected = [
            likelihood(model, tokenizer, asked, f" {choice}")
            - likelihood(model, tokenizer, f"{before}Colour:", f" {choice}")
            for choice in example.choices
        ]
        found = ranked("pmi", example, LENGTHS, prediction.scores, priors)
        assert found == pytest.approx(expected, abs=1e-6 * max(map(abs, prediction.scores)))
        assert prediction.output == example.choices[max(range(3), key=lambda i: expected[i])]


def own_choices() -> Task:
    """Each item has choices of its own."""

    def example(i: int) -> Example:
        return Example(f"test/{i}", {"n": str(i)}, (f"red {i}", f"dark blue {i}"), (f"red {i}",))

    return Task("own", "choice", Prompt("", "Thing {n}.\nColour:"), (), (), tuple(map(example, range(5))),
                metrics=("accuracy",), normalise="pmi")  # fmt: skip


def test_choices_of_their_own_are_each_compared_with_themselves(tiny_model: Path) -> None:
    predictor = adapted(own_choices(), "zero-shot", {}, tiny_model).predictor
    items = blind(own_choices().test)
    together = predictor.predict(items)
    assert len(predictor.priors.prompts) == 5
    predictor.forget()
    assert not predictor.priors.prompts
    alone = [predictor.one_at_a_time().predict([item])[0] for item in items]
    assert [each.order for each in alone] == [each.order for each in together]


@pytest.fixture
def several_rules(task_folder: Path) -> Path:
    file = task_folder / "task.yaml"
    file.write_text(file.read_text() + "normalise: [none, tokens, pmi]\n")
    return task_folder


def test_one_rule_is_chosen_for_every_method(several_rules: Path, tmp_path: Path, tiny_model: Path) -> None:
    methods = ["zero-shot", {"few-shot": {"k": 2}}, {"full": {"learning_rate": 1e-2, "max_steps": 3}}]
    _, _, run = measure(write_suite(tmp_path, tiny_model, methods=methods), tmp_path / "run")
    assert [record.status for record in run.records] == ["ok"] * 3
    [rule] = {record.ranked_by for record in run.records}
    right = {}
    for name in ("none", "tokens", "pmi"):  # the same by hand: each rule alone, asked of the validation items
        spec = yaml.safe_load((several_rules / "task.yaml").read_text())
        spec |= {"normalise": name, "splits": {**spec["splits"], "test": "validation.jsonl"}}
        del spec["splits"]["validation"]
        folder = tmp_path / f"by-{name}"
        shutil.copytree(several_rules, folder)
        (folder / "task.yaml").write_text(yaml.safe_dump(spec))
        suite = write_suite(tmp_path, tiny_model, tasks=[f"./by-{name}"], methods=["zero-shot"])
        right[name] = measure(suite, tmp_path / f"run-{name}")[2].records[0].scores["accuracy"].value
    assert rule == max(right, key=lambda name: right[name])  # the first of the best


def test_a_rule_cannot_be_chosen_where_no_item_fits(several_rules: Path, tmp_path: Path, tiny_model: Path) -> None:
    spec = yaml.safe_load((several_rules / "task.yaml").read_text())
    (several_rules / "task.yaml").write_text(yaml.safe_dump({**spec, "instruction": "word " * 200}))
    _, _, run = measure(write_suite(tmp_path, tiny_model, methods=["zero-shot"]), tmp_path / "run")
    assert [record.failure and record.failure.message for record in run.records] == [
        "several rules of normalise need a validation item that fits into the context; name one"
    ]


def test_a_probe_needs_one_rule(several_rules: Path, tmp_path: Path, tiny_model: Path) -> None:
    suite = write_suite(tmp_path, tiny_model, methods=["zero-shot"], probes=[several_rules.name])
    with pytest.raises(UsageError, match=r"lists several rules of normalise .*; a probe needs one"):
        measure(suite, tmp_path / "run")


CHOICES = ((7, 8, 9), (7, 8, 4), (7, 5), (3,))


def test_a_tree_by_hand() -> None:
    # in order of their tokens: 3 (no tree), 7 5, 7 8 4, 7 8 9; the tree holds 7 and the 8 after it
    [tree] = trees_of(CHOICES, 128)
    assert tree == Tree(
        [7, 8],
        [0, 0],
        [0, 1],
        [TokenRead(0, 5, 2), TokenRead(0, 8, 1), TokenRead(1, 4, 1), TokenRead(0, 8, 0), TokenRead(1, 9, 0)],
    )


def test_each_question_has_rows_of_its_own() -> None:
    pairs = [(0, (1, 2)), (0, (1, 3)), (2, (5,)), (2, (6, 7))]
    assert list(place_trees(pairs, 128)) == [
        PlacedTree(0, 0, Tree([1], [0], [0], [TokenRead(0, 2, 0), TokenRead(0, 3, 1)])),
        PlacedTree(2, 2, Tree([6], [0], [0], [TokenRead(0, 7, 1)])),
    ]


def test_what_each_place_sees_by_hand() -> None:
    # 0 <- 1 <- 2, and 3 alone
    assert with_ancestors(torch.tensor([[0, 0, 1, 3]]), 2).int().tolist() == [
        [[1, 0, 0, 0], [1, 1, 0, 0], [1, 1, 1, 0], [0, 0, 0, 1]]
    ]


IDS = st.lists(st.integers(0, 3), min_size=1, max_size=6)


@given(st.lists(IDS, min_size=1, max_size=12), st.integers(1, 10))
def test_every_token_but_the_first_is_read_once_after_those_before_it(drawn: list[list[int]], width: int) -> None:
    choices = tuple(tuple(choice) for choice in drawn)
    read: dict[int, list[tuple[int, int]]] = {}
    for tree in trees_of(choices, width):
        assert len(tree.tokens) <= max(width, max(map(len, choices)) - 1)
        for place, token, choice in tree.reads:
            path = [place]
            while tree.parents[path[0]] != path[0]:
                path.insert(0, tree.parents[path[0]])
            assert tuple(tree.tokens[at] for at in path) == choices[choice][: len(path)]
            assert [tree.depths[at] for at in path] == list(range(len(path)))
            assert path == sorted(path)
            read.setdefault(choice, []).append((len(path), token))
        beginnings = [(tree.parents[at] if tree.depths[at] else -1, tree.tokens[at]) for at in range(len(tree.tokens))]
        assert len(set(beginnings)) == len(beginnings)  # what choices have in common stands there once
    for number, whole in enumerate(choices):
        assert sorted(read.get(number, [])) == [(at, token) for at, token in enumerate(whole) if at]


@pytest.mark.parametrize("batch_tokens", [300, 2048])
def test_choices_that_begin_alike_score_as_alone(tiny_model: Path, batch_tokens: int) -> None:
    from transformers import AutoModelForCausalLM

    model: Any = AutoModelForCausalLM.from_pretrained(tiny_model).eval()
    rng = random.Random(0)
    words = [[rng.randrange(3, 250) for _ in range(rng.randint(1, 3))] for _ in range(12)]
    choices = [[*rng.choice(words), *rng.choice(words), *rng.choice(words)] for _ in range(90)]
    choices += choices[:2]  # the same choice twice
    queries = [[rng.randrange(3, 250) for _ in range(n)] for n in (3, 17, 40)]
    found = engine(model, batch_tokens=batch_tokens).score([9, 8, 7], queries, [choices] * 3)
    for query, own in zip(queries, found, strict=True):
        assert own == pytest.approx([plain_score(model, [9, 8, 7, *query], choice) for choice in choices], abs=1e-4)
