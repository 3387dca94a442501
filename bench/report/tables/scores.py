"""What the tables of scores say: the primary metric of every task, then the others."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import replace

from bench.analysis.comparison import Family, within
from bench.analysis.decision.reference_line import reference_line
from bench.analysis.summary import Spread, SummaryRow, with_kind
from bench.core.errors import AdaptbenchError
from bench.core.record import Run
from bench.metrics.formats import clean, number, title
from bench.report.table import BOLD, NOTHING, ReportTable, Text


def tables(run: Run, model: str, tasks: Sequence[str], rows: Sequence[SummaryRow]) -> list[ReportTable]:
    """Scores of a model's methods on every task; a second table where a task has other metrics."""
    return [_primary(run, model, tasks, rows), *_others(model, tasks, rows)]


def winner(family: Family | None) -> str | None:
    """The method whose checkpoints are significantly better than those of every other; None in a tie."""
    if family is None or len(family.answers) < 2:
        return None
    best = family.answers[0].label
    return best if all(one.differ for one in family.differences if best in (one.a.label, one.b.label)) else None


def _primary(run: Run, model: str, tasks: Sequence[str], rows: Sequence[SummaryRow]) -> ReportTable:
    methods = list(dict.fromkeys(row.method for row in rows))
    columns = [[row for row in rows if row.task == task] for task in tasks]
    families = [_family(run, model, column) for column in columns]
    best = [winner(family) for family in families]
    heads = [f"{clean(t)}\n{_metric_of(column)}".strip() for t, column in zip(tasks, columns, strict=True)]
    lines = [
        (
            Text(clean(method)),
            *(_score(column[i], method == bold) for column, bold in zip(columns, best, strict=True)),
        )
        for i, method in enumerate(methods)
    ]
    lines += _reference_lines(run, families)
    notes = (*_legend(rows, any(best)), *(note for family in families for note in _ties(family)))
    return ReportTable(f"{clean(with_kind(run, model))}: scores", ("method", *heads), tuple(lines), notes)


def _reference_lines(run: Run, families: Sequence[Family | None]) -> Iterator[tuple[Text, ...]]:
    """A row for the majority class and one for chance, where a task has such a line."""
    found = [reference_line(run, family) if family else None for family in families]
    for label in dict.fromkeys(line.label for line in found if line):
        scores = (number(line.metric, line.score) if line and line.label == label else NOTHING for line in found)
        yield (Text(label, "faint"), *(Text(text, "faint") for text in scores))


def _family(run: Run, model: str, rows: Sequence[SummaryRow]) -> Family | None:
    """The comparison of the methods of one task; None where answers are not there, or are not alike.

    A method whose cells did not all end is left out: a mean over the seeds that survived is no fair winner.
    """
    whole = {(model, row.task, row.method) for row in rows if row.status == "ok"}
    records = tuple(one for one in run.records if (one.model, one.task, one.method) in whole and one.scores)
    try:
        [family] = within(replace(run, records=records))
    except AdaptbenchError:
        return None
    return family


def _legend(rows: Sequence[SummaryRow], bold: bool) -> tuple[str, ...]:
    legend = []
    if any(len(row.seeds) > 1 for row in rows):
        legend.append("mean ± standard deviation over n seeds; where there is no ±, one seed was measured")
    if bold:
        legend.append(f"{BOLD}these checkpoints are significantly better than those of every other method (Holm, 0.05)")
    return tuple(legend)


def _ties(family: Family | None) -> Iterator[str]:
    """Who ties with the best of a task."""
    if family is not None and family.ties is not None and len(family.ties.groups[0]) > 1 and winner(family) is None:
        names = ", ".join(map(clean, family.ties.groups[0]))
        yield f"{clean(family.task)}: not significantly different: {names}"


def _metric_of(rows: Sequence[SummaryRow]) -> str:
    return next((title(row.metric) for row in rows if row.metric), "")


def _score(row: SummaryRow, best: bool) -> Text:
    if row.cells == 0:
        return Text(NOTHING, "faint")  # the suite does not ask for it
    if row.status == "not run":
        return Text("not run", "faint")
    lines = [_mean(row.metric, row.scores[row.metric])] if row.metric else []
    if row.failures:
        reasons = ", ".join(dict.fromkeys(clean(failure.kind) for _, failure in row.failures))
        lines.append(f"failed: {reasons} ({len(row.failures)}/{row.cells})")
    if row.missing:
        lines.append(f"not run ({len(row.missing)}/{row.cells})")
    if row.item_failures:
        lines.append(f"{sum(row.item_failures.values()):,}/{row.items:,} items failed")
    shown = "\n".join(lines) or "no score"
    return Text(shown, "bad" if row.metric is None else "best" if best else "")


def _mean(metric: str, score: Spread) -> str:
    if score.sd is None:
        return number(metric, score.mean)
    return f"{number(metric, score.mean)} ± {number(metric, score.sd)}, n={score.n}"


def _others(model: str, tasks: Sequence[str], rows: Sequence[SummaryRow]) -> list[ReportTable]:
    """The metrics that are not a task's primary one."""
    columns: list[tuple[str, dict[str, Text]]] = []
    for task in tasks:
        own = [row for row in rows if row.task == task]
        for metric in dict.fromkeys(name for row in own for name in list(row.scores)[1:]):
            cells = {row.method: Text(_mean(metric, row.scores[metric])) for row in own if metric in row.scores}
            columns.append((f"{clean(task)}\n{title(metric)}", cells))
    if not columns:
        return []
    methods = dict.fromkeys(row.method for row in rows)
    lines = [
        (Text(clean(method)), *(cells.get(method, Text(NOTHING, "faint")) for _, cells in columns))
        for method in methods
    ]
    return [ReportTable(f"{clean(model)}: other metrics", ("method", *(head for head, _ in columns)), tuple(lines))]
