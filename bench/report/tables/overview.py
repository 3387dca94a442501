"""The scores of a run's methods in one table that fits a terminal, with the line that shows what knowing nothing gives.

Where room is short long labels are cut first, then the spread over seeds goes, then whole tasks; what was left out is
said below.
"""

from __future__ import annotations

import re
from collections.abc import Sequence

from rich.cells import cell_len

from bench.analysis.summary import SummaryRow, summarise, with_kind
from bench.core.record import Run
from bench.metrics.formats import clean, number, title
from bench.report.cases import Case
from bench.report.table import BOLD, NOTHING, ReportTable, Text
from bench.report.tables.scores import winner

GAP = 3  # between two columns
_LONGEST_LABEL, _HEAD = 24, 9  # characters of a method's label, and of a line in a head where room is short
_CUT = "*"


def table(run: Run, model: str, cases: Sequence[Case], width: int) -> ReportTable:
    """Methods × tasks of a model, in so many characters."""
    rows = [row for row in summarise(run) if row.model == model]
    tasks = list(dict.fromkeys(row.task for row in rows))
    by_task = {case.task: case for case in cases}
    lines_below = _references(cases)

    def column(task: str, spread: bool) -> list[Text]:
        return _column(task, rows, by_task.get(task), lines_below, spread=spread)

    columns = [column(task, True) for task in tasks]
    labels = [clean(name) for name in dict.fromkeys(row.method for row in rows)]
    if _width([[Text("method"), *map(Text, labels)], *columns]) > width:
        labels = [_cut(label) for label in labels]
    first = [Text("method"), *map(Text, labels), *(Text(label, "faint") for label in lines_below)]
    notes = []
    if _width([first, *columns]) > width:
        columns = [column(task, False) for task in tasks]
    elif any(len(row.seeds) > 1 for row in rows):
        notes.append("± standard deviation over seeds")
    kept = list(columns)
    while len(kept) > 1 and _width([first, *kept]) > width:
        kept.pop()
    if len(kept) < len(columns):
        notes.append(f"{len(columns) - len(kept)} more tasks with --full")
    if any(cell.text.endswith(_CUT) for column in kept for cell in column):
        notes.append(f"{_CUT} not all of its cells ended, or some items failed")
    if any(cell.style == "best" for column in kept for cell in column):
        notes.append(f"{BOLD}these checkpoints are significantly better than those of every other method")
    heads, *lines = zip(first, *kept, strict=True)
    return ReportTable(
        f"{clean(with_kind(run, model))}: scores", tuple(head.text for head in heads), tuple(lines), tuple(notes)
    )


def _cut(label: str) -> str:
    return label if len(label) <= _LONGEST_LABEL else f"{label[: _LONGEST_LABEL - 1]}…"


def _references(cases: Sequence[Case]) -> list[str]:
    found = [case.headline.reference for case in cases if case.headline and case.headline.reference]
    return list(dict.fromkeys(reference.label for reference in found))


def _column(
    task: str, rows: Sequence[SummaryRow], case: Case | None, lines_below: Sequence[str], *, spread: bool
) -> list[Text]:
    """The head, a cell for each method, and one for each reference line."""
    own = {row.method: row for row in rows if row.task == task}
    metric = next((row.metric for row in own.values() if row.metric), "") or ""
    head = f"{clean(task)}\n{title(metric)}".strip()
    best = winner(case.family) if case else None
    cells = [_cell(row, row.method == best, spread) for row in own.values()]
    reference = case.headline.reference if case and case.headline else None
    others = [
        Text(number(metric, reference.score) if reference and reference.label == label else NOTHING, "faint")
        for label in lines_below
    ]
    return [Text(head if spread else _folded(head)), *cells, *others]


def _cell(row: SummaryRow, best: bool, spread: bool) -> Text:
    if row.cells == 0:
        return Text(NOTHING, "faint")
    if row.metric is None:
        return Text(row.status, "bad" if row.failures else "faint")
    score = row.scores[row.metric]
    text = number(row.metric, score.mean)
    if spread and score.sd is not None:
        text += f" ± {number(row.metric, score.sd)}"
    return Text(text + (_CUT if row.status != "ok" or row.item_failures else ""), "best" if best else "")


def _folded(head: str) -> str:
    """A head in short lines, broken behind a hyphen or a space."""
    lines: list[str] = []
    for line in head.split("\n"):
        pieces = re.findall(r"[^-_ ]+[-_ ]?", line) or [line]
        lines.append("")
        for piece in pieces:
            if lines[-1] and len(lines[-1] + piece.rstrip()) > _HEAD:
                lines.append("")
            lines[-1] += piece
    return "\n".join(line.strip() for line in lines)


def _width(columns: Sequence[Sequence[Text]]) -> int:
    widths = [max(cell_len(line) for cell in column for line in cell.text.split("\n")) for column in columns]
    return sum(widths) + GAP * (len(widths) - 1)
