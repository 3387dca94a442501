"""A back end without weights serves as well; token counts and the cache against independent ones."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from transformers import AutoTokenizer, DynamicCache

from bench.core.errors import NotApplicableError
from bench.core.item import Example
from bench.core.task import Task
from bench.engine.backend import Backend, Done, Written, local
from bench.engine.kv_cache import LayerStates, copied, states_of
from bench.engine.predictor import ModelPredictor
from bench.engine.prompts import Encoded
from bench.meters.flop_check import of_answers, of_prediction
from bench.meters.latency import WARM_UP, latency
from tests.toy import adapted, blind, choice_task, text_task


class Served:
    """Prefers the choice of most tokens, writes a stop string, and remembers how many prompts came in each call."""

    is_local = False

    def __init__(self) -> None:
        self.calls: list[int] = []

    def score(self, prompts: Sequence[Encoded], done: Done) -> list[list[float]]:
        self.calls.append(len(prompts))
        done(len(prompts))
        return [[float(len(choice)) for choice in prompt.choices] for prompt in prompts]

    def generate(
        self, prompts: Sequence[Encoded], stop: Sequence[str], max_new_tokens: int, done: Done
    ) -> list[Written]:
        self.calls.append(len(prompts))
        done(len(prompts))
        return [Written(f"box {prompt.id}", max_new_tokens) for prompt in prompts]

    def forget(self) -> None: ...

    def one_at_a_time(self) -> Backend:
        return self


def served(task: Task, model: Path) -> tuple[ModelPredictor, Served]:
    backend = Served()
    return replace(adapted(task, "zero-shot", {}, model).predictor, backend=backend), backend


def test_answers_come_from_the_back_end_in_the_order_of_the_items(tiny_model: Path) -> None:
    task = text_task()
    long = replace(task.test[1], fields={"number": "9" * 600})
    task = replace(task, test=(task.test[0], long, *task.test[2:]))
    predictor, backend = served(task, tiny_model)
    seen: list[tuple[int, int]] = []
    found = replace(predictor, progress=lambda done, total: seen.append((done, total))).predict(blind(task.test))
    assert [p.output for p in found] == ["box test/0", "", *(f"box test/{i}" for i in range(2, 6))]
    assert [p.failure for p in found] == [None, "item_too_long", *[None] * 4]
    assert backend.calls == [5]  # what cannot be asked is not
    assert seen == [(6, 6)]


def test_choices_are_ranked_by_its_scores(tiny_model: Path) -> None:
    task = choice_task()
    predictor, _ = served(task, tiny_model)
    assert {p.output for p in predictor.predict(blind(task.test))} == {"dark blue"}  # the longest in bytes


def test_latency_needs_no_weights(tiny_model: Path) -> None:
    task = choice_task(test=12)
    predictor, backend = served(task, tiny_model)
    found = latency(predictor, blind(task.test), torch.device("cpu"))
    assert found.questions == 12 - WARM_UP
    assert backend.calls == [1] * 12


def test_work_is_not_counted_where_it_cannot_be_seen(tiny_model: Path) -> None:
    task = choice_task()
    predictor, _ = served(task, tiny_model)
    prompts = predictor.writer.write(blind(task.test))
    assert of_answers(predictor, prompts, predictor.answer(blind(task.test), prompts)) is None
    assert of_prediction(predictor, prompts) is None
    with pytest.raises(NotApplicableError, match="weights"):
        local(predictor.backend)


OPTIONS: dict[str, dict[str, Any]] = {"zero-shot": {}, "few-shot": {"k": 2}, "rag": {"top_k": 2}}


def blocks(task: Task, method: str, example: Example, ranking: tuple[str, ...]) -> str:
    """What a method with two pieces of context puts before the question, least alike first."""
    if method == "rag":
        passages = {passage.id: task.prompt.passage(passage) for passage in task.corpus}
        return "".join(passages[key] for key in ranking[:2])
    return ""


@pytest.mark.parametrize("kind", ["choice", "text"])
@pytest.mark.parametrize("method", OPTIONS)
def test_prompt_and_output_tokens(method: str, kind: str, tiny_model: Path) -> None:
    task = choice_task() if kind == "choice" else text_task()
    if kind == "choice" and method == "rag":
        task = dataclasses.replace(task, corpus=text_task().corpus)
    made = adapted(task, method, OPTIONS[method], tiny_model)
    tokenizer: Any = AutoTokenizer.from_pretrained(tiny_model)

    def count(text: str, begins: bool = False) -> int:
        return len(tokenizer(text, add_special_tokens=begins)["input_ids"])

    shared = "".join(block.written for block in made.predictor.writer.context.shared)
    found = made.predictor.predict(blind(task.test))
    for prediction, example in zip(found, task.test, strict=True):
        context = shared + blocks(task, method, example, prediction.ranking)
        assert prediction.context_tokens == count(context)
        assert prediction.prompt_tokens == count(task.prompt.preamble() + context + task.prompt.ask(example), True)
        if kind == "choice":
            assert prediction.output_tokens == count(task.prompt.answer(prediction.output))


@pytest.mark.parametrize("method", ["full", "lora"])
def test_trained_tokens(method: str, tiny_model: Path) -> None:
    task = choice_task(train=8)
    options = {"epochs": 3, "batch_size": 4, "learning_rate": 1e-3}
    made = adapted(task, method, options, tiny_model)
    tokenizer: Any = AutoTokenizer.from_pretrained(tiny_model)
    texts = [
        task.prompt.preamble() + task.prompt.ask(example) + task.prompt.answer(example.references[0])
        for example in task.train
    ]
    ends = len(texts)  # an example ends with the EOS token
    assert made.training
    assert made.training.tokens == 3 * (sum(len(tokenizer(text)["input_ids"]) for text in texts) + ends)


def drawn(rows: int, tokens: int, seed: int) -> tuple[torch.Tensor, torch.Tensor]:
    generator = torch.Generator().manual_seed(seed)
    keys, values = torch.randn(2, rows, 3, tokens, 4, generator=generator)
    return keys, values


@settings(max_examples=50, deadline=None)
@given(
    start=st.integers(1, 9),
    room=st.integers(0, 9),
    added=st.lists(st.integers(1, 5), max_size=5),
    rows=st.none() | st.lists(st.integers(0, 1), min_size=1, max_size=4),
)
def test_it_holds_what_joining_gives(start: int, room: int, added: list[int], rows: list[int] | None) -> None:
    states: LayerStates = [drawn(2, start, 1), drawn(2, start, 2)]
    before = [(keys.clone(), values.clone()) for keys, values in states]
    picked = None if rows is None else torch.tensor(rows)
    count = 2 if rows is None else len(rows)
    roomy = copied(states, picked, count, room)
    joined = DynamicCache([(k, v) if picked is None else (k[picked], v[picked]) for k, v in states])
    for step, tokens in enumerate(added):
        for layer in range(2):
            new = drawn(count, tokens, 10 * step + layer)
            for given_, expected in zip(roomy.update(*new, layer), joined.update(*new, layer), strict=True):
                assert torch.equal(given_, expected)
    assert roomy.get_seq_length() == start + sum(added)
    for one, other in zip(states_of(roomy), states_of(joined), strict=True):
        assert all(map(torch.equal, one, other))
    assert all(torch.equal(a, b) for x, y in zip(states, before, strict=True) for a, b in zip(x, y, strict=True))


@pytest.mark.parametrize("count", [1, 3])
def test_one_row_serves_all(count: int) -> None:
    states: LayerStates = [drawn(1, 4, 0)]
    cache = copied(states, None, count, 2)
    [(keys, _)] = states_of(cache)
    assert all(torch.equal(keys[row], states[0][0][0]) for row in range(count))
