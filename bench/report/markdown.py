"""Tables as Markdown (CommonMark with tables), for a pull request or a wiki."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence

from bench.report.table import Chapter, ReportTable


def markdown(chapters: Sequence[Chapter]) -> str:
    """Tables under headings as Markdown, everything escaped."""
    blocks: list[str] = []
    for heading, tables in chapters:
        blocks.append(f"## {escaped(heading)}")
        for table in tables:
            blocks.append(f"### {escaped(table.title)}")
            if table.rows:
                blocks.append("\n".join(_markdown_table(table)))
            if table.notes:
                blocks.append("\n".join(f"- {escaped(note)}" for note in table.notes))
    return "\n\n".join(blocks) + "\n"


def _markdown_table(table: ReportTable) -> Iterator[str]:
    yield _markdown_row([escaped(head.replace("\n", " ")) for head in table.columns])
    yield _markdown_row(["---", *["---:"] * (len(table.columns) - 1)])
    for row in table.rows:
        cells = [escaped(cell.text) for cell in row]
        bold = [f"**{text}**" if cell.style == "best" else text for text, cell in zip(cells, row, strict=True)]
        yield _markdown_row(bold)


def _markdown_row(cells: Sequence[str]) -> str:
    return f"| {' | '.join(cells)} |"


def escaped(text: str) -> str:
    """Every sign that Markdown or HTML could read as more than itself behind a backslash (CommonMark).

    Nor does an address become a link, or a name behind an @ a mention, as GitHub makes them of plain text.
    """
    signs = re.sub(r"([\\`*_{}\[\]<>#|~&!$]|:(?=//)|(?<=\bwww)\.)", r"\\\1", text)
    return re.sub(r"(?<!\w)@(?=\w)", "@\u200b", signs).replace("\n", "; ")
