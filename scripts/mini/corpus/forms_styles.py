"""Ways of writing of `forms`: what stands before and after a text, and what shape the text has."""

from __future__ import annotations

import random
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import cache

from scripts.mini.corpus.document import bank, reserved
from scripts.mini.corpus.forms_records import REGISTERS, Record, Wording
from scripts.mini.corpus.forms_text import Parts, capital, fill, lines, resolve, slots
from scripts.mini.corpus.forms_values import WEEKDAYS, Values

KINDS = {
    "plain": 16, "letter": 15, "chatty": 12, "telegram": 9, "notice": 9, "formula": 22, "numbered": 8, "sorry": 9,
}  # fmt: skip
_FRAME = {
    "letter": ("letter_open", "letter_close"),
    "chatty": ("chatty_open", "chatty_close"),
    "notice": ("notice_head", "notice_end"),
    "formula": ("formula_open", "formula_close"),
    "sorry": ("sorry_open", "sorry_close"),
}
_ROMAN = ("i", "ii", "iii", "iv", "v", "vi", "vii", "viii", "ix", "x")
_ORDINALS = ("First", "Second", "Third", "Fourth", "Fifth", "Sixth", "Seventh", "Eighth", "Ninth", "Tenth")
_MARKERS: tuple[Callable[[int], str], ...] = (
    lambda i: f"{i + 1}. ",
    lambda i: f"{i + 1}) ",
    lambda i: f"({i + 1}) ",
    lambda i: f"{'abcdefghij'[i]}) ",
    lambda i: "- ",
    lambda i: "* ",
    lambda i: f"{_ROMAN[i]}. ",
    lambda i: f"#{i + 1} ",
    lambda i: f"{_ORDINALS[i]}: ",
    lambda i: f"Point {i + 1}: ",
)
_STOPS = (" STOP ", " STOP ", ". ", " - ", ", ", " / ", "; ", " + ", " // ", " ... ")


@dataclass
class Style:
    """How all texts of a document are written; `fixed` holds the names in the frame, `joint` parts frame and text."""

    kind: str
    register: str
    opening: Parts
    closing: Parts
    fixed: Mapping[str, str]
    joint: str
    marker: Callable[[int], str]
    stop: str
    upper: bool
    addressed: bool

    def describe(self, wording: Wording, record: Record, to: str) -> str:
        """All of `record` in this style."""
        if self.kind == "telegram":
            return self.write([wording.say(name, record, "short") for name in record], to)
        if self.kind == "numbered":
            return self.write([wording.say(name, record) for name in record], to)
        return self.write([wording.text(record)], to)

    def write(self, texts: Sequence[str], to: str) -> str:
        """`texts` joined and framed."""
        text = " ".join(texts)
        if self.kind == "telegram":
            text = self.stop.join(each.rstrip(".") for each in texts) + (" STOP" if self.stop == " STOP " else ".")
        elif self.kind == "numbered" and len(texts) > 1:
            text = self.joint.join(self.marker(i) + each for i, each in enumerate(texts))
        elif self.kind != "numbered":
            text = capital(text)
        text = text.upper() if self.upper else text
        values = {**self.fixed, "to": to}
        framed = (capital(fill(self.opening, values)), text, capital(fill(self.closing, values)))
        return self.joint.join(part for part in framed if part)

    def names(self) -> frozenset[str]:
        """Which of the fixed names the frame uses."""
        return slots(self.opening) | slots(self.closing)


def style(values: Values, held_out: bool, reader: str, kind: str = "") -> Style:
    """A style drawn at random, of a `kind` if it is given."""
    rng = values.rng
    kind = kind or rng.choices(tuple(KINDS), tuple(KINDS.values()))[0]
    opening, closing = _frame(rng, kind, held_out)
    register = {"letter": "formal", "sorry": "formal", "chatty": "chatty"}.get(kind, "plain")
    if kind == "formula":
        register = rng.choice(REGISTERS)
    return Style(
        kind,
        register,
        opening,
        closing,
        _fixed(values, reader) if opening or closing else {},
        "\n" if rng.random() < (0.5 if kind in ("letter", "numbered", "notice") else 0.2) else " ",
        rng.choice(_MARKERS),
        rng.choice(_STOPS),
        kind == "notice" or (kind == "telegram" and rng.random() < 0.6),
        "to" in slots(opening) | slots(closing),
    )


def entries(name: str, held_out: bool) -> Sequence[Parts]:
    """The lines of a bank of styles or instructions."""
    return _entries(name, held_out)


def cues(name: str, held_out: bool) -> Sequence[str]:
    """The words of a bank of cues."""
    return _cues(name, held_out)


def drawn(name: str, rng: random.Random, held_out: bool) -> Parts:
    """One line with its choices made."""
    return resolve(rng.choice(_entries(name, held_out)), rng)


def _frame(rng: random.Random, kind: str, held_out: bool) -> tuple[Parts, Parts]:
    if kind not in _FRAME:
        return (), ()
    first, last = _FRAME[kind]
    if kind == "letter" and rng.random() < 0.35:
        first = "letter_open_all"
    opening, closing = drawn(first, rng, held_out), drawn(last, rng, held_out)
    roll = rng.random()
    if kind in ("chatty", "notice", "sorry", "formula") and roll < 0.3:  # only one of the two
        return (opening, ()) if roll < 0.15 else ((), closing)
    return opening, closing


def _fixed(values: Values, reader: str) -> dict[str, str]:
    rng = values.rng
    place, thing = values.draw("place"), values.draw("thing")
    named = {"place": place, "thing": thing, "last": values.last(), "surname": values.last()}
    named |= {"department": values.pick("department"), "colour": values.pick("colour")}
    return {
        "reader": reader,
        "town": place,
        "thing": thing,
        "day": rng.choice(WEEKDAYS),
        "n": str(rng.randint(2, 999)),
        "word": values.pick("noun"),
        "word2": values.pick("noun"),
        "sender": values.first() if rng.random() < 0.5 else f"{values.first()} {named['last']}",
        "org": fill(rng.choice(_entries("orgs", False)), named),
        "team": fill(rng.choice(_entries("teams", False)), named),
    }


@cache
def _entries(name: str, held_out: bool) -> Sequence[Parts]:
    for source in ("forms_styles", "forms_instructions"):
        if name in bank(source):
            return reserved(lines(bank(source)[name]), held_out)
    raise KeyError(name)


@cache
def _cues(name: str, held_out: bool) -> Sequence[str]:
    return reserved([cue.strip() for cue in bank("forms_styles")[name].split(";")], held_out)
