"""Skill `prose`: fluent English. Sentences of every construction, stories, dialogues, letters, news, instructions,
explanations, opinions, descriptions; sentences to rewrite; and what ordinary words mean.
"""

from __future__ import annotations

import random
from collections.abc import Callable
from functools import cache

from scripts.mini.corpus import prose_frames as frames
from scripts.mini.corpus import prose_meanings, prose_tasks
from scripts.mini.corpus.document import Document, bank
from scripts.mini.corpus.prose_lives import day, portrait
from scripts.mini.corpus.prose_more import CONSTRUCTIONS
from scripts.mini.corpus.prose_probe import probe_grammar
from scripts.mini.corpus.prose_sentences import filler

__all__ = ["draw", "probe_grammar"]

Part = Callable[[random.Random, bool], Document]

_STORIES = ("prose_stories_1", "prose_stories_2", "prose_stories_3")
# Kinds of texts with how often each is drawn; a kind may stand in several banks.
_TEXTS = {
    "dialogues": 8, "letters": 4, "diaries": 3, "news": 5, "howto": 7, "why": 8, "opinions": 4, "places": 3,
    "things": 6, "notices": 3, "rules": 3, "messages": 3, "ads": 2, "lives": 2, "reviews": 2,
}  # fmt: skip
_BANKS = ("prose_texts_1", "prose_texts_2", "prose_texts_3")
_SEPARATORS = (" ", " ", " ", " ", "\n", "\n", "\n\n")
_REQUESTS = {
    "stories": ('Write a short story called "{}".', 'Tell the story "{}".', "Write a story: {}", "Story: {}"),
    "news": ("Write a short report for the newspaper: {}", "News: {}", "Report: {}"),
    "howto": ("Explain step by step: {}", "Write instructions: {}", "Instructions: {}", "Topic: {}"),
    "opinions": ("What do you think? {}", "Give your opinion: {}", "Write a short text with reasons: {}"),
    "places": ("Describe it: {}", "Describe: {}", "Write a description: {}"),
    "things": ("Write a short text about it: {}", "Describe: {}", "Explain: {}"),
    "notices": ("Write a notice: {}", "Notice: {}"),
    "rules": ("Write down the rules: {}", "Rules: {}", "Make a list of rules: {}"),
    "ads": ("Write an advertisement: {}", "Advertisement: {}"),
    "lives": ("Tell the story of a life: {}", "Write about a person: {}"),
    "reviews": ("Write a review: {}", "Review: {}", "Say what you think of it: {}"),
    "why": ("Explain to a child: {}", "Explain: {}", "{}", "Question: {}"),
}


def draw(rng: random.Random, held_out: bool = False) -> Document:
    """A document of any of the kinds."""
    return rng.choices(_PARTS, _SHARES)[0](rng, held_out)


def sentences(rng: random.Random, held_out: bool = False) -> Document:
    """Single sentences: of all constructions mixed, or of one."""
    f = filler(rng, held_out)
    draws, shares = _constructions()
    chosen = rng.choices(draws, shares, k=rng.randint(4, 14))
    if rng.random() < 0.2:
        chosen = [chosen[0]] * (len(chosen) // 2 + 1)
    separator = rng.choice(_SEPARATORS)
    document = Document()
    for i, construction in enumerate(chosen):
        document.answer((separator if i else "") + construction(f))
    return document


@cache
def _constructions() -> tuple[tuple[Callable[..., str], ...], tuple[int, ...]]:
    draws, shares = zip(*CONSTRUCTIONS, strict=True)
    return draws, shares


def stories(rng: random.Random, held_out: bool = False) -> Document:
    """A short story, with or without a title."""
    found = _stories(held_out)
    return _titled(rng, "stories", *frames.fill(rng, rng.choice(found), held_out))


@cache
def _stories(held_out: bool) -> list[frames.Frame]:
    return [frame for name in _STORIES for frame in frames.frames(name, "stories", held_out)]


def texts(rng: random.Random, held_out: bool = False) -> Document:
    """A dialogue, a letter, a diary, a report, instructions, an explanation, an opinion or a description."""
    while True:
        kind = rng.choices(tuple(_TEXTS), tuple(_TEXTS.values()))[0]
        found = _texts(kind, held_out)
        if found:
            return _titled(rng, kind, *frames.fill(rng, rng.choice(found), held_out))


@cache
def _texts(kind: str, held_out: bool) -> list[frames.Frame]:
    return [frame for name in _BANKS if kind in bank(name) for frame in frames.frames(name, kind, held_out)]


def lives(rng: random.Random, held_out: bool = False) -> Document:
    """Portraits of people, or days."""
    f = filler(rng, held_out)
    made = rng.choice((portrait, day))
    document = Document()
    for i in range(rng.randint(1, 3)):
        document.answer(("\n\n" if i else "") + made(f))
    return document


def _titled(rng: random.Random, kind: str, title: str, text: str) -> Document:
    """The text alone, under its title, or as the answer to a request."""
    document = Document()
    share = rng.random()
    if not title or share < 0.3:
        return document.answer(text)
    if share < 0.55:
        return document.answer(f"{title}\n\n{text}" if rng.random() < 0.5 else f"{title}\n{text}")
    if share < 0.7:
        document.given("Title:").answer(f" {title}")
        return document.answer(f"\n\n{text}") if rng.random() < 0.5 else document.given("\nText:").answer(f" {text}")
    request = rng.choice(_REQUESTS[kind]).format(title)
    if kind == "why" and request.startswith("Question"):
        return document.given(f"{request}\nAnswer:").answer(f" {text}")
    return document.given(request + "\n").answer(f"\n{text}")


_PARTS: tuple[Part, ...] = (
    sentences, stories, texts, lives, prose_tasks.draw, prose_meanings.draw,
)  # fmt: skip
_SHARES = (0.27, 0.2, 0.22, 0.07, 0.15, 0.09)
