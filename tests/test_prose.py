"""Tasks of kind `prose`: the likelihood of a given text, with every method that can have an influence on it."""

from __future__ import annotations

import json
import math
from pathlib import Path

import pytest
import torch
from transformers import AutoModelForCausalLM, AutoTokenizer

import tasks
from bench.core.errors import TaskError
from bench.core.task import Task
from bench.metrics import compute
from tests.toy import adapted, predictions

TEXTS = ("Rain fell on the hill all night.", "A wheel turns on its axle.", "Öl schwimmt auf Wasser.")


@pytest.fixture
def prose(tmp_path: Path) -> Task:
    rows = [json.dumps({"title": f"Note {i}", "body": text}) for i, text in enumerate(TEXTS)]
    (tmp_path / "test.jsonl").write_text("\n".join(rows), encoding="utf-8")
    (tmp_path / "train.jsonl").write_text(json.dumps({"title": "On snow", "body": "Snow lay on the roof. " * 5}))
    splits = "splits: {train: train.jsonl, test: test.jsonl}"
    (tmp_path / "task.yaml").write_text(f'name: notes\nkind: prose\ntemplate: "{{title}}\\n"\nanswer: body\n{splits}\n')
    return tasks.load(tmp_path)


def test_scores_equal_the_plain_likelihood(prose: Task, tiny_model: Path) -> None:
    assert prose.metrics == ("bits_per_byte",)
    model = AutoModelForCausalLM.from_pretrained(tiny_model).eval()
    tokenizer = AutoTokenizer.from_pretrained(tiny_model)
    for example, found in zip(prose.test, predictions(prose, "zero-shot", {}, tiny_model), strict=True):
        title, text = example.fields["title"], example.references[0]
        given, whole = (tokenizer(each)["input_ids"] for each in (f"{title}\n", f"{title}\n{text}"))
        assert whole[: len(given)] == given  # else the comparison would not be one
        with torch.no_grad():
            logs = model(torch.tensor([whole])).logits[0].float().log_softmax(-1)
        expected = sum(float(logs[i - 1, whole[i]]) for i in range(len(given), len(whole)))
        [score] = found.scores
        assert score == pytest.approx(expected, abs=1e-4)


def test_training_on_a_text_makes_it_likelier(prose: Task, tiny_model: Path) -> None:
    def likelihood(method: str, options: dict[str, object]) -> float:
        return adapted(prose, method, options, tiny_model).predictor.predict(prose.train)[0].scores[0]

    trained = likelihood("full", {"learning_rate": 1e-2, "max_steps": 20, "batch_size": 1})
    assert trained > likelihood("zero-shot", {}) + 10


def test_bits_per_byte_by_hand() -> None:
    # "ab" with probability 2^-6: 3 bits a byte; "ö" is two bytes, probability 2^-1: half a bit; failed: 8 bits
    result = compute("bits_per_byte", [-6 * math.log(2), -math.log(2), -math.inf], [["ab"], ["ö"], ["x"]])
    assert result.per_item == pytest.approx((3.0, 0.5, 8.0))
    assert result.value == pytest.approx(11.5 / 3)


def test_a_text_has_no_second_reference(tmp_path: Path) -> None:
    (tmp_path / "test.jsonl").write_text('{"a": "x", "b": "y"}')
    (tmp_path / "task.yaml").write_text(
        'name: notes\nkind: prose\ntemplate: "{a}"\nanswers: [a, b]\nsplits: {test: {path: test.jsonl, group_by: a}}\n'
    )
    with pytest.raises(TaskError) as error:
        tasks.load(tmp_path)
    assert "answers is for kind: text" in str(error.value)
    assert "group_by is for kind: text" in str(error.value)
