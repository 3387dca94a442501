"""Token counts against an independent count: the whole prompt as text, through the tokenizer in one go."""

from __future__ import annotations

import dataclasses
from pathlib import Path
from typing import Any

import pytest
from transformers import AutoTokenizer

from bench.core.item import Example
from bench.core.task import Task
from tests.toy import adapted, blind, choice_task, text_task

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
    ends = len(texts)  # an example ends with the end token
    assert made.training
    assert made.training.tokens == 3 * (sum(len(tokenizer(text)["input_ids"]) for text in texts) + ends)
