"""Where the texts of an episode come from, and what its classes are called."""

from __future__ import annotations

import random
from collections.abc import Callable, Sequence

from scripts.mini.corpus import names
from scripts.mini.corpus.classify_texts import FORMS, Domain, Kind, Line, domains, near, say, told, words
from scripts.mini.corpus.document import reserved

Maker = Callable[[Kind], str]
ALL = 99  # as many lines as there are
_BOTH = (False, True)
_KEYWORD_LINES: dict[bool, list[str]] = {flag: list(reserved(FORMS["keyword_lines"], flag)) for flag in _BOTH}
_KEYWORD_FROM = frozenset(FORMS["keyword_from"])
_LABEL_WORDS = {flag: list(reserved(FORMS["label_words"].split(), flag)) for flag in _BOTH}
_LABEL_SETS = {flag: list(reserved(FORMS["label_sets"], flag)) for flag in _BOTH}


class Lines:
    """Texts of a class from a handful of its lines: the fewer lines, the more the texts are alike."""

    def __init__(self, rng: random.Random, kinds: Sequence[Kind], count: int, homes: dict[Kind, Domain]) -> None:
        self.rng, self.homes, self.again = rng, homes, count < ALL
        self.left = {kind: rng.sample(kind.lines, min(count, len(kind.lines))) for kind in kinds}
        self.exact = rng.random() < 0.4

    def __call__(self, kind: Kind) -> str:
        lines, home = self.left[kind], self.homes[kind]
        if self.again:
            line = self.rng.choice(lines)
            return say(line, self.rng) if self.exact else near(line, home, self.rng)
        line = lines.pop() if len(lines) > 1 else lines[0]
        return told(kind, line, home, self.rng)


class _Keyword:
    """Sentences in which one word alone decides the class."""

    def __init__(self, rng: random.Random, held_out: bool, taken: dict[Kind, list[str]]) -> None:
        self.rng, self.taken = rng, taken
        self.lines = rng.sample(_KEYWORD_LINES[held_out], min(len(_KEYWORD_LINES[held_out]), rng.choice((1, 3, 20))))

    def __call__(self, kind: Kind) -> str:
        line, word = self.rng.choice(self.lines), self.rng.choice(self.taken[kind])
        if word[0] in "aeiou":
            line = line.replace("a {x}", "an {x}").replace("A {x}", "An {x}")
        return say(_parsed(line, word), self.rng)


def _parsed(line: str, word: str) -> Line:
    text = line.replace("{x}", word)
    return Line(tuple((text[0].upper() + text[1:]).replace("}", "{").split("{")), frozenset())


def keywords(rng: random.Random, held_out: bool, count: int) -> tuple[list[Kind], Maker]:
    """Classes without a meaning, each with one or two words that tell it."""
    each = rng.choice((1, 1, 2))
    if rng.random() < 0.4:
        found = [names.thing(rng).lower() for _ in range(each * count * 3)]
    else:
        things = [kind for kind in words(held_out).kinds if kind.name in _KEYWORD_FROM]
        found = [rng.choice(kind.lines).parts[0] for kind in rng.choices(things, k=each * count * 3)]
    found = list(dict.fromkeys(found))
    kinds = [Kind(f"class {i}", (), ()) for i in range(count)]
    return kinds, _Keyword(rng, held_out, {kind: found[i::count][:each] for i, kind in enumerate(kinds)})


def names_of(rng: random.Random, kinds: Sequence[Kind], other: bool) -> dict[Kind, str]:
    """What the classes are called, written in one of several ways."""
    found = [rng.choice(kind.also) if other and kind.also else kind.name for kind in kinds]
    if len(set(found)) < len(found):
        found = [kind.name for kind in kinds]
    how = rng.random()
    if how < 0.14:
        found = [name[0].upper() + name[1:] for name in found]
    elif how < 0.26:
        found = [name.replace("'", "").replace(",", "").replace(" ", "_").lower() for name in found]
    elif how < 0.3:
        found = [name.upper() for name in found]
    elif how < 0.33:
        found = [name.replace(" ", "-") for name in found]
    return dict(zip(kinds, found, strict=True))


def codes_for(rng: random.Random, count: int, held_out: bool) -> list[str]:
    """Labels without a meaning, drawn for this document alone."""
    found: list[str] = []
    how = rng.random()
    if how < 0.4:
        return rng.sample(_LABEL_WORDS[held_out], count)
    if how < 0.6 and count <= 6:
        found = list(rng.choice(_LABEL_SETS[held_out])[:count])
        rng.shuffle(found)
        return found
    if how < 0.7:
        kinds = [kind for one in domains(held_out, reserved=held_out) for kind in one.kinds]
        return list(dict.fromkeys(kind.name for kind in rng.sample(kinds, count + 12)))[:count]
    while len(found) < count:
        name = names.code(rng) if how < 0.8 else names.thing(rng).lower() if how < 0.9 else names.person(rng).lower()
        if name not in found:
            found.append(name)
    return found
