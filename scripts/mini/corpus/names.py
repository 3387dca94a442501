"""Names that nobody has seen before: of people, places and things, put together from syllables."""

from __future__ import annotations

import random

from scripts.mini.corpus.document import bank

_START: list[str] = bank("names")["start"].split()
_MIDDLE: list[str] = bank("names")["middle"].split()
_PERSON_END: list[str] = bank("names")["person_end"].split()
_PLACE_END: list[str] = bank("names")["place_end"].split()
_THING_END: list[str] = bank("names")["thing_end"].split()
_ONSETS: list[str] = bank("names")["onsets"].split()
_VOWELS: list[str] = bank("names")["vowels"].split()
_CODAS: list[str] = ["", *bank("names")["codas"].split()]


def person(rng: random.Random) -> str:
    """A first name, such as "Kerilin"."""
    return _join(rng, _PERSON_END)


def surname(rng: random.Random) -> str:
    """A family name, such as "Torawick" or "Belosa"."""
    return _join(rng, _PLACE_END if rng.random() < 0.4 else _PERSON_END)


def place(rng: random.Random) -> str:
    """A town, such as "Maloford"."""
    return _join(rng, _PLACE_END)


def thing(rng: random.Random) -> str:
    """A product, machine or company, such as "Zelotron"."""
    return _join(rng, _THING_END)


def code(rng: random.Random) -> str:
    """A number as on an order or a door: "KB-4417", "83/204", "Q19"."""
    shape = rng.randrange(4)
    letters = "".join(rng.choice("ABCDEFGHJKLMNPRSTVWXYZ") for _ in range(2))
    if shape == 0:
        return f"{letters}-{rng.randrange(100, 99999)}"
    if shape == 1:
        return f"{rng.randrange(10, 99)}/{rng.randrange(100, 999)}"
    return f"{letters[0]}{rng.randrange(1, 999)}" if shape == 2 else str(rng.randrange(1000, 99999))


def _join(rng: random.Random, ends: list[str]) -> str:
    """Mostly of any sounds, else of common syllables, which share their ends and so are hard to tell apart."""
    if rng.random() < 0.75:
        return _free(rng).capitalize()
    middle = rng.choice(_MIDDLE) if rng.random() < 0.6 else ""
    return (rng.choice(_START) + middle + rng.choice(ends)).capitalize()


def _free(rng: random.Random) -> str:
    """One or two syllables of any onset, vowel and coda: "Skelp", "Thrineb"."""
    return "".join(
        rng.choice(_ONSETS) + rng.choice(_VOWELS) + rng.choice(_CODAS) for _ in range(rng.choice((1, 2, 2, 2)))
    )
