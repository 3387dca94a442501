"""What the tables of scores say: the primary metric of every task, then the others."""

from __future__ import annotations

from collections.abc import Sequence

from bench.analysis.summary import Spread, SummaryRow
from bench.metrics import NAMES
from bench.metrics.formats import clean, number, title
from bench.report.table import NOTHING, ReportTable, Text


def tables(model: str, tasks: Sequence[str], rows: Sequence[SummaryRow]) -> list[ReportTable]:
    """Scores of a model's methods on every task; a second table where a task has other metrics."""
    return [_primary(model, tasks, rows), *_others(model, tasks, rows)]


def _primary(model: str, tasks: Sequence[str], rows: Sequence[SummaryRow]) -> ReportTable:
    methods = list(dict.fromkeys(row.method for row in rows))
    columns = [[row for row in rows if row.task == task] for task in tasks]
    best = [_best(column) for column in columns]
    heads = [f"{clean(t)}\n{_metric_of(column)}".strip() for t, column in zip(tasks, columns, strict=True)]
    lines = [
        (
            Text(clean(method)),
            *(_score(column[i], i in bold) for column, bold in zip(columns, best, strict=True)),
        )
        for i, method in enumerate(methods)
    ]
    return ReportTable(f"{clean(model)}: scores", ("method", *heads), tuple(lines), _legend(rows, any(best)))


def _legend(rows: Sequence[SummaryRow], bold: bool) -> tuple[str, ...]:
    spread_known = any(len(row.seeds) > 1 for row in rows)
    legend = []
    if spread_known:
        legend.append("mean ± standard deviation over n seeds; where there is no ±, one seed was measured")
    if bold and spread_known:
        legend.append("bold: the best of its column, and what is within one standard deviation of it")
    elif bold:
        legend.append("bold: the best of its column, with one seed each, so small differences mean little")
    return tuple(legend)


def _metric_of(rows: Sequence[SummaryRow]) -> str:
    return next((title(row.metric) for row in rows if row.metric), "")


def _best(rows: Sequence[SummaryRow]) -> set[int]:
    """Positions of the best value and of those not told apart from it; none where there is nothing to beat.

    A row whose cells did not all end is left out: a mean over the seeds that survived is no fair winner.
    """
    metric = next((row.metric for row in rows if row.metric), None)
    if metric is None:
        return set()
    whole = {i: row.scores[metric] for i, row in enumerate(rows) if row.status == "ok" and metric in row.scores}
    if len(whole) < 2:
        return set()
    sign = 1 if metric not in NAMES or NAMES[metric].higher_is_better else -1
    top = max(whole.values(), key=lambda each: sign * each.mean)
    return {i for i, each in whole.items() if _tied(metric, top, each)}


def _tied(metric: str, top: Spread, other: Spread) -> bool:
    if number(metric, top.mean) == number(metric, other.mean):
        return True
    return abs(top.mean - other.mean) <= max(top.sd or 0.0, other.sd or 0.0)


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
