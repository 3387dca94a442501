"""How a paper of invoice-fields is written, and what a scanner or a hurried hand did to it."""

from __future__ import annotations

import random
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import date
from typing import Any

from scripts.tasks.company.noise import careless, typo

SLOT = re.compile(r"\{(\w+)\}")
DATES = ("odate", "ddate", "pdate", "ndate", "due", "sent")
MONEY = ("goods", "car", "net", "vat", "dep", "bal", "early", "unit", "parts", "labour", "wrong")
_KIND_OF_DATE = {"mail": "written", "chat": "short", "local": "local"}  # other styles are printed
_LINE_ENDS = {"mail": ["\n"], "table": ["\n", "\n", " / "], "scan": ["\n", "\n", "\n", " | ", " / "]}
_SCANNED = {"scan": 1.0, "ticket": 0.4, "note": 0.4, "local": 0.4}  # share of a style's rows that are bad scans


@dataclass(frozen=True)
class Layout:
    """One text with slots, its style, and the words after the style in its key: countries, or `kr`."""

    name: str
    style: str
    tags: tuple[str, ...]
    text: str


@dataclass(frozen=True)
class Paper:
    """What is true of one paper: everything that a slot may show."""

    supplier: str
    country: str
    currency: str
    numbers: Mapping[str, str]
    dates: Mapping[str, date]
    pence: Mapping[str, int]
    words: Mapping[str, str]


def render(template: str, layout: Layout, paper: Paper, split: str, bank: Mapping[str, Any], rng: random.Random) -> str:
    """The text of a row: lines joined, slots filled, then what a scanner or a hurried hand did to it."""
    style = layout.style
    scanned = rng.random() < _SCANNED.get(style, 0)
    hurried = rng.random() < {"chat": 0.6, "mail": 0.12}.get(style, 0)
    mistyped = 0.05 if rng.random() < {"chat": 0.6, "mail": 0.3}.get(style, 0) else 0.0
    formal = style != "chat" and not hurried
    values = slot_values(layout, paper, split, bank, rng)
    values["sup"] = supplier_text(paper, formal, scanned, bank, rng)
    if scanned:
        values = {name: smudged(name, value, rng) for name, value in values.items()}
    soil = scan_words(rng) if scanned else lambda words: typo(words, rng, mistyped)
    ends = rng.choice(_LINE_ENDS.get(style, ["\n", " / "]))
    lines = (fill(line, values, soil) for line in template.split(" // "))
    text = ends.join(lines).replace("..", ".")
    text = text if style == "chat" else text[0].upper() + text[1:]
    return careless(text, rng) if hurried else text


def fill(line: str, values: Mapping[str, str], soil: Callable[[str], str]) -> str:
    """`line` with its slots filled; `soil` goes over the words between them alone."""
    parts = SLOT.split(line)  # words, slot, words, slot, …, words
    return "".join(values[part] if i % 2 else soil(part) for i, part in enumerate(parts))


def slot_values(
    layout: Layout, paper: Paper, split: str, bank: Mapping[str, Any], rng: random.Random
) -> dict[str, str]:
    """Every slot's text; all dates and amounts of one paper are written the same way."""
    kind = "kroner_styles" if "kr" in layout.tags else "local_styles" if layout.style == "local" else "amount_styles"
    around, how = rng.choice(bank[kind][paper.currency])
    short = rng.random() < 0.5
    figures = {name: figure(pence, how, short) for name, pence in paper.pence.items()}
    way = rng.choice(bank["date_styles"][split][_KIND_OF_DATE.get(layout.style, "printed")])
    day = paper.dates["date"]
    return {
        **paper.words,
        **paper.numbers,
        **{name: date_text(when, way, paper.country, bank) for name, when in paper.dates.items()},
        **{name: around.replace("{}", text) for name, text in figures.items()},
        **{f"{name}0": text for name, text in figures.items()},
        "dny": f"{day.day} {bank['months']['en'][day.month - 1]}",
    }


def figure(pence: int, how: str, short: bool) -> str:
    """An amount in digits; `short` leaves out noughts after the point, and points between thousands with them."""
    whole, part = divmod(pence, 100)
    if not part and how == "dash":
        return f"{whole},-"
    if not part and short:
        return f"{whole:,}" if how == "pound" else str(whole)  # abroad 1.184 and 1,184 could be one and a bit
    groups = {
        "pound": f"{whole:,}",
        "en": f"{whole:,}",
        "eu": f"{whole:,}".replace(",", "."),
        "gap": f"{whole:,}".replace(",", " "),
    }
    point = "." if how in ("pound", "en", "plain") else ","
    return f"{groups.get(how, whole)}{point}{part:02d}"


def date_text(day: date, way: str, country: str, bank: Mapping[str, Any]) -> str:
    """`day` as `way` has it; day before month wherever the month is a number."""
    d, m, y = day.day, day.month, day.year
    month, weekday = bank["months"]["en"][m - 1], bank["weekdays"][day.weekday()]
    nth = f"{d}{'th' if 11 <= d <= 13 else {1: 'st', 2: 'nd', 3: 'rd'}.get(d % 10, 'th')}"
    if way == "local":
        ordinal = {"NL": f"{d}", "FR": "1er" if d == 1 else f"{d}"}.get(country, f"{d}.")
        return f"{ordinal} {bank['months'][country][m - 1]} {y}"
    form: str = bank["date_forms"][way]
    return form.format(
        d=d, m=m, y=y, yy=y % 100, nth=nth, month=month, mon=month[:3], MON=month[:3].upper(), day=weekday
    )


def supplier_text(paper: Paper, formal: bool, scanned: bool, bank: Mapping[str, Any], rng: random.Random) -> str:
    """The supplier's name as it stands in the text: at times with its legal form, in scans in odd capitals."""
    name = paper.supplier
    if formal and rng.random() < 0.25:
        name = f"{name} {rng.choice(bank['countries'][paper.country]['legal'])}"
    if not scanned:
        return name
    manner = rng.choice(["same", "same", "upper", "upper", "mixed", "spaced"])
    if manner == "spaced" and len(paper.supplier) <= 16:
        return "   ".join(" ".join(word) for word in paper.supplier.upper().split())
    if manner == "mixed":
        return "".join(letter.lower() if rng.random() < 0.3 else letter for letter in name.upper())
    return name.upper() if manner == "upper" else name


def smudged(slot: str, value: str, rng: random.Random) -> str:
    """A value as a bad scan has it: blanks around its signs, letters that look like digits."""
    if slot == "num" and rng.random() < 0.3:
        return re.sub(r"([/.-])", r" \1 ", value)
    if slot in ("date", *DATES) and rng.random() < 0.3:
        value = re.sub(r"(?<=\d)([/.-])(?=\d)", r" \1 ", value)
    if slot.removesuffix("0") in ("date", "total", *DATES, *MONEY) and rng.random() < 0.12:
        digit, letter = rng.choice([("0", "O"), ("1", "l")])
        value = value.replace(digit, letter, 1)
    return value


def scan_words(rng: random.Random) -> Callable[[str], str]:
    """What one scan does to plain words: its capitals, words torn apart, words run together, specks."""
    capitals = rng.choice(["same", "same", "upper", "odd"])
    broken = rng.choice([0.0, 0.08, 0.15])

    def word_of(word: str) -> str:
        if capitals == "upper" or (capitals == "odd" and rng.random() < 0.4):
            word = word.upper()
        if len(word) >= 5 and word.isalpha() and rng.random() < broken:
            at = rng.randrange(2, len(word) - 1)
            word = f"{word[:at]} {word[at:]}"
        return f"{word} ~" if word.isalpha() and rng.random() < broken / 5 else word

    def soil(text: str) -> str:
        text = " ".join(word_of(word) for word in text.split(" "))
        return re.sub(r"(?<=[a-z]) (?=[A-Z][a-z])", "", text, count=1) if rng.random() < broken else text

    return soil
