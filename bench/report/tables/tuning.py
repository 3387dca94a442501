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
    notes = ["chosen on the validation split with the first seed; search: what the trials took"]
    if any(record.tuning.at_edge for record in found if record.tuning):
        notes.append("lowest, highest: of those that were tried; a better one may lie beyond")
    heads = ("method", "task", "tried", "judged by", "value", "chosen", "search")
    lines = tuple(line for record in found if record.tuning for line in _trials(record, record.tuning))
    return [ReportTable(f"{clean(model)}: options", heads, lines, tuple(notes))]


def _trials(record: Record, tuning: Tuning) -> Iterator[tuple[Text, ...]]:
    """A line for each trial; what is the same for all stands in the first."""
    name = tuning.criterion
    took = duration(record.phases["tune"].wall_s) if "tune" in record.phases else NOTHING
    for i, trial in enumerate(tuning.trials):
        first = (clean(record.method), clean(record.task)) if i == 0 else ("", "")
        chosen = trial.options == tuning.chosen
        ends = (f"{clean(key)} {end}" for key, end in tuning.at_edge.items())
        yield cells(
            *first,
            _options(trial.options),
            (title(name) if name in NAMES else name) if i == 0 else "",
            _value(name, trial.value),
            ", ".join(("yes", *ends)) if chosen else "",
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
    lines = []
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
        lines.append(cells(clean(method), clean(task), *losses, *scores, f"{kept}{last}"))
    heads = ("method", "task", "train\nloss", "validation\nloss", "on train\nitems", "on test\nitems", "kept\nstep")
    legend = "loss in nats for each answer token, of a sample of each split; medians over seeds"
    return [ReportTable(f"{clean(model)}: fit", heads, tuple(lines), (legend,))]


def _median(values: Sequence[float | int | None]) -> str:
    known = [value for value in values if value is not None]
    if not known:
        return NOTHING
    median = statistics.median(known)
    return f"{median:,.0f}" if isinstance(known[0], int) else f"{median:.3f}"
