"""What ordinary words mean, in skill `prose`: as statements, and as questions in both directions."""

from __future__ import annotations

import random
from collections.abc import Callable
from functools import cache

from scripts.mini.corpus.document import Document, bank, reserved
from scripts.mini.corpus.prose_clause import sentence
from scripts.mini.corpus.prose_words import a

_CUES = (("Question: ", "\nAnswer:"),) * 3 + (("Q: ", "\nA:"), ("", ""), ("Ask: ", "\nReply:"))
_INSTRUCTIONS = ("", "", "", "Explain the words.", "What do these words mean?", "Answer the question.")


@cache
def meanings(held_out: bool) -> list[tuple[str, str, str]]:
    """Kind, word and meaning of all entries."""
    found = []
    for kind in ("nouns", "mass", "verbs", "adjectives"):
        for line in reserved(bank("prose_definitions")[kind].splitlines(), held_out):
            word, _, meaning = line.partition(" = ")
            found.append((kind, word, meaning))
    return found


def draw(rng: random.Random, held_out: bool = False) -> Document:
    """Statements, questions, or a list of words with their meanings."""
    share = rng.random()
    if share < 0.4:
        return _statements(rng, held_out)
    return _questions(rng, held_out) if share < 0.85 else _list(rng, held_out)


def _statements(rng: random.Random, held_out: bool) -> Document:
    document = Document()
    for i, entry in enumerate(rng.sample(meanings(held_out), rng.randint(1, 7))):
        document.answer((" " if i else "") + statement(rng, *entry))
    return document


def statement(rng: random.Random, kind: str, word: str, meaning: str) -> str:
    """One meaning as a sentence."""
    if kind == "nouns":
        return sentence(f"{a(word)} is {meaning}")
    if kind == "mass":
        return sentence(f"{word} is {meaning}")
    if kind == "verbs":
        return sentence(f"to {word} {rng.choice(('is', 'is', 'means'))} to {meaning}")
    about, adjective = word.split(" ", 1)
    who = "who" if about == "somebody" else "that"
    return sentence(rng.choice((f"{about} {who} is {adjective} is {meaning}", f"{adjective} means {meaning}")))


def _questions(rng: random.Random, held_out: bool) -> Document:
    before, after = rng.choice(_CUES)
    full = rng.random() < 0.5
    instruction = rng.choice(_INSTRUCTIONS)
    document = Document().given(instruction and instruction + "\n\n")
    for i, (kind, word, meaning) in enumerate(rng.sample(meanings(held_out), rng.randint(1, 6))):
        question, answer = _ASK[kind](rng, word, meaning, full)
        document.given(("\n\n" if i else "") + before + question + after).answer((" " if after else "\n") + answer)
    return document


def _noun(rng: random.Random, word: str, meaning: str, full: bool) -> tuple[str, str]:
    share = rng.random()
    if share < 0.3:
        return f"What do you call {meaning}?", sentence(a(word))
    asked = (f"What is {a(word)}?", f'What does the word "{word}" mean?', f"What does {word} mean?")
    return rng.choice(asked[: 2 if share < 0.9 else 3]), sentence(f"{a(word)} is {meaning}" if full else meaning)


def _mass(rng: random.Random, word: str, meaning: str, full: bool) -> tuple[str, str]:
    if rng.random() < 0.25:
        return f"What do you call {meaning}?", sentence(word)
    return f"What is {word}?", sentence(f"{word} is {meaning}" if full else meaning)


def _verb(rng: random.Random, word: str, meaning: str, full: bool) -> tuple[str, str]:
    if rng.random() < 0.25:
        return f"Which word means to {meaning}?", sentence(f"to {word}")
    asked = rng.choice((f'What does "{word}" mean?', f'What does "to {word}" mean?', f"What does it mean to {word}?"))
    return asked, sentence(f"to {word} means to {meaning}" if full else f"to {meaning}")


def _adjective(rng: random.Random, word: str, meaning: str, full: bool) -> tuple[str, str]:
    about, adjective = word.split(" ", 1)
    who = "who" if about == "somebody" else "that"
    if rng.random() < 0.3:
        return f"What do you call {about} {who} is {meaning}?", sentence(adjective)
    asked = rng.choice((f'What does "{adjective}" mean?', f"What does it mean if {about} is {adjective}?"))
    return asked, sentence(f"{about} {who} is {adjective} is {meaning}" if full else meaning)


_ASK: dict[str, Callable[[random.Random, str, str, bool], tuple[str, str]]] = {
    "nouns": _noun,
    "mass": _mass,
    "verbs": _verb,
    "adjectives": _adjective,
}


def _list(rng: random.Random, held_out: bool) -> Document:
    """Words with their meanings, or meanings with their words."""
    backwards = rng.random() < 0.4
    cue = rng.choice((("Word: ", "\nMeaning:"), ("", ":"), ("", " ="))) if not backwards else ("Meaning: ", "\nWord:")
    between = "\n\n" if "\n" in cue[1] else "\n"
    document = Document()
    for i, (_, word, meaning) in enumerate(rng.sample(meanings(held_out), rng.randint(2, 7))):
        word = word.removeprefix("somebody ").removeprefix("something ")
        given, asked = (meaning, word) if backwards else (word, meaning)
        document.given((between if i else "") + cue[0] + given + cue[1]).answer(" " + asked)
    return document
