"""What the table of a judge says: how often answers are preferred, and why the judge may be believed."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence

import numpy as np
from numpy.typing import NDArray

from bench.analysis.statistics import two_questions
from bench.core.record import Run
from bench.metrics.formats import clean
from bench.report.table import ReportTable, Text, cells
from bench.store.judged import (
    REFERENCE,
    Alike,
    Bounds,
    Calibration,
    Entailed,
    EntailedMethod,
    Judged,
    JudgedMethod,
    read_alike,
    read_entailed,
    read_judged,
)

_NO_PART = "advisory: the decision rests on the task's own metrics, not on the judge"
_LIKENESS = "advisory: an answer can be like the reference and wrong; the decision rests on the task's own metrics"
_ENTAILMENT = (
    "advisory: an answer can follow from a wrong passage, and this model was held against nobody's judgements; the "
    "decision rests on the task's own metrics"
)
_BRACKETS = "brackets: 95% interval over items, of these checkpoints"


def tables(run: Run, model: str, task: str | None = None) -> list[ReportTable]:
    """For a model what judges said of its methods, of one that is refused why, and what encoders say.

    `task`: of this one alone.
    """
    judges = (
        table for said in read_judged(run.path) if task in (None, said.task) for table in _tables(run, model, said)
    )
    encoders = (
        table for said in read_alike(run.path) if task in (None, said.task) for table in _alike(run, model, said)
    )
    inference = (
        table for said in read_entailed(run.path) if task in (None, said.task) for table in _entailed(run, model, said)
    )
    return [*judges, *encoders, *inference]


def _tables(run: Run, model: str, judged: Judged) -> Iterator[ReportTable]:
    if not any(record.model == model and record.task == judged.task for record in run.records):
        return
    title = f"{clean(model)}: {clean(judged.task)} as judged by {clean(judged.judge)}"
    if judged.calibration.refused:
        reasons = (f"refused as a judge: {reason}" for reason in judged.calibration.refused)
        yield ReportTable(title, notes=(*reasons, _agreement(judged.calibration)))
        return
    present = {record.key for record in run.records}
    rows = [each for each in judged.methods if each.model == model and present.issuperset(each.keys)]
    if not rows:
        return
    rows.sort(key=lambda row: -_values(row).mean())
    lines = tuple(_line(judged, row, rows[0]) for row in rows)
    heads = ("method", _head(judged), f"less than\n{clean(rows[0].method)}")
    yield ReportTable(title, heads, lines, tuple(_notes(judged, rows)))


def _alike(run: Run, model: str, alike: Alike) -> Iterator[ReportTable]:
    present = {record.key for record in run.records}
    rows = [each for each in alike.methods if each.model == model and present.issuperset(each.keys)]
    if rows:
        rows.sort(key=lambda row: -np.mean(row.bertscore))
        lines = tuple(cells(clean(row.method), _mean(row.bertscore), _mean(row.cosine)) for row in rows)
        title = f"{clean(model)}: {clean(alike.task)}, likeness to the reference"
        encoder = f"encoder: {clean(alike.encoder)}; of several references the one most like the answer"
        notes = (encoder, _BRACKETS, _LIKENESS)
        yield ReportTable(title, ("method", "BERTScore\nF1", "cosine"), lines, notes)


def _entailed(run: Run, model: str, said: Entailed) -> Iterator[ReportTable]:
    present = {record.key for record in run.records}
    rows = [each for each in said.methods if each.model == model and present.issuperset(each.keys)]
    if not rows:
        return
    lines = tuple(cells(clean(row.method), *_of_items(row)) for row in rows)
    title = f"{clean(model)}: {clean(said.task)}, answers that follow from the passages shown"
    notes = [f"model of inference: {clean(said.by)}; entailed: a chance of one half or more from one of the passages"]
    notes.append("answers: of all seeds, without refusals, empty answers and those without passages")
    if cut := ", ".join(f"{clean(row.method)} {row.too_long}" for row in rows if row.too_long):
        notes.append(f"too long for it, counted as not entailed: {cut}")
    yield ReportTable(title, ("method", "answers", "entailed", "mean\nchance"), lines, (*notes, _BRACKETS, _ENTAILMENT))


def _of_items(row: EntailedMethod) -> tuple[str, str, str]:
    """How many answers were judged, the share of them that is entailed, and their mean chance, over items."""
    items = [[chance for chance in of_item if chance is not None] for of_item in zip(*row.chances, strict=True)]
    judged = [chances for chances in items if chances]
    if len(judged) < 2:
        return str(sum(map(len, judged))), "", ""
    shares = [np.mean([chance >= 0.5 for chance in chances]) for chances in judged]
    chances = [np.mean(chances) for chances in judged]
    return str(sum(map(len, judged))), _mean([shares]), _mean([chances])


def _mean(scores: Sequence[Sequence[float]]) -> str:
    values = np.array(scores)
    found = two_questions.score(values, None)
    return f"{values.mean():.3f} [{found.low:.3f}, {found.high:.3f}]"


def _head(judged: Judged) -> str:
    if judged.form == "grades":
        return "mean grade\n(0 to 1)"
    against = "the reference" if judged.against == REFERENCE else clean(judged.against)
    return f"preferred to\n{against}"


def _values(row: JudgedMethod) -> NDArray[np.float64]:
    return np.array(row.scores)


def _line(judged: Judged, row: JudgedMethod, best: JudgedMethod) -> tuple[Text, ...]:
    values = _values(row)
    of_score = two_questions.score(values, 1.0)
    less = ""
    if row is not best and values.shape[1] > 1:
        found = two_questions.difference(_values(best), values, 1.0)
        less = f"{found.difference:.3f} [{found.interval.low:.3f}, {found.interval.high:.3f}]"
    score = f"{values.mean():.3f} [{of_score.low:.3f}, {of_score.high:.3f}]"
    return Text(clean(row.method)), Text(score), Text(less)


def _notes(judged: Judged, rows: Sequence[JudgedMethod]) -> Iterator[str]:
    yield _agreement(judged.calibration)
    if judged.form == "pairs":
        yield "preferred: a tie counts half; where the two orders disagree, and where texts are equal, it is a tie"
    yield _BRACKETS
    unread: Mapping[str, int] = {row.method: row.unread for row in rows if row.unread}
    if unread:
        said = ", ".join(f"{clean(method)} {count}" for method, count in unread.items())
        yield f"not judged, counted as {'a tie' if judged.form == 'pairs' else 'the worst grade'}: {said}"
    yield _NO_PART


def _agreement(found: Calibration) -> str:
    """How the judge stands to people, in a line."""
    said = [f"judge: kappa {_bounds(found.kappa)} with {found.labels} judgements of people"]
    if found.same_order is not None:
        said.append(f"the same in both orders in {found.same_order.value:.0%} of the pairs")
    if found.length_bias is not None:
        said.append(f"longer answers favoured by {_bounds(found.length_bias, '+')} more than by people")
    return "; ".join(said)


def _bounds(bounds: Bounds, sign: str = "") -> str:
    return f"{bounds.value:{sign}.2f} [{bounds.low:{sign}.2f}, {bounds.high:{sign}.2f}]"
