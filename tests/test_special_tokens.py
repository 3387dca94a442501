"""Special tokens of the model in answers: text where the task shows them, refused where nothing can equal them."""

from __future__ import annotations

from dataclasses import replace

import pytest
from transformers import AutoTokenizer

from bench.cell.setup import require_reachable
from bench.core.errors import CellError
from bench.core.item import Example
from bench.core.method import Material
from bench.core.search import Search
from bench.core.task import Task
from bench.model.resolve import MINI
from bench.model.tokenizer import Codec
from tests.toy import text_task


@pytest.fixture(scope="module")
def codec() -> Codec:
    tokenizer = AutoTokenizer.from_pretrained(MINI)
    tokenizer.add_tokens(["<call>", "<other>"], special_tokens=True)
    return Codec(tokenizer)


def ids(codec: Codec, text: str) -> list[int]:
    return list(codec.tokens(text))


def test_special_tokens_that_answers_show_are_text(codec: Codec) -> None:
    written = ids(codec, "<other><call> red") + list(codec.end)
    assert codec.decode(written) == " red"
    assert codec.decoder(["<call> blue"])(written) == "<call> red"
    assert codec.decoder(["a call"])(written) == " red"


def test_the_end_token_is_never_text(codec: Codec) -> None:
    end = codec.tokenizer.eos_token
    assert codec.decoder([f"red{end}", "<call>"])(ids(codec, "<call> red") + list(codec.end)) == "<call> red"


def with_answers(train: str, test: str) -> tuple[Task, Material]:
    def index(retriever: str, documents: object) -> Search:
        raise AssertionError

    task = text_task(train=1, test=1)
    shown, asked = (replace(split[0], references=(text,)) for split, text in ((task.train, train), (task.test, test)))
    task = replace(task, train=(shown,), validation=(), test=(asked,))
    return task, Material(task.name, task.prompt, task.train, (), (), 0, index)


@pytest.mark.parametrize(("train", "test"), [("<call> a", "<call> b"), ("a", "b"), ("<call>", "b")])
def test_references_that_can_be_written_pass(codec: Codec, train: str, test: str) -> None:
    require_reachable(*with_answers(train, test), codec)


@pytest.mark.parametrize(("train", "test"), [("a", "<call> b"), ("<call> a", "<other> b"), ("<|end|> a", "<|end|> b")])
def test_references_that_cannot_be_written_are_refused(codec: Codec, train: str, test: str) -> None:
    task, material = with_answers(*(text.replace("<|end|>", codec.tokenizer.eos_token) for text in (train, test)))
    with pytest.raises(CellError, match=r'the answer of test/0 holds "<.*>", a special token of the model'):
        require_reachable(task, material, codec)
    other = Example("test/1", {"number": "1"}, (), ("<call> b", "b"))  # one of its references can be written
    require_reachable(replace(task, test=(other,)), material, codec)
