"""Prompts in token ids: pieces join to the whole text, and what does not fit is dropped and counted."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from transformers import AutoTokenizer

from bench.core.item import Example, Item
from bench.core.prompt import Block, Prompt
from bench.engine.prompts import TOO_LONG, Writer
from bench.model import tiny_random
from bench.model.chat import ChatTemplate
from bench.model.resolve import ModelSpec, resolve
from bench.model.tokenizer import Codec
from tests.toy import Given

MINI = resolve(ModelSpec(path="mini")).folder
PROMPT = Prompt("Name the colour.", "Thing: {text}\nColour:")


def codec_of(folder: Path, *, chat: bool = False) -> Codec:
    tokenizer = AutoTokenizer.from_pretrained(folder)
    return Codec(tokenizer, ChatTemplate(tokenizer) if chat else None)


@pytest.fixture(scope="module")
def codec(tiny_model: Path) -> Codec:
    return codec_of(tiny_model)


def item(text: str, choices: tuple[str, ...] = ("red", "dark blue")) -> Item:
    return Item("test/1", {"text": text}, choices)


def write(
    codec: Codec, asked: Item, context: Given | None = None, length: int = 512, reserve: int = 0
) -> tuple[str, object]:
    (encoded,) = Writer(codec, PROMPT, context or Given(), length, reserve).write([asked])
    return codec.decode([*encoded.prefix, *encoded.query]), encoded


def example(name: str, text: str) -> Block:
    return Block("example", name, text.removesuffix("\n\n"))


def passage(name: str, text: str) -> Block:
    return Block("passage", name, text)


def test_the_parts_of_a_prompt_stand_in_order(codec: Codec) -> None:
    context = Given(
        (example("a", "A\n\n"), example("b", "B\n\n")), own=(passage("p", "best\n\n"), passage("q", "next\n\n"))
    )
    text, _ = write(codec, item("sky"), context)
    assert text == "Name the colour.\n\nA\n\nB\n\nnext\n\nbest\n\nThing: sky\nColour:"


def test_the_prefix_is_what_items_share(codec: Codec) -> None:
    context = Given((example("a", "A\n\n"),), own=(passage("p", "own\n\n"),))
    one, other = Writer(codec, PROMPT, context, 512, 0).write([item("sky"), item("a long red rope")])
    assert one.prefix == other.prefix
    assert codec.decode(list(one.prefix)) == "Name the colour.\n\nA\n\n"


@pytest.mark.parametrize("text", ["sky", "Ein Töpfchen – 12 €", " spaces  inside ", "{text}%s"])
def test_pieces_join_to_the_whole_text_for_a_sentencepiece_model(public_data: Path, text: str) -> None:
    folder = public_data / "models" / "stories260K"
    codec, tokenizer = codec_of(folder), AutoTokenizer.from_pretrained(folder)
    context = Given((example("a", "Thing: rope\nColour: dark blue\n\n"),))
    (encoded,) = Writer(codec, PROMPT, context, 512, 0).write([item(text)])
    whole = f"Name the colour.\n\nThing: rope\nColour: dark blue\n\nThing: {text}\nColour:"
    assert [*encoded.prefix, *encoded.query] == tokenizer.encode(whole)
    for choice, ids in zip(("red", "dark blue"), encoded.choices, strict=True):
        assert [*encoded.prefix, *encoded.query, *ids] == tokenizer.encode(f"{whole} {choice}")


@pytest.mark.parametrize("model", ["tiny", "mini"])  # mini's tokenizer looks ahead, as GPT-2's does
@settings(max_examples=60, deadline=None)
@given(st.text(alphabet=st.characters(exclude_categories=["Cs"]), max_size=40).filter(lambda t: t.strip()))
def test_pieces_join_to_the_whole_text(tiny_model: Path, model: str, text: str) -> None:
    codec = codec_of(tiny_model if model == "tiny" else MINI)
    context = Given((example("a", "Thing: rope\nColour: dark blue\n\n"),), own=(passage("b", "Seas\nare blue.\n\n"),))
    (encoded,) = Writer(codec, PROMPT, context, 512, 0).write([item(text)])
    before = "Name the colour.\n\nThing: rope\nColour: dark blue\n\nSeas\nare blue.\n\n"
    whole = f"{before}Thing: {text}\nColour:"
    assert [*encoded.prefix, *encoded.query] == codec.tokenizer.encode(whole)
    for choice, ids in zip(("red", "dark blue"), encoded.choices, strict=True):
        assert [*encoded.prefix, *encoded.query, *ids] == codec.tokenizer.encode(f"{whole} {choice}")


def test_an_end_token_that_is_a_blank_line_is_the_one_of_worked_examples() -> None:
    tokenizer = AutoTokenizer.from_pretrained(MINI)
    tokenizer.eos_token = None
    codec = Codec(tokenizer)
    text = "Thing: rope\nColour: blue"
    assert codec.encode(f"{text}\n\nThing:")[len(codec.encode(text)) :][:2] == codec.end
    assert codec.end == tuple(tokenizer.encode("\n") * 2)


def test_an_item_without_instruction_opens_the_prompt(public_data: Path) -> None:
    folder = public_data / "models" / "stories260K"
    codec = codec_of(folder)
    (encoded,) = Writer(codec, Prompt("", "Thing: {text}\nColour:"), Given(), 512, 0).write([item("sky")])
    assert [*encoded.prefix, *encoded.query] == AutoTokenizer.from_pretrained(folder).encode("Thing: sky\nColour:")


def test_shared_examples_are_dropped_from_the_end(codec: Codec) -> None:
    context = Given(tuple(example(n, f"{n}: {'x' * 20}\n\n") for n in "abc"))
    full, _ = write(codec, item("sky"), context)
    fixed = len("<Name the colour.\n\nThing: sky\nColour:") + len(" dark blue")
    text, encoded = write(codec, item("sky"), context, length=fixed + 2 * 25 + 24)
    assert full.count("xxx") > text.count("xxx")
    assert text == f"Name the colour.\n\na: {'x' * 20}\n\nb: {'x' * 20}\n\nThing: sky\nColour:"
    assert encoded.examples_dropped == 1  # type: ignore[attr-defined]


def test_the_worst_passage_goes_first_and_the_one_at_the_edge_is_cut(codec: Codec) -> None:
    blocks = tuple(passage(n, f"{n}{'y' * 39}\n\n") for n in "pqr")  # 42 bytes each
    text, encoded = write(codec, item("sky"), Given(own=blocks, token_budget=70))
    assert text == f"Name the colour.\n\nq{'y' * 25}\n\np{'y' * 39}\n\nThing: sky\nColour:"
    assert (encoded.passages_truncated, encoded.passages_dropped) == (1, 1)  # type: ignore[attr-defined]
    assert encoded.context_tokens == 70  # type: ignore[attr-defined]


def test_a_worked_example_is_never_cut(codec: Codec) -> None:
    blocks = tuple(example(n, f"{n}{'y' * 39}\n\n") for n in "pq")
    _, encoded = write(codec, item("sky"), Given(own=blocks, token_budget=70))
    assert (encoded.context_tokens, encoded.examples_dropped) == (42, 1)  # type: ignore[attr-defined]


def test_an_item_that_cannot_fit_is_a_typed_failure_of_that_item(codec: Codec) -> None:
    writer = Writer(codec, PROMPT, Given(), 60, 0)
    fits, too_long = writer.write([item("sky"), item("z" * 60)])
    assert fits.failure is None
    assert too_long.failure == TOO_LONG


@settings(max_examples=60, deadline=None)
@given(
    length=st.integers(60, 400),
    shared=st.lists(st.integers(1, 60), max_size=5),
    own=st.lists(st.integers(1, 60), max_size=5),
    budget=st.none() | st.integers(1, 200),
)
def test_whatever_is_given_the_prompt_fits_and_nothing_is_lost_silently(
    tiny_model: Path, length: int, shared: list[int], own: list[int], budget: int | None
) -> None:
    context = Given(
        tuple(example(f"s{i}", "s" * n + "\n\n") for i, n in enumerate(shared)),
        own=tuple(passage(f"p{i}", "p" * n + "\n\n") for i, n in enumerate(own)),
        token_budget=budget,
    )
    (encoded,) = Writer(codec_of(tiny_model), PROMPT, context, length, 0).write([item("sky")])
    assert encoded.failure is None
    assert encoded.prompt_tokens + len(" dark blue") <= length
    shown = bytes([*encoded.prefix[1:], *encoded.query]).decode()
    blocks = shown.count("\n\n") - 1  # after each block and after the instruction
    assert blocks + encoded.examples_dropped + encoded.passages_dropped == len(shared) + len(own)
    assert shown.endswith("Thing: sky\nColour:")
    assert shown.startswith("Name the colour.\n\n")


def test_a_training_example_never_sees_its_own_answer(codec: Codec) -> None:
    examples = [Example(f"train/{i}", {"text": f"thing {i}"}, ("red", "blue"), ("red",)) for i in range(3)]
    context = Given(tuple(Block("example", e.id, PROMPT.ask(e), PROMPT.answer(e.references[0])) for e in examples))
    for i, (prompt, answer) in enumerate(Writer(codec, PROMPT, context, 512, 0).write_solved(examples)):
        text = codec.decode(list(prompt))
        assert text.count(f"thing {i}") == 1
        assert text.count("Colour: red") == 2
        assert tuple(answer) == (*b" red", tiny_random.EOS)


def test_a_chat_template_frames_the_prompt(tmp_path: Path) -> None:
    codec = codec_of(tiny_random.build(tmp_path / "chat", chat_template=True), chat=True)
    (encoded,) = Writer(codec, PROMPT, Given(), 512, 0).write([item("sky")])
    ids = [*encoded.prefix, *encoded.query]
    assert codec.decode(ids) == "[user]\nName the colour.\n\nThing: sky\nColour:\n[assistant]\n"
    assert ids.count(tiny_random.BOS) == 1
    assert [bytes(choice) for choice in encoded.choices] == [b"red", b"dark blue"]


def test_a_model_without_an_end_token_ends_answers_with_a_blank_line(tmp_path: Path) -> None:
    codec = codec_of(tiny_random.build(tmp_path / "bare", eos=False, pad=False, bos=False))
    assert bytes(codec.end) == b"\n\n"
    assert codec.stops == frozenset()
