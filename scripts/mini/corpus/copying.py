"""Skill `copying`: look-up tables and lines to repeat, which form the circuits that reading and examples build on.

Induction (find what followed this before, and write it again) is what in-context learning grows from (Olsson et al.
2022, arXiv:2209.11895). These documents are nothing but that, so a small model finds it in minutes.
"""

from __future__ import annotations

import random
from collections.abc import Callable

from scripts.mini.corpus import names
from scripts.mini.corpus.document import Document, bank, reserved

_BETWEEN = (" = ", ": ", " -> ", " is ", " | ", " goes with ")
AFTER = (", ", "; ", "\n", " / ")


def draw(rng: random.Random, held_out: bool = False) -> Document:
    """A look-up table with keys to complete, or lines to repeat."""
    return lookup(rng, held_out) if rng.random() < 0.7 else repeat(rng, held_out)


def lookup(rng: random.Random, held_out: bool = False, pairs: int | None = None) -> Document:
    """ "a = b, c = d, …" and then keys of the table, each to be completed with its value."""
    count = pairs or rng.randint(3, 10)
    key, value = rng.choice(_kinds(held_out)), rng.choice(_kinds(held_out))
    keys = _distinct(rng, key, count)
    table = [(k, value(rng)) for k in keys]
    between, after = rng.choice(_BETWEEN), rng.choice(AFTER)
    document = Document().given(rng.choice(("Table: ", "List: ", "", "Pairs:\n")))
    document.given(after.join(k + between + v for k, v in table))
    document.given(rng.choice(("\n", "\n\n", after)))
    asked = rng.sample(table, min(count, rng.randint(2, 6)))
    for k, v in asked:
        document.given(k + between.rstrip()).answer((" " if between.endswith(" ") else "") + v).given(after)
    return _closed(document)


def repeat(rng: random.Random, held_out: bool = False) -> Document:
    """A line of random words, and the same line again; the second time it is the answer."""
    word = rng.choice(_kinds(held_out))
    line = " ".join(word(rng) for _ in range(rng.randint(4, 16)))
    cue, again = rng.choice((("Repeat: ", "\n"), ("", "\n"), ("Text: ", "\nCopy: "), ("Say again: ", "\nAgain: ")))
    document = Document().given(cue + line + again.rstrip(" ")).answer((" " if again.endswith(" ") else "") + line)
    if rng.random() < 0.3:
        document.given(again.rstrip(" ")).answer((" " if again.endswith(" ") else "") + line)
    return document


def _kinds(held_out: bool) -> tuple[Callable[[random.Random], str], ...]:
    """What keys and values can be: words, new names, codes, numbers."""
    words = reserved(bank("words")["plain"], held_out)
    return (lambda rng: rng.choice(words),) * 3 + (names.person, names.place, names.thing, names.code)


def _distinct(rng: random.Random, draw_one: Callable[[random.Random], str], count: int) -> list[str]:
    found: dict[str, None] = {}
    while len(found) < count:
        found[draw_one(rng)] = None
    return list(found)


def _closed(document: Document) -> Document:
    """Without the separator after the last answer."""
    document.pieces.pop()
    return document
