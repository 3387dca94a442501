"""Texts to be classified: domains with their classes, slots filled anew, changes of wording, and what is alike."""

from __future__ import annotations

import random
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import cache
from typing import Any

from scripts.mini.corpus import names
from scripts.mini.corpus.document import bank
from scripts.tasks.company.noise import careless, typo

FILES = ("bills", "travel", "public", "leisure", "shops", "staff", "reviews", "manner", "scenes")
FORMS: dict[str, Any] = bank("classify_forms")
_WORDS: dict[str, Any] = bank("classify_words")
KEPT_EVERY = 7  # the seventh, fourteenth, ... message of a class is kept for probing
_SLOTS = {key: [entry.strip() for entry in text.split(",")] for key, text in FORMS["slots"].items()}
_NUMBERS = ["two", "three", "four", "five", "six", "seven", "eight", "nine", "ten", "twelve"]
_LETTERS = frozenset("abcdefghijklmnopqrstuvwxyz'")


@dataclass(frozen=True, eq=False)
class Line:
    """A message: text and slot names in turn, and the words that matter for likeness."""

    parts: tuple[str, ...]
    words: frozenset[str]


@dataclass(frozen=True, eq=False)
class Kind:
    """A class: its name, other names for it, and its messages."""

    name: str
    also: tuple[str, ...]
    lines: tuple[Line, ...]


@dataclass(frozen=True, eq=False)
class Domain:
    """Classes that belong together, and how one speaks of them; `place` only where somebody writes to a place."""

    kinds: tuple[Kind, ...]
    place: str = ""
    who: str = "writer"
    what: str = "text"
    fields: tuple[str, ...] = ()
    cues: tuple[str, ...] = ()
    ask: tuple[str, ...] = ()
    join: bool = False
    noisy: bool = True


def _line(text: str) -> Line:
    parts = text.replace("}", "{").split("{")
    plain = " ".join(parts[::2]).lower()
    words = "".join(letter if letter in _LETTERS else " " for letter in plain).split()
    return Line(tuple(parts), frozenset(word.strip("'").removesuffix("s") for word in words if len(word) > 2))


def _domain(entry: dict[str, Any], held_out: bool) -> Domain:
    """Where a whole domain is reserved, it is there with all its lines for `held_out` only."""
    kinds = []
    for name, about in entry["classes"].items():
        lines = [_line(text) for text in about["says"].splitlines()]
        if not entry.get("reserved"):
            lines = [line for i, line in enumerate(lines) if (i % KEPT_EVERY == KEPT_EVERY - 1) == held_out]
        kinds.append(Kind(name, tuple(about["also"]), tuple(lines)))
    place = entry.get("place", "")
    return Domain(
        tuple(kinds),
        place,
        entry["from"],
        entry.get("what", "message"),
        tuple(entry.get("fields") or [*FORMS["fields"], entry["from"].capitalize()]),
        tuple(entry["cues"]),
        tuple(entry.get("ask", ())),
        bool(entry.get("join")),
    )


def _words(held_out: bool) -> Domain:
    """A word that stands in two categories is left out, as nobody could tell which is meant."""
    lists = {name: [word.strip() for word in about["words"].split(",")] for name, about in _WORDS.items()}
    often = Counter(word for found in lists.values() for word in found)
    kinds = []
    for i, (name, found) in enumerate(lists.items()):
        if (i % 8 == 7) == held_out:
            lines = tuple(_line(word) for word in found if often[word] == 1)
            kinds.append(Kind(name, tuple(_WORDS[name]["also"]), lines))
    fields, cues = ("Word", "Item", "Thing", "Term", "Input"), ("Category", "Group", "Kind", "Type", "Class", "Label")
    return Domain(tuple(kinds), "", "writer", "word", fields, cues, tuple(FORMS["words_ask"]), noisy=False)


def _senders(known: Sequence[Domain]) -> Domain:
    """A domain whose classes are the places that messages were sent to."""
    kinds = []
    for domain in known:
        if domain.place:
            name = domain.place.split(" ", 1)[1]
            lines = tuple(line for kind in domain.kinds for line in kind.lines)
            kinds.append(Kind(name, (domain.place, f"to {domain.place}"), lines))
    cues = ("Sent to", "Addressed to", "Place", "For")
    return Domain(tuple(kinds), "", "writer", "message", tuple(FORMS["fields"]), cues, tuple(FORMS["sender_ask"]))


@cache
def domains(held_out: bool, reserved: bool = False) -> tuple[Domain, ...]:
    """Domains of sentences: the known ones with either share of their messages, or those never met in training."""
    entries = [entry for name in FILES for entry in bank(f"classify_{name}").values()]
    return tuple(_domain(entry, held_out) for entry in entries if bool(entry.get("reserved")) == reserved)


@cache
def words(held_out: bool) -> Domain:
    """Words and their categories."""
    return _words(held_out)


@cache
def senders(held_out: bool) -> Domain:
    """Messages and the places that they were sent to."""
    return _senders(domains(held_out))


def say(line: Line, rng: random.Random) -> str:
    """The message with its slots filled."""
    parts = line.parts
    if len(parts) == 1:
        return parts[0]
    return "".join(part if i % 2 == 0 else _FILL[part](rng) for i, part in enumerate(parts)).replace("..", ".")


def told(kind: Kind, line: Line, domain: Domain, rng: random.Random) -> str:
    """The message as somebody sends it: plain, or with a greeting, a second sentence, thanks or typing errors."""
    text = say(line, rng)
    if not domain.noisy:
        return text
    if domain.join and rng.random() < 0.3 and len(kind.lines) > 2:
        text = f"{_ended(text)} {say(rng.choice(kind.lines), rng)}"
    if domain.place:
        text = _dressed(text, rng, 0.1)
    return _mistyped(text, rng, 0.07)


def near(line: Line, domain: Domain, rng: random.Random) -> str:
    """The message with its slots filled anew and, most often, worded a little differently."""
    text = say(line, rng)
    if not domain.noisy:
        return text
    if rng.random() < 0.6:
        for old, new in rng.sample(FORMS["swaps"], 12):
            if old in text:
                text = text.replace(old, new, 1)
                text = text[0].upper() + text[1:]
                break
    if domain.place:
        text = _dressed(text, rng, 0.2)
    return _mistyped(text, rng, 0.15)


def alike(domain: Domain, kind: Kind, line: Line) -> list[tuple[float, Kind, Line]]:
    """All other messages of the domain, those that share most with the line first."""
    seen, mine = _frequencies(), line.words
    found = []
    for of in domain.kinds:
        for other in of.lines:
            if other is not line:
                shared = mine & other.words
                found.append((sum([1 / seen[word] for word in shared]) if shared else 0.0, of, other))
    found.sort(key=_score, reverse=True)
    return found


def _score(found: tuple[float, Kind, Line]) -> float:
    return found[0]


@cache
def _frequencies() -> Counter[str]:
    groups = (*domains(False), *domains(True), *domains(True, reserved=True), words(False), words(True))
    return Counter(word for one in groups for kind in one.kinds for line in kind.lines for word in line.words)


def _ended(text: str) -> str:
    return text if text[-1] in ".!?" else text + "."


def _dressed(text: str, rng: random.Random, rate: float) -> str:
    if rng.random() < rate:
        text = f"{_line_of('greetings', rng)} {text}"
    if rng.random() < rate / 2:
        text = f"{_ended(text)} {_line_of('asides', rng)}"
    if rng.random() < rate:
        text = f"{_ended(text)} {_line_of('closings', rng)}"
    return text


def _line_of(key: str, rng: random.Random) -> str:
    text: str = rng.choice(FORMS[key])
    return say(_line(text), rng) if "{" in text else text


def _mistyped(text: str, rng: random.Random, rate: float) -> str:
    if rng.random() < rate:
        text = careless(text, rng)
    return typo(text, rng, 0.1) if rng.random() < rate else text


def _name(rng: random.Random) -> str:
    return names.person(rng) if rng.random() < 0.5 else rng.choice(_SLOTS["name"])


def _city(rng: random.Random) -> str:
    return names.place(rng) if rng.random() < 0.4 else rng.choice(_SLOTS["city"])


def _amount(rng: random.Random) -> str:
    how = rng.randrange(4)
    if how == 0:
        return f"£{rng.randrange(2, 400)}.{rng.choice(['50', '99', '20', '75', '10'])}"
    return f"{rng.randrange(2, 60) * 5} {'pounds' if how < 3 else 'euros'}" if how > 1 else f"£{rng.randrange(4, 900)}"


def _date(rng: random.Random) -> str:
    day, month = rng.randrange(1, 29), rng.choice(_SLOTS["month"])
    return f"{day} {month}" if rng.random() < 0.6 else f"{month} {day}"


def _number(rng: random.Random) -> str:
    return rng.choice(_NUMBERS) if rng.random() < 0.4 else str(rng.randrange(2, 49))


_FILL: dict[str, Callable[[random.Random], str]] = {
    "name": _name,
    "city": _city,
    "amount": _amount,
    "date": _date,
    "number": _number,
    "digits": lambda rng: str(rng.randrange(1000, 99999)),
    "code": names.code,
    "day": lambda rng: rng.choice(_SLOTS["day"]),
    "month": lambda rng: rng.choice(_SLOTS["month"]),
    "street": lambda rng: rng.choice(_SLOTS["street"]),
    "time": lambda rng: rng.choice(_SLOTS["time"]),
}
