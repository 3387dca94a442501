"""How an item, its answer and a passage become text: the one place where prompts are written.

A template names columns in braces, `{text}`; `{{` and `}}` stand for the braces themselves. Filling is
one literal pass: braces or percent signs inside a value are never expanded. There is no other syntax.
"""

from __future__ import annotations

import re
import string
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Literal

from bench.core.item import Example, Item, Passage

CHOICES = "choices"  # in a choice task's template: the item's choices, joined by CHOICE_SEPARATOR
CHOICE_SEPARATOR = "; "
_PLACEHOLDER = re.compile(r"\{\{|\}\}|\{([^{}\n]+)\}")


def placeholders(template: str) -> tuple[str, ...]:
    """The names `template` has in braces, in order, each once."""
    names = (match[1] for match in _PLACEHOLDER.finditer(template))
    return tuple(dict.fromkeys(name for name in names if name is not None))


def fill(template: str, values: Mapping[str, str]) -> str:
    """`template` with each `{name}` replaced by `values[name]`, taken literally.

    Raises KeyError for a name without a value; loading a task checks names against columns before that.
    """
    return _PLACEHOLDER.sub(lambda match: match[0][0] if match[1] is None else values[match[1]], template)


@dataclass(frozen=True, slots=True)
class Block:
    """A piece of a prompt that can be dropped whole: a few-shot example or a passage."""

    kind: Literal["example", "passage"]
    source: str  # id of the example or passage
    text: str  # a passage with its trailing blank line, or an example up to its answer
    answer: str = ""  # of an example, as it follows its text

    @property
    def written(self) -> str:
        """The block as plain text, with its trailing blank line."""
        return self.text if self.kind == "passage" else f"{self.text}{self.answer}\n\n"


@dataclass(frozen=True, slots=True)
class Turn:
    """One message of a conversation."""

    role: Literal["system", "user", "assistant"]
    content: str


@dataclass(frozen=True)
class Prompt:
    """Instruction and templates of a task. A prompt is preamble + blocks + ask, in this order."""

    instruction: str
    template: str
    passage_template: str = "{title}\n{text}"
    query_template: str = ""

    def preamble(self) -> str:
        """The instruction and a blank line; empty where there is no instruction."""
        return f"{self.instruction}\n\n" if self.instruction else ""

    def ask(self, item: Item) -> str:
        """The question up to the answer cue. Trailing spaces go: they belong to the answer."""
        return fill(self.template, _values(item)).rstrip(" \t")

    def cue(self) -> str:
        """What `ask` ends in whatever the item: the lines of the template behind the one of its last column.

        Where there are none, the words behind the column; "" where there is nothing.
        """
        *_, last = (match for match in _PLACEHOLDER.finditer(self.template) if match[1] is not None)
        rest, _, lines = fill(self.template[last.end() :], {}).rstrip(" \t").partition("\n")
        return lines.lstrip() or rest.lstrip(string.whitespace + string.punctuation)

    def answer(self, text: str) -> str:
        """`text` as it follows `ask`: after a space, unless the cue ends its line."""
        return text if self.template.rstrip(" \t").endswith("\n") else f" {text}"

    def solved(self, example: Example) -> str:
        """A few-shot example: question, first reference and a blank line."""
        return f"{self.ask(example)}{self.answer(example.references[0])}\n\n"

    def text(self, blocks: Sequence[Block], question: str) -> str:
        """A whole prompt as plain text: the instruction, `blocks` in their order, and the item (`ask`)."""
        return f"{self.preamble()}{''.join(block.written for block in blocks)}{question}"

    def turns(self, blocks: Sequence[Block], question: str) -> tuple[Turn, ...]:
        """The same as a conversation: a few-shot example is a turn of each side, a passage precedes what follows it."""
        turns = [Turn("system", self.instruction)] if self.instruction else []
        before = ""
        for block in blocks:
            if block.kind == "passage":
                before += block.written
                continue
            turns += [Turn("user", before + block.text), Turn("assistant", block.answer.strip())]
            before = ""
        return (*turns, Turn("user", before + question))

    def single_turn(self, blocks: Sequence[Block], question: str) -> tuple[Turn, ...]:
        """The same as a conversation with one user turn, few-shot examples as text in it."""
        content = "".join(block.written for block in blocks) + question
        return (*([Turn("system", self.instruction)] if self.instruction else []), Turn("user", content))

    def passage(self, passage: Passage) -> str:
        """A passage as it stands in the context, with a blank line; a missing title leaves no line."""
        template = self.passage_template if passage.title else _without_title(self.passage_template)
        return f"{fill(template, {'id': passage.id, 'title': passage.title, 'text': passage.text})}\n\n"

    def query(self, item: Item) -> str:
        """What a retriever is asked; by default the values of the template's columns, joined by a space."""
        if self.query_template:
            return fill(self.query_template, _values(item)).strip()
        names = placeholders(self.template)
        return " ".join(item.fields[name] for name in names if name in item.fields)

    def document(self, passage: Passage) -> str:
        """What a retriever indexes: the title, where there is one, and the text.

        A full stop parts them: many sentence encoders drop line breaks, which would run the title into the text.
        """
        return f"{passage.title}. {passage.text}" if passage.title else passage.text


def _values(item: Item) -> Mapping[str, str]:
    if not item.choices:
        return item.fields
    return {**item.fields, CHOICES: CHOICE_SEPARATOR.join(item.choices)}


def _without_title(template: str) -> str:
    """`template` less the lines that would show a title and nothing else of the passage."""
    lines = template.split("\n")
    return "\n".join(line for line in lines if "{title}" not in line or "{text}" in line)
