"""Text to fields: messy texts of many layouts, and the fields to be read from them."""

from __future__ import annotations

import json
import random
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import cache

from scripts.mini.corpus.document import Document, reserved
from scripts.mini.corpus.forms_messy import CHANGING, Layout, Read, kinds, read
from scripts.mini.corpus.forms_styles import drawn
from scripts.mini.corpus.forms_text import fill

LONGEST = 1100  # characters after which no demonstration is added
_SHAPES: tuple[str, ...] = ("{cue}:\n{text}\n{label}:",) * 5 + (
    "{text}\n{label}:",
    "{text}\n\n{label}:",
    "[{cue}]\n{text}\n[{label}]\n",
)
_SHAPES += ("{cue}: {text}\n{label}:", "<{cue}>\n{text}\n</{cue}>\n{label}:", "{cue}:\n---\n{text}\n---\n{label}:")
_LABELS = {
    "json": ("JSON", "JSON", "Output", "Fields", "Record", "Object", "Result", "Data", "Extracted"),
    "lines": ("Fields", "Form", "Output", "Record", "Values", "Result", "Filled in", "Data"),
    "bar": ("Fields", "Row", "Output", "Values", "Line", "Result"),
}
Names = dict[str, tuple[str, ...]]
_NONE = ('""', '""', '""', "-", "none", "n/a", "not given", "?", "missing", "unknown")
_FORMS = ("json",) * 9 + ("lines",) * 4 + ("one",) * 5 + ("bar",) * 2


def _camel(text: str) -> str:
    first, *others = text.replace("-", " ").split(" ")
    return first + "".join(word.capitalize() for word in others)


def _snake(text: str) -> str:
    return text.replace(" ", "_").replace("-", "_").replace("'", "")


_CASES: tuple[Callable[[str], str], ...] = (str, str, _snake, _snake, _camel, str.capitalize, str.title, str.upper)


@dataclass
class Sheet:
    """What stays the same all through one document: which fields are read, and how they are written."""

    rng: random.Random
    form: str
    keys: dict[str, str]
    normal: bool
    none: str
    cue: str
    label: str
    shape: str
    bar: str
    doc: str
    layouts: Sequence[Layout]
    changes: bool  # whether a field has another form than it has in the text

    def answer(self, found: Read) -> str:
        """The fields of a text, in the document's form."""
        values = {key: self.value(found, name) for name, key in self.keys.items()}
        if self.form == "json":
            return json.dumps(values, ensure_ascii=False)
        if self.form == "bar":
            return self.bar.join(value or self.none for value in values.values())
        return "\n" + "\n".join(f"{key}: {value or self.none}" for key, value in values.items())

    def value(self, found: Read, name: str) -> str:
        """A field as it is to be written, empty where the text does not have it."""
        shown, normal = found.fields.get(name, ("", ""))
        return normal if self.normal else shown

    def block(self, document: Document, layout: Layout, end: str) -> None:
        """A text and its fields."""
        found = read(layout, self.rng)
        if self.form != "one":
            document.given(self.before(found.text, self.label))
            document.answer(_spaced(document, self.answer(found)) + end)
            return
        for i, (name, key) in enumerate(self.keys.items()):
            document.given("\n" + key + ":" if i else self.before(found.text, key))
            value = self.value(found, name) or self.none
            document.answer(_spaced(document, value) + (end if i == len(self.keys) - 1 else ""))

    def before(self, text: str, label: str) -> str:
        """A text up to where its fields come."""
        shape = self.shape
        if shape.startswith("{cue}: ") and "\n" in text:
            shape = _SHAPES[0]
        return shape.replace("{label}", label).replace("{cue}", self.cue).replace("{text}", text)


def fields(rng: random.Random, held_out: bool) -> Document:
    """Texts and what is read from them."""
    shots = rng.choice((0, 0, 1, 1, 2, 2, 3, 3, 4))
    sheet = _sheet(rng, held_out, shots)
    document = Document()
    if rng.random() < 0.72 or not shots:
        document.given(_instruction(sheet, held_out, bool(shots)) + "\n\n")
    blocks = shots + rng.choice((1, 1, 1, 2))
    same = rng.choice(sheet.layouts) if rng.random() < 0.3 else None
    for i in range(blocks):
        last = i == blocks - 1 or len(document.text) > LONGEST
        sheet.block(document, same or rng.choice(sheet.layouts), "" if last else "\n\n")
        if last:
            break
    return document


def probe(rng: random.Random) -> tuple[Document, str]:
    """Two read texts and one in a held-out layout, up to where its JSON comes; the right JSON."""
    kind = rng.choice(sorted({layout.kind for layout in _layouts(True)}))
    held, known = ([one for one in _layouts(flag) if one.kind == kind] for flag in (True, False))
    sheet = _sheet(rng, False, 2, kind)
    sheet.form, sheet.normal, sheet.shape, sheet.label = "json", True, _SHAPES[0], "JSON"
    document = Document().given(_instruction(sheet, False, False) + "\n\n")
    for _ in range(2):
        sheet.block(document, rng.choice(known), "\n\n")
    found = read(rng.choice(held), rng)
    return document.given(sheet.before(found.text, "JSON")), sheet.answer(found)


def _sheet(rng: random.Random, held_out: bool, shots: int, kind: str = "") -> Sheet:
    pool = _layouts(held_out)
    first = next(one for one in pool if one.kind == kind) if kind else rng.choice(pool)
    layouts: Sequence[Layout] = [one for one in pool if one.kind == first.kind]
    form = rng.choice(_FORMS)
    normal = rng.random() < 0.5
    known = kinds()[first.kind]
    names: Names = {name: spec[0] for name, spec in known.fields.items() if normal or name != "currency"}
    mixed = shots > 1 and not kind and rng.random() < 0.15
    if mixed:
        layouts, names = _mixed(rng, pool, layouts, names)
    number = rng.choice((1, 1, 1, 2, 3)) if form == "one" else rng.choice((2, 3, 3, 4, 4, 5, 6))
    asked = rng.sample(sorted(names), min(number, len(names)))
    case = rng.choice(_CASES)
    own = not mixed and rng.random() < 0.6
    return Sheet(
        rng,
        form,
        _distinct({name: case(rng.choice(names[name])) for name in asked}),
        normal,
        '""' if rng.random() < 0.4 else rng.choice(_NONE),
        rng.choice(known.cues) if own else rng.choice(("Text", "Document", "Input", "Source", "Scan", "Paper")),
        rng.choice(_LABELS.get(form, ("",))),
        rng.choice(_SHAPES) if rng.random() < 0.5 else _SHAPES[0],
        rng.choice((" | ", "; ", ", ", " / ")),
        "text" if mixed else rng.choice(known.docs),
        layouts,
        any(known.fields[name][1].startswith(CHANGING) for name in asked),
    )


def _mixed(
    rng: random.Random, pool: Sequence[Layout], layouts: Sequence[Layout], names: Names
) -> tuple[Sequence[Layout], Names]:
    """Layouts of two or more kinds of text and the fields that all of them know, by plain names."""
    first = layouts[0].kind
    for other in rng.sample(sorted({one.kind for one in pool} - {first}), 2):
        common = names.keys() & kinds()[other].fields.keys()
        if len(common) > 2:
            names = {name: _PLAIN.get(name, (name,)) for name in names if name in common}
            layouts = [*layouts, *(one for one in pool if one.kind == other)]
    return layouts, names


_PLAIN = {"total": ("total", "amount", "sum"), "ref": ("ref", "number", "reference"), "date": ("date", "day")}


def _instruction(sheet: Sheet, held_out: bool, shown: bool) -> str:
    rng = sheet.rng
    bar = sheet.form == "bar"
    keys = list(sheet.keys.values())
    named = ", ".join(keys[:-1]) + (" and " if rng.random() < 0.5 else ", ") + keys[-1] if len(keys) > 1 else keys[0]
    values = {"keys": named, "doc": sheet.doc, "none": sheet.none}
    form = "one" if len(keys) == 1 and sheet.form == "one" else "json" if sheet.form == "json" else "lines"
    said = [fill(drawn(f"fields_{form}", rng, held_out), values)]
    if bar and not shown:
        said.append(f'Put "{sheet.bar.strip()}" between them.')
    if sheet.changes and rng.random() < (0.4 if shown else 1.0) and (sheet.normal or rng.random() < 0.7):
        said.append(fill(drawn("normal" if sheet.normal else "verbatim", rng, held_out), values))
    if sheet.form != "json" and rng.random() < (0.5 if shown or sheet.none == '""' else 1.0):
        said.append(fill(drawn("missing", rng, held_out), values))
    return " ".join(said)


def _distinct(keys: dict[str, str]) -> dict[str, str]:
    """The keys, without those that are there already."""
    found: dict[str, str] = {}
    for name, key in keys.items():
        if key not in found.values():
            found[name] = key
    return found


def _spaced(document: Document, answer: str) -> str:
    """`answer` with the space in front that it needs."""
    starts = answer.startswith("\n") or document.pieces[-1][0].endswith("\n")
    return answer.removeprefix("\n") if document.pieces[-1][0].endswith("\n") else answer if starts else " " + answer


@cache
def _layouts(held_out: bool) -> Sequence[Layout]:
    every = [layout for kind in kinds().values() for layout in kind.layouts]
    return reserved(every, held_out)
