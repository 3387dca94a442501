"""Prompts are filled literally and end in the answer cue."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bench.core.item import Example, Item, Passage
from bench.core.prompt import Prompt, fill, placeholders


def item(choices: tuple[str, ...] = (), **fields: str) -> Item:
    return Item("test/1", fields, choices)


@given(st.text(), st.text())
def test_values_are_never_expanded(first: str, second: str) -> None:
    filled = fill("<{a}|{b}|{a}>", {"a": first, "b": second})
    assert filled == "<" + first + "|" + second + "|" + first + ">"


@given(st.text())
def test_a_template_without_braces_is_itself(text: str) -> None:
    plain = text.replace("{", "").replace("}", "")
    assert fill(plain, {}) == plain


def test_values_that_look_like_templates_stay_as_they_are() -> None:
    prompt = Prompt("", "Q: {text}\nA:")
    assert prompt.ask(item(text="{text} %s {{x}} \\1 {answer}")) == "Q: {text} %s {{x}} \\1 {answer}\nA:"


def test_double_braces_are_braces() -> None:
    assert fill('{{"q": "{text}"}} {', {"text": "hi"}) == '{"q": "hi"} {'
    assert placeholders("{{no}} {a} {b c} {a}") == ("a", "b c")


def test_a_name_without_value_is_refused() -> None:
    with pytest.raises(KeyError):
        fill("{missing}", {"text": "hi"})


@pytest.mark.parametrize(
    ("template", "asked", "answered"),
    [
        ("Q: {text}\nA:", "Q: hi\nA:", " yes"),
        ("Q: {text}\nA: ", "Q: hi\nA:", " yes"),
        ("Q: {text}\nA:\n", "Q: hi\nA:\n", "yes"),
        ("Q: {text}\nA:\n \t", "Q: hi\nA:\n", "yes"),
        ("{text}", "hi", " yes"),
    ],
)
def test_the_answer_follows_the_cue(template: str, asked: str, answered: str) -> None:
    prompt = Prompt("", template)
    assert (prompt.ask(item(text="hi")), prompt.answer("yes")) == (asked, answered)


def test_worked_example_and_preamble() -> None:
    prompt = Prompt("Be brief.", "Q: {text}\nA:")
    example = Example("train/1", {"text": "hi"}, references=("yes", "yep"))
    assert prompt.preamble() + prompt.solved(example) == "Be brief.\n\nQ: hi\nA: yes\n\n"
    assert Prompt("", "{text}").preamble() == ""


def test_choices_are_shown_where_the_template_names_them() -> None:
    prompt = Prompt("", "{text} ({choices}) ->")
    assert prompt.ask(item(("a b", "c"), text="pick")) == "pick (a b; c) ->"
    assert prompt.query(item(("a b", "c"), text="pick")) == "pick"


def test_a_text_task_may_have_a_column_called_choices() -> None:
    assert Prompt("", "{choices}:").ask(Item("test/1", {"choices": "mine"})) == "mine:"


def test_query_is_the_fields_or_its_own_template() -> None:
    asked = item(a="one", b="two", c="three")
    assert Prompt("", "{b} and {a}:").query(asked) == "two one"
    assert Prompt("", "{b}:", query_template="about {c}").query(asked) == "about three"


@pytest.mark.parametrize(
    ("template", "title", "shown"),
    [
        ("{title}\n{text}", "T", "T\nbody\n\n"),
        ("{title}\n{text}", "", "body\n\n"),
        ("Title: {title}\nText: {text}", "", "Text: body\n\n"),
        ("[{id}] {text}", "T", "[p1] body\n\n"),
        ("{title}: {text}", "", ": body\n\n"),
    ],
)
def test_passages(template: str, title: str, shown: str) -> None:
    prompt = Prompt("", "{text}", passage_template=template)
    assert prompt.passage(Passage("p1", "body", title)) == shown


def test_documents_are_title_and_text() -> None:
    prompt = Prompt("", "{text}")
    assert prompt.document(Passage("p", "body", "T")) == "T. body"
    assert prompt.document(Passage("p", "body")) == "body"
    assert prompt.document(Passage("p", "{text} T", "T")) == "T. {text} T"
