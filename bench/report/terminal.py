"""Tables on a terminal of any width."""

from __future__ import annotations

import textwrap
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from rich import box
from rich.cells import cell_len
from rich.console import Console, ConsoleOptions, RenderableType
from rich.table import Table
from rich.text import Text as RichText

from bench.report.table import BOLD, Chapter, ReportTable

_STYLES = {"": "", "best": "bold", "faint": "dim", "bad": "red"}
_GAP = 3  # between two columns: padding and the box's own
_WIDEST_METHOD, _NARROWEST_METHOD, _WIDEST = 30, 12, 20  # columns; longer text is folded where room is short


def show(*renderables: RenderableType, console: Console | None = None) -> None:
    """Print to the terminal; where nobody watches, without the blanks that fill lines."""
    console = console or Console()
    if console.is_terminal:
        console.print(*renderables, sep="\n")
        return
    with console.capture() as capture:
        console.print(*renderables, sep="\n")
    lines = (line.rstrip() for line in capture.get().split("\n"))
    console.file.write("\n".join(lines))


@dataclass(frozen=True)
class Folded:
    """A line of text, folded under itself; its first characters are bold."""

    text: str
    strong: int = 0

    def __rich_console__(self, console: Console, options: ConsoleOptions) -> Iterator[RenderableType]:
        indent = self.text[: len(self.text) - len(self.text.lstrip())]
        lines = textwrap.wrap(
            self.text.lstrip(), max(options.max_width, 40), initial_indent=indent, subsequent_indent=f"{indent}    ",
            break_on_hyphens=False, break_long_words=False,
        )  # fmt: skip
        shown = RichText("\n".join(lines))
        shown.stylize("bold", len(indent), len(indent) + self.strong)
        yield shown


def lay_out(table: ReportTable, console: Console, width: int | None = None) -> Iterator[RenderableType]:
    """A table with its title and notes; one that is wider than `width` or the console some columns at a time."""
    yield RichText(f"\n{table.title}" if table.title else "", style="bold")
    if table.rows:
        yield from _tables(table, width or console.width)
    for note in table.notes if console.is_terminal else (one for one in table.notes if not one.startswith(BOLD)):
        yield RichText(note, style="dim" if table.rows else "")


def terminal(chapters: Sequence[Chapter]) -> RenderableType:
    """Tables under headings: tables too wide for the terminal are shown some columns at a time."""
    return _Terminal(tuple((heading, tuple(found)) for heading, found in chapters))


@dataclass(frozen=True)
class _Terminal:
    """Tables of several runs; laid out when the width is known."""

    runs: tuple[tuple[str, tuple[ReportTable, ...]], ...]

    def __rich_console__(self, console: Console, options: ConsoleOptions) -> Iterator[RenderableType]:
        for heading, found in self.runs:
            yield RichText(heading, style="bold underline")
            for table in found:
                yield from lay_out(table, console, options.max_width)
            yield RichText()


def _tables(table: ReportTable, width: int) -> Iterator[RenderableType]:
    """The table as one table, or as several that each repeat the first column, none wider than `width`."""
    widths = [min(_column_width(table, column), _WIDEST) for column in range(len(table.columns))]
    first = min(_column_width(table, 0), _WIDEST_METHOD)
    room = width - sum(each + _GAP for each in widths[1:])
    if _NARROWEST_METHOD <= room < first:  # a name on two lines is easier to read than a table in two parts
        first = room
    chunk: list[int] = []
    for column in range(1, len(widths)):
        if chunk and first + sum(widths[c] + _GAP for c in (*chunk, column)) > width:
            yield _table(table, chunk, first)
            yield RichText()
            chunk = []
        chunk.append(column)
    yield _table(table, chunk, first)


def _column_width(table: ReportTable, column: int) -> int:
    texts = [table.columns[column], *(row[column].text for row in table.rows)]
    return max(cell_len(line) for text in texts for line in text.split("\n"))


def _table(table: ReportTable, chunk: Sequence[int], first: int) -> Table:
    shown = Table(box=box.SIMPLE_HEAD, pad_edge=False, show_edge=False, padding=(0, 2, 0, 0))
    shown.add_column(RichText(table.columns[0]), max_width=first, overflow="fold")
    for column in chunk:
        shown.add_column(RichText(table.columns[column], justify="right"), justify="right", overflow="fold")
    for row in table.rows:
        shown.add_row(*(RichText(row[column].text, style=_STYLES[row[column].style]) for column in (0, *chunk)))
    return shown
