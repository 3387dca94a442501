"""What the tables of options and training say: what was chosen, and how well training items are known."""

from __future__ import annotations

import statistics
from collections.abc import Iterator, Sequence

from bench.analysis.summary import by_method
from bench.core.record import Record, Run
from bench.core.training import Options, Tuning
from bench.metrics import NAMES
from bench.metrics.formats import clean, duration, number, title
from bench.report.table import NOTHING, ReportTable, Text, cells


def tables(run: Run, model: str) -> list[ReportTable]:
    """For a model: the options chosen on validation, and the fit of what was trained; only what there is."""
    return [*_chosen(run, model), *_fit(run, model)]


def _chosen(run: Run, model: str) -> list[ReportTable]:
    found = [record for record in run.records if record.model == model and record.tuning]
    if not found:
        return []
    notes = ["chosen on validation items with the first seed; search: what the trials took"]
    if any(record.tuning.at_edge for record in found if record.tuning):
        notes.append("lowest, highest: of those that were tried; a better one may lie beyond")
    notes += dict.fromkeys(note for record in found if record.tuning for note in _of_plan(record.tuning))
    heads = ("method", "task", "tried", "judged by", "value", "chosen", "search")
    lines = tuple(line for record in found if record.tuning for line in _trials(record, record.tuning))
    return [ReportTable(f"{clean(model)}: options", heads, lines, tuple(notes))]


def _of_plan(tuning: Tuning) -> Iterator[str]:
    """How a search went beyond trials of one length on the validation split."""
    if tuning.folds:
        yield f"{tuning.folds} folds: every item of train and validation was judged once, by what had not learnt it"
    if tuning.budget is not None:
        yield f"rung: the better half was tried again for longer, within {tuning.budget:g} trainings for each method"


def _trials(record: Record, tuning: Tuning) -> Iterator[tuple[Text, ...]]:
    """A line for each trial; what is the same for all stands in the first."""
    name = tuning.criterion
    took = duration(record.phases["tune"].wall_s) if "tune" in record.phases else NOTHING
    tokens = sum(trial.tokens for trial in tuning.trials)
    took += f", {tokens:,} tokens" if tokens else ""
    last = max((i for i, trial in enumerate(tuning.trials) if trial.options == tuning.chosen), default=-1)
    for i, trial in enumerate(tuning.trials):
        first = (clean(record.method), clean(record.task)) if i == 0 else ("", "")
        rung = f", rung {trial.rung}" if trial.rung else ""
        folds = f", {tuning.folds} folds" if tuning.folds else ""
        ends = (f"{clean(key)} {end}" for key, end in tuning.at_edge.items())
        yield cells(
            *first,
            _options(trial.options) + rung,
            (title(name) if name in NAMES else name) + folds if i == 0 else "",
            _value(name, trial.value),
            ", ".join(("yes", *ends)) if i == last else "",
            took if i == 0 else "",
        )


def _options(chosen: Options) -> str:
    return ", ".join(f"{clean(name)} {clean(str(value))}" for name, value in chosen.items())


def _value(criterion: str, value: float | None) -> str:
    if value is None:
        return "diverged"
    return number(criterion, value) if criterion in NAMES else f"{value:.3f}"


def _fit(run: Run, model: str) -> list[ReportTable]:
    """How much better trained methods know what they were trained on; medians over seeds."""
    groups = by_method(run, model, lambda record: bool(record.on_train))
    if not groups:
        return []
    lines, by_answers = [], False
    for (method, task), own in groups.items():
        metric = next(iter(own[0].scores))
        trainings = [record.training for record in own if record.training]
        losses = [
            _median([getattr(training.loss, split) for training in trainings]) for split in ("train", "validation")
        ]
        scores = [number(metric, statistics.median(r.on_train[metric].value for r in own if metric in r.on_train)),
                  number(metric, statistics.median(r.scores[metric].value for r in own))]  # fmt: skip
        best, last = (_median([getattr(training, name) for training in trainings]) for name in ("best_step", "steps"))
        kept = "" if best == last else f"{best} of "
        by_answers |= any(training.validation_metric for training in trainings)
        lines.append(cells(clean(method), clean(task), *losses, *scores, f"{kept}{last}"))
    heads = ("method", "task", "train\nloss", "validation\nloss", "on train\nitems", "on test\nitems", "kept\nstep")
    legend = "loss in nats for each answer token, of a sample of each split; medians over seeds"
    kept_by = ("kept by the score of the answers to validation items where criterion is metric, else by the loss",)
    return [ReportTable(f"{clean(model)}: fit", heads, tuple(lines), (legend, *(kept_by if by_answers else ())))]


def _median(values: Sequence[float | int | None]) -> str:
    known = [value for value in values if value is not None]
    if not known:
        return NOTHING
    median = statistics.median(known)
    return f"{median:,.0f}" if isinstance(known[0], int) else f"{median:.3f}"
