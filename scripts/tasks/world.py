"""Facts that everybody knows, from `world_facts/`: what a base model may know before it is adapted.

`relations()` gives each relation with its facts and with the ways that English has of stating and asking them. The
probe `world-facts` asks with the held-out question alone; a corpus for a base model is to use the others alone.
"""

from __future__ import annotations

import csv
import io
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml

from bench.core.prompt import fill, placeholders

FOLDER = Path(__file__).resolve().parent / "world_facts"
ALTERNATIVE = "|"  # parts the accepted forms in a cell of a table
_AS_YOU = ("eu", "ewe", "uni", "use")  # begin with a vowel that is not spoken as one
_SILENT = ("heir", "honest", "honour", "hour")


@dataclass(frozen=True, slots=True)
class Fact:
    """One row of a relation. `object` is the usual answer, `accepted` all of them with the usual one first."""

    subject: str
    object: str
    accepted: tuple[str, ...]
    values: Mapping[str, str]  # column, and "a column", to what stands for it in a sentence


@dataclass(frozen=True, slots=True)
class Relation:
    """A kind of fact; templates name columns of its table in braces, to be filled by `say`."""

    name: str
    statements: tuple[str, ...]
    questions: tuple[str, ...]
    held_out: str
    rows: tuple[Fact, ...]
    alike: tuple[frozenset[str], ...] = ()  # objects that may serve for each other
    others: tuple[str, ...] = ()  # wrong objects, in addition to those of the rows

    def alternatives(self, fact: Fact) -> list[str]:
        """Objects that are wrong of `fact`: of other rows, none that is accepted or may serve for its own."""
        refused = {fact.subject, *fact.accepted}.union(*(group for group in self.alike if fact.object in group))
        found = [row.object for row in self.rows if row.object not in refused and fact.object not in row.accepted]
        return [*dict.fromkeys((*found, *(other for other in self.others if other not in refused)))]


def relations(folder: Path = FOLDER) -> Iterator[Relation]:
    """Every relation of `bank.yaml`, in its order, with the facts of its table, in theirs.

    Raises ValueError where a table has other columns than those described, or a template names another column.
    """
    written: dict[str, Any] = yaml.safe_load((folder / "bank.yaml").read_text(encoding="utf-8"))
    tables = {name: _table(name, written["facts"][name], tuple(columns)) for name, columns in written["tables"].items()}
    for name, entry in written["relations"].items():
        yield _relation(name, entry, tables[entry["table"]])


def say(template: str, fact: Fact) -> str:
    """`template` about `fact`: its columns filled in, its first letter a capital."""
    text = fill(template, fact.values)
    return text[:1].upper() + text[1:]


def with_article(noun: str) -> str:
    """`noun` with a or an before it, by how it is spoken."""
    start = noun.lower()
    vowel = start.startswith(tuple("aeiou")) and not start.startswith(_AS_YOU)
    return f"{'an' if vowel or start.startswith(_SILENT) else 'a'} {noun}"


def _table(name: str, text: str, columns: tuple[str, ...]) -> list[dict[str, str]]:
    reader = csv.DictReader(io.StringIO(text), strict=True)
    rows = list(reader)
    if tuple(reader.fieldnames or ()) != columns:
        raise ValueError(f"{name} has the columns {reader.fieldnames}; `tables` describes {list(columns)}")
    return rows


def _relation(name: str, entry: Mapping[str, Any], table: list[dict[str, str]]) -> Relation:
    rows = tuple(_fact(row, entry) for row in table if row[entry["subject"]] and row[entry["object"]])
    alike = tuple(map(frozenset, entry.get("alike", ())))
    strange_objects = sorted(set().union(*alike) - {row.object for row in rows})
    if strange_objects:
        raise ValueError(f"{name}: alike names {strange_objects}, which are no objects of {entry['table']}")
    others = tuple(entry.get("others", ()))
    texts = tuple(entry["statements"]), tuple(entry["questions"]), entry["held_out"]
    relation = Relation(name, *texts, rows, alike, others)
    for template in (*relation.statements, *relation.questions, relation.held_out):
        strange = [one for one in placeholders(template) if one not in rows[0].values]
        if strange:
            raise ValueError(f"{name}: {template!r} names {strange}, which is no column of {entry['table']}")
    return relation


def _fact(row: Mapping[str, str], entry: Mapping[str, Any]) -> Fact:
    cells = {column: tuple(cell.split(ALTERNATIVE)) for column, cell in row.items()}
    values = {column: forms[0] for column, forms in cells.items()}
    values |= {f"a {column}": with_article(forms[0]) for column, forms in cells.items()}
    accepted = cells[entry["object"]]
    return Fact(values[entry["subject"]], accepted[0], accepted, values)
