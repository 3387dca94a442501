"""Prompts that are found by asking the model: what is tried and chosen, what it counts, what it cannot read."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import pytest

import methods
from bench.adapt.adapt import adapt
from bench.adapt.asking import ModelAsker, Reflector, merits, with_prompt
from bench.adapt.learner import Adapted
from bench.cell.measure import measure as measure_cell
from bench.core.errors import CellError, UsageError
from bench.core.item import Example
from bench.core.method import Context, Material
from bench.core.prompt_search import Answered, FoundPrompt
from bench.core.record import Prediction
from methods.few_shot import by_gain, stratified
from tests.test_tuning import Sealed, job_of, sealed_until
from tests.toy import adapted, blind, choice_task, session_of, text_task


class ScriptedAsker:
    """Gives every prompt the merit that a script has for its instruction and examples."""

    trials = 3

    def __init__(self, script: Callable[[Context, Sequence[Example]], list[float]], items: Sequence[Example]) -> None:
        self.script, self.validation = script, tuple(items)
        self.answers, self.asked, self.texts = 0, list[tuple[str | None, tuple[str, ...], tuple[str, ...]]](), [""]

    def answer(self, context: Context, examples: Sequence[Example]) -> Answered:
        self.answers += len(examples)
        shown = tuple(block.source for block in context.shared)
        self.asked.append((context.instruction, shown, tuple(example.id for example in examples)))
        merits = self.script(context, examples)
        mean = sum(merits) / len(merits)
        return Answered(tuple("x" for _ in examples), tuple(merits), mean, mean)

    def fitting(self, context: Context) -> int:
        return len(context.shared)

    def reflect(self, text: str) -> str:
        raise AssertionError("nothing is to be reflected on")


def material(train: int = 6) -> Material:
    return session_of(choice_task(train=train), "zero-shot", {}, Path("classical"))[0].material


def gains(worth: dict[str, float]) -> Callable[[Context, Sequence[Example]], list[float]]:
    """Every item is worth what the examples in the prompt are worth together."""
    return lambda context, items: [sum(worth[block.source] for block in context.shared)] * len(items)


def test_greedy_selection_by_hand() -> None:
    """Six examples in the order that they are drawn, a to f; two candidates a step, three examples at most."""
    given = material()
    a, b, c, d, e, f = (one.id for one in stratified(given.train, 6, given.task, given.seed))
    asker = ScriptedAsker(gains({a: 0.1, b: 0.2, c: 0.05, d: -0.1, e: 0.3, f: 0.0}), given.validation)
    found = by_gain(given, asker, k=3, pool=2, most=None)
    # nothing: 0. First a and b: b. Then c and d (a waits again, behind f): c. Then e and f: e.
    assert [shown for _, shown, _ in asker.asked] == [(), (a,), (b,), (b, c), (b, d), (b, c, e), (b, c, f)]
    assert found.examples == (b, c, e)
    assert found.value == pytest.approx(0.55)
    assert [one.answers for one in found.tried] == [4, 8, 12, 16, 20, 24, 28]  # four validation items each
    assert {ids for _, _, ids in asker.asked} == {tuple(item.id for item in given.validation)}


def test_greedy_selection_ends_where_nothing_gains_or_nothing_is_left_to_spend() -> None:
    given = material()
    first, *_ = (one.id for one in stratified(given.train, 6, given.task, given.seed))
    worth = dict.fromkeys((one.id for one in given.train), 0.0)
    none = by_gain(given, ScriptedAsker(gains(worth), given.validation), k=4, pool=3, most=None)
    assert (none.examples, none.value, len(none.tried)) == ((), 0.0, 4)
    rising = gains(dict.fromkeys(worth, 0.1))
    short = ScriptedAsker(rising, given.validation)
    assert by_gain(given, short, k=4, pool=3, most=11).examples == (first,)  # 4 for nothing, 4 for one candidate
    assert short.answers == 8


@pytest.mark.parametrize(("k", "pool", "most", "expected"), [(2, 2, None, 4 * 5), (8, 4, None, 4 * 27), (8, 4, 50, 50)])
def test_what_greedy_selection_can_take_is_known_before(k: int, pool: int, most: int | None, expected: int) -> None:
    """Of 8 examples: 1 + 2 + 2, and 1 + 4 × 5 + 3 + 2 + 1 prompts on 4 items: a script that always gains."""
    part = methods.create("few-shot", {"select": "gain", "k": k, "pool": pool, "max_evaluations": most}).context
    given = material(train=8)
    asker = ScriptedAsker(gains({one.id: 1.0 for one in given.train}), given.validation)
    part.search(given, asker)
    assert part.searched(8, 4, 3) == expected
    assert asker.answers == expected // 4 * 4


def test_examples_chosen_by_gain_are_the_prompt_and_its_search_is_tuning(tiny_model: Path) -> None:
    made = adapted(choice_task(), "few-shot", {"select": "gain", "k": 2, "pool": 2}, tiny_model)
    search = made.prompt_search
    assert search is not None
    assert (search.criterion, search.found.judged, search.reflections) == ("accuracy", 4, 0)
    assert search.answers == 4 * len(search.found.tried) <= 4 * 5
    assert search.tokens > search.answers
    assert tuple(block.source for block in made.predictor.writer.context.shared) == search.found.examples
    best = max(one.value for one in search.found.tried)
    assert search.found.value == best
    assert made.tuning is None


def test_as_many_examples_as_fit(tiny_model: Path) -> None:
    """Every item known fits with all of them, and one does not with one more."""
    task = choice_task(train=40)
    made = adapted(task, "few-shot", {"k": "fill"}, tiny_model)
    assert made.prompt_search is not None
    count = len(made.prompt_search.found.examples)
    assert 1 < count < 40
    assert (made.prompt_search.answers, made.prompt_search.found.tried) == (0, ())
    labels = [{one.id: one for one in task.train}[each].references[0] for each in made.prompt_search.found.examples]
    assert max(map(labels.count, set(labels))) - min(map(labels.count, set(labels))) <= 1

    def dropped(k: int) -> int:
        predictor = adapted(task, "few-shot", {"k": k}, tiny_model).predictor
        known = [dataclasses.replace(item, id="") for item in blind((*task.train, *task.validation))]
        return sum(prompt.examples_dropped for prompt in predictor.writer.write(known))

    assert dropped(count) == 0
    assert dropped(count + 1) > 0


SEARCHING: list[tuple[str, dict[str, Any]]] = [
    ("few-shot", {"select": "gain", "k": 2, "pool": 2}),
    ("few-shot", {"k": "fill"}),
    ("optimised", {"max_evaluations": 40}),
    ("lora+few-shot", {"select": "gain", "k": 1, "pool": 2, "max_steps": 4, "batch_size": 4}),
]


@pytest.mark.parametrize(("name", "options"), SEARCHING)
def test_the_test_split_is_read_by_no_search(
    name: str, options: dict[str, Any], tiny_model: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    plain = choice_task()
    sealed_until(monkeypatch, dataclasses.replace(plain, test=Sealed(plain.test)))
    searched: list[FoundPrompt | None] = []

    def adapted_sealed(*given: Any, **settings: Any) -> Adapted:
        made = adapt(*given, **settings)
        searched.append(made.prompt_search.found if made.prompt_search else None)
        Sealed.broken = True
        return made

    monkeypatch.setattr("bench.cell.measure.adapt", adapted_sealed)
    job = dataclasses.replace(job_of(name, tiny_model, tmp_path, options), turned_off=["latency", "flop_check"])
    record = measure_cell(job, lambda phase, done, all_: None)
    assert record.prompt_search is not None
    assert [record.prompt_search.found] == searched
    assert set(record.prompt_search.found.examples) <= {example.id for example in plain.train}
    assert record.phases["tune"].wall_s > 0
    if "gain" in options.values():
        assert (record.phases["tune"].flops or 0) > 0


def test_what_was_found_before_is_not_searched_again(tiny_model: Path) -> None:
    task = choice_task()
    session, method = session_of(task, "few-shot", {"select": "gain"}, tiny_model)
    known = FoundPrompt(examples=("train/3", "train/1", "gone"))
    session = dataclasses.replace(session, material=dataclasses.replace(session.material, found=known))
    made = adapt(method, session)
    assert made.prompt_search is None
    assert [block.source for block in made.predictor.writer.context.shared] == ["train/3", "train/1"]


def test_a_trained_part_learns_from_what_the_base_found(tiny_model: Path) -> None:
    options = {"select": "gain", "k": 1, "pool": 2, "max_steps": 3, "batch_size": 4, "learning_rate": [1e-3, 1e-2]}
    alone = adapted(choice_task(), "few-shot", {"select": "gain", "k": 1, "pool": 2}, tiny_model)
    joined = adapted(choice_task(), "lora+few-shot", options, tiny_model)
    assert joined.prompt_search == alone.prompt_search
    assert joined.tuning is not None  # of the learning rate, with what was found
    assert joined.training is not None


@pytest.mark.parametrize(
    ("metric", "outputs", "expected"),
    [
        ("exact_match", ["stone 0", "stone"], (1.0, 0.0)),
        ("token_f1", ["stone 0", "stone"], (1.0, 2 / 3)),  # one of two tokens: precision 1, recall 1/2
        ("chrf", ["stone 0", ""], (1.0, 0.0)),  # no mean over items: each on its own, as a share of 100
    ],
)
def test_merits_are_of_single_items(metric: str, outputs: list[str], expected: tuple[float, ...]) -> None:
    task = dataclasses.replace(text_task(), metrics=(metric,))
    answers = [Prediction(e.id, text) for e, text in zip(task.train, outputs, strict=False)]
    assert merits(task, task.train[:2], answers) == pytest.approx(expected)


def test_the_asker_scores_as_metrics_do(tiny_model: Path) -> None:
    session, method = session_of(choice_task(), "zero-shot", {}, tiny_model)
    model = session.answering(method)
    asker = ModelAsker(session, model, 3, Reflector.within(session, model))
    examples = session.material.train
    answered = asker.answer(Context(), examples)
    right = [float(text == e.references[0]) for text, e in zip(answered.outputs, examples, strict=True)]
    assert answered.merits == tuple(right)
    assert answered.value == answered.merit == pytest.approx(sum(right) / len(right))
    worded = asker.answer(Context(instruction="Say red."), examples)
    plain = session.predictor(model, session.writer(Context(instruction="Say red."))).predict(blind(examples))
    assert worded.outputs == tuple(one.output for one in plain)
    assert asker.answers == 24


def test_a_reflector_that_cannot_read_a_text_writes_nothing(tiny_model: Path) -> None:
    session, method = session_of(choice_task(), "zero-shot", {}, tiny_model)
    reflector = Reflector.within(session, session.answering(method))
    written, tokens = reflector.write("Say", 1)
    assert tokens > 3
    assert written == reflector.write("Say", 2)[0]
    assert reflector.write("word " * 1000, 3)[0] == ""


def test_what_cannot_be_searched_is_one_line(tiny_model: Path) -> None:
    for options, words in (
        ({"k": [4, "fill"]}, "k: fill draws stratified examples"),
        ({"k": "fill", "select": "similar"}, "k: fill draws stratified examples"),
        ({"select": ["gain", "similar"]}, "select: gain is a search of its own"),
        ({"select": "gain", "k": [2, 4]}, "select: gain is a search of its own"),
        ({"k": "all"}, 'k is "all"'),
        ({"pool": 0}, "pool is 0; it must be greater than 0"),
    ):
        with pytest.raises(UsageError, match=words) as caught:
            methods.create("few-shot", options)
        assert "\n" not in str(caught.value)
    gain = methods.create("few-shot", {"select": "gain"})
    assert gain.context.requires(choice_task(validation=0)) == (
        "few-shot with select: gain needs a validation split to choose examples on"
    )
    session, _ = session_of(choice_task(), "few-shot", {"select": "gain"}, tiny_model)
    with pytest.raises(CellError, match="is found by a search with the model"):
        gain.context.build(session.material)
    plain, zero = session_of(choice_task(), "zero-shot", {}, tiny_model)
    assert with_prompt(zero, plain, 3) == (plain, None)
