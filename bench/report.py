"""The report of runs, from their records alone: a table for the terminal, Markdown, and JSON.

Nothing is measured or loaded again. Means are over seeds; failed and missing cells stay visible with their
denominators; there are no ranks, and what a spread cannot tell apart from the best is marked as the best.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

from rich import box
from rich.cells import cell_len
from rich.console import Console, ConsoleOptions, RenderableType
from rich.table import Table
from rich.text import Text as RichText

from bench.formats import clean
from bench.nouns import Run
from bench.sheet import Sheet, Text
from bench.sheets import sheets
from bench.summary import plain, summarise

SCHEMA = 1
_STYLES = {"": "", "best": "bold", "faint": "dim", "bad": "red"}
_GAP = 3  # between two columns: padding and the box's own
_WIDEST_METHOD, _WIDEST = 30, 20  # columns; longer text is folded where room is short


Chapter = tuple[str, Sequence[Sheet]]  # heading, tables


def table(runs: Sequence[Run]) -> RenderableType:
    """The report for a terminal of any width: tables too wide for it are shown some columns at a time."""
    return terminal([(_heading(run), sheets(run)) for run in runs])


def markdown(runs: Sequence[Run]) -> str:
    """The same content as Markdown, with everything from records escaped."""
    return as_markdown([(_heading(run), sheets(run)) for run in runs])


def terminal(chapters: Sequence[Chapter]) -> RenderableType:
    """Sheets under headings, for a terminal of any width."""
    return _Terminal(tuple((heading, tuple(found)) for heading, found in chapters))


def as_markdown(chapters: Sequence[Chapter]) -> str:
    """Sheets under headings as Markdown, everything escaped."""
    blocks: list[str] = []
    for heading, found in chapters:
        blocks.append(f"## {_escape(heading)}")
        for sheet in found:
            blocks.append(f"### {_escape(sheet.title)}")
            if sheet.rows:
                blocks.append("\n".join(_markdown_table(sheet)))
            if sheet.notes:
                blocks.append("\n".join(f"- {_escape(note)}" for note in sheet.notes))
    return "\n\n".join(blocks) + "\n"


def to_json(runs: Sequence[Run]) -> dict[str, Any]:
    """{"schema": 1, "runs": [{path, suite, rows, missing, records}]}: aggregated rows, then the records.

    A row is `bench.summary.Row` with its `status` and primary `metric`; a record is `bench.nouns.Record`.
    """
    return {"schema": SCHEMA, "runs": [_run_json(run) for run in runs]}


def _run_json(run: Run) -> dict[str, Any]:
    rows = [{**plain(row), "status": row.status, "metric": row.metric} for row in summarise(run)]
    return {
        "path": str(run.path),
        "suite": run.suite,
        "rows": rows,
        "missing": list(run.missing),
        "records": plain(run.records),
    }


def _heading(run: Run) -> str:
    return f"{clean(run.suite)} ({clean(run.path)})"


def _markdown_table(sheet: Sheet) -> Iterator[str]:
    yield _markdown_row([_escape(head.replace("\n", " ")) for head in sheet.columns])
    yield _markdown_row(["---", *["---:"] * (len(sheet.columns) - 1)])
    for row in sheet.rows:
        cells = [_escape(cell.text) for cell in row]
        bold = [f"**{text}**" if cell.style == "best" else text for text, cell in zip(cells, row, strict=True)]
        yield _markdown_row(bold)


def _markdown_row(cells: Sequence[str]) -> str:
    return f"| {' | '.join(cells)} |"


def _escape(text: str) -> str:
    """Every sign that Markdown or HTML could read as more than itself behind a backslash (CommonMark)."""
    return re.sub(r"([\\`*_{}\[\]<>#|~&!$])", r"\\\1", text).replace("\n", "; ")


@dataclass(frozen=True)
class _Terminal:
    """Sheets of several runs; laid out when the width is known."""

    runs: tuple[tuple[str, tuple[Sheet, ...]], ...]

    def __rich_console__(self, console: Console, options: ConsoleOptions) -> Iterator[RenderableType]:
        for heading, found in self.runs:
            yield RichText(heading, style="bold underline")
            for sheet in found:
                yield RichText(f"\n{sheet.title}", style="bold")
                if sheet.rows:
                    yield from _tables(sheet, options.max_width)
                for note in sheet.notes:
                    yield RichText(note, style="dim" if sheet.rows else "")
            yield RichText()


def _tables(sheet: Sheet, width: int) -> Iterator[RenderableType]:
    """The sheet as one table, or as several that each repeat the first column, none wider than `width`."""
    widths = [min(_column_width(sheet, column), _WIDEST) for column in range(len(sheet.columns))]
    first = min(_column_width(sheet, 0), _WIDEST_METHOD)
    chunk: list[int] = []
    for column in range(1, len(widths)):
        if chunk and first + sum(widths[c] + _GAP for c in (*chunk, column)) > width:
            yield _table(sheet, chunk, first)
            yield RichText()
            chunk = []
        chunk.append(column)
    yield _table(sheet, chunk, first)


def _column_width(sheet: Sheet, column: int) -> int:
    texts = [sheet.columns[column], *(row[column].text for row in sheet.rows)]
    return max(cell_len(line) for text in texts for line in text.split("\n"))


def _table(sheet: Sheet, chunk: Sequence[int], first: int) -> Table:
    shown = Table(box=box.SIMPLE_HEAD, pad_edge=False, show_edge=False, padding=(0, 2, 0, 0))
    shown.add_column(RichText(sheet.columns[0]), max_width=first, overflow="fold")
    for column in chunk:
        shown.add_column(RichText(sheet.columns[column], justify="right"), justify="right", overflow="fold")
    for row in sheet.rows:
        shown.add_row(*(_rich(row[column]) for column in (0, *chunk)))
    return shown


def _rich(cell: Text) -> RichText:
    return RichText(cell.text, style=_STYLES[cell.style])
