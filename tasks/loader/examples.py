"""Rows become examples: fields, choices, references and gold passages, each cell checked."""

from __future__ import annotations

import unicodedata
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from bench.core.errors import nearest
from bench.core.item import Example, Passage
from bench.core.json_text import parse
from bench.core.quoting import listed, shown
from bench.core.spans import Gold, Span
from tasks.loader.pictures import picture_of
from tasks.loader.problems import Problems
from tasks.loader.row import FILL_IN, Row
from tasks.loader.rows import Table, list_of, missing_column, text_of, text_or_none
from tasks.loader.spec import Corpus, Split, TaskSpec

_INVISIBLE = ("Cc", "Cf")  # control and format characters: zero-width spaces, soft hyphens, marks of direction
_SELECTORS = frozenset(map(chr, range(0xFE00, 0xFE10)))  # variation selectors, as behind an emoji
_GOLD = 'write a list of ids, or of spans such as {"document": "a", "start": 0, "end": 40}'
_TRUE, _FALSE = frozenset({"true", "1", "yes"}), frozenset({"", "false", "0", "no"})
_FLAG = "write true or false"


@dataclass(frozen=True, slots=True)
class Draft:
    """An example on its way: its id comes last, when it is known in which split it ends."""

    example: Example
    row: int
    file: str
    given: str = ""  # the file's own id
    group: str = ""


@dataclass(frozen=True, slots=True)
class Reading:
    """What one split's rows are read with."""

    spec: TaskSpec
    table: Table
    problems: Problems
    labels: Mapping[str, str] | None  # stored -> shown; None where each item has its own choices
    columns: tuple[str, ...]  # those that become fields
    choices: tuple[str, ...] = ()  # the labels as shown, one tuple that all items share
    group_by: str = ""
    folder: Path = Path()  # of the table: paths of pictures are relative to it
    roots: tuple[str, ...] = ()  # folders in which pictures may lie
    decodes: bool = False  # pictures are decoded, to find what is damaged


def shown_labels(labels: Mapping[str, str], words: bool) -> dict[str, str]:
    """Stored label -> shown text; with `words`, underscores and hyphens become spaces."""
    return {stored: as_words(label) if words else label for stored, label in labels.items()}


def as_words(label: str) -> str:
    """A stored name as words: `card_arrival` -> `card arrival`."""
    return " ".join(label.replace("_", " ").replace("-", " ").split())


def skeleton(label: str, fold_case: bool = True) -> str:
    """What a reader sees of a label: without width, invisible signs, spacing and Unicode form; without case."""
    composed = unicodedata.normalize("NFKC", label)
    visible = "".join(c for c in composed if unicodedata.category(c) not in _INVISIBLE and c not in _SELECTORS)
    spaced = " ".join(visible.split())
    return unicodedata.normalize("NFKC", spaced.casefold()) if fold_case else spaced


def select(table: Table, split: Split, problems: Problems) -> Table:
    """The rows whose columns hold the values that `where` names."""
    kept = list(zip(table.numbers, table.rows, strict=True))
    for column, values in split.where.items():
        if missing_column(table, column, "where names", problems):
            return table
        kept = [(number, row) for number, row in kept if text_or_none(row.get(column)) in values]
    if table.rows and not kept:
        wanted = [f"{column} = {listed(values)}" for column, values in split.where.items()]
        problems.add(table.file, f"no row has {' and '.join(wanted)}", "correct where")
    return table.keep(kept)


def has_columns(reading: Reading, gold_needed: bool) -> bool:
    """Whether the table has every column that is needed; each missing one is reported."""
    spec = reading.spec
    needed = dict.fromkeys(spec.columns, "the template names")
    needed |= dict.fromkeys(spec.references, "answer names")
    needed |= {spec.choices_field: "choices_field names", spec.choice_keys: "choice_keys names"}
    needed |= {reading.group_by: "group_by names"}
    if gold_needed:
        needed[spec.gold] = "gold names"
    needed |= {spec.group: "group names"}
    needed |= {spec.refusal.unanswerable: "refusal.unanswerable names"} if spec.refusal else {}
    needed.pop("", None)
    missing = [missing_column(reading.table, name, why, reading.problems) for name, why in needed.items()]
    return not any(missing)


def drafts(reading: Reading) -> list[Draft]:
    """Every row that is sound, as a draft; every unsound one becomes a problem."""
    made = (_draft(row, reading) for row in _rows(reading.table, reading.problems))
    sound = [draft for draft in made if draft is not None]
    return _grouped(sound, reading) if reading.group_by else sound


def _rows(table: Table, problems: Problems) -> Iterator[Row]:
    return (Row(cells, number, table.file, problems) for number, cells in zip(table.numbers, table.rows, strict=True))


def passages(table: Table, corpus: Corpus, problems: Problems) -> tuple[Passage, ...]:
    """The corpus; a title may be empty, an id must be unique."""
    named = {f"corpus.{key} names": getattr(corpus, key) for key in ("id", "text", "title")}
    missing = [missing_column(table, name, why, problems) for why, name in named.items() if name]
    if any(missing):
        return ()
    found: dict[str, Passage] = {}
    for row in _rows(table, problems):
        key, text = row.text(corpus.id), row.text(corpus.text)
        if key in found:
            row.complain(f"passage id {shown(key)} stands twice", "make ids unique")
        if key and text:
            found[key] = Passage(key, text, text_or_none(row.cells.get(corpus.title)) or "" if corpus.title else "")
    return tuple(found.values())


def _draft(row: Row, reading: Reading) -> Draft | None:
    spec = reading.spec
    fields = {name: row.text(name) for name in reading.columns if name != spec.image}
    picture = picture_of(row, spec.image, reading.folder, reading.roots, reading.decodes) if spec.image else None
    if spec.image:
        fields[spec.image] = picture.digest if picture else None
    if spec.kind == "choice":
        choices, references = _choice(row, reading)
    elif spec.kind == "text":
        choices, references = (), _references(row, spec)
    else:  # prose: the one text is what is scored
        text = row.text(spec.answer)
        choices = references = (text.strip(),) if text else ()
    has_ids = "id" in reading.table.columns and reading.group_by in ("", "id")
    file_id = row.text("id") if has_ids else ""
    group = row.text(reading.group_by) if reading.group_by else ""
    if not references or None in (file_id, group, *fields.values()):
        return None
    texts = {name: text for name, text in fields.items() if text is not None}
    gold = row.converted(spec.gold, _gold, _GOLD) if spec.gold else None
    example = Example("", texts, choices, references, gold or (), _item_group(row, spec.group), picture=picture)
    return Draft(example, row.number, row.file, file_id or "", group or "")


def _references(row: Row, spec: TaskSpec) -> tuple[str, ...]:
    """The references of a text item: distinct, stripped, in order; () and a problem where there is none."""
    if spec.refusal and spec.refusal.unanswerable and row.converted(spec.refusal.unanswerable, _flag, _FLAG):
        return (spec.refusal.answer,)
    references: list[str] = []
    for name in spec.references:
        texts = row.converted(name, _texts, "write text or a list of texts", has_fields=True)
        if texts is None:
            return ()
        references += texts
    if not references:
        row.complain(f"column {shown(listed(spec.references))} is empty", FILL_IN)
    for text in references:
        for stop in spec.stop:
            if stop in text:
                what = f"a reference holds the stop text {shown(stop)}, so it can never be generated"
                row.complain(what, "change stop, or the reference")
    return tuple(dict.fromkeys(references))


def _flag(cell: Any) -> bool:
    """Whether a cell says true; raises TypeError where it says neither true nor false."""
    text = (text_of(cell) or "").strip().lower()
    if text not in _TRUE | _FALSE:
        raise TypeError(f"{shown(text)}, which is neither true nor false")
    return text in _TRUE


def _texts(cell: Any) -> list[str]:
    """The texts of a cell that holds one or a list of them; raises TypeError for anything else."""
    texts = [text_of(value) for value in (cell if isinstance(cell, (list, tuple)) else [cell])]
    return [text.strip() for text in texts if text is not None]


def _choice(row: Row, reading: Reading) -> tuple[tuple[str, ...], tuple[str, ...]]:
    """(choices as shown, the right one as shown); () for the right one, and a problem, where it is wrong."""
    spec = reading.spec
    labels = reading.labels if reading.labels is not None else own_choices(row, spec)
    answer = row.text(spec.answer)
    if not labels or answer is None:
        return (), ()
    choices = reading.choices or tuple(labels.values())
    if spec.answer_is == "index":
        return choices, _by_index(answer, choices, row, spec)
    right = labels.get(answer.strip())
    if right is None:
        hint = "" if row.problems.full else nearest(answer, labels)
        what = f"{shown(answer)} in column {shown(spec.answer)} is not among the {len(labels)} choices{hint}"
        row.complain(what, f"correct it, or the choices; allowed: {listed(labels)}")
        return choices, ()
    return choices, (right,)


def own_choices(row: Row, spec: TaskSpec) -> dict[str, str]:
    """Stored -> shown for an item that brings its own choices; empty, and a problem, where they are wrong."""
    name = spec.choices_field
    stored = row.converted(name, list_of, 'write a list of texts, in a CSV file as JSON: ["a", "b"]')
    if stored is None:
        return {}
    keys = _choice_keys(row, stored, spec.choice_keys)
    labels = shown_labels(dict(zip(keys, stored, strict=True)), spec.choice_words)
    if len(stored) < 2:
        row.complain(f"fewer than two choices in column {shown(name)}", "a choice needs two or more")
        return {}
    if len({skeleton(label, fold_case=False) for label in labels.values()}) < len(stored):
        row.complain(f"the choices in column {shown(name)} are not distinct as shown", "make them differ")
        return {}
    return labels


def _choice_keys(row: Row, stored: list[str], name: str) -> list[str]:
    """What the answer names an item's own choices by: the column `name`, or the choices themselves."""
    keys = row.converted(name, list_of, "write a list of texts") if name else None
    if keys is None:
        return stored
    distinct = len(set(keys))
    if distinct == len(stored) == len(keys):
        return keys
    what = f"column {shown(name)} holds {len(keys)} keys, {distinct} of them distinct, for {len(stored)} choices"
    row.complain(what, "write one key for each choice")
    return stored


def _by_index(answer: str, choices: tuple[str, ...], row: Row, spec: TaskSpec) -> tuple[str, ...]:
    text = answer.strip().removesuffix(".0")  # Parquet and CSV exports write integers as 1.0
    if text.isdecimal() and int(text) < len(choices):
        return (choices[int(text)],)
    what = f"{shown(answer)} in column {shown(spec.answer)} is no index of {len(choices)} choices"
    row.complain(what, f"count from 0 to {len(choices) - 1}, or set answer_is: text")
    return ()


def _gold(cell: Any) -> tuple[Gold, ...]:
    """Documents by id, or spans of them: a list, a JSON list or object in a string, one of them, or nothing."""
    if isinstance(cell, str) and cell.lstrip().startswith(("[", "{")):
        try:
            cell = parse(cell)
        except ValueError:
            raise TypeError("no list, and no span") from None
    places = cell if isinstance(cell, (list, tuple)) else [cell]
    read = (_span(place) if isinstance(place, Mapping) else text_of(place) for place in places)
    gold = [place if isinstance(place, Span) else place and place.strip() for place in read]
    if None in gold and len(gold) > 1:
        raise TypeError("a list with an empty entry")
    return tuple(dict.fromkeys(place for place in gold if place is not None))


def _span(cell: Mapping[str, Any]) -> Span:
    document, start, end = (cell.get(name) for name in Span._fields)
    if set(cell) != set(Span._fields) or not isinstance(document, str):
        raise TypeError(f"an object with {listed(cell)}, where a span has document, start and end")
    if type(start) is not int or type(end) is not int or not 0 <= start < end:
        raise TypeError(f"a span from {shown(str(start))} to {shown(str(end))}, where 0 <= start < end in characters")
    return Span(document, start, end)


def _item_group(row: Row, name: str) -> str:
    """What the item shares with those it belongs to; the first entry of a list, nothing for an empty one."""
    cell = row.cells.get(name) if name else None
    if isinstance(cell, (list, tuple)):
        cell = cell[0] if cell else None
    return text_or_none(cell) or ""


def _grouped(sound: list[Draft], reading: Reading) -> list[Draft]:
    """One draft for each value of the group column, with the references and gold of all its rows."""
    groups: dict[str, list[Draft]] = {}
    for draft in sound:
        group = groups.setdefault(draft.group, [])
        if group and group[0].example.fields != draft.example.fields:
            what = f"the rows of one {shown(reading.group_by)} differ in a column that the template shows"
            reading.problems.add(draft.file, what, "group by a column that decides the question", draft.row)
        group.append(draft)
    return [_merged(group) for group in groups.values()]


def _merged(group: list[Draft]) -> Draft:
    references = dict.fromkeys(text for draft in group for text in draft.example.references)
    gold = dict.fromkeys(key for draft in group for key in draft.example.gold)
    example = replace(group[0].example, references=tuple(references), gold=tuple(gold))
    return replace(group[0], example=example)
