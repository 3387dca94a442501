"""Sentences with gaps and choices, as the frames of `reading` are written.

{slot}      the slot's value; {Slot} with a capital letter
{a slot}    with "a" or "an"; {A slot} with a capital; {first slot} the first name of a person
(x/y/)      one of these, here also nothing; may be nested; (x) is just that, brackets and all
[x|y]       x where the question has to name what it is about, else x or y; [x] is x or nothing
"""

from __future__ import annotations

import random
from collections.abc import Mapping
from dataclasses import dataclass

PRONOUNS = {
    "she": ("she", "he"),
    "her": ("her", "his"),
    "her_o": ("her", "him"),
}
_TITLES = ("Mrs ", "Ms ", "Miss ", "Mr ", "Dr ")
_AN = ("hour", "honest", "honour", "heir")
_A = ("uni", "use", "usu", "util", "eu", "one", "ukulele", "unit")


@dataclass(frozen=True, slots=True)
class Slot:
    """A gap: which value, with which word before it."""

    name: str
    how: str
    capital: bool

    def fill(self, values: Mapping[str, str]) -> str:
        """The value as it stands here; raises KeyError for a slot the frame does not have."""
        text = values[self.name]
        if self.how == "a":
            text = f"{article(text)} {text}"
        elif self.how == "first" and not text.startswith(_TITLES):
            text = text.split(" ", 1)[0]
        return text[0].upper() + text[1:] if self.capital else text


@dataclass(frozen=True, slots=True)
class Choice:
    """One of several; `keyed`: the first one wherever the question has to name what it is about."""

    options: tuple[Parts, ...]
    keyed: bool


Part = str | Slot | Choice
Parts = tuple[Part, ...]


def parse(text: str) -> Parts:
    """`text` in parts; raises ValueError where a bracket is not closed."""
    parts, rest = _parts(text, 0, "")
    assert rest == len(text)
    return parts


def lines(text: str) -> tuple[Parts, ...]:
    """Every line that is not empty, in parts."""
    return tuple(parse(line.strip()) for line in text.splitlines() if line.strip())


def fill(parts: Parts, values: Mapping[str, str], rng: random.Random, keyed: bool = False) -> str:
    """The sentence with its gaps filled and its choices made."""
    out = []
    for part in parts:
        if isinstance(part, str):
            out.append(part)
        elif isinstance(part, Slot):
            out.append(part.fill(values))
        else:
            first = keyed and part.keyed
            option = part.options[0 if first else int(rng.random() * len(part.options))]
            out.append(fill(option, values, rng, keyed))
    return "".join(out)


def slots(parts: Parts, certain: bool = False) -> set[str]:
    """The slots that may occur in `parts`; where `certain`, those that occur in a keyed text whatever is chosen."""
    found: set[str] = set()
    for part in parts:
        if isinstance(part, Slot):
            found.add(part.name)
        elif isinstance(part, Choice):
            each = [slots(option, certain) for option in part.options]
            if not certain:
                found = found.union(*each)
            else:
                found |= each[0] if part.keyed else set.intersection(*each)
    return found


def article(text: str) -> str:
    """ "a" or "an" for what follows."""
    low = text.lower()
    if low.startswith(_AN) or low.startswith(("8", "11 ", "18")):
        return "an"
    return "an" if low[0] in "aeiou" and not low.startswith(_A) else "a"


def capital(text: str) -> str:
    """`text` with its first letter a capital one."""
    return text[:1].upper() + text[1:]


def _parts(text: str, at: int, until: str) -> tuple[Parts, int]:
    parts: list[Part] = []
    plain = at
    while at < len(text) and text[at] not in until:
        sign = text[at]
        if sign not in "{([":
            at += 1
            continue
        if plain < at:
            parts.append(text[plain:at])
        if sign == "{":
            end = text.index("}", at)
            parts.append(_slot(text[at + 1 : end]))
            at = end + 1
        else:
            option, at = _options(text, at + 1, "/", ")") if sign == "(" else _options(text, at + 1, "|", "]")
            parts.append(option)
        plain = at
    if plain < at:
        parts.append(text[plain:at])
    return tuple(parts), at


def _options(text: str, at: int, between: str, close: str) -> tuple[Choice, int]:
    options: list[Parts] = []
    while True:
        option, at = _parts(text, at, between + close)
        options.append(option)
        if at >= len(text):
            raise ValueError(f"{close} is missing in {text!r}")
        at += 1
        if text[at - 1] == close:
            break
    if len(options) == 1 and close == "]":
        options.append(())
    elif len(options) == 1:  # nothing to choose from: these are brackets to be read
        options = [("(", *options[0], ")")]
    return Choice(tuple(options), close == "]"), at


def _slot(text: str) -> Slot:
    how, _, name = text.rpartition(" ")
    shown = how or name
    return Slot(name.lower(), how.lower(), shown[0].isupper())
