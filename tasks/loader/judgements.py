"""What people judged of a task's answers: the labels that a judge has to agree with."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

from bench.core.item import Item
from bench.core.quoting import listed, shown
from tasks.loader.manifest import spec_file
from tasks.loader.paths import require_readable, resolve
from tasks.loader.problems import Problems
from tasks.loader.row import Row
from tasks.loader.rows import missing_column, read_table
from tasks.loader.spec import Judging, TaskSpec

FEWEST = 50  # judgements, below which the interval of kappa does not hold its level
BETTER = ("a", "b", "tie")


@dataclass(frozen=True, slots=True)
class Judgement:
    """An answer, or two of them, as a person judged them."""

    question: str  # the item as it is asked
    answers: tuple[str, ...]  # two, or one that is graded
    label: str  # "a", "b", "tie", or a grade


def read_judgements(folder: Path, spec: TaskSpec, judging: Judging) -> tuple[Judgement, ...]:
    """The judgements of the file that `judging.labels` names.

    Raises TaskError, one line for each problem: a missing column, an empty cell, a label that is none, fewer than
    `FEWEST` judgements.
    """
    problems = Problems()
    require_readable(folder, [judging.labels], spec_file(folder), problems)
    problems.check()
    path, file = resolve(folder, judging.labels)
    table = read_table(path, file, problems)
    problems.check()
    assert table is not None
    *texts, label = columns(judging)
    for column in (*spec.columns, *texts, label):
        missing_column(table, column, f"judging of {judging.form} needs", problems)
    problems.check()
    rows = (Row(cells, number, file, problems) for number, cells in zip(table.numbers, table.rows, strict=True))
    found = tuple(_judgements(rows, spec, judging))
    if not problems and len(found) < FEWEST:
        problems.add(file, f"{len(found)} judgements: too few to know a judge by", f"bring {FEWEST} or more")
    problems.check()
    return found


def columns(judging: Judging) -> tuple[str, ...]:
    """The columns of answers, and the one of the label at last."""
    return ("a", "b", "better") if judging.form == "pairs" else ("answer", "grade")


def labels(judging: Judging) -> Mapping[str, str]:
    """The labels that people may give, as they are stored and as they are shown."""
    return {label: label for label in BETTER} if judging.form == "pairs" else judging.grades


def _judgements(rows: Iterator[Row], spec: TaskSpec, judging: Judging) -> Iterator[Judgement]:
    *texts, label = columns(judging)
    allowed = labels(judging)
    for row in rows:
        cells = {name: row.text(name) for name in (*spec.columns, *texts, label)}
        if any(cell is None for cell in cells.values()):
            continue
        known = {name: cell for name, cell in cells.items() if cell is not None}
        given = known[label].strip()
        if given not in allowed:
            row.complain(f"column {shown(label)} holds {shown(given)}", f"write one of: {listed(allowed)}")
            continue
        question = spec.prompt().ask(Item("", {name: known[name] for name in spec.columns}))
        yield Judgement(question, tuple(known[name] for name in texts), allowed[given])
