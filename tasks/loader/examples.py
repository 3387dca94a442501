"""Rows become examples: fields, choices, references and gold passages, each cell checked."""

from __future__ import annotations

import unicodedata
from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

from bench.core.errors import nearest
from bench.core.item import Example, Passage
from bench.core.quoting import listed, shown
from tasks.loader.problems import Problems
from tasks.loader.rows import Table, list_of, missing_column, text_of, text_or_none
from tasks.loader.spec import Corpus, Split, TaskSpec

_INVISIBLE = ("Cc", "Cf")  # control and format characters: zero-width spaces, soft hyphens, marks of direction
_SELECTORS = frozenset(map(chr, range(0xFE00, 0xFE10)))  # variation selectors, as behind an emoji
_FILL_IN = "fill it in or remove the row"


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

    def complain(self, row: int, what: str, remedy: str) -> None:
        self.problems.add(self.table.file, what, remedy, row)


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
    needed.pop("", None)
    missing = [missing_column(reading.table, name, why, reading.problems) for name, why in needed.items()]
    return not any(missing)


def drafts(reading: Reading) -> list[Draft]:
    """Every row that is sound, as a draft; every unsound one becomes a problem."""
    table = reading.table
    made = (_draft(row, number, reading) for number, row in zip(table.numbers, table.rows, strict=True))
    found = [draft for draft in made if draft is not None]
    return _grouped(found, reading) if reading.group_by else found


def passages(table: Table, corpus: Corpus, problems: Problems) -> tuple[Passage, ...]:
    """The corpus; a title may be empty, an id must be unique."""
    named = {f"corpus.{key} names": getattr(corpus, key) for key in ("id", "text", "title")}
    missing = [missing_column(table, name, why, problems) for why, name in named.items() if name]
    if any(missing):
        return ()
    found: dict[str, Passage] = {}
    for number, row in zip(table.numbers, table.rows, strict=True):
        key, text = (_cell(row, name, number, table.file, problems) for name in (corpus.id, corpus.text))
        if key in found:
            problems.add(table.file, f"passage id {shown(key)} stands twice", "make ids unique", number)
        if key and text:
            found[key] = Passage(key, text, text_or_none(row.get(corpus.title)) or "" if corpus.title else "")
    return tuple(found.values())


def _draft(row: dict[str, Any], number: int, reading: Reading) -> Draft | None:
    spec, table = reading.spec, reading.table
    fields = {name: _cell(row, name, number, table.file, reading.problems) for name in reading.columns}
    if spec.kind == "choice":
        choices, references = _choice(row, number, reading)
    elif spec.kind == "text":
        choices, references = (), _references(row, number, reading)
    else:  # prose: the one text is what is scored
        text = _cell(row, spec.answer, number, table.file, reading.problems)
        choices = references = (text.strip(),) if text else ()
    own_ids = "id" in table.columns and reading.group_by in ("", "id")
    given = _cell(row, "id", number, table.file, reading.problems) if own_ids else ""
    group = _cell(row, reading.group_by, number, table.file, reading.problems) if reading.group_by else ""
    if not references or None in (given, group, *fields.values()):
        return None
    texts = {name: text for name, text in fields.items() if text is not None}
    example = Example("", texts, choices, references, _gold(row, number, reading), _together(row, number, reading))
    return Draft(example, number, table.file, given or "", group or "")


def _cell(row: dict[str, Any], name: str, number: int, file: str, problems: Problems) -> str | None:
    """A needed cell as text; None, and a problem, where it is empty or holds no text."""
    try:
        text = text_of(row.get(name))
    except TypeError as error:
        problems.add(file, f"column {shown(name)} holds {error.args[0]}", _plain_text(name, error), number)
        return None
    if text is None:
        problems.add(file, f"column {shown(name)} is empty", _FILL_IN, number)
    return text


def _plain_text(name: str, error: TypeError, remedy: str = "write plain text") -> str:
    is_object = str(error.args[0]).startswith("an object")
    return f"name one of them, such as {shown(f'{name}.text')}" if is_object else remedy


def _references(row: dict[str, Any], number: int, reading: Reading) -> tuple[str, ...]:
    """The references of a text item: distinct, stripped, in order; () and a problem where there is none."""
    found: list[str] = []
    for name in reading.spec.references:
        value = row.get(name)
        values = value if isinstance(value, (list, tuple)) else [value]
        try:
            texts = [text_of(one) for one in values]
        except TypeError as error:
            what = f"column {shown(name)} holds {error.args[0]}"
            reading.complain(number, what, _plain_text(name, error, "write text or a list of texts"))
            return ()
        found += [text.strip() for text in texts if text is not None]
    if not found:
        reading.complain(number, f"column {shown(listed(reading.spec.references))} is empty", _FILL_IN)
    for text in found:
        _check_stop(text, number, reading)
    return tuple(dict.fromkeys(found))


def _check_stop(text: str, number: int, reading: Reading) -> None:
    for stop in reading.spec.stop:
        if stop in text:
            what = f"a reference holds the stop text {shown(stop)}, so it can never be generated"
            reading.complain(number, what, "change stop, or the reference")


def _choice(row: dict[str, Any], number: int, reading: Reading) -> tuple[tuple[str, ...], tuple[str, ...]]:
    """(choices as shown, the right one as shown); () for the right one, and a problem, where it is wrong."""
    spec = reading.spec
    labels = reading.labels if reading.labels is not None else _own_choices(row, number, reading)
    answer = _cell(row, spec.answer, number, reading.table.file, reading.problems)
    if not labels or answer is None:
        return (), ()
    choices = reading.choices or tuple(labels.values())
    if spec.answer_is == "index":
        return choices, _by_index(answer, choices, number, reading)
    right = labels.get(answer.strip())
    if right is None:
        hint = "" if reading.problems.full else nearest(answer, labels)
        what = f"{shown(answer)} in column {shown(spec.answer)} is not among the {len(labels)} choices{hint}"
        reading.complain(number, what, f"correct it, or the choices; allowed: {listed(labels)}")
        return choices, ()
    return choices, (right,)


def _own_choices(row: dict[str, Any], number: int, reading: Reading) -> dict[str, str]:
    """Stored -> shown for an item that brings its own choices; empty, and a problem, where they are wrong."""
    name = reading.spec.choices_field
    try:
        stored = list_of(row.get(name))
    except TypeError as error:
        remedy = 'write a list of texts, in a CSV file as JSON: ["a", "b"]'
        reading.complain(number, f"column {shown(name)} holds {error.args[0]}", remedy)
        return {}
    keys = _choice_keys(row, stored, number, reading)
    labels = shown_labels(dict(zip(keys, stored, strict=True)), reading.spec.choice_words)
    if len(stored) < 2:
        what = f"fewer than two choices in column {shown(name)}"
        reading.complain(number, what, "a choice needs two or more")
        return {}
    if len({skeleton(label, fold_case=False) for label in labels.values()}) < len(stored):
        what = f"the choices in column {shown(name)} are not distinct as shown"
        reading.complain(number, what, "make them differ")
        return {}
    return labels


def _choice_keys(row: dict[str, Any], stored: list[str], number: int, reading: Reading) -> list[str]:
    """What the answer names an item's own choices by: the column `choice_keys`, or the choices themselves."""
    name = reading.spec.choice_keys
    if not name:
        return stored
    try:
        keys = list_of(row.get(name))
    except TypeError as error:
        reading.complain(number, f"column {shown(name)} holds {error.args[0]}", "write a list of texts")
        return stored
    if len(set(keys)) == len(stored) == len(keys):
        return keys
    what = f"column {shown(name)} holds {len(keys)} keys, {len(set(keys))} of them distinct, for {len(stored)} choices"
    reading.complain(number, what, "write one key for each choice")
    return stored


def _by_index(answer: str, choices: tuple[str, ...], number: int, reading: Reading) -> tuple[str, ...]:
    text = answer.strip().removesuffix(".0")  # Parquet and CSV exports write integers as 1.0
    if text.isdecimal() and int(text) < len(choices):
        return (choices[int(text)],)
    what = f"{shown(answer)} in column {shown(reading.spec.answer)} is no index of {len(choices)} choices"
    reading.complain(number, what, f"count from 0 to {len(choices) - 1}, or set answer_is: text")
    return ()


def _gold(row: dict[str, Any], number: int, reading: Reading) -> tuple[str, ...]:
    """Ids of the gold passages: a list, a JSON list in a string, one id, or nothing."""
    name = reading.spec.gold
    value = row.get(name) if name else None
    try:
        if isinstance(value, (list, tuple)) or (isinstance(value, str) and value.lstrip().startswith("[")):
            return tuple(dict.fromkeys(list_of(value)))
        one = text_of(value)
    except TypeError as error:
        reading.complain(number, f"column {shown(name)} holds {error.args[0]}", "write a list of passage ids")
        return ()
    return (one.strip(),) if one else ()


def _together(row: dict[str, Any], number: int, reading: Reading) -> str:
    """What the item shares with those it belongs to; the first entry of a list, nothing for an empty one."""
    name = reading.spec.group
    value = row.get(name) if name else None
    if isinstance(value, (list, tuple)):
        value = value[0] if value else None
    try:
        return text_or_none(value) or ""
    except TypeError as error:
        reading.complain(number, f"column {shown(name)} holds {error.args[0]}", "write text or a list of texts")
        return ""


def _grouped(found: list[Draft], reading: Reading) -> list[Draft]:
    """One draft for each value of the group column, with the references and gold of all its rows."""
    groups: dict[str, list[Draft]] = {}
    for draft in found:
        group = groups.setdefault(draft.group, [])
        if group and group[0].example.fields != draft.example.fields:
            what = f"the rows of one {shown(reading.group_by)} differ in a column that the template shows"
            reading.complain(draft.row, what, "group by a column that decides the question")
        group.append(draft)
    return [_merged(group) for group in groups.values()]


def _merged(group: list[Draft]) -> Draft:
    references = dict.fromkeys(text for draft in group for text in draft.example.references)
    gold = dict.fromkeys(key for draft in group for key in draft.example.gold)
    example = replace(group[0].example, references=tuple(references), gold=tuple(gold))
    return replace(group[0], example=example)
