"""`adaptbench show`: the prompt that a cell would ask, token by token."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from bench.cli import cli
from bench.core.errors import UsageError
from bench.model import tiny_random


@pytest.fixture(scope="module")
def chat(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tiny_random.build(tmp_path_factory.mktemp("show") / "chat", chat_template=True)


def show(task: Path, model: Path, *arguments: str) -> Result:
    called = ["show", str(task), "--model", str(model), "--method", "few-shot", "--option", "select=stratified"]
    return CliRunner().invoke(cli, [*called, "--option", "k=1", *arguments])


def test_parts_and_tokens_are_marked(task_folder: Path, chat: Path) -> None:
    result = show(task_folder, chat, "--item", "1")
    assert result.exit_code == 0, result.output
    assert "chat · paint · few-shot · seed 0 · test/1" in result.output
    assert "[<s>]│[│u│s│e│r│]│⏎\n│N│a│m│e│ │t│h│e│ │c│o│l│o│u│r│.│⏎\n" in result.output
    assert "query, this item's" in result.output
    assert "choice 2: 5 tokens\ng│r│e│e│n│\n" in result.output
    assert "answer that is trained on: 6 tokens\ng│r│e│e│n│[</s>]│\n" in result.output


def test_json_has_the_text_and_the_ids(task_folder: Path, chat: Path) -> None:
    plain, turns = (
        json.loads(show(task_folder, chat, "--json", "--setting", f"chat_template={value}").output)
        for value in ("off", "on")
    )
    assert plain["text"].startswith("<s>Name the colour.\n\ntrain thing")
    assert plain["text"].endswith("\n\ntest thing 0 looks red\nColour:")
    assert bytes(plain["choices"][0]) == b" blue"
    assert "]\ntrain thing" not in plain["text"]
    assert turns["text"].endswith("[user]\ntest thing 0 looks red\nColour:\n[assistant]\n")
    assert bytes(turns["choices"][0]) == b"blue"


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--item", "test/99"], 'task paint has no item "test/99"'),
        (["--option", "k"], '--option takes KEY=VALUE; got "k"'),
        (["--setting", "chat_tempalte=off"], "chat_tempalte"),
        (["--setting", "chat_template=maybe"], "auto, on or off"),
    ],
)
def test_a_mistake_is_one_line(task_folder: Path, chat: Path, arguments: list[str], message: str) -> None:
    error = show(task_folder, chat, *arguments).exception
    assert isinstance(error, UsageError)
    assert message in str(error)
    assert "\n" not in str(error)
