"""Decision models: what they answer is what a plain pass of their own prompt says, with their temperature."""

from __future__ import annotations

import json
import math
from pathlib import Path

import pytest
import torch
from transformers import AutoModelForCausalLM, AutoTokenizer

import methods
from bench.cell.show import show
from bench.core.errors import CellError
from bench.core.item import Example
from bench.core.model_kind import fits, unfit
from bench.core.task import Task
from bench.engine.decision_backend import RequestWriter
from bench.engine.prompts import TOO_LONG
from bench.model import tiny_random
from bench.model.checkpoint import kind
from bench.model.decision import DecisionBase
from bench.model.load import load_base
from bench.model.resolve import ModelSpec, resolve
from tests.toy import COLOURS, adapted, blind, choice_task, text_task

TEMPERATURE = 2.5


@pytest.fixture(scope="module")
def model(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A tiny chat model whose decision settings have a temperature."""
    folder = tiny_random.build(tmp_path_factory.mktemp("decides") / "model", chat_template=True)
    (folder / "decision.json").write_text(json.dumps({"temperature": {"choice": TEMPERATURE}}), encoding="utf-8")
    return folder


def written_by_hand(task: Task, example: Example) -> str:
    """The generic prompt of transformers, in the tiny model's chat template."""
    asked = (
        f"{task.prompt.ask(example)}\n\n{task.prompt.instruction}\nA. red\nB. green\nC. dark blue\n"
        "Answer with the letter of the option that fits best (A to C) only."
    )
    return f"<s>[user]\n{asked}\n[assistant]\n"


def test_its_scores_are_log_probabilities_of_the_letters_at_its_temperature(model: Path) -> None:
    task = choice_task(test=3)
    predictor = adapted(task, "zero-shot", {}, model).predictor
    plain, tokenizer = AutoModelForCausalLM.from_pretrained(model).eval(), AutoTokenizer.from_pretrained(model)
    letters = [ord(letter) for letter in "ABC"]  # its tokens are bytes
    for example, answer in zip(task.test, predictor.predict(blind(task.test)), strict=True):
        ids = tokenizer.encode(written_by_hand(task, example), add_special_tokens=False)
        with torch.no_grad():
            logits = plain(torch.tensor([ids])).logits[0, -1, letters] / TEMPERATURE
        assert answer.scores == pytest.approx(logits.log_softmax(-1).tolist(), abs=1e-4)
        assert answer.output == COLOURS[int(logits.argmax())]
        assert sum(map(math.exp, answer.scores)) == pytest.approx(1)


def test_what_it_can_be_used_for(model: Path) -> None:
    assert kind(model) == "decision"
    assert resolve(ModelSpec(path=str(model), kind="causal")).kind == "causal"  # its weights are a chat model's
    assert [name for name in methods.available() if fits(methods.create(name), "decision")] == ["zero-shot"]
    assert unfit("decision", choice_task()) is None
    assert unfit("decision", text_task()) == "it needs a choice task"


def test_more_options_than_it_has_letters_for_are_refused_in_a_line(model: Path) -> None:
    base = load_base(resolve(ModelSpec(path=str(model))), torch.device("cpu"))
    assert isinstance(base, DecisionBase)
    options = [f"label {number}" for number in range(27)]
    with pytest.raises(CellError, match="at most 26 options for a choice question, got 27"):
        base.written("Which?", "", options)


def test_what_is_shown_is_what_it_reads(model: Path) -> None:
    task = choice_task(test=1)
    shown = show(task, resolve(ModelSpec(path=str(model))), methods.create("zero-shot"), None, 0, "none")
    assert shown.as_json()["text"] == written_by_hand(task, task.test[0])


def test_an_item_that_cannot_fit_is_a_failure(model: Path) -> None:
    task = choice_task(test=1)
    predictor = adapted(task, "zero-shot", {}, model).predictor
    assert isinstance(predictor.writer, RequestWriter)
    [long] = blind(task.test)
    long = type(long)(long.id, {**long.fields, "number": "9" * 600}, long.choices)
    assert [answer.failure for answer in predictor.predict([long])] == [TOO_LONG]
