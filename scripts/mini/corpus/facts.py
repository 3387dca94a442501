"""Skill `facts`: the world's facts as statements, as questions without a passage, and as solved questions in a row."""

from __future__ import annotations

import random
from functools import cache

from scripts.mini.corpus.document import Document
from scripts.tasks.world import Fact, Relation, relations, say

_CUES = (("Question: ", "\nAnswer:"),) * 3 + (("Q: ", "\nA:"), ("", ""), ("Ask: ", "\nReply:"))
_INSTRUCTIONS = ("", "", "Answer the question in a few words.", "Answer briefly.", "What is the right answer?")


def draw(rng: random.Random, held_out: bool = False) -> Document:
    """Statements about facts, or questions on them; `held_out` asks in the wording that training never shows."""
    return questions(rng, held_out) if held_out or rng.random() < 0.6 else statements(rng)


def statements(rng: random.Random) -> Document:
    """One to six facts as sentences, of one relation or of several."""
    document = Document()
    for i, (relation, fact) in enumerate(_facts(rng, rng.randint(1, 6))):
        document.answer((" " if i else "") + say(rng.choice(relation.statements), fact))
    return document


def questions(rng: random.Random, held_out: bool = False, count: int | None = None) -> Document:
    """Questions and answers, without anything to read them from."""
    before, after = rng.choice(_CUES)
    instruction = rng.choice(_INSTRUCTIONS)
    document = Document().given(instruction and instruction + "\n\n")
    for i, (relation, fact) in enumerate(_facts(rng, count or rng.randint(1, 8))):
        asked = say(relation.held_out if held_out else rng.choice(relation.questions), fact)
        document.given(("\n\n" if i else "") + before + asked + after).answer(f" {fact.object}")
    return document


@cache
def _relations() -> tuple[tuple[Relation, ...], tuple[int, ...]]:
    found = tuple(relations())
    return found, tuple(len(relation.rows) for relation in found)


def _facts(rng: random.Random, count: int) -> list[tuple[Relation, Fact]]:
    """Facts drawn with equal chance each; half the time all of one relation."""
    found, sizes = _relations()
    if rng.random() < 0.5:
        [relation] = rng.choices(found, sizes)
        return [(relation, fact) for fact in rng.sample(relation.rows, min(count, len(relation.rows)))]
    drawn = rng.choices(found, sizes, k=count)
    return [(relation, rng.choice(relation.rows)) for relation in drawn]
