"""Data to text: records, messages about them, and texts that say what the records say, all in one style."""

from __future__ import annotations

import random
from collections.abc import Sequence
from dataclasses import dataclass, field

from scripts.mini.corpus.document import Document
from scripts.mini.corpus.forms_records import Format, Record, RecordType, Wording, record_format, types
from scripts.mini.corpus.forms_styles import Style, cues, drawn, style
from scripts.mini.corpus.forms_text import capital, fill, resolve, slots
from scripts.mini.corpus.forms_values import Values
from scripts.tasks.company.noise import careless, typo

_ADDRESSEE = "@to"  # beside the names of fields, which may be "to"
LONGEST = 1500  # characters after which no demonstration is added
_TO = ("first", "person", "= Mr {surname} / Mrs {surname} / Ms {surname} / Mr {last} / Mrs {last}")
_SHAPES: tuple[str, ...] = ("{cue}: {record}\n{label}:",) * 5 + ("{record}\n{label}:",) * 2
_SHAPES += ("{record} ->", "{record} =>", "{record}\n=>", "{cue}\n{record}\n{label}\n", "[{cue}] {record}\n{label}:\n")
_SHAPES += ("{cue} - {record}\n{label} -", "<{cue}> {record}\n<{label}>", "{CUE}: {record}\n{LABEL}:")
_BETWEEN: tuple[str, ...] = ("\n\n",) * 9 + ("\n---\n", "\n\n###\n\n", "\n\n\n")


@dataclass
class Sheet:
    """What stays the same all through one document."""

    values: Values
    held_out: bool
    style: Style
    format: Format
    shape: str
    cue: str
    label: str
    message_cue: str
    record_first: bool
    to_spec: str
    frozen: bool
    order: float  # below 0.1 a new order for every record, below 0.35 one for all
    wordings: dict[str, Wording] = field(default_factory=dict)
    keys: dict[str, dict[str, str]] = field(default_factory=dict)
    unknown: str = ""

    def wording(self, kind: RecordType) -> Wording:
        """How records of a type are put into words: always the same, or each time anew."""
        if self.frozen and kind.name in self.wordings:
            return self.wordings[kind.name]
        self.wordings[kind.name] = Wording(kind, self.style.register, self.values.rng)
        return self.wordings[kind.name]

    def shown(self, kind: RecordType, record: Record, to: str) -> str:
        """A record as it is written down; `to` is who the text is for, if the record says it."""
        rng = self.values.rng
        keys = self.keys.setdefault(kind.name, self._keys(kind))
        pairs = [(keys[name], record[name]) for name in keys if name in record]
        if to:
            pairs.insert(0 if self.order < 0.7 else len(pairs), (keys[_ADDRESSEE], to))
        if self.order < 0.1:
            rng.shuffle(pairs)
        return self.format.write(pairs)

    def _keys(self, kind: RecordType) -> dict[str, str]:
        rng, used = self.values.rng, set[str]()
        found = {}
        options = [*((one.name, one.keys) for one in kind.fields.values()), (_ADDRESSEE, cues("to_keys", False))]
        if 0.1 < self.order < 0.35:
            rng.shuffle(options)
        for name, keys in options:
            free = [key for key in keys if key not in used] or [f"{name} 2"]
            found[name] = rng.choice(free)
            used.add(found[name])
        return {name: self.format.case(key) for name, key in found.items()}

    def framed(self, first: str, second: str = "") -> str:
        """A block up to where its text comes; `second` is the record where `first` is a message."""
        if second:
            message, data = f"{self.message_cue}: {first}", f"{self.cue}:{_below(second, ' ')}"
            return "\n".join((data, message) if self.record_first else (message, data)) + f"\n{self.label}:"
        shape = self.shape.replace("{LABEL}", self.label.upper()).replace("{CUE}", self.cue.upper())
        shape = shape.replace("{label}", self.label).replace("{cue}", self.cue)
        return shape.replace(" {record}", "{record}" if "\n" in first else " {record}").replace(
            "{record}", first if "\n{record}" in shape or shape.startswith("{record}") else _below(first)
        )


def writing(rng: random.Random, held_out: bool) -> Document:
    """Records, or messages about records, and their texts."""
    replies = rng.random() < 0.38
    shots = rng.choice((0, 0, 1, 1, 2, 2, 2, 3, 3, 3, 4))
    values, pool = Values(rng), types(held_out)
    kind = rng.choice(pool)
    others = pool if rng.random() < 0.2 and shots else (kind,)
    sheet = _sheet(values, held_out, kind, len(others) > 1, shots)
    if replies:
        sheet.label = rng.choice(cues("reply_cues", held_out))
    document = Document()
    if rng.random() < 0.75 or not shots:
        document.given(_instruction(sheet, None if len(others) > 1 else kind, replies, shots) + "\n\n")
    between = rng.choice(_BETWEEN) if rng.random() < 0.5 else "\n\n"
    blocks = shots + rng.choice((1, 1, 1, 2))
    for i in range(blocks):
        last = i == blocks - 1 or len(document.text) > LONGEST
        asked, text = _block(sheet, rng.choice(others), replies)
        document.given(asked).answer(("" if asked.endswith("\n") else " ") + text + ("" if last else between))
        if last:
            break
    return document


def probe(rng: random.Random, shots: int) -> tuple[Document, str]:
    """A record of a held-out type up to where its text comes, after `shots` others in one style; the right text."""
    values = Values(rng)
    kind = rng.choice(types(True))
    sheet = _sheet(values, True, kind, False, shots, "formula")
    sheet.frozen, sheet.order, sheet.shape = True, 1.0, _SHAPES[0]
    document = Document().given("Write a short text from the record.\n\n")
    names = kind.record(values).keys()
    for i in range(shots + 1):
        record = {name: value for name, value in kind.record(values, every=True).items() if name in names}
        asked, text = _described(sheet, kind, record)
        document.given(asked)
        if i == shots:
            return document, text
        document.answer(f" {text}\n\n")
    raise AssertionError


def _sheet(values: Values, held_out: bool, kind: RecordType, mixed: bool, shots: int, way: str = "") -> Sheet:
    rng = values.rng
    chosen = style(values, held_out, "reader" if mixed else kind.reader, way)
    while not shots and chosen.kind == "formula" and chosen.addressed and not way:
        chosen = style(values, held_out, kind.reader)
    own = 0.0 if mixed else 0.5
    return Sheet(
        values,
        held_out,
        chosen,
        record_format(rng),
        rng.choice(_SHAPES) if rng.random() < 0.5 else _SHAPES[0],
        rng.choice(kind.cues) if rng.random() < own else rng.choice(cues("input_cues", held_out)),
        rng.choice(kind.texts) if rng.random() < own else rng.choice(cues("text_cues", held_out)),
        capital(kind.reader) if rng.random() < own / 3 else rng.choice(cues("message_cues", held_out)),
        rng.random() < 0.35,
        rng.choice(_TO),
        rng.random() < 0.62,
        rng.random(),
    )


def _instruction(sheet: Sheet, kind: RecordType | None, replies: bool, shots: int) -> str:
    """What is to be done; `kind` is None where the records are of several types."""
    rng, chosen = sheet.values.rng, sheet.style
    about = {"type": "record", "reader": "reader", "text": rng.choice(("text", "message"))}
    if kind:
        text = sheet.label if sheet.label in kind.texts else rng.choice(kind.texts)
        about = {"type": kind.name, "reader": kind.reader, "text": text.lower()}
    said = [fill(drawn("reply" if replies else "write", rng, sheet.held_out), about)]
    while chosen.kind in ("telegram", "numbered") and any(
        word in said[0] for word in ("sentence", "fluent", "running")
    ):
        said = [fill(drawn("write", rng, sheet.held_out), about)]
    hinted = rng.random() < (0.35 if shots else 1.0)
    if hinted and chosen.kind != "formula":
        said.append(fill(drawn(chosen.kind, rng, sheet.held_out), about))
    elif hinted and not chosen.addressed and chosen.opening and chosen.closing:
        ends = {"opening": capital(fill(chosen.opening, chosen.fixed))}
        ends["closing"] = capital(fill(chosen.closing, chosen.fixed))
        return said[0] + " " + fill(drawn("formula", rng, sheet.held_out), ends)
    if not shots:
        said += [fill(drawn(one, rng, False), chosen.fixed) for one in sorted(chosen.names()) if one in _SIGNERS]
    return " ".join(said)


_SIGNERS = ("sender", "org", "team", "town")


def _block(sheet: Sheet, kind: RecordType, replies: bool) -> tuple[str, str]:
    return _answered(sheet, kind) if replies else _described(sheet, kind, kind.record(sheet.values))


def _described(sheet: Sheet, kind: RecordType, record: Record) -> tuple[str, str]:
    to = sheet.values.draw(sheet.to_spec) if sheet.style.addressed else ""
    asked = sheet.framed(sheet.shown(kind, record, to))
    names = [name for name in sheet.keys[kind.name] if name in record]  # numbered points keep the record's order
    return asked, sheet.style.describe(sheet.wording(kind), {name: record[name] for name in names}, to)


def _answered(sheet: Sheet, kind: RecordType) -> tuple[str, str]:
    """A message and a record, and the reply that answers from the record."""
    rng, record = sheet.values.rng, kind.record(sheet.values)
    to = sheet.values.draw(sheet.to_spec) if sheet.style.addressed else ""
    signed = bool(to) and rng.random() < 0.5
    missing = [one for one in kind.fields.values() if one.name not in record and one.ask]
    if missing and rng.random() < 0.12:
        sheet.unknown = sheet.unknown or fill(drawn("unknown", rng, sheet.held_out), {})
        asked = [rng.choice(missing).name]
        texts = [sheet.unknown]
    else:
        known = [name for name in record if kind.fields[name].ask]
        asked = rng.sample(known, 2 if rng.random() < 0.25 and len(known) > 1 else 1)
        wording, way = sheet.wording(kind), "short" if sheet.style.kind == "telegram" else "say"
        texts = [wording.say(name, record, way) for name in asked]
    message = _message(sheet, kind, record, asked, to if signed else "")
    return sheet.framed(message, sheet.shown(kind, record, "" if signed else to)), sheet.style.write(texts, to)


def _message(sheet: Sheet, kind: RecordType, record: Record, asked: Sequence[str], name: str) -> str:
    rng, held_out = sheet.values.rng, sheet.held_out
    said = [fill(drawn("greetings", rng, held_out), {})] if rng.random() < 0.4 else []
    contexts = [one for one in kind.context if slots(one) <= record.keys() and not slots(one) & set(asked)]
    if contexts and rng.random() < 0.4:
        said.append(fill(resolve(rng.choice(contexts), rng), record))
    for i, one in enumerate(asked):
        question = fill(resolve(rng.choice(kind.fields[one].ask), rng), record)
        if i or rng.random() < 0.12:
            said.append(fill(drawn("joins" if i else "ask_lead", rng, held_out), {}))
        lower = said and said[-1][-1] not in ".!?" and (i or rng.random() < 0.8)
        said.append(question if lower else capital(question))
    if rng.random() < 0.3:
        said.append(fill(drawn("thanks", rng, held_out), {}))
    return " ".join([_noisy(" ".join(said), rng), name]).strip()


def _noisy(text: str, rng: random.Random) -> str:
    roll = rng.random()
    if roll < 0.1:
        return typo(text, rng, 0.15)
    return careless(text, rng) if roll < 0.18 else text


def _below(record: str, before: str = "") -> str:
    """A record of several lines starts on a line of its own, others after `before`."""
    return ("\n" if "\n" in record else before) + record
