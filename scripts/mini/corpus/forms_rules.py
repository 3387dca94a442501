"""The rules of the mapping episodes of `forms`."""

from __future__ import annotations

import random
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import date

from scripts.mini.corpus import names
from scripts.mini.corpus.forms_lexicon import Pair, Words
from scripts.mini.corpus.forms_text import article, capital
from scripts.mini.corpus.forms_values import MONTHS, WEEKDAYS, Values

Make = Callable[[Words, random.Random], Pair]
_NUMERALS = (
    "zero one two three four five six seven eight nine ten eleven twelve thirteen fourteen fifteen sixteen seventeen "
    "eighteen nineteen twenty"
)
_ROMAN_NUMERALS = "- I II III IV V VI VII VIII IX X XI XII XIII XIV XV XVI XVII XVIII XIX XX"
_IN_WORDS, _ROMAN = _NUMERALS.split(), _ROMAN_NUMERALS.split()


@dataclass(frozen=True)
class Rule:
    """A change, what it is called in words, and a function that draws a text with what becomes of it."""

    told: str
    make: Make


def _of(source: Callable[[Words, random.Random], str], change: Callable[[str], str]) -> Make:
    """A rule that changes a text of one kind."""

    def make(words: Words, rng: random.Random) -> Pair:
        x = source(words, rng)
        return x, change(x)

    return make


def _pick(name: str, first: int, second: int) -> Make:
    """A rule that goes from one entry of a list to another."""

    def make(words: Words, rng: random.Random) -> Pair:
        found = rng.choice(getattr(words, name))
        return found[first], found[second]

    return make


def _past(words: Words, rng: random.Random) -> Pair:
    """A verb and its past, which may be irregular."""
    if rng.random() < 0.6:
        return rng.choice(words.irregular)
    return rng.choice(words.verbs)[:2]


def _three(words: Words, rng: random.Random) -> str:
    return " ".join(words.word(rng) for _ in range(3))


def _some(words: Words, rng: random.Random) -> str:
    return " ".join(words.word(rng) for _ in range(rng.randint(1, 6)))


def _with_verb(x: Callable[[Sequence[str]], str], y: Callable[[Sequence[str]], str]) -> Make:
    def make(words: Words, rng: random.Random) -> Pair:
        verb = rng.choice(words.verbs)
        return x(verb), y(verb)

    return make


def _couple(pattern: str, result: str) -> Make:
    def make(words: Words, rng: random.Random) -> Pair:
        a, b = (
            rng.choice(words.couples)
            if rng.random() < 0.6
            else (rng.choice(words.nouns)[0], rng.choice(words.nouns)[0])
        )
        return pattern.format(a=a, b=b), result.format(a=a, b=b)

    return make


def _sentence(pattern: str, result: str) -> Make:
    def make(words: Words, rng: random.Random) -> Pair:
        who, does, whom, done = words.sentence(rng)
        values = {"who": who, "does": does, "whom": whom, "done": done, "adj": rng.choice(words.adjectives)}
        return pattern.format(**values), result.format(**values)

    return make


def _person(result: Callable[[str, str], str]) -> Make:
    def make(words: Words, rng: random.Random) -> Pair:
        values = Values(rng)
        first, last = values.first(), values.last()
        return f"{first} {last}", result(first, last)

    return make


def _number(low: int, high: int, x: Callable[[int], str], y: Callable[[int], str]) -> Make:
    def make(words: Words, rng: random.Random) -> Pair:
        n = rng.randint(low, high)
        return x(n), y(n)

    return make


def _day(x: Callable[[date], str], y: Callable[[date], str]) -> Make:
    return _number(728_000, 740_000, lambda n: x(date.fromordinal(n)), lambda n: y(date.fromordinal(n)))


def _long(day: date) -> str:
    return f"{day.day} {MONTHS[day.month - 1]} {day.year}"


def _ordinal(n: int) -> str:
    return f"{n}{'th' if 10 < n % 100 < 14 else {1: 'st', 2: 'nd', 3: 'rd'}.get(n % 10, 'th')}"


def _initials(text: str) -> str:
    return "".join(word[0].upper() for word in text.split())


def _clock(n: int) -> str:
    return f"{(n // 4 + 11) % 12 + 1}:{15 * (n % 4):02} {'am' if n < 48 else 'pm'}"


def _slashed(day: date) -> str:
    return f"{day.day:02}/{day.month:02}/{day.year}"


SHAPES: tuple[tuple[str, Callable[[str], str]], ...] = (
    ("Use capital letters.", str.upper),
    ("Begin every word with a capital letter.", str.title),
    ("Put it in quotes.", lambda x: f'"{x}"'),
    ("Put it in brackets.", lambda x: f"({x})"),
    ("Join the words with a hyphen.", lambda x: x.replace(" ", "-")),
    ("Join the words with an underscore.", lambda x: x.replace(" ", "_")),
    ("Add an exclamation mark.", lambda x: x + "!"),
    ("Turn the order of the words round.", lambda x: " ".join(reversed(x.split()))),
    ("Say it twice.", lambda x: f"{x} {x}"),
    ("Put a star before it.", lambda x: f"*{x}"),
    ("Leave out the spaces.", lambda x: x.replace(" ", "")),
    ("Put a full stop after it.", lambda x: x + "."),
    ("Put 'the' before it.", lambda x: "the " + x),
)
RULES: tuple[Rule, ...] = (
    *(Rule(told, _of(Words.phrase, change)) for told, change in SHAPES),
    Rule("Write each one in capital letters.", _of(Words.text, str.upper)),
    Rule("Write each one in small letters.", _of(lambda w, r: w.text(r).upper(), str.lower)),
    Rule("Give the plural.", _pick("nouns", 0, 1)),
    Rule("Give the singular.", _pick("nouns", 1, 0)),
    Rule("Put the verb into the past.", _pick("verbs", 0, 1)),
    Rule("Put the verb into the past.", _past),
    Rule("Give the present tense.", _pick("verbs", 1, 0)),
    Rule("Give the -ing form.", _pick("verbs", 0, 2)),
    Rule("Use she.", _with_verb(lambda v: f"I {v[0]}", lambda v: f"she {v[3]}")),
    Rule("Put it into the past.", _with_verb(lambda v: f"they {v[0]}", lambda v: f"they {v[1]}")),
    Rule("Say that it is happening now.", _with_verb(lambda v: f"we {v[0]}", lambda v: f"we are {v[2]}")),
    Rule("Give the opposite.", _pick("opposites", 0, 1)),
    Rule("Give the comparative.", _pick("degrees", 0, 1)),
    Rule("Give the superlative.", _pick("degrees", 0, 2)),
    Rule("Put a or an before it.", _of(lambda w, r: r.choice(w.nouns)[0], lambda x: f"{article(x)} {x}")),
    Rule("Give the first letter.", _of(Words.word, lambda x: x[0])),
    Rule("Give the last letter.", _of(Words.word, lambda x: x[-1])),
    Rule("Spell it.", _of(Words.word, " ".join)),
    Rule("Spell it with hyphens.", _of(Words.word, "-".join)),
    Rule("How many letters?", _of(Words.word, lambda x: str(len(x)))),
    Rule("How many words?", _of(_some, lambda x: str(len(x.split())))),
    Rule("Keep the first word.", _of(_three, lambda x: x.split()[0])),
    Rule("Keep the last word.", _of(_three, lambda x: x.split()[-1])),
    Rule("Drop the first word.", _of(_three, lambda x: x.split(" ", 1)[1])),
    Rule("Give the initials.", _of(_some, _initials)),
    Rule("Make an acronym.", _of(lambda w, r: w.phrase(r).title() + " " + names.thing(r), _initials)),
    Rule("Swap the two.", _couple("{a} and {b}", "{b} and {a}")),
    Rule("Swap the two.", _couple("{a}, {b}", "{b}, {a}")),
    Rule("Swap the two.", _couple("{a}-{b}", "{b}-{a}")),
    Rule("Say or, not and.", _couple("{a} and {b}", "{a} or {b}")),
    Rule("Keep the second one.", _couple("{a} and {b}", "{b}")),
    Rule("Leave out the second one.", _couple("{a} with {b}", "{a}")),
    Rule("Make a comparison.", _couple("{a} and {b}", "more {a} than {b}")),
    Rule("Surname first.", _person(lambda first, last: f"{last}, {first}")),
    Rule("Give the initials.", _person(lambda first, last: f"{first[0]}. {last[0]}.")),
    Rule("Shorten the first name.", _person(lambda first, last: f"{first[0]}. {last}")),
    Rule("Give the surname in capitals.", _person(lambda first, last: f"{first} {last.upper()}")),
    Rule("Make a mail address.", _person(lambda first, last: f"{first}.{last}@mail.example".lower())),
    Rule("Greet.", _person(lambda first, last: f"Good morning, {first}!")),
    Rule("Write a greeting.", _person(lambda first, last: f"Dear {first} {last},")),
    Rule("Keep the surname.", _person(lambda first, last: last)),
    Rule("Who and whom change places.", _sentence("the {who} {does} the {whom}", "the {whom} {does} the {who}")),
    Rule("Use the passive.", _sentence("The {who} {does} the {whom}.", "The {whom} is {done} by the {who}.")),
    Rule("Ask who does it.", _sentence("The {who} {does} the {whom}.", "Who {does} the {whom}?")),
    Rule("Make it a question.", _sentence("The {who} is {adj}.", "Is the {who} {adj}?")),
    Rule("Say no.", _sentence("The {who} is {adj}.", "The {who} is not {adj}.")),
    Rule("Put it into the past.", _sentence("The {who} is {adj}.", "The {who} was {adj}.")),
    Rule("Shorten it.", _sentence("the {who} that is {adj}", "the {adj} {who}")),
    Rule("Make it longer.", _sentence("the {adj} {who}", "the {who} that is {adj}")),
    Rule("Be polite.", _of(lambda w, r: r.choice(w.commands), lambda x: f"Please {x}.")),
    Rule("Ask politely.", _of(lambda w, r: r.choice(w.commands), lambda x: f"Could you {x}?")),
    Rule(
        "Forbid it.", _of(lambda w, r: capital(r.choice(w.commands)) + ".", lambda x: f"Do not {x[0].lower()}{x[1:]}")
    ),
    Rule("Write the number in words.", _number(0, 20, str, lambda n: _IN_WORDS[n])),
    Rule("Write the number in digits.", _number(0, 20, lambda n: _IN_WORDS[n], str)),
    Rule("Give the ordinal.", _number(1, 99, str, _ordinal)),
    Rule("Roman numerals.", _number(1, 20, str, lambda n: _ROMAN[n])),
    Rule("Give the next number.", _number(1, 99, str, lambda n: str(n + 1))),
    Rule("Write it as a sum of money.", _number(1, 400, str, lambda n: f"£{n}.00")),
    Rule("Fill up with noughts.", _number(1, 999, str, lambda n: f"{n:04}")),
    Rule("Use the clock with am and pm.", _number(0, 95, lambda n: f"{n // 4:02}:{15 * (n % 4):02}", _clock)),
    Rule("Write the date as year-month-day.", _day(_long, date.isoformat)),
    Rule("Write the date in words.", _day(date.isoformat, _long)),
    Rule("Write the date as year-month-day.", _day(_slashed, date.isoformat)),
    Rule("Give the year.", _day(_long, lambda day: str(day.year))),
    Rule("Give the month.", _day(_slashed, lambda day: MONTHS[day.month - 1])),
    Rule("Shorten the day.", _number(0, 6, lambda n: WEEKDAYS[n], lambda n: WEEKDAYS[n][:3])),
    Rule("Give the day after.", _number(0, 6, lambda n: WEEKDAYS[n], lambda n: WEEKDAYS[(n + 1) % 7])),
)
