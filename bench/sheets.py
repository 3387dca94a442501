"""What the report's tables say: rows of aggregated numbers as titled sheets of text.

Both the terminal and Markdown are written from sheets, so they cannot disagree. Every text that comes from a
record is cleaned here of control characters; escaping is left to who writes the sheet down.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Sequence

from bench import bias_sheets, cost_sheets, retention_sheets, tuning_sheets
from bench.formats import clean, number, title
from bench.metrics import NAMES
from bench.nouns import Failure, Run
from bench.sheet import NOTHING, Sheet, Text
from bench.summary import Row, Spread, parse_missing, summarise

_MOST_NOTES = 20  # of one kind; the JSON has all of them
_LONGEST_MESSAGE = 300
_DROPPED = {
    "examples_dropped": "worked examples dropped",
    "passages_dropped": "passages dropped",
    "passages_truncated": "passages shortened",
}
_RETRIEVAL = ("hit@1", "hit@5", "mrr")


def sheets(run: Run) -> list[Sheet]:
    """Every table of a run: for each model scores, other metrics, costs by task, retrieval; then notes."""
    rows = summarise(run)
    found: list[Sheet] = []
    for model in dict.fromkeys(row.model for row in rows):
        own = [row for row in rows if row.model == model]
        tasks = list(dict.fromkeys(row.task for row in own))
        found.append(_primary(model, tasks, own))
        found += _others(model, tasks, own)
        found += cost_sheets.sheets(run, model, tasks, own)
        found += _retrieval(model, own)
        found += tuning_sheets.sheets(run, model)
        found += retention_sheets.sheets(run, model)
        found += bias_sheets.sheets(run, model)
    return [*found, *_notes(run, rows)]


def _primary(model: str, tasks: Sequence[str], rows: Sequence[Row]) -> Sheet:
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
    return Sheet(f"{clean(model)}: scores", ("method", *heads), tuple(lines), _legend(rows, any(best)))


def _legend(rows: Sequence[Row], bold: bool) -> tuple[str, ...]:
    spread_known = any(len(row.seeds) > 1 for row in rows)
    legend = []
    if spread_known:
        legend.append("mean ± standard deviation over n seeds; where there is no ±, one seed was measured")
    if bold and spread_known:
        legend.append("bold: the best of its column, and what is within one standard deviation of it")
    elif bold:
        legend.append("bold: the best of its column, with one seed each, so small differences mean little")
    return tuple(legend)


def _metric_of(rows: Sequence[Row]) -> str:
    return next((title(row.metric) for row in rows if row.metric), "")


def _best(rows: Sequence[Row]) -> set[int]:
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


def _score(row: Row, best: bool) -> Text:
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


def _others(model: str, tasks: Sequence[str], rows: Sequence[Row]) -> list[Sheet]:
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
    return [Sheet(f"{clean(model)}: other metrics", ("method", *(head for head, _ in columns)), tuple(lines))]


def _retrieval(model: str, rows: Sequence[Row]) -> list[Sheet]:
    own = [row for row in rows if any(name in row.retrieval for name in _RETRIEVAL)]
    if not own:
        return []
    lines = [
        (
            Text(clean(row.method)),
            Text(clean(row.task)),
            *(Text(f"{row.retrieval[n].mean:.3f}" if n in row.retrieval else NOTHING) for n in _RETRIEVAL),
            Text(f"{row.retrieval['questions'].mean:,.0f}" if "questions" in row.retrieval else NOTHING),
        )
        for row in own
    ]
    return [Sheet(f"{clean(model)}: retrieval", ("method", "task", *_RETRIEVAL, "questions"), tuple(lines))]


def _notes(run: Run, rows: Sequence[Row]) -> list[Sheet]:
    unread = [f"not run: {clean(name)}" for name in run.missing if parse_missing(name) is None]
    kinds: list[tuple[str, Callable[[Row], Iterable[str]]]] = [
        ("Failed cells", _failures),
        ("Failed items, counted as wrong", _item_failures),
        ("Left out to fit the model's context", _left_out),
        ("Not run", _missing),
    ]
    found = [(heading, [line for row in rows for line in write(row)]) for heading, write in kinds]
    found[-1][1].extend(unread)
    if not rows and not unread:
        found.append(("Nothing yet", ["no cell of this run has been measured"]))
    return [Sheet(heading, notes=_capped(lines)) for heading, lines in found if lines]


def _capped(lines: list[str]) -> tuple[str, ...]:
    more = len(lines) - _MOST_NOTES
    return (*lines[:_MOST_NOTES], f"(+{more} more; the JSON report has all)") if more > 0 else tuple(lines)


def _place(row: Row) -> str:
    return f"{clean(row.method)} on {clean(row.task)} with {clean(row.model)}"


def _failures(row: Row) -> Iterable[str]:
    seeds: dict[Failure, list[int]] = {}
    for seed, failure in row.failures:
        seeds.setdefault(failure, []).append(seed)
    for failure, failed in seeds.items():
        message = clean(failure.message)
        short = message if len(message) <= _LONGEST_MESSAGE else f"{message[:_LONGEST_MESSAGE]}…"
        yield f"{_place(row)}, {_seeds(failed)}: {clean(failure.kind)}: {short}"


def _item_failures(row: Row) -> Iterable[str]:
    for reason, count in Counter(row.item_failures).most_common():
        yield f"{_place(row)}: {count:,} of {row.items:,} items: {clean(reason)}"


def _left_out(row: Row) -> Iterable[str]:
    parts = [f"{n:,} {_DROPPED.get(k, clean(k).replace('_', ' '))}" for k, n in row.dropped.items() if n]
    if parts:
        yield f"{_place(row)}: {', '.join(parts)} over {row.items:,} items"
    if row.training_too_long:
        yield f"{_place(row)}: {row.training_too_long:,} training examples too long"


def _missing(row: Row) -> Iterable[str]:
    if row.missing:
        yield f"{_place(row)}, {_seeds(row.missing)}"


def _seeds(seeds: Sequence[int]) -> str:
    return f"seed{'s' if len(seeds) > 1 else ''} {', '.join(map(str, seeds))}"
