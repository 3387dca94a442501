"""Frames of skill `prose`: texts written by hand with slots and alternatives, read from banks once and filled quickly.

A frame has slots of phrasings: one line each, a blank line between slots, one phrasing chosen of each slot. "-" among
them leaves the slot out, "/" in front of a phrasing begins a new paragraph. In a phrasing "[a|b]" is a choice and
"{x}" a variable: {A} {B} {C} {D} people, {F} {G} women, {M} {N} men, {he} {him} {his} {himself} of A and {B.he} ... of
B (with a capital: {He}), {x} of the frame's `vars`, with {x.a} for its article, {x.s} for its plural and {x.C} for a
capital; and {city}, {place}, {day}, {month}, {colour}, {few}, {surname}. Vars are "a; b; c", "@class of words", or
"first = second" under a key "x, y" for what goes together.
"""

from __future__ import annotations

import random
import re
from collections.abc import Callable
from dataclasses import dataclass
from functools import cache
from typing import Any

from scripts.mini.corpus import names
from scripts.mini.corpus.document import bank
from scripts.mini.corpus.prose_clause import PRONOUNS
from scripts.mini.corpus.prose_words import Noun, a, noun, words

_TOKEN = re.compile(r"(\{[^{}]*\}|\[[^\[\]]*\])")
_ARTICLE = re.compile(r"(?:^|\s)[Aa] $")
_WORDS = ("he", "him", "his", "himself")
_PEOPLE = "ABCDFGMN"
_FEW = ("two", "three", "four", "five", "six", "seven", "eight", "nine", "ten", "twelve")
Token = str | tuple[str, str] | list["Text"]
Text = list[Token]


def parsed(text: str) -> Text:
    """A phrasing split into literal text, variables (name, form) and choices."""
    found: Text = []
    for part in _TOKEN.split(text):
        if part.startswith("{"):
            name, _, form = part[1:-1].partition(".")
            found.append((name, form))
        elif part.startswith("["):
            found.append([parsed(choice) for choice in part[1:-1].split("|")])
        elif part:
            found.append(part)
    return found


@dataclass(frozen=True)
class Frame:
    """One text with its slots."""

    titles: list[Text]
    slots: list[list[Text | None]]
    variables: dict[str, list[tuple[str | Noun, ...]]]


@cache
def frames(name: str, kind: str, held_out: bool) -> list[Frame]:
    """The frames of a kind in a bank; every tenth is reserved."""
    entries = bank(name)[kind]
    return [_frame(entry, held_out) for i, entry in enumerate(entries) if (i % 10 == 9) == held_out]


def _frame(entry: dict[str, Any], held_out: bool) -> Frame:
    slots: list[list[Text | None]] = []
    for block in entry["says"].strip().split("\n\n"):
        slots.append([None if line == "-" else parsed(line) for line in block.splitlines()])
    variables = {key: _variable(value, held_out) for key, value in entry.get("vars", {}).items()}
    return Frame([parsed(title) for title in entry.get("title", "").split("; ") if title], slots, variables)


def _variable(value: str, held_out: bool) -> list[tuple[str | Noun, ...]]:
    if value.startswith("@"):
        return [(n,) for name in value.split() for n in words(held_out).classes[name[1:]] if n.base]
    found: list[tuple[str | Noun, ...]] = []
    for choice in value.split(";"):
        parts = [part.strip() for part in choice.split("=")]
        found.append(tuple(noun(part) if "/" in part else part for part in parts))
    return found


class Filling:
    """The values of one text's variables, drawn when they are first needed and kept."""

    def __init__(self, rng: random.Random, frame: Frame | None, held_out: bool) -> None:
        self.rng = rng
        self.held_out = held_out
        self.women: dict[str, bool] = {}
        self.values: dict[str, str | Noun] = {}
        if frame:
            for key, choices in frame.variables.items():
                for name, value in zip(key.split(", "), rng.choice(choices), strict=True):
                    filled = isinstance(value, str) and "{" in value
                    self.values[name] = self.render(parsed(str(value))) if filled else value

    def render(self, text: Text) -> str:
        """The phrasing in words."""
        parts: list[str] = []
        for token in text:
            if isinstance(token, str):
                parts.append(token)
                continue
            found = self._value(*token) if isinstance(token, tuple) else self.render(self.rng.choice(token))
            if parts and _ARTICLE.search(parts[-1]) and a(found)[1] == "n":
                parts[-1] = parts[-1][:-1] + "n "
            parts.append(found)
        return "".join(parts)

    def _value(self, name: str, form: str) -> str:
        low = name.lower()
        if low in _WORDS:
            return self._pronoun("A", name)
        if len(name) == 1 and name in _PEOPLE:
            if form.lower() in _WORDS:
                return self._pronoun(name, form)
            return self._person(name)
        value = self.values.get(name)
        if value is None:
            kind = name.rstrip("2")
            value = _KINDS[kind](self.rng, self.held_out) if kind in _KINDS else self._noun(kind)
            self.values[name] = value
        if isinstance(value, Noun):
            return {"a": a(value.base), "s": value.plural or value.base}.get(form, value.base)
        if form == "a":
            return a(value)
        if form == "s":
            return noun(value).plural
        return value[0].upper() + value[1:] if form == "C" else value

    def _noun(self, kind: str) -> Noun:
        choices = _nouns(kind, self.held_out)
        if len(choices) < 2:
            return choices[0]
        while True:
            found = self.rng.choice(choices)
            if found not in self.values.values():
                return found

    def _person(self, key: str) -> str:
        value = self.values.get(key)
        if isinstance(value, str):
            return value
        share = words(self.held_out)
        taken = [self.values.get(other) for other in _PEOPLE]
        woman = key in "FG" or (key not in "MN" and self.rng.random() < 0.5)
        while True:
            if self.rng.random() < 0.15:
                found = names.person(self.rng)
            else:
                found = self.rng.choice(share.women if woman else share.men)
            if found not in taken:
                self.values[key] = found
                self.women[key] = woman
                return found

    def _pronoun(self, key: str, form: str) -> str:
        self._person(key)
        base = "she" if self.women[key] else "he"
        word = {"he": base, "him": PRONOUNS[base][0], "his": PRONOUNS[base][1], "himself": PRONOUNS[base][2]}[
            form.lower()
        ]
        return word.capitalize() if form[0].isupper() else word


@cache
def _nouns(kind: str, held_out: bool) -> list[Noun]:
    """The nouns of a class that patterns use: those of one kind, countable or not."""
    mass = kind in ("drink", "material", "sport", "game", "feeling", "subject", "weather")
    found = [n for n in words(held_out).classes[kind] if (n.base and not n.plural if mass else n.counts)]
    return found or [n for n in words(False).classes[kind] if n.base and bool(n.plural) != mass]


@cache
def patterns(held_out: bool) -> list[Text]:
    """The single sentences of bank `prose_patterns`."""
    lines = [line for block in bank("prose_patterns").values() for line in block.splitlines()]
    return [parsed(line) for i, line in enumerate(lines) if (i % 10 == 9) == held_out]


def pattern(rng: random.Random, held_out: bool) -> str:
    """A single sentence, or a question with its answer."""
    text = Filling(rng, None, held_out).render(rng.choice(patterns(held_out)))
    return text[0].upper() + text[1:]


def fill(rng: random.Random, frame: Frame, held_out: bool) -> tuple[str, str]:
    """A title ("" where the frame has none) and the text."""
    filling = Filling(rng, frame, held_out)
    parts: list[str] = []
    for slot in frame.slots:
        chosen = rng.choice(slot)
        if chosen is None:
            continue
        text = filling.render(chosen)
        if parts and parts[-1].endswith((".", "!", "?", '"')):
            text = text[0].upper() + text[1:]
        if text.startswith("/"):
            parts.append(("\n" if parts else "") + text[1:].lstrip())
        else:
            parts.append((" " if parts else "") + text)
    title = filling.render(rng.choice(frame.titles)) if frame.titles else ""
    return title, "".join(parts).replace("//", "\n").replace("?.", "?").replace("!.", "!")


_KINDS: dict[str, Callable[[random.Random, bool], str]] = {
    "city": lambda rng, held_out: rng.choice(words(held_out).cities),
    "place": lambda rng, held_out: names.place(rng),
    "surname": lambda rng, held_out: names.surname(rng),
    "day": lambda rng, held_out: rng.choice(bank("words")["days"]),
    "month": lambda rng, held_out: rng.choice(bank("words")["months"]),
    "season": lambda rng, held_out: rng.choice(bank("words")["seasons"]),
    "colour": lambda rng, held_out: rng.choice(bank("words")["colours"][:11]),
    "few": lambda rng, held_out: rng.choice(_FEW),
    "more": lambda rng, held_out: rng.choice(_FEW),
    "number": lambda rng, held_out: str(rng.randint(11, 99)),
}
