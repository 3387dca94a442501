"""What an export's scripts do is what was measured: the same prompts to the token, the same rankings."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from bench.core.item import Item
from bench.core.prompt import Block, Prompt
from bench.engine.prompts import Writer
from bench.export.prompts import of_decoder, prompt_settings
from bench.model.tokenizer import Codec
from bench.retrieval.index import build, fuse
from tests.export_scripts import script
from tests.templates import FAMILIES
from tests.test_templates import codec_of
from tests.toy import Given

TEXT = st.text(st.characters(codec="utf-8", exclude_categories=("Cs", "Cc")), max_size=40)
PROMPTS = (
    Prompt("Name the thing.", "Thing: {text}\nName:"),
    Prompt("", "{text} is one of {choices}\n"),
    Prompt("Say {{what}} it is.", "{text}="),
)


prompting_of = script("prompting").prompting_of


class Found:
    """Finds the same blocks for every item."""

    def __init__(self, blocks: tuple[Block, ...]) -> None:
        self.blocks = [{"kind": b.kind, "source": b.source, "text": b.text, "answer": b.answer} for b in blocks]

    def find(self, query: str) -> list[dict[str, str]]:
        return self.blocks


def assert_same_prompts(writer: Writer, item: Item, own: tuple[Block, ...]) -> None:
    """prompting.py writes an item as the writer does: ids, choices, and whether it fits."""
    said = {**prompt_settings(writer), "retrieval": None}
    tokenizer = writer.codec.tokenizer
    if writer.codec.chat:
        tokenizer.chat_template = writer.codec.chat.source  # as an export writes it
    exported: dict[str, Any] = {"prompt": said, "generation": {"dropped_ids": []}, "decoder": of_decoder(writer.codec)}
    prompting = prompting_of(exported, tokenizer, Path())
    prompting.retriever = Found(own)
    [encoded] = writer.write([item])
    found = prompting.write({**item.fields, "id": item.id}, list(item.choices), list(item.choices))
    if encoded.failure:
        assert found is None
        return
    assert found is not None
    assert found.ids == [*encoded.prefix, *encoded.query]
    assert [tuple(each) for each in found.choices] == list(encoded.choices)
    [bare] = writer.write_bare([item])
    alone = prompting.write(dict(item.fields), list(item.choices), list(item.choices), bare=True)
    assert (alone.ids, [tuple(each) for each in alone.choices]) == ([*bare.prefix, *bare.query], list(bare.choices))


def blocks(texts: list[str], prompt: Prompt) -> tuple[Block, ...]:
    return tuple(
        Block("passage", f"p{i}", f"{text} one two three four\n\n")
        if i % 2
        else Block("example", f"e{i}", f"Thing: {text}\nName:", prompt.answer("box"))
        for i, text in enumerate(texts)
    )


@pytest.fixture(scope="module")
def codecs() -> dict[str, Codec]:
    from transformers import AutoTokenizer

    from bench.model.resolve import MINI

    made = {name: codec_of(family) for name, family in FAMILIES.items()}
    made["single turn"] = codec_of(next(iter(FAMILIES.values())), single_turn=True)
    return {
        **{n: c for n, c in made.items() if c.chat and not c.chat.unranked},
        "plain": Codec(AutoTokenizer.from_pretrained(MINI)),
    }


@given(st.data())
@settings(max_examples=40)
def test_prompts_are_those_that_were_measured(codecs: dict[str, Codec], data: st.DataObject) -> None:
    codec = codecs[data.draw(st.sampled_from(sorted(codecs)))]
    prompt = data.draw(st.sampled_from(PROMPTS))
    shared, own = (blocks(data.draw(st.lists(TEXT, max_size=3)), prompt) for _ in range(2))
    length, budget = data.draw(st.integers(20, 300)), data.draw(st.none() | st.integers(1, 60))
    context = replace(Given(shared, own=own), token_budget=budget)
    item = Item("test/1", {"text": data.draw(TEXT)}, ("a box", "two", "Öl"))
    assert_same_prompts(Writer(codec, prompt, context, length, 0), item, own)


def test_a_prompt_is_no_longer_than_its_room(codecs: dict[str, Codec]) -> None:
    """What stands before a question changes how it is cut into tokens: 18 behind an example, 17 behind a blank line."""
    prompt = PROMPTS[2]
    shared, own = blocks([""], prompt), blocks([""], prompt)
    item = Item("test/1", {"text": "𐀀𐀀"}, ("a box", "two", "Öl"))
    writer = Writer(codecs["smolvlm"], prompt, Given(shared, own=own), 55, 0)
    [encoded] = writer.write([item])
    assert len(encoded.prefix) + len(encoded.query) + max(map(len, encoded.choices)) <= 55
    assert_same_prompts(writer, item, own)


def test_a_long_passage_is_cut_where_the_measured_one_is(codecs: dict[str, Codec]) -> None:
    prompt, long = PROMPTS[0], Block("passage", "p", "word " * 200 + "\n\n")
    item = Item("test/1", {"text": "stone"}, ("a", "b"))
    for codec in codecs.values():
        writer = Writer(codec, prompt, Given(own=(long,)), 150, 0)
        [encoded] = writer.write([item])
        assert encoded.passages_truncated == 1
        assert_same_prompts(writer, item, (long,))


WORDS = st.lists(st.sampled_from(["red", "Box", "stone", "氷の", "北海道", "ไทย", "x", "7"]), max_size=6).map(" ".join)


@given(st.lists(WORDS, min_size=1, max_size=12), WORDS, st.integers(1, 6))
@settings(max_examples=40)
def test_lexical_search_finds_the_same(documents: list[str], query: str, shown: int) -> None:
    index = build("lexical", documents, embedder=None)
    retriever = retriever_of(index.write(Path()), documents, shown)  # type: ignore[attr-defined]
    [expected] = index.search([query], shown)
    assert [block["n"] for block in retriever.find(query)] == expected


def retriever_of(said: dict[str, Any], documents: list[str], shown: int) -> Any:
    """A retriever over documents in memory."""
    module = script("retrieval")
    retriever = module.Retriever.__new__(module.Retriever)
    retriever.settings, retriever.kind = {**said, "shown": shown}, said["retriever"]
    retriever.blocks = [{"n": number} for number in range(len(documents))]
    retriever.lexical, retriever.stage = module.Lexical(documents, said), None
    return retriever


@given(st.lists(st.permutations(range(8)).map(lambda order: order[:5]), min_size=2, max_size=2))
def test_rankings_are_fused_alike(rankings: list[list[int]]) -> None:
    assert script("retrieval").fuse(rankings) == fuse(rankings)
