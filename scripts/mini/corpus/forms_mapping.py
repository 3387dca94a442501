"""Short texts and what becomes of them: the rule has to be found from the examples."""

from __future__ import annotations

import random
from collections.abc import Callable, Sequence
from functools import cache

from scripts.mini.corpus import names
from scripts.mini.corpus.document import Document, bank, reserved
from scripts.mini.corpus.forms_lexicon import Pair, Words, words
from scripts.mini.corpus.forms_rules import RULES, SHAPES, Rule
from scripts.mini.corpus.forms_styles import drawn
from scripts.mini.corpus.forms_text import fill

_FORMS: tuple[tuple[str, str], ...] = (("{x} ->", "\n"),) * 3 + (
    ("{x} =>", "\n"),
    ("{x}:", "\n"),
    ("{x} =", "\n"),
    ("{x} |", "\n"),
)
_FORMS += (("Input: {x}\nOutput:", "\n\n"),) * 3 + (("In: {x}\nOut:", "\n\n"), ("{x} becomes", "\n"))
_FORMS += (("Text: {x}\nChanged:", "\n\n"), ("Before: {x}\nAfter:", "\n\n"), ("Q: {x}\nA:", "\n\n"), ("{x} >", "\n"))
_FORMS += (("Given: {x}\nNew:", "\n\n"), ("- {x} ->", "\n"), ("From {x} to", "\n"), ("{x}\n->", "\n\n"))


def mapping(rng: random.Random, held_out: bool) -> Document:
    """Examples of one rule, one below the other."""
    known = words(held_out)
    rule = _rule(rng, held_out)
    form, between = rng.choice(_FORMS)
    document = Document()
    told = rng.random()
    if told < 0.55:
        document.given(rule.told if told < 0.3 and rule.told else fill(drawn("map", rng, held_out), {}))
        document.given("\n\n" if between == "\n\n" or rng.random() < 0.6 else "\n")
    count = rng.randint(4, 11) if between == "\n" else rng.randint(3, 8)
    pairs: dict[str, str] = {}
    for _ in range(count * 3):
        x, y = rule.make(known, rng)
        pairs.setdefault(x, y)
        if len(pairs) == count:
            break
    for i, (x, y) in enumerate(pairs.items()):
        document.given(form.replace("{x}", x)).answer(" " + y + (between if i < len(pairs) - 1 else ""))
    return document


def _rule(rng: random.Random, held_out: bool) -> Rule:
    roll = rng.random()
    if roll < 0.62:
        return rng.choice(_rules(held_out))
    if roll < 0.82:  # put between signs or words
        return _wrapped(rng.choice(_patterns(held_out)))
    if roll < 0.9:  # a fixed new word before or after it
        word = rng.choice((names.thing, names.person, names.code))(rng)
        return _wrapped("{x} " + word if rng.random() < 0.5 else word + " {x}")
    (told, change), (then_told, then_change) = rng.sample(_shapes(held_out), 2)  # one after the other
    start = rng.choice((Words.text, Words.phrase))

    def make(known: Words, rng: random.Random) -> Pair:
        x = start(known, rng)
        return x, then_change(change(x))

    return Rule(f"{told} {then_told}", make)


def _wrapped(pattern: str) -> Rule:
    def make(known: Words, rng: random.Random) -> Pair:
        x = known.text(rng)
        return x, pattern.replace("{x}", x)

    return Rule(f"Write each one like this: {pattern.replace('{x}', '...')}", make)


@cache
def _rules(held_out: bool) -> Sequence[Rule]:
    return reserved(RULES, held_out)


@cache
def _shapes(held_out: bool) -> Sequence[tuple[str, Callable[[str], str]]]:
    return SHAPES if held_out else reserved(SHAPES, False)


@cache
def _patterns(held_out: bool) -> Sequence[str]:
    lines = [line for name in ("wrappers", "signs") for line in bank("forms_mapping")[name].splitlines()]
    return reserved(lines, held_out)
