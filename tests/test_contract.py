"""One contract for every method on every kind of task, with a tiny random model that it is for."""

from __future__ import annotations

import dataclasses
from functools import lru_cache
from pathlib import Path
from typing import Any

import pytest

import methods
from bench.adapt.learner import Adapted
from bench.config.search_space import candidates, grid
from bench.core.errors import UsageError
from bench.core.item import Example
from bench.core.method import GIVEN, LINEAR_PROBE, SET_FIT, Method
from bench.core.model_kind import fits
from bench.core.record import Prediction
from bench.core.task import Task
from bench.core.training import Losses
from methods.zero_shot import ZeroShot
from tests.pictures import picture_task
from tests.toy import QUICK, adapted, blind, choice_task, predictions, shop_task, text_task

SMALL: dict[str, dict[str, Any]] = {  # options that keep a part quick; of what is left open the first combination
    "few-shot": {"k": 2},
    "rag": {"top_k": 2},
    "optimised": {"max_evaluations": 30},
    "lora": {"rank": 2},
    "head": {"c": 1.0},
    "set-fit": {"rounds": 1, "max_pairs": 12},
}
JOINED = ("head+few-shot", "lora+rag", "full+few-shot", "scratch+rag")
FITTED = (LINEAR_PROBE, SET_FIT)
TASKS = {"choice": choice_task, "text": text_task, "pictures": picture_task, "shop": shop_task}


def options_of(name: str) -> dict[str, Any]:
    """Options with which a method is quick and leaves nothing open."""
    parts = methods.classes(name)
    small = {option: value for piece in name.split("+") for option, value in SMALL.get(piece, {}).items()}
    quick = {option: value for part in parts for option, value in QUICK.items() if option in methods.option_names(part)}
    values = grid(methods.create(name, {**quick, **small}))
    return {**quick, **small, **(candidates(values, 1)[0] if values else {})}


def can_do(method: Method, task: Task) -> bool:
    sees = not task.picture_field or fits(method, "image")
    sees = sees and bool(task.history) == method.weights.learner.reads_history  # others have choice tasks enough
    return sees and not (method.weights.requires(task) or method.context.requires(task))


# Every part that is found but those that bring weights along (tests/test_given.py), also of other distributions.
LEARNT_HERE = [name for name in methods.available() if methods.classes(name)[0].learner is not GIVEN]
METHODS = {name: options_of(name) for name in (*LEARNT_HERE, *JOINED)}
CASES = [
    (method, kind)
    for method, options in METHODS.items()
    for kind, make in TASKS.items()
    if can_do(methods.create(method, options), make())
]
every_case = pytest.mark.parametrize(("method", "kind"), CASES, scope="module")  # one after the other: see `usual`


def test_every_method_can_do_some_kind_of_task() -> None:
    assert {method for method, _ in CASES} == METHODS.keys()
    assert METHODS.keys() >= set(LEARNT_HERE)


@pytest.fixture
def model(method: str, kind: str, tiny_model: Path, prompted: Path, seeing: Path) -> Path:
    """A model that the method is for: a decoder, where it can be one."""
    if kind == "pictures":
        return seeing
    kinds = methods.create(method, METHODS[method]).weights.kinds
    return tiny_model if "causal" in kinds else prompted if "encoder" in kinds else Path("classical")


def answers(found: list[Prediction]) -> dict[str, tuple[str, tuple[float, ...]]]:
    return {p.id: (p.output, p.scores) for p in found}


def assert_same(one: list[Prediction], other: list[Prediction], within: float = 1e-5) -> None:
    left, right = answers(one), answers(other)
    assert left.keys() == right.keys()
    for key, (output, scores) in left.items():
        assert right[key][0] == output
        assert right[key][1] == pytest.approx(scores, rel=1e-6, abs=within)  # fp32 sums of tens of nats


@lru_cache(maxsize=1)
def usual(method: str, kind: str, model: Path) -> tuple[Adapted, list[Prediction]]:
    """The method adapted to the task as it is, and its answers."""
    task = TASKS[kind]()
    made = adapted(task, method, METHODS[method], model)
    return made, made.predictor.predict(blind(task.test))


@every_case
def test_every_item_is_answered_in_order(method: str, kind: str, model: Path) -> None:
    task = TASKS[kind]()
    _, found = usual(method, kind, model)
    assert [p.id for p in found] == [e.id for e in task.test]
    assert not any(p.failure for p in found)
    if kind in ("choice", "shop"):
        assert all(
            p.output in e.choices and len(p.scores) == len(e.choices) for p, e in zip(found, task.test, strict=True)
        )


@every_case
def test_same_seed_same_answers_whatever_the_order_the_batch_and_the_test_labels(
    method: str, kind: str, model: Path
) -> None:
    """Other labels on the test items, which are asked one by one from the last, change no answer."""
    task = TASKS[kind]()
    turned = dataclasses.replace(task, test=tuple(map(mislabelled, task.test[::-1])))
    assert_same(
        usual(method, kind, model)[1],
        predictions(turned, method, METHODS[method], model, batch_size=1),
        1e-3 if methods.classes(method)[0].learner in FITTED else 1e-5,  # what differs by rounding is fitted anew
    )


@every_case
def test_what_it_cost_is_counted(method: str, kind: str, model: Path) -> None:
    made, found = usual(method, kind, model)
    assert all(p.prompt_tokens > 0 and p.output_tokens > 0 for p in found)
    weights, context = methods.classes(method)
    found_none = made.prompt_search is not None and not made.prompt_search.found.examples
    assert all((p.context_tokens > 0) == (context is not ZeroShot and not found_none) for p in found)
    assert (made.parameters.trained > 0) == weights.learner.reads_train
    if weights.learner.reads_train:
        assert made.training
        assert made.training.steps in (3, None)  # a classifier has no steps
        assert made.training.tokens > 0
        loss = made.training.loss
        if loss != Losses():  # who copies answers has none
            assert loss.gap == pytest.approx((loss.validation or 0) - (loss.train or 0))


@every_case
def test_an_impossible_option_is_one_line_with_what_is_allowed(method: str, kind: str, model: Path) -> None:
    with pytest.raises(UsageError, match="allowed: ") as caught:
        methods.create(method, {**METHODS[method], "colour": 3})
    assert "\n" not in str(caught.value)
    numeric = next((o for o in ("k", "top_k", "rank", "epochs") if o in _options(method)), None)
    if numeric:
        with pytest.raises(UsageError, match=f"option of method .*: {numeric} is -1; it must be"):
            methods.create(method, {**METHODS[method], numeric: -1})


@every_case
def test_a_prompt_that_cannot_fit_fails_alone(method: str, kind: str, model: Path) -> None:
    if kind == "pictures":
        pytest.skip("every picture has the same size")
    task = TASKS[kind]()
    long = dataclasses.replace(task.test[0], fields={**task.test[0].fields, "number": "9 " * 600})
    made, alone = usual(method, kind, model)
    found = made.predictor.predict(blind((long, *task.test[1:])))
    assert found[0].failure == (None if model == Path("classical") else "item_too_long")
    assert_same(found[1:], alone[1:])


def mislabelled(example: Example) -> Example:
    """The example with a wrong answer, and a passage that does not hold the right one."""
    wrong = next((choice for choice in example.choices if choice not in example.references), "?")
    return dataclasses.replace(example, references=(wrong,), gold=("p7",))


def _options(method: str) -> set[str]:
    weights, context = methods.classes(method)
    return methods.option_names(weights) | methods.option_names(context)
