"""What `reading` asks about: frames of passages, and passages drawn from them with the questions they answer.

A frame of the banks `reading_<subject>` has, each a text with one phrasing or slot on a line:

    key       the slot that tells one passage of the frame from another
    slots     `name: what fills it`
    titles, open, close    title; first sentence (it names the key); last one
    facts     a list: `say` the sentence, `SLOT` the questions it answers, `SLOT?` a question to answer with yes or no,
              `SLOT>` a description that may stand for the value in a question about another passage
    fill      sentences that nobody asks about
    rows      `4 8` where the one fact is a line of a list that is repeated so often, with the slots under `row`
    count     with `rows`: how many lines there are
    letter    the first and last sentence stand on lines of their own
    ordered   the facts keep their order, and the first is always stated
    held      kept for held-out draws
"""

from __future__ import annotations

import random
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import cache
from typing import Any

from scripts.mini.corpus.document import bank
from scripts.mini.corpus.reading_text import PRONOUNS, Parts, capital, fill, lines, slots
from scripts.mini.corpus.reading_values import Source, Spec, is_woman, person, spec

BANKS = ("work", "places", "people", "things", "events", "nature", "notes", "lists")
_LINKED = ("person", "town", "firm")


@dataclass(frozen=True)
class Fact:
    """One statement: its sentences, and for each slot the questions, yes/no questions and descriptions."""

    say: tuple[Parts, ...]
    ask: Mapping[str, tuple[Parts, ...]]
    check: Mapping[str, tuple[Parts, ...]]
    stands_for: Mapping[str, tuple[Parts, ...]]


@dataclass(frozen=True)
class Frame:
    """A subject that many passages can be drawn from."""

    name: str
    key: str
    slots: Mapping[str, Spec]
    row: Mapping[str, Spec]
    kinds: Mapping[str, str]
    titles: tuple[Parts, ...]
    open: tuple[Parts, ...]
    close: tuple[Parts, ...]
    fill: tuple[Parts, ...]
    facts: tuple[Fact, ...]
    rows: tuple[int, int] | None
    count: tuple[Parts, ...]
    which: tuple[Parts, ...]
    letter: bool
    ordered: bool
    held: bool


@dataclass(frozen=True)
class Item:
    """A fact with its values; `sentence` is empty where the passage leaves it out."""

    fact: Fact
    values: Mapping[str, str]
    sentence: str


@dataclass
class Scene:
    """A passage, and what can be asked about it."""

    frame: Frame
    values: dict[str, str]
    title: str
    text: str
    items: list[Item]
    named: bool
    asked: set[tuple[str, str]] = field(default_factory=set)

    @property
    def key(self) -> str:
        """What this passage is about."""
        return self.values[self.frame.key]


@cache
def frames(held_out: bool) -> list[Frame]:
    """All frames, or those kept for held-out draws."""
    return [frame for frame in _all() if frame.held == held_out]


@cache
def linked(held_out: bool) -> tuple[list[tuple[Frame, int, str]], dict[str, list[Frame]]]:
    """Facts with a description that stands for a value (frame, fact, slot), and for each kind the frames about one."""
    about: dict[str, list[Frame]] = {}
    for frame in frames(held_out):
        slot = link_slot(frame)
        if slot:
            about.setdefault(frame.kinds[slot], []).append(frame)
    ways = [
        (frame, i, slot)
        for frame in frames(held_out)
        for i, fact in enumerate(frame.facts)
        for slot in fact.stands_for
        if frame.kinds[slot] in about
    ]
    return ways, about


def link_slot(frame: Frame) -> str:
    """The slot that another passage may speak of: the key or a list's person; empty where there is none."""
    for slot in (frame.key, *frame.row):
        if frame.kinds.get(slot) in _LINKED and any(
            slot in slots(text, certain=True) for fact in frame.facts for asks in fact.ask.values() for text in asks
        ):
            return slot
    return ""


def scene(
    frame: Frame, source: Source, given: Mapping[str, str] | None = None, must: int = -1, titled: bool = True
) -> Scene:
    """A passage of `frame`; `given` are values it has to have, `must` is a fact it has to state."""
    rng = source.rng
    values = _values(frame.slots, frame, source, given or {})
    items = _rows(frame, source, values, given or {}) if frame.rows else _stated(frame, rng, values, must)
    title = pick(frame.titles, rng)
    opening = pick(frame.open, rng)
    named = titled and frame.key in slots(title, certain=True)
    first = fill(opening, values, rng, keyed=True) if frame.letter or not named or rng.random() < 0.6 else ""
    last = fill(pick(frame.close, rng), values, rng) if frame.close and rng.random() < 0.8 else ""
    said = [item.sentence for item in items if item.sentence]
    if frame.fill and not frame.rows:
        for _ in range(rng.choice((0, 0, 1, 1, 2))):
            sentence = fill(pick(frame.fill, rng), values, rng)
            if sentence not in said:
                said.insert(rng.randint(0, len(said)), sentence)
    text = _join(frame, rng, first, said, last)
    return Scene(frame, values, capital(fill(title, values, rng)), text, items, named or bool(first))


def pick(options: Sequence[Parts], rng: random.Random) -> Parts:
    """One of the phrasings; an empty one where there is none."""
    return options[int(rng.random() * len(options))] if options else ()


def _values(
    specs: Mapping[str, Spec], frame: Frame, source: Source, given: Mapping[str, str], taken: Sequence[str] = ()
) -> dict[str, str]:
    woman = is_woman(given.get(frame.key, ""))
    woman = source.rng.random() < 0.5 if woman is None else woman
    values = {word: pair[not woman] for word, pair in PRONOUNS.items()}
    seen = {word.lower() for word in taken}
    for slot, way in specs.items():
        value = given.get(slot, "")
        for _ in range(0 if value else 5):
            told = slot == frame.key and frame.kinds[slot] == "person"
            value = person(source, woman) if told else source.draw(way)
            if value.lower() not in seen:
                break
        seen.add(value.lower())
        values[slot] = value
    return values


def _stated(frame: Frame, rng: random.Random, values: Mapping[str, str], must: int) -> list[Item]:
    number = len(frame.facts)
    said = set(rng.sample(range(number), rng.randint(min(3, number), number)))
    if must >= 0:
        said.add(must)
    order = list(range(number))
    if frame.ordered:
        said.add(0)
    else:
        rng.shuffle(order)
    return [
        Item(fact, values, capital(fill(pick(fact.say, rng), values, rng)) if i in said else "")
        for i, fact in ((i, frame.facts[i]) for i in order)
    ]


def _rows(frame: Frame, source: Source, values: dict[str, str], given: Mapping[str, str]) -> list[Item]:
    assert frame.rows
    rng, fact = source.rng, frame.facts[0]
    number, way = rng.randint(*frame.rows), pick(fact.say, rng)
    items: list[Item] = []
    taken: list[str] = []
    for i in range(number + 1):  # one more than there are lines: it can be asked for in vain
        own = _values(frame.row, frame, source, given if i == 0 else {}, taken)
        taken += [own[slot] for slot in frame.row]
        both = {**values, **{slot: own[slot] for slot in frame.row}}
        items.append(Item(fact, both, capital(fill(way, both, rng)) if i < number else ""))
    rng.shuffle(items)
    return items


def _join(frame: Frame, rng: random.Random, first: str, said: list[str], last: str) -> str:
    if frame.rows:
        return "\n".join(filter(None, (first, *said, last)))
    look = rng.random()
    if frame.letter:
        return "\n".join(filter(None, (first, " ".join(said), last)))
    if look < 0.05:
        return "\n".join(f"- {sentence}" for sentence in (first, *said, last) if sentence)
    return ("\n" if look < 0.09 else " ").join(filter(None, (first, *said, last)))


@cache
def _all() -> list[Frame]:
    return [_frame(name, entry) for subject in BANKS for name, entry in bank(f"reading_{subject}").items()]


def _frame(name: str, entry: Mapping[str, Any]) -> Frame:
    checks = dict(map(_split, bank("reading_checks").get(name, "").splitlines()))
    kinds = dict(_split(line) for part in ("slots", "row") for line in entry.get(part, "").splitlines())
    return Frame(
        name=name,
        key=entry["key"],
        slots={slot: spec(kind) for slot, kind in map(_split, entry.get("slots", "").splitlines())},
        row={slot: spec(kind) for slot, kind in map(_split, entry.get("row", "").splitlines())},
        kinds=kinds,
        titles=lines(entry["titles"]),
        open=lines(entry.get("open", "")),
        close=lines(entry.get("close", "")),
        fill=lines(entry.get("fill", "")),
        facts=tuple(_fact(fact, checks) for fact in entry["facts"]),
        rows=_range(entry["rows"]) if "rows" in entry else None,
        count=lines(entry.get("count", "")),
        which=lines(bank("reading_which").get(name, "")),
        letter=entry.get("letter", False),
        ordered=entry.get("ordered", False),
        held=entry.get("held", False),
    )


def _fact(entry: Mapping[str, str], checks: Mapping[str, str]) -> Fact:
    def part(end: str) -> dict[str, tuple[Parts, ...]]:
        return {slot.rstrip("?>"): lines(text) for slot, text in entry.items() if slot.endswith(end)}

    plain = {slot: lines(text) for slot, text in entry.items() if slot != "say" and slot[-1] not in "?>"}
    more = {slot: lines(checks[slot]) for slot in plain if slot in checks}
    return Fact(lines(entry["say"]), plain, {**part("?"), **more}, part(">"))


def _split(line: str) -> tuple[str, str]:
    slot, _, kind = line.partition(":")
    return slot.strip(), kind.strip()


def _range(text: str) -> tuple[int, int]:
    low, high = text.split()
    return int(low), int(high)
