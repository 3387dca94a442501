"""Answers that cite: numbers in the prompt, citations apart from the answer, precision and recall by hand."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

import methods
from bench.core.citation import ASKED, without_citations
from bench.core.item import Item, Passage
from bench.core.method import Material
from bench.core.prompt import Prompt
from bench.core.record import Prediction
from bench.core.refusal import Refusal
from bench.core.search import Search
from bench.engine.predictor import ModelPredictor
from bench.retrieval.index import build
from tests.test_passages_used import CASES, CORPUS, task, use


@pytest.mark.parametrize(
    ("text", "answer", "cited"),
    [
        ("4 kilos [2]", "4 kilos", (2,)),
        ("4 kilos [2][1].", "4 kilos.", (2, 1)),
        ("4 kilos [1, 3; 1]", "4 kilos", (1, 3)),
        ("[1] 4 kilos", "4 kilos", (1,)),
        ("4 kilos [sic] [a1]", "4 kilos [sic] [a1]", ()),
        ("4 kilos", "4 kilos", ()),
        ("[2]", "", (2,)),
    ],
)
def test_citations_are_no_part_of_an_answer(text: str, answer: str, cited: tuple[int, ...]) -> None:
    assert without_citations(text) == (answer, cited)


@given(st.text(st.characters(exclude_characters="[]")), st.lists(st.integers(1, 99), unique=True, max_size=4))
def test_what_is_cited_is_found_again(answer: str, numbers: list[int]) -> None:
    text = answer + "".join(f" [{number}]" for number in numbers)
    assert without_citations(text) == (answer.strip(), tuple(numbers))


def built(**options: Any) -> Any:
    corpus = (Passage("a", "blue cups"), Passage("b", "red cups"))

    def index(retriever: str, documents: Sequence[str]) -> Search:
        return build("lexical", documents, embedder=None)

    prompt = Prompt("Answer.", "{q}", "{text}")
    material = Material("t", prompt, (), (), corpus, 0, index, refusal="not there")
    return methods.create("rag", {"top_k": 2, "retriever": "lexical", **options}).context.build(material)


def test_passages_have_the_numbers_of_their_ranks() -> None:
    (evidence,) = built(cite="on").find([Item("i", {"q": "red cups"})])
    assert [block.text for block in evidence.blocks] == ["[1] red cups\n\n", "[2] blue cups\n\n"]
    (plain,) = built().find([Item("i", {"q": "red cups"})])
    assert [block.text for block in plain.blocks] == ["red cups\n\n", "blue cups\n\n"]


def test_the_prompt_says_what_to_do() -> None:
    assert built().instruction is None
    assert built(cite=True).instruction == f"Answer. {ASKED}"  # YAML's `on`
    assert built(refuse="on").instruction == "Answer. Where no passage says it, answer exactly: not there."
    assert built(refuse="on", cite="on").worded(Prompt("Answer.", "{q}")).instruction.endswith(ASKED)


def test_what_cannot_be_asked_is_said() -> None:
    asked = replace(task(), corpus=CORPUS)
    assert "says what a refusal is" in (methods.create("rag", {"refuse": "on"}).context.requires(asked) or "")
    known = replace(asked, refusal=Refusal("not there"))
    assert methods.create("rag", {"refuse": "on"}).context.requires(known) is None
    assert methods.create("rag", {"cite": "on"}).context.requires(replace(asked, kind="choice")) == (
        "rag with cite: on is for texts"
    )


def test_an_answer_is_scored_without_its_citations(monkeypatch: pytest.MonkeyPatch) -> None:
    def write(self: Any, items: Any, prompts: Any, report: Any) -> list[Prediction]:
        return [Prediction("i", "blue [2]")]

    monkeypatch.setattr(ModelPredictor, "_write", write)
    asked: Any = type("Asked", (), {"failure": None})()
    context = built(cite="on")
    writer: Any = type("W", (), {"context": context})()
    backend: Any = None
    predictor = ModelPredictor(backend, writer, task(), lambda done, total: None)
    assert predictor.answer([Item("i", {})], [asked]) == [Prediction("i", "blue", cited=(2,))]


def test_precision_and_recall_by_hand(monkeypatch: pytest.MonkeyPatch) -> None:
    """Three questions had their passage shown: one cites it, one cites it and another, one cites nothing.

    Precision: (1 + 1/2) / 2; recall: (1 + 1 + 0) / 3.
    """
    cited = {"test/used": (1,), "test/second": (2, 1), "test/missed": (1,)}
    found = use(monkeypatch, task(), cited=cited, cite="on").citations
    assert found is not None
    assert found.questions == 3
    assert found.cited == pytest.approx(2 / 3)
    assert found.precision == pytest.approx((1 + 1 / 2) / 2)
    assert found.recall == pytest.approx(2 / 3)
    assert set(cited) <= set(CASES)
