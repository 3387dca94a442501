"""A table as text: what every report is written from."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

NOTHING = "–"
BOLD = "bold: "  # begins a note on what is bold, which is left out where nobody can see that


@dataclass(frozen=True, slots=True)
class Text:
    """A cell of a table; lines are separated by newlines."""

    text: str
    style: Literal["", "best", "faint", "bad"] = ""


def cells(*texts: str | Text) -> tuple[Text, ...]:
    """A row of a table; plain texts have no style."""
    return tuple(Text(text) if isinstance(text, str) else text for text in texts)


@dataclass(frozen=True, slots=True)
class ReportTable:
    """A table: the first column heads the rows. `notes` stand below it."""

    title: str
    columns: tuple[str, ...] = ()
    rows: tuple[tuple[Text, ...], ...] = ()
    notes: tuple[str, ...] = ()


Chapter = tuple[str, Sequence[ReportTable]]  # heading, tables
