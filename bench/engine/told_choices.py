"""Choices that a model writes instead of ranking: how it is told of them, and which one a text names."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import replace

from bench.core.item import Example
from bench.core.prompt import CHOICE_SEPARATOR, CHOICES, Prompt, placeholders

NO_CHOICE = "names_no_choice"
STOP = ("\n\n",)
_MORE = 16  # tokens in addition to the longest choice, for what a model says around it
_WORDS = re.compile(r"[^\w]+")


def telling(prompt: Prompt, examples: Sequence[Example]) -> Prompt:
    """`prompt` with the choices in it, unless its template has them: in the instruction where all items share them."""
    if CHOICES in placeholders(prompt.template):
        return prompt
    sets = {example.choices for example in examples}
    if len(sets) == 1:
        named = CHOICE_SEPARATOR.join(next(iter(sets)))
        told = f"Answer with one of these, and nothing else: {named}"
        return replace(prompt, instruction=f"{prompt.instruction}\n{told}" if prompt.instruction else told)
    return replace(prompt, template=f"Choices: {{{CHOICES}}}\n{prompt.template}")


def answer_tokens(choices: Sequence[str]) -> int:
    """Tokens that an answer may have: no choice has more tokens than characters."""
    return _MORE + max(map(len, choices), default=0)


def named(text: str, choices: Sequence[str]) -> int | None:
    """The place of the choice that a text is, or else of the only one that its first paragraph names; None for none.

    Case, punctuation and white space do not count. A choice that stands within a longer one that is named does not
    count beside it.
    """
    first = text.strip().partition("\n\n")[0].strip()
    if first in choices:
        return choices.index(first)
    said, plain = _plain(first), [_plain(choice) for choice in choices]
    if said.strip() and plain.count(said) == 1:
        return plain.index(said)
    within = [place for place, choice in enumerate(plain) if choice.strip() and choice in said]
    longest = [i for i in within if not any(i != j and plain[i] in plain[j] for j in within)]
    return longest[0] if len(longest) == 1 else None


def _plain(text: str) -> str:
    return f" {_WORDS.sub(' ', text.casefold()).strip()} "
