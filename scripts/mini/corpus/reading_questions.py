"""Questions about a passage of `reading`: what it says, whether it says so, which passage it is."""

from __future__ import annotations

import random
from collections.abc import Sequence
from dataclasses import dataclass

from scripts.mini.corpus.reading_frames import Item, Scene, pick
from scripts.mini.corpus.reading_text import PRONOUNS, capital, fill, slots
from scripts.mini.corpus.reading_values import Source

_VERBS = ("can", "may", "must", "should", "could", "did", "will")
_ONE = ((" does", " do"), (" has", " have"), *((f" {verb}", f" {verb}") for verb in _VERBS))


@dataclass(frozen=True)
class Question:
    """A question, its answer and the sentence that says so."""

    text: str
    answer: str
    sentence: str = ""


def ask(scene: Scene, item: Item, slot: str, rng: random.Random, keyed: bool) -> Question | None:
    """A question whose answer is `slot`; where `keyed` it names the passage's key, if there is a way to."""
    ways = item.fact.ask[slot]
    if keyed:
        ways = tuple(way for way in ways if scene.frame.key in slots(way, certain=True))
        if not ways:
            return None
    way = pick(ways, rng)
    if scene.frame.rows and not _only(scene, item, slots(way)):
        return None
    text = _addressed(fill(way, item.values, rng, keyed), rng)
    if not keyed and scene.frame.kinds[scene.frame.key] == "person" and rng.random() < 0.2:
        text = text.replace(scene.key, rng.choice((scene.key.split(" ")[0], scene.key.split(" ")[-1])))
    return Question(capital(text), item.values[slot], item.sentence)


def check(scene: Scene, item: Item, slot: str, source: Source, keyed: bool) -> Question | None:
    """A question to answer with yes or no; for no the value is another one."""
    rng, values = source.rng, dict(item.values)
    true = rng.random() < 0.5
    specs = {**scene.frame.slots, **scene.frame.row}
    while not true and values[slot].lower() == item.values[slot].lower():
        values[slot] = source.draw(specs[slot])
    way = pick(item.fact.check[slot], rng)
    if keyed and scene.frame.key not in slots(way, certain=True):
        return None
    return Question(capital(fill(way, values, rng, keyed)), "yes" if true else "no", item.sentence)


def which(scene: Scene, others: Sequence[Scene], rng: random.Random) -> Question | None:
    """A question whose answer is the key of the passage; none where it fits one of `others` as well."""
    if not (scene.frame.which and scene.named):
        return None
    way = pick(scene.frame.which, rng)
    used = slots(way) - set(PRONOUNS)
    items = [item for item in scene.items if item.sentence and used <= set(item.fact.ask)]
    same = [other for other in others if other.frame is scene.frame and other is not scene]
    if not items or any(all(other.values[slot] == scene.values[slot] for slot in used) for other in same):
        return None
    return Question(capital(fill(way, scene.values, rng)), scene.key, items[0].sentence)


def count(scene: Scene, rng: random.Random) -> Question:
    """How many lines a list has."""
    number = sum(bool(item.sentence) for item in scene.items)
    return Question(capital(fill(pick(scene.frame.count, rng), scene.values, rng, keyed=True)), str(number))


def stand_in(item: Item, slot: str, rng: random.Random) -> str:
    """A description of the value, such as "the person who runs the kiln"."""
    return fill(pick(item.fact.stands_for[slot], rng), item.values, rng, keyed=True)


def _addressed(text: str, rng: random.Random) -> str:
    """The question as one person puts it to another: "can one" becomes "can I" or "can you"."""
    if " one " not in text or rng.random() < 0.35:
        return text
    who = ("I", "you", "you", "we", "people")[int(rng.random() * 5)]
    for verb, plural in _ONE:
        text = text.replace(f"{verb} one ", f"{plural} {who} ")
    return text


def _only(scene: Scene, item: Item, named: set[str]) -> bool:
    """Whether no other line of a list has the values that a question names."""
    own = [slot for slot in named if slot in scene.frame.row]
    others = (other for other in scene.items if other.sentence and other is not item)
    return not any(all(other.values[slot] == item.values[slot] for slot in own) for other in others)
