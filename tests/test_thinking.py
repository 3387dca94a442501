"""Thoughts: a budget of their own, closed before the answer, counted, and never in front of choices."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

import pytest
import yaml

from bench.core.errors import CellError
from bench.core.item import Item
from bench.core.prompt import Prompt
from bench.core.task import Task
from bench.engine.backend import Backend, Done, Written
from bench.engine.predictor import ModelPredictor
from bench.engine.prompts import Encoded, Writer
from bench.model import tiny_random
from bench.model.chat import ChatTemplate, chat_template
from bench.model.resolve import ModelSpec, resolve
from bench.model.tokenizer import Codec
from tests.small import measure, write_suite
from tests.templates import FAMILIES
from tests.test_templates import tokenizer_of
from tests.toy import Given

PROMPT = Prompt("", "{text}=")
BUDGET = 20


@dataclass
class Scripted:
    """A back end that writes what it is told, one text for each call."""

    codec: Codec
    texts: list[str]
    asked: list[tuple[str, int]] = field(default_factory=list)
    is_local: bool = False

    def score(self, prompts: Sequence[Encoded], done: Done) -> list[list[float]]:
        raise AssertionError

    def generate(
        self, prompts: Sequence[Encoded], stop: Sequence[str], max_new_tokens: int, done: Done
    ) -> list[Written]:
        (prompt,), text = prompts, self.texts.pop(0)
        self.asked.append((self.codec.tokenizer.decode([*prompt.prefix, *prompt.query]), max_new_tokens))
        ends = [text.find(string) for string in stop if string in text]
        return [Written(text[: min(ends, default=len(text))].strip(), len(self.codec.tokens(text)), bool(ends))]

    def forget(self) -> None: ...

    def one_at_a_time(self) -> Backend:
        return self


def predictor(family: str, *texts: str) -> tuple[ModelPredictor, Scripted]:
    tokenizer = tokenizer_of(FAMILIES[family])
    codec = Codec(tokenizer, ChatTemplate(tokenizer))
    backend = Scripted(codec, list(texts))
    task = Task("sums", "text", PROMPT, (), (), (), stop=("\n",), max_new_tokens=4)
    writer = Writer(codec, PROMPT, Given(), 512, 4 + BUDGET, thinks=True)
    return ModelPredictor(backend, writer, task, lambda done, total: None, thinking_tokens=BUDGET), backend


USER = "<|im_start|>user\n3+4=<|im_end|>\n<|im_start|>assistant\n"


@pytest.mark.parametrize(
    ("family", "written", "first", "second", "cut"),
    [
        ("qwq", "3 and 4.</think>\n\n8", f"{USER}<think>\n", "3 and 4.\n</think>\n\n", 0),
        ("qwq", "3 and 4 and", f"{USER}<think>\n", "3 and 4 and\n</think>\n\n", 1),
        ("qwen-3", "<think>\n3 and 4.\n</think>", USER, "<think>\n3 and 4.\n</think>\n\n", 0),
        ("qwen-3", "<think>\n3 and", USER, "<think>\n3 and\n</think>\n\n", 1),
        ("qwen-3", "It is 7.", USER, "<think>\n\n</think>\n\n", 0),  # no thought: the answer is asked for without one
    ],
)
def test_an_answer_follows_a_closed_thought(family: str, written: str, first: str, second: str, cut: int) -> None:
    asker, backend = predictor(family, written, "7\nmore")
    (answer,) = asker.predict([Item("test/1", {"text": "3+4"})])
    assert answer.output == "7"
    assert backend.asked == [(first, BUDGET), (first + second, 4)]
    thought = len(backend.codec.tokens(written))
    assert (answer.thinking_tokens, answer.thinking_truncated) == (thought, cut)
    assert answer.output_tokens == thought + len(backend.codec.tokens("7\nmore"))
    assert answer.prompt_tokens == len(backend.codec.tokens(first))


def test_thinking_needs_a_template_that_thinks(tmp_path: Path) -> None:
    for chat in (False, True):
        folder = tiny_random.build(tmp_path / str(chat), chat_template=chat)
        model = resolve(ModelSpec(path=str(folder), thinking_tokens=8))
        with pytest.raises(CellError, match="no chat template in which thinking is written"):
            chat_template(model, tiny_random_tokenizer(folder))


def tiny_random_tokenizer(folder: Path) -> object:
    from transformers import AutoTokenizer

    return AutoTokenizer.from_pretrained(folder)


@pytest.mark.slow  # four cells, each a process
def test_only_text_of_untrained_weights_is_thought_about(tmp_path: Path, task_folder: Path) -> None:
    folder = tiny_random.build(tmp_path / "chat", chat_template=True)
    config = json.loads((folder / "tokenizer_config.json").read_text())
    config["chat_template"] = config["chat_template"].replace(r"[assistant]\n", r"[assistant]\n<think>\n")
    assert "<think>" in config["chat_template"]
    (folder / "tokenizer_config.json").write_text(json.dumps(config))
    spec = yaml.safe_load((task_folder / "task.yaml").read_text())
    text = task_folder.parent / "written"
    text.mkdir()
    for split in ("train", "validation", "test"):
        (text / f"{split}.jsonl").write_text((task_folder / f"{split}.jsonl").read_text())
    changed = {**spec, "name": "written", "kind": "text", "max_new_tokens": 2}
    (text / "task.yaml").write_text(yaml.safe_dump(changed))
    file = write_suite(
        tmp_path, folder, models=[{"path": str(folder), "thinking_tokens": 5}], tasks=["paint", "written"],
        methods=["zero-shot", {"full": {"learning_rate": 1e-3, "max_steps": 1}}], limit=2,
    )  # fmt: skip
    _, _, run = measure(file, tmp_path / "out")
    thought = {
        (record.task, record.method): (record.tokens.get("thinking_tokens"), record.dropped.get("thinking_truncated"))
        for record in run.records
    }
    assert {record.status for record in run.records} == {"ok"}
    assert thought.pop(("written", "zero-shot")) == (10, 2)  # random weights neither end a text nor a thought
    assert set(thought.values()) == {(None, None)}
