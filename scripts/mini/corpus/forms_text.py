"""Sentences with gaps, as the banks of `forms` write them.

{slot}          the slot's value; {Slot} with a capital letter, {SLOT} in capitals
{a slot}        with "a" or "an"; {word slot} a small number in words; {A slot}, {Word slot} with a capital
{slot?yes|no}   one of two texts, by a value that is "yes" or "no"
(x/y/)          one of these, here also nothing; parentheses without a stroke are just that
[x]             stands only where all the slots in it have a value

In a bank, a line that is indented further than others goes on with the one before.
"""

from __future__ import annotations

import random
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import cache

_IN_WORDS = "zero one two three four five six seven eight nine ten eleven twelve"
NUMBERS = _IN_WORDS.split()
_AN = ("hour", "honest", "honour", "heir", "8", "11 ", "18 ", "11-", "18-", "x-ray")
_A = ("uni", "use", "usu", "uti", "eu", "one", "ukulele", "unit")
_HOWS = ("a", "an", "word")


@dataclass(frozen=True, slots=True)
class Slot:
    """A gap; `case` is 0 for the value as it is, 1 for a capital letter, 2 for capitals."""

    name: str
    how: str
    case: int


@dataclass(frozen=True, slots=True)
class Choice:
    """One of several texts."""

    options: tuple[Parts, ...]


@dataclass(frozen=True, slots=True)
class Maybe:
    """A text that needs its slots."""

    parts: Parts
    needs: frozenset[str]


@dataclass(frozen=True, slots=True)
class YesNo:
    """One of two texts, by a value."""

    name: str
    yes: Parts
    no: Parts


Part = str | Slot | Choice | Maybe | YesNo
Parts = tuple[Part, ...]


@cache
def parse(text: str) -> Parts:
    """`text` in parts; raises ValueError where a bracket is not closed."""
    parts: list[Part] = []
    plain = at = 0
    while at < len(text):
        close = {"{": "}", "(": ")", "[": "]"}.get(text[at])
        if close is None:
            at += 1
            continue
        end = _close(text, at, close)
        inner = text[at + 1 : end]
        options = _split(inner, "/") if close == ")" else []
        if close == ")" and len(options) == 1:  # literal parentheses, which may hold gaps
            parts += [text[plain : at + 1], *parse(inner)]
            plain = end
        else:
            before, plain = text[plain:at], end + 1
            if "" in options and before.endswith(" "):  # the space goes where the word goes
                before, options = before[:-1], [" " + one if one else "" for one in options]
            elif "" in options and not at and text[plain : plain + 1] == " ":
                options, plain = [one + " " if one else "" for one in options], plain + 1
            parts.append(before)
            parts.append(Choice(tuple(parse(one) for one in options)) if options else _gap(inner, close))
        at = end + 1
    parts.append(text[plain:])
    return tuple(part for part in parts if part != "")


def unwrapped(text: str) -> list[str]:
    """The lines that are not empty; one that begins with a space goes on with the line before."""
    return [line for line in text.replace("\n  ", " ").splitlines() if line]


def lines(text: str) -> list[Parts]:
    """Every line in parts."""
    return [parse(line) for line in unwrapped(text)]


def resolve(parts: Parts, rng: random.Random) -> Parts:
    """The same with every choice made."""
    out: list[Part] = []
    for part in parts:
        if isinstance(part, Choice):
            out += resolve(part.options[int(rng.random() * len(part.options))], rng)
        elif isinstance(part, Maybe):
            out.append(Maybe(resolve(part.parts, rng), part.needs))
        else:
            out.append(part)
    return tuple(out)


def fill(parts: Parts, values: Mapping[str, str]) -> str:
    """The text with its gaps filled; choices must have been made. Raises KeyError for a slot without a value."""
    out = []
    for part in parts:
        if isinstance(part, str):
            out.append(part)
        elif isinstance(part, Slot):
            out.append(_value(part, values[part.name]))
        elif isinstance(part, YesNo):
            out.append(fill(part.yes if values[part.name] == "yes" else part.no, values))
        elif isinstance(part, Maybe):
            if part.needs <= values.keys():
                out.append(fill(part.parts, values))
        else:
            raise ValueError(f"a choice is left: {part}")
    return "".join(out)


def slots(parts: Parts, optional: bool = True) -> frozenset[str]:
    """Names of the slots; those in brackets count where `optional`. Of a choice, what any of its texts has."""
    found: set[str] = set()
    for part in parts:
        if isinstance(part, Slot):
            found.add(part.name)
        elif isinstance(part, YesNo):
            found |= {part.name} | slots(part.yes) | slots(part.no)
        elif isinstance(part, Maybe):
            found |= part.needs if optional else set()
        elif isinstance(part, Choice):
            found = found.union(*(slots(option, optional) for option in part.options))
    return frozenset(found)


def capital(text: str) -> str:
    """`text` with its first letter a capital one."""
    return text[:1].upper() + text[1:]


def article(text: str) -> str:
    """ "a" or "an" for what follows."""
    low = text.lower()
    if low.startswith(_AN) or low in ("11", "18"):
        return "an"
    return "an" if low[:1] in "aeiou" and not low.startswith(_A) else "a"


def _value(slot: Slot, value: str) -> str:
    if slot.how == "word":
        value = NUMBERS[int(value)] if value.isdigit() and int(value) < 13 else value
    elif slot.how:
        value = f"{article(value)} {value}"
    if slot.case == 2:
        return value.upper()
    return capital(value) if slot.case else value


def _gap(inner: str, close: str) -> Part:
    if close == "]":
        parts = parse(inner)
        return Maybe(parts, slots(parts))
    name, asks, rest = inner.partition("?")
    if asks:
        yes, no = _split(rest, "|")
        return YesNo(name, parse(yes), parse(no))
    case = 2 if inner.isupper() and len(inner) > 1 else int(inner[0].isupper())
    how, _, name = inner.lower().partition(" ")
    return Slot(name, how, case) if name and how in _HOWS else Slot(inner.lower(), "", case)


def _close(text: str, at: int, close: str) -> int:
    depth = 0
    for i in range(at, len(text)):
        depth += (text[i] == text[at]) - (text[i] == close)
        if not depth:
            return i
    raise ValueError(f"{close} is missing in {text!r}")


def _split(text: str, between: str) -> list[str]:
    """`text` cut at every `between` that is in no bracket."""
    return ["".join(piece) for piece in _pieces(text, between)]


def _pieces(text: str, between: str) -> Iterator[list[str]]:
    piece: list[str] = []
    depth = 0
    for letter in text:
        depth += (letter in "{([") - (letter in "})]")
        if letter == between and not depth:
            yield piece
            piece = []
        else:
            piece.append(letter)
    yield piece
