"""Skill `arithmetic`: sums, differences, small products, comparisons and rows of numbers, in digits and in words."""

from __future__ import annotations

import random
import zlib
from collections.abc import Callable

from scripts.mini.corpus.document import Document

_UNITS = (
    "zero one two three four five six seven eight nine ten eleven twelve thirteen fourteen fifteen sixteen seventeen "
    "eighteen nineteen"
)
_TENS = "twenty thirty forty fifty sixty seventy eighty ninety"
_CUES = (("Question: ", "\nAnswer:"), ("Question: ", "\nAnswer:"), ("Q: ", "\nA:"), ("", " ="), ("Sum: ", "\nResult:"))
# not one of these is asked in the probe `arithmetic`
_SUMS = (
    "Work out {} plus {}.",
    "{} and {} together make what?",
    "If you put {} and {} together, what is it?",
    "{} + {}?",
)
_DIFFERENCES = ("Work out {} minus {}.", "From {} take {}: what is left?", "{} less {} is what?", "{} - {}?")
_PRODUCTS = ("Work out {} times {}.", "{} lots of {} are how many?", "{} x {}?")
Asked = tuple[str, str]  # question, answer


def in_words(number: int) -> str:
    """A whole number from 0 to 99 in words: 42 -> "forty-two"."""
    units, tens = _UNITS.split(), _TENS.split()
    if number < 20:
        return units[number]
    ten, unit = divmod(number, 10)
    return tens[ten - 2] + (f"-{units[unit]}" if unit else "")


def draw(rng: random.Random, held_out: bool = False) -> Document:
    """One to eight solved exercises; about a tenth of all pairs of numbers is kept for `held_out`."""
    before, after = rng.choice(_CUES)
    bare = after == " ="
    document = Document()
    for i in range(rng.randint(1, 8)):
        question, answer = _exercise(rng, held_out, bare)
        document.given(("\n" if bare and i else "\n\n" if i else "") + before + question + after).answer(" " + answer)
    return document


def _exercise(rng: random.Random, held_out: bool, bare: bool) -> Asked:
    while True:
        asked = rng.choice(_BARE if bare else _KINDS)(rng)
        if _is_reserved(asked[0]) == held_out:
            return asked


def _is_reserved(question: str) -> bool:
    numbers = "".join(letter for letter in question if letter.isdigit()) or question
    return zlib.crc32(numbers.encode()) % 10 == 9


def _numbers(rng: random.Random) -> tuple[int, int]:
    top = rng.choice((10, 10, 20, 100))
    return rng.randrange(top), rng.randrange(top)


def _sum(rng: random.Random) -> Asked:
    a, b = _numbers(rng)
    return f"{a} + {b}", str(a + b)


def _difference(rng: random.Random) -> Asked:
    a, b = sorted(_numbers(rng), reverse=True)
    return f"{a} - {b}", str(a - b)


def _product(rng: random.Random) -> Asked:
    a, b = rng.randrange(13), rng.randrange(13)
    return f"{a} x {b}", str(a * b)


def _asked(rng: random.Random) -> Asked:
    a, b = sorted(_numbers(rng), reverse=True)
    forms = (
        (_SUMS, a, b, a + b),
        (_DIFFERENCES, a, b, a - b),
        (_PRODUCTS, a % 11, b % 11, (a % 11) * (b % 11)),
    )
    phrasings, one, other, result = rng.choice(forms)
    return rng.choice(phrasings).format(one, other), str(result)


def _words(rng: random.Random) -> Asked:
    a, b = rng.randrange(20), rng.randrange(20)
    phrasings, result = (_SUMS, a + b) if rng.random() < 0.6 or a < b else (_DIFFERENCES, a - b)
    return rng.choice(phrasings[:3]).format(in_words(a), in_words(b)), in_words(result)


def _larger(rng: random.Random) -> Asked:
    a, b = rng.sample(range(100), 2)
    word, result = rng.choice((("larger", max(a, b)), ("smaller", min(a, b)), ("bigger", max(a, b))))
    ask = rng.choice(
        ("{a} or {b}: which one is {word}?", "Name the {word} one of {a} and {b}.", "Is {a} or {b} {word}?")
    )
    return ask.format(a=a, b=b, word=word), str(result)


def _next(rng: random.Random) -> Asked:
    start, step = rng.randrange(20), rng.choice((1, 2, 2, 3, 4, 5, 10, -1, -2))
    row = [start + 20 * (step < 0) + step * i for i in range(5)]
    shown = ", ".join(map(str, row[:4]))
    ask = rng.choice(("Continue: {},", "After {} comes what?", "Give the number that comes after these: {}."))
    return ask.format(shown), str(row[4])


_BARE: tuple[Callable[[random.Random], Asked], ...] = (_sum, _sum, _difference, _product)
_KINDS: tuple[Callable[[random.Random], Asked], ...] = (_asked, _asked, _asked, _words, _larger, _next)
