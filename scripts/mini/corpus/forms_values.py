"""Values of records and messy texts: names, dates, times, sums, numbers and words, drawn as banks ask for them."""

from __future__ import annotations

import random
from collections.abc import Callable
from datetime import date
from functools import cache

from scripts.mini.corpus import names
from scripts.mini.corpus.document import bank
from scripts.mini.corpus.forms_text import NUMBERS, fill, parse, resolve, slots

WEEKDAYS = ("Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday", "Sunday")
_MONTHS = "January February March April May June July August September October November December"
MONTHS = tuple(_MONTHS.split())
_START = date(2018, 1, 1).toordinal()
_MONEY = ("£{}",) * 6 + ("{} pounds", "${}", "€{}", "{} euros", "{} crowns", "{} dollars")

Make = Callable[["Values"], str]


class Values:
    """Draws values; how dates, times and sums are written stays the same for one document."""

    def __init__(self, rng: random.Random) -> None:
        self.rng = rng
        self.dates = rng.randrange(8)
        self.clock = rng.randrange(6)
        self.money = rng.choice(_MONEY)
        self.real = rng.choice((0.1, 0.5, 0.9))  # share of names that there are
        self.day = self.minute = 0

    def draw(self, spec: str) -> str:
        """A value as `spec` asks, such as "person", "int 2 9" or "= {surname} Hall / room {int 1 9}"."""
        return make(spec)(self)

    def pick(self, name: str) -> str:
        """An entry of the word bank `name`."""
        entries = words(name)
        return entries[int(self.rng.random() * len(entries))]

    def first(self) -> str:
        """A first name."""
        if self.rng.random() < self.real:
            return self.pick("women" if self.rng.random() < 0.5 else "men")
        return names.person(self.rng)

    def last(self) -> str:
        """A family name."""
        return self.pick("last") if self.rng.random() < self.real else names.surname(self.rng)

    def town(self) -> str:
        """A town, made up or not."""
        return self.pick("towns") if self.rng.random() < self.real else names.place(self.rng)

    def new_day(self, after: int | None = None) -> str:
        """A date, or one that many days after the last."""
        self.day = self.day + after if after is not None else _START + int(self.rng.random() * 3400)
        return say_date(date.fromordinal(self.day), self.dates)

    def new_time(self, low: int = 7, high: int = 21, after: int | None = None) -> str:
        """A time of day in the hours from `low` to `high`, or one that many minutes after the last."""
        if after is not None:
            self.minute = (self.minute + after) % 1440
        else:
            odd = 5 * self.rng.randrange(3) if self.rng.random() < 0.3 else 0
            self.minute = 15 * self.rng.randrange(4 * low, 4 * high + 1) + odd
        return say_time(self.minute, self.clock)

    def price(self, low: int, high: int) -> str:
        """A sum of money."""
        whole = self.rng.randint(low, high)
        text = str(whole) if self.rng.random() < 0.55 else f"{whole}.{self.rng.choice((50, 20, 80, 95, 25, 99))}"
        return self.money.format(text)


def say_date(day: date, way: int) -> str:
    """`day` in one of eight ways, the first four without the year."""
    month, weekday = MONTHS[day.month - 1], WEEKDAYS[day.weekday()]
    if way < 2:
        return f"{weekday} {day.day} {month}" if way else f"{day.day} {month}"
    if way < 4:
        return f"{weekday}, {month} {day.day}" if way == 2 else f"{month} {day.day}"
    if way < 6:
        return f"{day.day} {month} {day.year}"
    return f"{day.day:02}/{day.month:02}/{day.year}" if way == 6 else day.isoformat()


def say_time(minute: int, way: int) -> str:
    """A time of day in one of six ways."""
    hour, rest = divmod(minute, 60)
    if way == 0:
        return f"{hour:02}:{rest:02}"
    if way == 1:
        return f"{hour}.{rest:02}"
    if way == 5 and rest in (0, 30):  # in words, which leaves out whether it is morning
        spoken = NUMBERS[(hour + 11) % 12 + 1]
        return f"half past {spoken}" if rest else f"{spoken} o'clock"
    half, hour = ("am" if hour < 12 else "pm"), (hour + 11) % 12 + 1
    if way == 2 and not rest:
        return f"{hour} {half}"
    return f"{hour}.{rest:02} {half}" if way < 4 else f"{hour}:{rest:02}{half}"


@cache
def words(name: str) -> list[str]:
    """The entries of a word bank."""
    return [entry.strip() for entry in str(bank("forms_words")[name]).split(";")]


@cache
def make(spec: str) -> Make:
    """The function that draws what `spec` asks for; raises KeyError for a bank that is not there."""
    if spec.startswith("= "):
        options = tuple(_composed(option) for option in spec[2:].split(" / "))
        return lambda values: options[int(values.rng.random() * len(options))](values)
    name, *limits = spec.split()
    if name in _KINDS:
        kind, numbers = _KINDS[name], tuple(map(int, limits))
        return lambda values: kind(values, *numbers)
    words(spec)
    return lambda values: values.pick(spec)


def _composed(option: str) -> Make:
    parts = parse(option)
    needed = [(name, make(name)) for name in slots(parts)]
    if not needed:
        return lambda values: option
    needed.sort()
    if sum(option.lower().count("{" + name + "}") for name, _ in needed) > len(needed):  # a kind twice: draw twice
        return lambda values: "".join(
            fill((part,), {} if isinstance(part, str) else {name: draw(values) for name, draw in needed})
            for part in parts
        )
    return lambda values: fill(resolve(parts, values.rng), {name: draw(values) for name, draw in needed})


_KINDS: dict[str, Callable[..., str]] = {
    "person": lambda values: f"{values.first()} {values.last()}",
    "first": Values.first,
    "surname": Values.last,
    "place": lambda values: names.place(values.rng),
    "town": Values.town,
    "thing": lambda values: names.thing(values.rng),
    "code": lambda values: names.code(values.rng),
    "date": Values.new_day,
    "later": lambda values, low, high: values.new_day(values.rng.randint(low, high)),
    "time": Values.new_time,
    "until": lambda values, low, high: values.new_time(after=5 * values.rng.randint(low // 5, high // 5)),
    "day": lambda values: values.rng.choice(WEEKDAYS),
    "int": lambda values, low, high: str(values.rng.randint(low, high)),
    "year": lambda values, low, high: str(values.rng.randint(low, high)),
    "price": Values.price,
    "yesno": lambda values: "yes" if values.rng.random() < 0.5 else "no",
}
