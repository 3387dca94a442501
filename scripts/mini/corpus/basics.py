"""The plainest form of three skills: reading short statements, telling topics by their words, taking over a style.

They are what a model this small learns first; the rich forms (`reading`, `classify`, `forms`) build on them. Names that
are held out are never drawn in training.
"""

from __future__ import annotations

import random
import zlib
from collections.abc import Callable, Sequence
from functools import cache
from typing import Any

from scripts.mini.corpus import names
from scripts.mini.corpus.classify_texts import Kind, words
from scripts.mini.corpus.document import Document, bank

_ABOUT: dict[str, Callable[[random.Random], str]] = {"person": names.person, "town": names.place, "thing": names.thing}
_DAYS = ("Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday", "Sunday")
_MONTHS = ("January", "February", "March", "April", "May", "June", "July", "August", "September", "October", "November",
           "December")  # fmt: skip
_CUES = (("Question: ", "\nAnswer:"),) * 3 + (("Q: ", "\nA:"), ("", "\n"), ("Customer: ", "\nReply:"))
_READ = ("", "", "Answer from the text.", "Answer the question with words from the passages.", "Read and answer.")
_UNLESS = "Answer from the text. If it does not say, write: not said"
_NONE = "not said"
_DATA = (("Data: ", "\nText:"), ("Record: ", "\nMessage:"), ("In: ", "\nOut:"), ("", " ->"))
_SORT = ("Name the topic.", "What is the text about?", "Choose the topic of each text.", "")
_TEXT = (("Text: ", "\nTopic:"), ("Message: ", "\nLabel:"), ("Input: ", "\nAnswer:"))


def reading(rng: random.Random, held_out: bool = False, questions: int | None = None) -> Document:
    """Statements about one to three names, and two to six questions on them."""
    about = rng.choice(tuple(_ABOUT))
    relations = rng.sample(bank("basics")[about], rng.randint(2, 4))
    subjects = [_name(rng, about, held_out) for _ in range(rng.choice((1, 2, 2, 3)))]
    values = [[_value(rng, one["value"], held_out) for one in relations] for _ in subjects]
    unless = rng.random() < 0.15
    document = Document().given(_lead(_UNLESS if unless else rng.choice(_READ)))
    told = [(s, r) for s in range(len(subjects)) for r in range(len(relations)) if not unless or rng.random() < 0.7]
    said = {(s, r): _fill(rng.choice(relations[r]["say"]), subjects[s], values[s][r]) for s, r in told}
    document.given(_passages(rng, subjects, said) + "\n\n")
    before, after = rng.choice(_CUES)
    pairs = [(s, r) for s in range(len(subjects)) for r in range(len(relations))]
    asked = rng.sample(pairs, min(len(pairs), questions or rng.randint(2, 6)))
    for i, (s, r) in enumerate(asked):
        question = _fill(rng.choice(relations[r]["ask"]), subjects[s], "")
        answer = values[s][r] if (s, r) in said else _NONE
        document.given(("\n\n" if i else "") + before + question + after)
        document.answer(("" if after.endswith("\n") else " ") + answer)
    return document


def topics(rng: random.Random, held_out: bool = False, texts: int | None = None) -> Document:
    """Texts with the kind of thing they speak of, out of a list."""
    kinds = rng.sample(words(False).kinds, rng.randint(3, 8))
    before, after = rng.choice(_TEXT)
    document = Document().given(_lead(rng.choice(_SORT)))
    document.given("Options: " + "; ".join(kind.name for kind in kinds) + "\n\n")
    for i in range(texts or rng.randint(1, 6)):
        kind = rng.choice(kinds)
        document.given(("\n\n" if i else "") + before + _sentence(rng, kind, held_out) + after).answer(f" {kind.name}")
    return document


def style(rng: random.Random, held_out: bool = False, examples: int | None = None) -> Document:
    """Records written out in one style; only the examples tell which."""
    about = rng.choice(tuple(_ABOUT))
    relations = rng.sample(bank("basics")[about], 2)
    template, (before, after) = rng.choice(bank("basics")["styles"]), rng.choice(_DATA)
    document = Document()
    for i in range(1 + (rng.randint(1, 4) if examples is None else examples)):
        name, values = _name(rng, about, held_out), [_value(rng, one["value"], held_out) for one in relations]
        document.given(("\n\n" if i else "") + before + ", ".join((name, *values)) + after)
        document.answer(" " + template.format(a=name, b=values[0], c=values[1]))
    return document


def _lead(instruction: str) -> str:
    return f"{instruction}\n\n" if instruction else ""


def _passages(rng: random.Random, subjects: Sequence[str], said: dict[tuple[int, int], str]) -> str:
    """The statements in any order, all together or a titled passage for each name."""
    if rng.random() < 0.5:
        together = list(said.values())
        rng.shuffle(together)
        return rng.choice((" ", " ", "\n")).join(together)
    passages = []
    for s, name in enumerate(subjects):
        own = [text for (subject, _), text in said.items() if subject == s]
        rng.shuffle(own)
        passages.append(f"{name}\n{' '.join(own)}")
    rng.shuffle(passages)
    return "\n\n".join(passages)


def _fill(text: str, name: str, value: str) -> str:
    """The sentence with its name and value; `a` becomes `an` where the value asks for it."""
    found: list[str] = []
    for word in text.split(" "):
        core = word.rstrip(".,?:")
        rest = word[len(core) :]
        if core == "V" and found and found[-1] == "a" and value[:1].lower() in "aeiou":
            found[-1] = "an"
        found.append({"X": name, "V": value}.get(core, core) + rest)
    joined = " ".join(found)
    return joined[:1].upper() + joined[1:]


def _sentence(rng: random.Random, kind: Kind, held_out: bool) -> str:
    """A word (or two) of the kind in a sentence; a tenth of all pairs of word and sentence are held out."""
    while True:
        template = rng.choice(bank("basics")["topics"])
        first, second = (line.parts[0] for line in rng.sample(kind.lines, 2))
        if _kept(f"{template}{first}") == held_out:
            text: str = template.format(x=first, y=second)
            return text[0].upper() + text[1:]


def _name(rng: random.Random, about: str, held_out: bool) -> str:
    while True:
        name = _ABOUT[about](rng)
        if _kept(name) == held_out:
            return name


def _kept(text: str) -> bool:
    """Whether a text is for held-out draws alone: a tenth of all, by hash."""
    return zlib.crc32(text.encode()) % 10 == 0


def _value(rng: random.Random, kind: str, held_out: bool) -> str:
    numbers = {"number": (1, 99), "age": (4, 95), "metres": (10, 200), "kilos": (1, 60), "years": (2, 9),
               "people": (300, 90000), "year": (1100, 1990), "price": (2, 400)}  # fmt: skip
    if kind in numbers:
        return str(rng.randint(*numbers[kind]))
    made: dict[str, Callable[[], str]] = {
        "town": lambda: _name(rng, "town", held_out),
        "person": lambda: _name(rng, "person", held_out),
        "firm": lambda: _name(rng, "thing", held_out),
        "river": lambda: _name(rng, "thing", held_out),
        "day": lambda: rng.choice(_DAYS),
        "month": lambda: rng.choice(_MONTHS),
        "code": lambda: names.code(rng),
        "phone": lambda: " ".join(str(rng.randint(100, 999)) for _ in range(2)),
        "shelf": lambda: rng.choice("ABCDEFGH") + str(rng.randint(1, 40)),
    }
    if kind in made:
        return made[kind]()
    return str(rng.choice(_words_of(kind)))


@cache
def _words_of(kind: str) -> Any:
    [found] = [one for one in words(False).kinds if one.name == kind]
    return tuple(line.parts[0] for line in found.lines)
