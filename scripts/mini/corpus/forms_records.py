"""Record types of `forms`: their fields, how records are written down, and the sentences that say what they say."""

from __future__ import annotations

import json
import random
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cache

from scripts.mini.corpus.document import bank, reserved
from scripts.mini.corpus.forms_text import Parts, YesNo, capital, fill, lines, parse, resolve, slots, unwrapped
from scripts.mini.corpus.forms_values import Values

PARTS = ("forms_records_1", "forms_records_2", "forms_records_3", "forms_records_4")
REGISTERS = ("plain", "formal", "chatty")
Record = dict[str, str]


@dataclass(frozen=True)
class Field:
    """A field of a record type: names it goes by, kind of value, and lines about it alone."""

    name: str
    keys: tuple[str, ...]
    spec: str
    optional: bool
    ask: tuple[Parts, ...]
    say: tuple[Parts, ...]  # in reply to a question
    tell: tuple[Parts, ...]  # the same without those that begin with yes or no
    short: tuple[Parts, ...]


@dataclass(frozen=True)
class RecordType:
    """What a kind of record holds and how it is put into words."""

    name: str
    cues: tuple[str, ...]
    texts: tuple[str, ...]
    reader: str
    fields: dict[str, Field]
    bodies: dict[str, tuple[Parts, ...]]
    context: tuple[Parts, ...]

    def record(self, values: Values, every: bool = False) -> Record:
        """Values for the fields that always are there and for some of the others."""
        rng = values.rng
        share = rng.choice((0.15, 0.5, 0.8))
        chosen = (one for one in self.fields.values() if every or not one.optional or rng.random() < share)
        return {one.name: values.draw(one.spec) for one in chosen}


@dataclass
class Wording:
    """One way to put records of a type into words; choices are made when first needed and then stay."""

    kind: RecordType
    register: str
    rng: random.Random
    body: Parts = ()
    said: dict[tuple[str, str], Parts] = field(default_factory=dict)

    def text(self, record: Record) -> str:
        """All fields in running text."""
        self.body = self.body or resolve(self.rng.choice(self.kind.bodies[self.register]), self.rng)
        told = _told(self.body, record)
        rest = [self.say(name, record) for name in record if name not in told]
        return capital(" ".join([fill(self.body, record), *rest]))

    def say(self, name: str, record: Record, way: str = "tell") -> str:
        """One field, as a sentence: `way` is "tell", "say" (in reply) or "short"."""
        if (name, way) not in self.said:
            self.said[name, way] = resolve(self.rng.choice(getattr(self.kind.fields[name], way)), self.rng)
        text = fill(self.said[name, way], record)
        return text if way == "short" else capital(text)


def _told(body: Parts, record: Mapping[str, str]) -> set[str]:
    """Fields that `body` tells of `record`."""
    return {name for part in body for name in slots((part,)) if slots((part,)) <= record.keys()}


@cache
def types(held_out: bool) -> tuple[RecordType, ...]:
    """Record types; every tenth is kept for `held_out`."""
    raw = [one for part in PARTS for one in bank(part)]
    return tuple(_type(one) for one in reserved(raw, held_out))


def _type(raw: dict[str, object]) -> RecordType:
    fields, about = raw["fields"], raw["lines"]
    assert isinstance(fields, dict)
    assert isinstance(about, dict)
    more = bank("forms_records_more")[raw["name"]]
    return RecordType(
        str(raw["name"]),
        _names(str(raw["cues"])),
        _names(str(raw["texts"])),
        str(raw["reader"]),
        {key.rstrip("?"): _field(key, text, about[key.rstrip("?")]) for key, text in fields.items()},
        {register: _parsed(str(raw[register]) + "\n" + more.get(register, "")) for register in REGISTERS},
        _parsed(str(raw["context"])),
    )


def _field(key: str, text: str, about: str) -> Field:
    keys, _, spec = text.partition(" | ")
    found = {sign: tuple(parse(line[2:]) for line in unwrapped(about) if line[:2] == sign + " ") for sign in "?-~"}
    tell = tuple(parts for parts in found["-"] if not _is_reply(parts))
    return Field(key.rstrip("?"), _names(keys), spec, key.endswith("?"), found["?"], found["-"], tell, found["~"])


def _is_reply(parts: Parts) -> bool:
    return isinstance(parts[0], YesNo) and str(parts[0].yes[0]).startswith(("Yes", "No,", "Careful"))


def _parsed(text: str) -> tuple[Parts, ...]:
    return tuple(lines(text))


def _names(text: str) -> tuple[str, ...]:
    return tuple(text.split(" / "))


@dataclass(frozen=True)
class Format:
    """How the records of one document are written down."""

    write: Callable[[Sequence[tuple[str, str]]], str]
    case: Callable[[str], str]
    lines: bool


def record_format(rng: random.Random) -> Format:
    """A format drawn at random; two in five are lines or bars of "key: value"."""
    number = rng.choice((0, 0, 0, 1, 1, 2, 2, *range(3, len(_WRITERS))))
    case = rng.choice((str, str, str.capitalize, str.capitalize, str.upper, str.title, _snake))
    return Format(_WRITERS[number], case, number in _ON_LINES)


def _snake(text: str) -> str:
    return text.replace(" ", "_").replace("'", "").replace(".", "")


def _joined(between: str, pattern: str) -> Callable[[Sequence[tuple[str, str]]], str]:
    key, value, end = pattern.partition("{k}")[0], pattern.partition("{k}")[2].partition("{v}")[0], ""
    end = pattern.partition("{v}")[2]
    return lambda pairs: between.join(key + k + value + v + end for k, v in pairs)


def _values_only(between: str) -> Callable[[Sequence[tuple[str, str]]], str]:
    return lambda pairs: between.join(v for _, v in pairs)


def _table(pairs: Sequence[tuple[str, str]]) -> str:
    return "| " + " | ".join(k for k, _ in pairs) + " |\n| " + " | ".join(v for _, v in pairs) + " |"


_WRITERS: tuple[Callable[[Sequence[tuple[str, str]]], str], ...] = (
    _joined("\n", "{k}: {v}"),
    _joined(" | ", "{k}: {v}"),
    _joined("; ", "{k}: {v}"),
    _joined("; ", "{k} {v}"),
    _joined(", ", "{k} {v}"),
    _joined(", ", "{k}={v}"),
    _joined(" ", '{k}="{v}"'),
    _joined("\n", "- {k}: {v}"),
    _joined("\n", "{k} = {v}"),
    _joined("; ", "{k} = {v}"),
    _joined(", ", "{k}({v})"),
    _joined(" / ", "{k}: {v}"),
    _joined(" ", "<{k}> {v}"),
    _joined(", ", "{k}: {v}"),
    _joined("\n", "* {k} - {v}"),
    _joined(" | ", "{k} | {v}"),
    _joined("\n", "{k}\t{v}"),
    _values_only(", "),
    _values_only(" | "),
    _values_only("; "),
    _values_only("\n"),
    _values_only(" / "),
    lambda pairs: json.dumps(dict(pairs), ensure_ascii=False),
    _table,
)
_ON_LINES = {0, 7, 8, 14, 16, 20, 23}
