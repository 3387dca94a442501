"""Tables for other programs: tidy CSV for data analysis, LaTeX for a paper."""

from __future__ import annotations

import csv
import io
from collections import Counter
from collections.abc import Iterator, Sequence

from bench.analysis.measures import measures
from bench.analysis.summary import Spread, SummaryRow, spread, summarise
from bench.core.record import Record, Run
from bench.metrics import NAMES
from bench.metrics.formats import clean, number
from bench.report.table import Text
from bench.report.tables import scores
from bench.report.tex import escaped

COLUMNS = (
    "suite",
    "run",  # its folder
    "model",
    "task",
    "method",
    "status",  # ok, partial, failed, not run: of the cells of this model, task and method
    "cells",  # asked for, one for each seed
    "seeds",  # of the cells that ended
    "failures",  # of the others: reason and count
    "kind",
    "measure",
    "primary",  # true for the task's primary metric
    "better",  # higher or lower, of scores
    "unit",
    "value",  # mean over the n seeds that have it
    "sd",  # sample standard deviation; empty for one seed
    "n",
)
_FORMULA = "=+-@\t\r\n＝＋－＠"  # what makes a spreadsheet take a text for a formula, also in full width

Line = dict[str, str]


def csv_text(runs: Sequence[Run]) -> str:
    """Tidy CSV (RFC 4180, CRLF): a line for each model, task, method and measure; one without a measure where no
    cell ended. The base models' answers to the probes are of kind "base_probe", with the probe as task.

    Texts are on one line; one that a spreadsheet would take for a formula begins with an apostrophe. Write it with
    `newline=""`, or the line ends are translated.
    """
    stream = io.StringIO(newline="")
    writer = csv.DictWriter(stream, COLUMNS, restval="")
    writer.writeheader()
    for run in runs:
        for line in _lines(run):
            writer.writerow({"suite": _text(run.suite), "run": _text(run.path), **line})
    return stream.getvalue()


def _lines(run: Run) -> Iterator[Line]:
    for row in summarise(run):
        if row.cells:  # else the suite does not ask for it
            ended = [r for r in run.records if (r.model, r.task, r.method) == (row.model, row.task, row.method)]
            yield from _of_row(row, [record for record in ended if record.status == "ok"])
    for record in run.base:
        head = {"model": _text(record.model), "task": _text(record.task), "method": _text(record.method)}
        head |= {"status": record.status, "cells": "1"}
        if record.status != "ok":
            yield {**head, "failures": _text(record.failure.kind if record.failure else ""), "kind": "base_probe"}
            continue
        for line in _measured([record]):
            if line["kind"] == "score":
                yield {**head, "seeds": str(record.seed), **line, "kind": "base_probe"}


def _of_row(row: SummaryRow, ended: Sequence[Record]) -> Iterator[Line]:
    reasons = Counter(failure.kind for _, failure in row.failures)
    if row.missing:
        reasons["not run"] = len(row.missing)
    head = {
        "model": _text(row.model),
        "task": _text(row.task),
        "method": _text(row.method),
        "status": row.status,
        "cells": str(row.cells),
        "seeds": " ".join(map(str, row.seeds)),
        "failures": _text("; ".join(f"{reason}: {count}" for reason, count in reasons.items())),
    }
    if not ended:
        yield head
    for line in _measured(ended):
        yield {**head, **line}


def _measured(records: Sequence[Record]) -> Iterator[Line]:
    """A line for each measure that any of the cells has."""
    found: dict[tuple[str, str, str, str], list[float]] = {}
    for record in records:
        for measure in measures(record):
            found.setdefault((measure.kind, measure.name, measure.unit, measure.metric), []).append(measure.value)
    primary = next((("score", metric) for record in records for metric in record.scores), None)
    for (kind, name, unit, metric), values in found.items():
        over = spread(values)
        yield {
            "kind": kind,
            "measure": _text(name),
            "primary": str((kind, name) == primary).lower(),
            "better": _better(metric),
            "unit": unit,
            "value": _number(over.mean),
            "sd": "" if over.sd is None else _number(over.sd),
            "n": str(over.n),
        }


def _better(metric: str) -> str:
    if metric not in NAMES:
        return ""
    return "higher" if NAMES[metric].higher_is_better else "lower"


def _number(value: float) -> str:
    """As many digits as tell the number from every other."""
    return str(int(value)) if float(value).is_integer() and abs(value) < 2**53 else repr(float(value))


def _text(text: object) -> str:
    found = clean(text)
    return f"'{found}" if found.startswith(tuple(_FORMULA)) else found


_WIDE = 3  # tasks; a table of more is wider than LaTeX's own page, unless it is set smaller


def latex(runs: Sequence[Run]) -> str:
    r"""A booktabs table of primary scores for each run and model: methods × tasks, mean ± standard deviation.

    ASCII alone, and nothing but `\usepackage{booktabs}` is needed: signs that LaTeX cannot set in its first font
    appear as their code points. Bold is what the report says is best (`bench.report.tables.scores`).
    """
    blocks = ["% needs \\usepackage{booktabs}"]
    for run in runs:
        rows = summarise(run)
        for model in dict.fromkeys(row.model for row in rows):
            own = [row for row in rows if row.model == model]
            blocks.append("\n".join(_table(run, model, own, len(blocks))))
        if not rows:
            blocks.append(f"% {escaped(run.suite)}: no cell of this run has been measured")
    return "\n\n".join(blocks) + "\n"


def _table(run: Run, model: str, rows: Sequence[SummaryRow], place: int) -> Iterator[str]:
    tasks = list(dict.fromkeys(row.task for row in rows))
    table = scores.tables(run, model, tasks, rows)[0]
    counts = {score.n for row in rows for score in list(row.scores.values())[:1]} - {1}
    heads = [head.split("\n") for head in table.columns[1:]]
    notes = [f"{escaped(model)}, suite {escaped(run.suite)}: primary scores", *map(escaped, table.notes)]
    if len(counts) == 1:
        notes.append(f"$n = {next(iter(counts))}$")
    yield "\\begin{table}"
    yield "\\centering"
    yield f"\\caption{{{'; '.join(notes)}.}}"
    yield f"\\label{{tab:adaptbench-{place}}}"
    if len(tasks) > _WIDE:
        yield "\\footnotesize\\setlength{\\tabcolsep}{3pt}"
    yield f"\\begin{{tabular}}{{l{'r' * len(tasks)}}}"
    yield "\\toprule"
    yield _line(["", *(escaped(head[0]) for head in heads)])
    yield _line(["method", *(escaped(" ".join(head[1:])) for head in heads)])
    yield "\\midrule"
    at = {(row.method, row.task): row for row in rows}
    methods = dict.fromkeys(row.method for row in rows)
    for method, (first, *cells) in zip(methods, table.rows, strict=True):
        of = (_cell(at[method, task], cell, len(counts) > 1) for task, cell in zip(tasks, cells, strict=True))
        yield _line([escaped(first.text), *of])
    yield "\\bottomrule"
    yield "\\end{tabular}"
    yield "\\end{table}"


def _line(cells: Sequence[str]) -> str:
    return f"{' & '.join(cells)} \\\\"


def _cell(row: SummaryRow, cell: Text, say_n: bool) -> str:
    """A cell of the table: its score in mathematics, then what else the table says there."""
    lines = cell.text.split("\n")
    if row.metric is None or row.cells == 0:
        return "; ".join(map(escaped, lines))
    score = row.scores[row.metric]
    shown = _mean(row.metric, score, cell.style == "best")
    shown += f" ($n = {score.n}$)" if say_n and score.n > 1 else ""
    return "; ".join([shown, *map(escaped, lines[1:])])


def _mean(metric: str, score: Spread, best: bool) -> str:
    parts = [score.mean] if score.sd is None else [score.mean, score.sd]
    text = " \\pm ".join(_in_mathematics(number(metric, part)) for part in parts)
    return f"$\\mathbf{{{text}}}$" if best else f"${text}$"


def _in_mathematics(text: str) -> str:
    """A number as `bench.metrics.formats.number` writes it; a power of ten as one."""
    mantissa, _, exponent = text.partition("e")
    return f"{mantissa} \\times 10^{{{int(exponent)}}}" if exponent else mantissa
