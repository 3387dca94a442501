"""Typing errors as people make them, drawn from a generator so that a text is the same every time."""

from __future__ import annotations

import random

_NEIGHBOURS = {  # letters beside each other on a British keyboard
    "a": "sq", "b": "vn", "c": "xv", "d": "sf", "e": "wr", "f": "dg", "g": "fh", "h": "gj", "i": "uo", "j": "hk",
    "k": "jl", "l": "ko", "m": "n", "n": "bm", "o": "ip", "p": "o", "q": "wa", "r": "et", "s": "ad", "t": "ry",
    "u": "yi", "v": "cb", "w": "qe", "x": "zc", "y": "tu", "z": "x",
}  # fmt: skip


def typo(text: str, rng: random.Random, rate: float) -> str:
    """`text` with about `rate` of its words mistyped; short words and those with digits are left alone."""
    words = text.split(" ")
    return " ".join(_mistype(word, rng) if rng.random() < rate else word for word in words)


def careless(text: str, rng: random.Random) -> str:
    """`text` as someone in a hurry writes it: some of no capitals, no full stop at the end, no apostrophes."""
    if rng.random() < 0.5:
        text = text.lower()
    if rng.random() < 0.5:
        text = text.rstrip(".!")
    return text.replace("'", "") if rng.random() < 0.5 else text


def _mistype(word: str, rng: random.Random) -> str:
    if len(word) < 4 or not word.isalpha() or not word.isascii():
        return word
    at = rng.randrange(1, len(word) - 1)
    how = rng.randrange(4)
    if how == 0:  # two letters change places
        return word[:at] + word[at + 1] + word[at] + word[at + 2 :]
    if how == 1:  # one is left out
        return word[:at] + word[at + 1 :]
    if how == 2:  # one is doubled
        return word[:at] + word[at] + word[at:]
    beside = _NEIGHBOURS[word[at].lower()]
    return word[:at] + beside[rng.randrange(len(beside))] + word[at + 1 :]
