"""Chat templates: ids are those of the rendered conversation, thinking is closed, what cannot be carried is refused."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from transformers import AutoTokenizer

from bench.core.errors import CellError
from bench.core.item import Example, Item
from bench.core.prompt import Block, Prompt, Turn
from bench.engine.prompts import Writer
from bench.model import tiny_random
from bench.model.chat import ChatTemplate
from bench.model.resolve import MINI
from bench.model.tokenizer import Codec
from tests.small import cells_of, write_suite
from tests.templates import FAMILIES, Family
from tests.toy import Given

PROMPT = Prompt("Sum.", "{text}=")
ITEM = Item("test/1", {"text": "3+4"}, ("7", "8 or so"))
SHOWN = Block("example", "train/1", "1+1=", " 2")


def tokenizer_of(family: Family) -> Any:
    """mini's byte-level BPE with the tokens of a family."""
    tokenizer = AutoTokenizer.from_pretrained(MINI)
    tokenizer.bos_token, tokenizer.eos_token = family.bos, "</s>"
    tokenizer.add_tokens([family.bos, "</s>", *family.tokens], special_tokens=True)
    tokenizer.chat_template = family.template
    return tokenizer


def codec_of(family: Family, **more: Any) -> Codec:
    tokenizer = tokenizer_of(family)
    return Codec(tokenizer, ChatTemplate(tokenizer, family.options), **more)


@pytest.fixture(params=FAMILIES)
def family(request: pytest.FixtureRequest) -> Family:
    return FAMILIES[request.param]


def ids_of(codec: Codec, text: str) -> list[int]:
    return list(codec.tokenizer(text, add_special_tokens=False)["input_ids"])


@pytest.mark.parametrize("place", ["shared", "own"])
def test_the_ids_of_prompt_and_choices_are_those_of_the_text(family: Family, place: str) -> None:
    codec = codec_of(family)
    context = Given((SHOWN,)) if place == "shared" else Given(own=(SHOWN,))
    (encoded,) = Writer(codec, PROMPT, context, 1024, 0).write([ITEM])
    asked = [*encoded.prefix, *encoded.query]
    assert codec.tokenizer.decode(asked) == family.opening
    assert asked == ids_of(codec, family.opening)
    for choice, ids in zip(ITEM.choices, encoded.choices, strict=True):
        assert [*asked, *ids] == ids_of(codec, family.opening + family.gap + choice)


def test_a_trained_answer_ends_as_the_template_ends_it(family: Family) -> None:
    codec = codec_of(family)
    example = Example("train/2", {"text": "3+4"}, (), ("seven or so",))
    ((prompt, answer),) = Writer(codec, PROMPT, Given((SHOWN,)), 1024, 8).write_solved([example])
    assert list(prompt) == ids_of(codec, family.opening)
    assert codec.tokenizer.decode(answer) == f"{family.gap}seven or so{family.closing}{family.end}"
    end = codec.tokenizer.convert_tokens_to_ids(family.end)
    assert codec.end == (end,)
    assert end in codec.stops
    assert answer[-1] == end


SYSTEM, USER = Turn("system", "Sum."), Turn("user", "3+4=")


def template_of(source: str, *tokens: str) -> ChatTemplate:
    return ChatTemplate(tokenizer_of(Family(source, "", "", tokens)))


EACH = "{% for m in messages %}"
ASK = "{% endfor %}{% if add_generation_prompt %}"


@pytest.mark.parametrize(
    ("source", "reason"),
    [
        (EACH + "{{ m['role'] }}{% endfor %}", 'drops or changes the text "Grüße'),
        (EACH + "{{ m['content'] | upper }}{% endfor %}", 'drops or changes the text "Grüße'),
        (EACH + "{{ m['content'] | e }}{% endfor %}", 'drops or changes the text "Grüße'),
        (EACH + "{{ m['content'] | tojson }}{% endfor %}", 'drops or changes the text "Grüße'),
        (EACH + "{% if m['role'] == 'user' %}{{ m['content'] }}{% endif %}{% endfor %}", "drops the assistant's turns"),
        ("{{ raise_exception('tools are needed') }}", "refuses the prompt: tools are needed"),
        ("{{ messages[0].missing.field }}", "refuses the prompt: "),
        ("{% for m in messages %}", "refuses the prompt: "),
    ],
)
def test_a_template_that_cannot_carry_a_prompt_is_refused_in_one_line(source: str, reason: str) -> None:
    with pytest.raises(CellError) as caught:
        template_of(source)
    assert reason in str(caught.value)
    assert str(caught.value).endswith("set chat_template: off to give it plain text")
    assert "\n" not in str(caught.value)


def test_a_text_that_the_template_changes_is_refused_when_it_comes() -> None:
    template = template_of(EACH + "{{ m['content'].split('</think>')[-1] }}" + ASK + "A:{% endif %}")
    assert template.opening([USER]) == "3+4=A:"
    with pytest.raises(CellError, match='drops or changes the text "2</think>3"'):
        template.opening([Turn("user", "2</think>3")])


@pytest.mark.parametrize("opened", ["<|channel|>analysis<|message|>", "<reason>\n"])
def test_choices_are_not_ranked_behind_what_cannot_be_closed(opened: str) -> None:
    source = (
        EACH + "{{ '<|' + m['role'] + '|>' + m['content'] }}" + ASK + "{{ '<|assistant|>" + opened + "' }}{% endif %}"
    )
    tokenizer = tokenizer_of(Family(source, "", "", ("<|assistant|>",)))
    writer = Writer(Codec(tokenizer, ChatTemplate(tokenizer)), PROMPT, Given(), 1024, 0)
    with pytest.raises(CellError, match="behind which no choice can be ranked"):
        writer.write([ITEM])
    (written,) = writer.write([Item("test/1", {"text": "3+4"})])  # a text may be written there
    assert tokenizer.decode([*written.prefix, *written.query]).endswith("<|assistant|>" + opened)


def test_a_dated_template_writes_the_same_date_every_day() -> None:
    source = "{{ strftime_now('%d %b %Y %H:%M') }} {{ strftime_now(format='%-d.%-m.%y') }} " + EACH
    template = template_of("\n" + source + "{{ m['content'] }}" + ASK + "A:{% endif %}")
    assert template.opening([USER]) == "\n01 Jan 2026 12:00 1.1.26 3+4=A:"


def test_options_reach_the_template() -> None:
    source = EACH + "{{ m['content'] }}" + ASK + "{{ style }}{{ 'thinks' if enable_thinking }}A:{% endif %}"
    tokenizer = tokenizer_of(Family(source, "", ""))
    assert ChatTemplate(tokenizer, {"style": "brief "}).opening([USER]) == "3+4=brief A:"
    assert ChatTemplate(tokenizer, {"enable_thinking": True}).opening([USER]) == "3+4=thinksA:"


def test_worked_examples_may_be_text_in_one_turn() -> None:
    codec = codec_of(FAMILIES["qwen-2.5"], single_turn=True)
    (encoded,) = Writer(codec, PROMPT, Given((SHOWN,)), 1024, 0).write([ITEM])
    assert codec.tokenizer.decode([*encoded.prefix, *encoded.query]) == (
        "<|im_start|>system\nSum.<|im_end|>\n<|im_start|>user\n1+1= 2\n\n3+4=<|im_end|>\n<|im_start|>assistant\n"
    )


def test_passages_stand_in_the_turn_of_their_item() -> None:
    codec = codec_of(FAMILIES["qwen-2.5"])
    own = (Block("passage", "p", "Near.\n\n"), Block("passage", "q", "Far.\n\n"))
    (encoded,) = Writer(codec, PROMPT, Given(own=own), 1024, 0).write([ITEM])
    assert "<|im_start|>user\nFar.\n\nNear.\n\n3+4=<|im_end|>" in codec.tokenizer.decode(
        [*encoded.prefix, *encoded.query]
    )


def test_the_shared_beginning_ends_where_items_differ() -> None:
    codec = codec_of(FAMILIES["qwen-2.5"])
    items = [Item(f"test/{i}", {"text": text}, ("7", "8")) for i, text in enumerate(("3+4", "(2", "x", " 字"))]
    written = Writer(codec, PROMPT, Given((SHOWN,)), 1024, 0).write(items)
    (prefix,) = {one.prefix for one in written}
    assert codec.tokenizer.decode(prefix) == FAMILIES["qwen-2.5"].opening.partition("3+4")[0]


@settings(max_examples=40, deadline=None)
@given(
    st.sampled_from(["llama-2", "gemma", "qwen-3", "vicuna", "falcon", "smolvlm"]),
    st.text(st.characters(exclude_categories=["Cs"]), max_size=60).filter(lambda t: t.strip() == t != ""),
    st.lists(st.text(st.characters(categories=["L", "N", "P", "S"]), min_size=1, max_size=20), min_size=1, max_size=3),
)
def test_whatever_is_asked_the_ids_are_those_of_the_text(name: str, text: str, choices: list[str]) -> None:
    family, codec = FAMILIES[name], CODECS[name]
    prompt = Prompt("Sum.", "{text} =")
    long = Block("example", "train/1", "1 + 1 + " * 30 + "0 =", " 30")
    (encoded,) = Writer(codec, prompt, Given((long,)), 4096, 0).write([Item("t", {"text": text}, tuple(choices))])
    asked = [*encoded.prefix, *encoded.query]
    assert codec.chat is not None
    whole = codec.chat.opening(prompt.turns((long,), f"{text} ="))
    assert asked == ids_of(codec, whole)
    for choice, ids in zip(choices, encoded.choices, strict=True):
        expected = ids_of(codec, whole + family.gap + choice)
        assert expected[-len(ids) :] == list(ids)
        # mini's vocabulary has two readings of a blank line: one at the end of a text, one in front of a letter
        assert name == "qwen-3" or [*asked, *ids] == expected


def test_what_the_template_writes_is_part_of_the_key(tmp_path: Path, tiny_model: Path, task_folder: Path) -> None:
    chat = tiny_random.build(tmp_path / "chat", chat_template=True)

    def key(model: Path, **settings: object) -> tuple[str, bool]:
        file = write_suite(tmp_path, model, models=[{"path": str(model), **settings}], methods=["zero-shot"])
        (cell,) = cells_of(file)[1]
        return cell.key, bool(cell.identity.surroundings.chat)

    plain, asked = key(tiny_model), key(chat)
    assert (plain[1], asked[1], key(chat, chat_template="off")[1]) == (False, True, False)
    changed = {key(chat, chat_template_kwargs={"style": "brief"}), key(chat, chat_examples="text"), asked}
    assert len(changed) == 3


def test_a_damaged_tokenizer_is_left_to_the_cell_that_reads_it(tmp_path: Path, task_folder: Path) -> None:
    chat = tiny_random.build(tmp_path / "chat", chat_template=True)
    (chat / tiny_random.SEAL).unlink()
    (chat / "tokenizer.json").write_text("[]")
    (cell,) = cells_of(write_suite(tmp_path, chat, methods=["zero-shot"]))[1]
    assert cell.identity.surroundings.chat.keys() == {"refused"}


CODECS = {name: codec_of(FAMILIES[name]) for name in ("llama-2", "gemma", "qwen-3", "vicuna", "falcon", "smolvlm")}
