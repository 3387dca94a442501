"""All that asks a model knows the protocol of a back end alone: one without weights, written here, serves as well."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import pytest
import torch

from bench.core.errors import NotApplicableError
from bench.core.task import Task
from bench.engine.backend import Abilities, Backend, Done, Written, local
from bench.engine.predictor import ModelPredictor
from bench.engine.prompts import Encoded
from bench.meters.flop_check import of_answers, of_prediction
from bench.meters.latency import WARM_UP, latency
from tests.toy import adapted, blind, choice_task, text_task


class Served:
    """Prefers the choice of most tokens, writes a stop string, and remembers how many prompts came in each call."""

    def __init__(self) -> None:
        self.calls: list[int] = []

    @property
    def abilities(self) -> Abilities:
        return Abilities(local=False, shares_prefixes=False)

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
