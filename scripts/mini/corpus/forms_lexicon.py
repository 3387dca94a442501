"""The word lists of the mapping episodes of `forms`, with their inflected forms."""

from __future__ import annotations

import random
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache

from scripts.mini.corpus import names
from scripts.mini.corpus.document import T, bank, reserved

Pair = tuple[str, str]


@dataclass(frozen=True)
class Words:
    """Word lists, without or with only the reserved entries."""

    nouns: Sequence[Pair]
    verbs: Sequence[tuple[str, str, str, str]]
    irregular: Sequence[Pair]
    opposites: Sequence[Pair]
    degrees: Sequence[Sequence[str]]
    adjectives: Sequence[str]
    couples: Sequence[Sequence[str]]
    commands: Sequence[str]
    doings: Sequence[Sequence[str]]
    beings: Sequence[str]

    def word(self, rng: random.Random) -> str:
        """A noun, an adjective, a verb, or a name."""
        roll = rng.random()
        if roll < 0.5:
            return rng.choice(self.nouns)[0]
        if roll < 0.7:
            return rng.choice(self.adjectives)
        return rng.choice(self.verbs)[0] if roll < 0.88 else names.thing(rng).lower()

    def phrase(self, rng: random.Random) -> str:
        """Two or three words, such as "old red bridge"."""
        found = [rng.choice(self.adjectives), rng.choice(self.nouns)[0]]
        return " ".join(([rng.choice(self.adjectives)] if rng.random() < 0.25 else []) + found)

    def text(self, rng: random.Random) -> str:
        """A word or a phrase."""
        return self.word(rng) if rng.random() < 0.5 else self.phrase(rng)

    def sentence(self, rng: random.Random) -> tuple[str, str, str, str]:
        """Who does what to whom, and the participle."""
        who, whom = rng.sample(self.beings, 2)
        does, done = rng.choice(self.doings)
        return who, does, whom, done


@cache
def words(held_out: bool) -> Words:
    """The word lists; every tenth entry is kept for `held_out`."""

    def keep(entries: Sequence[T]) -> Sequence[T]:
        return reserved(entries, held_out)

    irregular = [_two(pair) for pair in _entries("irregular")]
    nouns = [*((noun.strip("+*"), _plural(noun)) for noun in _entries("nouns")), *irregular]
    return Words(
        keep(nouns),
        keep([_forms(verb) for verb in _entries("verbs")]),
        keep([_two(pair) for pair in _entries("past")]),
        keep([_two(pair) for pair in _entries("opposites")]),
        keep([degrees.split("/") for degrees in _entries("comparative")]),
        keep(_entries("adjectives")),
        keep([couple.split("/") for couple in _entries("couples", ";")]),
        keep(_entries("commands", ";")),
        keep([doing.split("/") for doing in _entries("doings", ";")]),
        keep(_entries("beings", ";")),
    )


def _entries(name: str, between: str | None = None) -> list[str]:
    return [entry.strip() for entry in str(bank("forms_mapping")[name]).split(between)]


def _two(text: str) -> Pair:
    first, _, second = text.partition("/")
    return first, second


def _with_s(word: str) -> str:
    """A noun in the plural, a verb with she."""
    if word.endswith("y") and word[-2] not in "aeiou":
        return word[:-1] + "ies"
    return word + ("es" if word.endswith(("s", "x", "z", "ch", "sh")) else "s")


def _plural(noun: str) -> str:
    return noun[:-1] + "es" if noun.endswith("*") else _with_s(noun.strip("+"))


def _forms(verb: str) -> tuple[str, str, str, str]:
    """A verb, its past, its -ing form and its form with she; "=" marks a last letter that is doubled."""
    base = verb.rstrip("=")
    stem = base + base[-1] if verb.endswith("=") else base
    past, ing = stem + "ed", stem + "ing"
    if base.endswith("e"):
        past = base + "d"
        ing = (base[:-2] + "y" if base.endswith("ie") else base[:-1]) + "ing"
    elif base.endswith("y") and base[-2] not in "aeiou":
        past = base[:-1] + "ied"
    return base, past, ing, _with_s(base)
