"""What fills the gaps of `reading`'s frames: names, numbers, times, dates, prices and words of the banks."""

from __future__ import annotations

import random
from collections.abc import Callable
from dataclasses import dataclass, field
from functools import cache

from scripts.mini.corpus import names
from scripts.mini.corpus.document import bank, reserved
from scripts.mini.corpus.reading_text import Parts, Slot, article, capital, lines

_SMALL = 80  # a bank of fewer words, such as the colours, is the same for both
_WEEKDAYS = ("Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday", "Sunday")
_MONTHS = (
    "January", "February", "March", "April", "May", "June",
    "July", "August", "September", "October", "November", "December",
)  # fmt: skip
_NUMBERS = ("two", "three", "four", "five", "six", "seven", "eight", "nine", "ten", "eleven", "twelve")
_HOURS = ("one", *_NUMBERS)
_MONEY = ("£{}",) * 7 + ("${}", "€{}", "{} euros", "{} crowns", "{} pounds")


@dataclass
class Source:
    """Where the values of one document come from; currency and clock are the same all through it."""

    rng: random.Random
    held_out: bool
    money: str = field(init=False)
    clock: int = field(init=False)
    woman: bool = field(init=False)

    def __post_init__(self) -> None:
        self.money = self.rng.choice(_MONEY)
        self.clock = self.rng.randrange(5)
        self.woman = self.rng.random() < 0.5

    def draw(self, spec: Spec) -> str:
        """A value for a gap."""
        if isinstance(spec, str):
            return self.word(spec)
        if isinstance(spec, Kind):
            return spec.make(self, *spec.limits)
        return self._compose(spec[int(self.rng.random() * len(spec))])

    def word(self, name: str) -> str:
        """An entry of the word bank `name`."""
        entries = _words(name, self.held_out)
        return entries[int(self.rng.random() * len(entries))]

    def name_from(self, name: str) -> str:
        """An entry of the bank of names that there are."""
        entries = _real(name, self.held_out)
        return entries[int(self.rng.random() * len(entries))]

    def _compose(self, parts: Parts) -> str:
        out = []
        for part in parts:
            if isinstance(part, str):
                out.append(part)
            elif isinstance(part, Slot) and part.how == "a":
                word = self.draw(_spec(part.name))
                out.append(f"{article(word)} {word}")
            elif isinstance(part, Slot):
                word = self.draw(_spec(f"{part.how} {part.name}".strip()))
                out.append(capital(word) if part.capital else word)
            else:
                out.append(self._compose(part.options[int(self.rng.random() * len(part.options))]))
        return "".join(out)


@dataclass(frozen=True)
class Kind:
    """A kind of value that is made, not looked up."""

    make: Callable[..., str]
    limits: tuple[int, ...] = ()


Spec = str | Kind | tuple[Parts, ...]


def spec(text: str) -> Spec:
    """What a line such as `day: weekday`, `n: int 2 40` or `name: = {surname} Museum / {town} House` asks for."""
    if text.startswith("="):
        return lines(text[1:].replace(" / ", "\n"))
    return _spec(text)


def person(source: Source, woman: bool | None = None) -> str:
    """A full name, made up or not, at times with a title."""
    rng = source.rng
    woman = rng.random() < 0.5 if woman is None else woman
    made = rng.random()
    first = names.person(rng) if made < 0.5 else source.name_from("women" if woman else "men")
    last = surname(source)
    if rng.random() < 0.1:
        return f"{rng.choice(('Mrs', 'Ms', 'Dr') if woman else ('Mr', 'Mr', 'Dr'))} {last}"
    if rng.random() < 0.06:
        return f"{first} {source.name_from('women' if woman else 'men')} {last}"
    return f"{first} {last}"


def is_woman(name: str) -> bool | None:
    """What a full name says of it, if anything."""
    return _genders().get(name.partition(" ")[0])


def surname(source: Source) -> str:
    """A family name, made up or not."""
    return names.surname(source.rng) if source.rng.random() < 0.55 else source.name_from("surnames")


@cache
def _spec(text: str) -> Spec:
    name, *limits = text.split()
    return Kind(_KINDS[name], tuple(map(int, limits))) if name in _KINDS else name


@cache
def _words(name: str, held_out: bool) -> list[str]:
    entries = [word.strip() for word in bank("reading_words")[name].replace("\n", " ").split(";") if word.strip()]
    return list(entries if len(entries) < _SMALL else reserved(entries, held_out))


@cache
def _real(name: str, held_out: bool) -> list[str]:
    return list(reserved(bank("reading_names")[name].split(), held_out))


@cache
def _genders() -> dict[str, bool]:
    women, men = bank("reading_names")["women"].split(), bank("reading_names")["men"].split()
    return {name: name in women or name in ("Mrs", "Ms") for name in (*men, "Mr", *women, "Mrs", "Ms")}


def _first(source: Source) -> str:
    if source.rng.random() < 0.5:
        return names.person(source.rng)
    return source.name_from("women" if source.rng.random() < 0.5 else "men")


def _town(source: Source) -> str:
    rng = source.rng
    name = names.place(rng)
    if rng.random() < 0.85:
        return name
    side = ("Upper {}", "Little {}", "Great {}", "Port {}", "{} St Mary", "{} Bay", "{} Cross", "{}-on-the-Hill")
    return rng.choice(side).format(name)


def _firm(source: Source) -> str:
    rng = source.rng
    name = names.thing(rng) if rng.random() < 0.5 else surname(source)
    return name + rng.choice(("", " Ltd", " & Co", " Brothers", " & Daughters", " Works", " Supplies", " Group"))


def _street(source: Source) -> str:
    rng = source.rng
    name = source.word("road") if rng.random() < 0.6 else names.surname(rng)
    end = rng.choice(("Street", "Road", "Lane", "Row", "Square", "Hill", "Way", "Close", "Avenue", "Yard"))
    return f"{rng.randrange(1, 180)} {name} {end}"


def _integer(source: Source, low: int, high: int) -> str:
    return str(source.rng.randint(low, high))


def _step(source: Source, low: int, high: int, step: int) -> str:
    return str(source.rng.randrange(low, high + 1, step))


def _few(source: Source, low: int = 2, high: int = 12) -> str:
    number = source.rng.randint(low, high)
    return _NUMBERS[number - 2] if source.rng.random() < 0.7 else str(number)


def _price(source: Source, low: int = 2, high: int = 40) -> str:
    rng = source.rng
    amount = str(rng.randint(low, high))
    if high < 60 and rng.random() < 0.5:
        amount += f".{rng.randrange(5, 100, 5):02d}"
    return source.money.format(amount)


def _time(source: Source, low: int = 7, high: int = 20) -> str:
    """A time from `low` to just before `high` + 1 o'clock, by the twenty-four hour clock."""
    rng = source.rng
    hour, minute = rng.randint(low, high), rng.randrange(0, 60, 5)
    short = (hour - 1) % 12 + 1
    half = "am" if hour < 12 else "pm"
    if source.clock == 0:
        return f"{hour:02d}:{minute:02d}"
    if source.clock == 1:
        return f"{short}.{minute:02d} {half}"
    if source.clock == 2:
        return f"{hour}.{minute:02d}"
    if source.clock == 3:
        return f"{short} {half}" if minute < 30 else f"{short}.30 {half}"
    part = rng.randrange(4)
    later = _HOURS[hour % 12]
    this = _HOURS[short - 1]
    return (f"{this} o'clock", f"quarter past {this}", f"half past {this}", f"quarter to {later}")[part]


def _date(source: Source) -> str:
    rng = source.rng
    day, month = rng.randint(1, 28), rng.choice(_MONTHS)
    if rng.random() < 0.7:
        return f"{day} {month}"
    end = "th" if 10 < day < 20 else {1: "st", 2: "nd", 3: "rd"}.get(day % 10, "th")
    return f"{day}{end} {month}" if rng.random() < 0.5 else f"the {day}{end} of {month}"


def _code(source: Source) -> str:
    rng = source.rng
    if rng.random() < 0.75:
        return names.code(rng)
    letters = "".join(rng.choice("ABCDEFGHKLMNPRSTVWXZ") for _ in range(rng.randint(2, 3)))
    return f"{letters}-{rng.randrange(10, 9999)}-{rng.choice('ABCDEFGHKX')}"


def _phone(source: Source) -> str:
    rng = source.rng
    if rng.random() < 0.5:
        return f"0{rng.randrange(1000, 9999)} {rng.randrange(100000, 999999)}"
    return f"{rng.randrange(100, 999)} {rng.randrange(1000, 9999)}"


_KINDS: dict[str, Callable[..., str]] = {
    "person": person,
    "first": _first,
    "surname": surname,
    "town": _town,
    "thing": lambda source: names.thing(source.rng),
    "firm": _firm,
    "street": _street,
    "code": _code,
    "phone": _phone,
    "int": _integer,
    "step": _step,
    "few": _few,
    "price": _price,
    "time": _time,
    "date": _date,
    "weekday": lambda source: source.rng.choice(_WEEKDAYS),
    "month": lambda source: source.rng.choice(_MONTHS),
    "year": _integer,
}
