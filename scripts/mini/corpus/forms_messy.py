"""Messy texts of `forms`: how dates and sums stand in them, and what they say."""

from __future__ import annotations

import random
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import date
from functools import cache

from scripts.mini.corpus import names
from scripts.mini.corpus.document import bank
from scripts.mini.corpus.forms_text import Maybe, Part, Parts, Slot, capital, fill, parse, resolve, slots, unwrapped
from scripts.mini.corpus.forms_values import MONTHS, WEEKDAYS, Values
from scripts.tasks.company.noise import typo

BANKS = ("forms_layouts_1", "forms_layouts_2")
_START, _END = date(2014, 1, 1).toordinal(), date(2027, 12, 31).toordinal()
_SIGNS = {  # how a sum stands in a text, by the code of its currency
    "GBP": ("£{}", "£{}", "£{}", "£ {}", "{} GBP", "GBP {}", "{} pounds"),
    "EUR": ("€{}", "{} €", "€ {}", "{} EUR", "EUR {}", "{} euros"),
    "USD": ("${}", "${}", "$ {}", "{} USD", "USD {}", "{} dollars"),
    "CHF": ("CHF {}", "{} CHF", "Fr. {}"),
    "SEK": ("{} SEK", "SEK {}", "{} kr"),
    "PLN": ("{} PLN", "PLN {}", "{} zl"),
}
_CODES = ("GBP",) * 5 + ("EUR",) * 3 + ("USD",) * 3 + ("CHF", "SEK", "PLN")
_DATES: tuple[Callable[[date], str], ...] = (
    lambda day: f"{day.day:02}/{day.month:02}/{day.year}",
    lambda day: f"{day.day:02}.{day.month:02}.{day.year}",
    lambda day: f"{day.day}.{day.month}.{day.year}",
    lambda day: f"{day.day:02}-{day.month:02}-{day.year}",
    lambda day: f"{day.day}/{day.month}/{day.year % 100:02}",
    lambda day: f"{day.day} {MONTHS[day.month - 1]} {day.year}",
    lambda day: f"{day.day} {MONTHS[day.month - 1]} {day.year}",
    lambda day: f"{day.day} {MONTHS[day.month - 1][:3]} {day.year}",
    lambda day: f"{day.day:02}-{MONTHS[day.month - 1][:3]}-{day.year}",
    lambda day: f"{MONTHS[day.month - 1]} {day.day}, {day.year}",
    lambda day: f"{MONTHS[day.month - 1][:3]} {day.day}, {day.year}",
    lambda day: f"{WEEKDAYS[day.weekday()][:3]} {day.day} {MONTHS[day.month - 1][:3]} {day.year}",
    lambda day: f"{WEEKDAYS[day.weekday()]}, {day.day} {MONTHS[day.month - 1]} {day.year}",
    lambda day: f"{_ordinal(day.day)} {MONTHS[day.month - 1]} {day.year}",
    lambda day: f"the {_ordinal(day.day)} of {MONTHS[day.month - 1]} {day.year}",
    lambda day: day.isoformat(),
    lambda day: f"{day.year}/{day.month:02}/{day.day:02}",
    lambda day: f"{day.day:02} {MONTHS[day.month - 1][:3].upper()} {day.year}",
)
_TWO_DIGITS = 4  # the way of writing a date in which a year far back cannot be told


@dataclass(frozen=True)
class Layout:
    """One way in which a kind of text looks."""

    kind: str
    parts: Parts


@dataclass(frozen=True)
class Kind:
    """A kind of text: what it is called, its fields with their names and kinds of value, what else stands in it."""

    docs: tuple[str, ...]
    cues: tuple[str, ...]
    fields: dict[str, tuple[tuple[str, ...], str]]
    hidden: dict[str, str]
    layouts: tuple[Layout, ...]

    def spec(self, name: str) -> str:
        """What kind of value a slot has."""
        return self.fields[name][1] if name in self.fields else self.hidden[name]


@dataclass(frozen=True)
class Read:
    """A text and its fields, each as it stands there and in normal form."""

    text: str
    fields: dict[str, tuple[str, str]]


@dataclass
class Writer:
    """Draws the values of one text; sums are kept in pence, days as ordinals."""

    kind: Kind
    values: Values
    code: str
    sign: str
    date_way: int
    whole: bool  # sums without pence where there are none
    comma: int  # 0: 1284.50, 1: 1,284.50, 2: 1284,50
    base: int
    drawn: dict[str, tuple[str, str]]
    pence: dict[str, int]

    def get(self, name: str) -> tuple[str, str]:
        """A value as it stands in the text and in normal form; the same one each time."""
        if name not in self.drawn:
            self.drawn[name] = self._draw(name)
        return self.drawn[name]

    def shown(self, names: frozenset[str]) -> dict[str, str]:
        """The values of `names` as they stand in the text, drawn in the bank's order, as some go by others."""
        every = (*self.kind.fields, *self.kind.hidden, "cur")
        return {name: self.get(name)[0] for name in every if name in names}

    def _draw(self, name: str) -> tuple[str, str]:
        if name in ("currency", "cur"):
            return self.code, self.code
        spec = self.kind.spec(name)
        how, _, rest = spec.partition(" ")
        if how == "date":
            return self._date(rest)
        if how in _SUMS:
            amount = self._amount(name)
            return self.sign.format(self._written(amount)), f"{amount / 100:.2f}"
        if how in _OTHER:
            return (text := _OTHER[how](self.values)), text
        return (text := self.values.draw(spec)), text

    def _date(self, limits: str) -> tuple[str, str]:
        low, high = map(int, limits.split()) if limits else (0, 0)
        day = date.fromordinal(self.base + self.values.rng.randint(low, high))
        way = 0 if self.date_way == _TWO_DIGITS and not 2000 < day.year < 2040 else self.date_way
        return _DATES[way](day), day.isoformat()

    def _amount(self, name: str) -> int:
        if name not in self.pence:
            how, *rest = self.kind.spec(name).split()
            rng = self.values.rng
            if how == "amount":
                low, high = map(int, rest)
                self.pence[name] = rng.randint(low, high) * 100 + (
                    0 if self.whole else rng.choice((0, 50, rng.randrange(100)))
                )
            else:
                self.pence[name] = _SUMS[how]([self._amount(one) for one in rest])
        return self.pence[name]

    def _written(self, pence: int) -> str:
        text = f"{pence / 100:,.2f}" if self.comma == 1 else f"{pence / 100:.2f}"
        if self.whole and text.endswith(".00"):
            text = text[:-3]
        return text.replace(".", ",") if self.comma == 2 else text


_SUMS: dict[str, Callable[[list[int]], int]] = {
    "amount": sum,
    "sum": sum,
    "less": lambda found: found[0] - found[1],
    "twice": lambda found: 2 * found[0],
    "round": lambda found: -(-(found[0] + 1) // 1000) * 1000,
}
CHANGING = ("date", *_SUMS)  # kinds of value that have a normal form of their own
_PHONE = (
    "= 0{int 1200 1999} {int 100000 999999} / {int 200 999}-{int 1000 9999} / +44 {int 7000 7999} {int 100000 999999}"
)
_OTHER: dict[str, Callable[[Values], str]] = {
    "phone": lambda values: values.draw(_PHONE),
    "email": lambda values: f"{names.person(values.rng)}@{names.thing(values.rng)}.example".lower(),
}  # fmt: skip


def read(layout: Layout, rng: random.Random) -> Read:
    """A text in `layout` with values drawn for it."""
    writer = _writer(layout, rng)
    parts = [part for part in resolve(layout.parts, rng) if not isinstance(part, Maybe) or rng.random() < 0.7]
    shown = tuple(parts)
    if rng.random() < 0.12:
        shown = tuple(typo(part, rng, 0.15) if isinstance(part, str) else part for part in parts)
    text = fill(shown, writer.shown(slots(shown)))
    text = "\n".join(line.strip() for line in text.splitlines() if line.strip())
    while "  " in text:
        text = text.replace("  ", " ")
    found = {name: _as_shown(slot, writer.get(name)) for name, slot in _first(parts).items()}
    if any(writer.kind.fields[name][1].startswith(tuple(_SUMS)) for name in found if name in writer.kind.fields):
        found["currency"] = (writer.code, writer.code)
    return Read(text, {name: value for name, value in found.items() if name in writer.kind.fields})


def _writer(layout: Layout, rng: random.Random) -> Writer:
    values = Values(rng)
    code = rng.choice(_CODES)
    sign = "{}" if "cur" in slots(layout.parts) else rng.choice(_SIGNS[code])
    comma = 2 if code in ("EUR", "PLN", "SEK") and rng.random() < 0.3 else int(rng.random() < 0.5)
    way, base = rng.randrange(len(_DATES)), rng.randint(_START, _END)
    return Writer(kinds()[layout.kind], values, code, sign, way, rng.random() < 0.25, comma, base, {}, {})


def _first(parts: Sequence[Part]) -> dict[str, Slot]:
    """Every slot where it comes first."""
    found: dict[str, Slot] = {}
    for part in parts:
        if isinstance(part, Slot):
            found.setdefault(part.name, part)
        elif isinstance(part, Maybe):
            found = {**_first(part.parts), **found}
    return found


def _as_shown(slot: Slot, value: tuple[str, str]) -> tuple[str, str]:
    """A value with the capitals it has in the text."""
    shown, normal = value
    if slot.case == 2 or (slot.case == 1 and not slot.how):
        change = str.upper if slot.case == 2 else capital
        return change(shown), change(normal)
    return value


@cache
def kinds() -> dict[str, Kind]:
    """All kinds of text by name."""
    return {raw["name"]: _kind(raw) for name in BANKS for raw in bank(name)}


def _kind(raw: dict[str, object]) -> Kind:
    fields, hidden, layouts = raw["fields"], raw["hidden"], raw["layouts"]
    assert isinstance(fields, dict)
    assert isinstance(hidden, dict)
    assert isinstance(layouts, list)
    return Kind(
        tuple(str(raw["docs"]).split(" / ")),
        tuple(str(raw["cues"]).split(" / ")),
        {name: _field(text) for name, text in fields.items()},
        hidden,
        tuple(Layout(str(raw["name"]), parse("\n".join(unwrapped(text)))) for text in layouts),
    )


def _field(text: str) -> tuple[tuple[str, ...], str]:
    keys, _, spec = text.partition(" | ")
    return tuple(keys.split(" / ")), spec


def _ordinal(day: int) -> str:
    return f"{day}{'th' if 10 < day < 14 else {1: 'st', 2: 'nd', 3: 'rd'}.get(day % 10, 'th')}"
