"""What the tables of options and training say: what was chosen, and how well training items are known."""

from __future__ import annotations

import statistics
from collections.abc import Mapping, Sequence
from typing import Any

from bench.formats import clean, number, seconds, title
from bench.metrics import NAMES
from bench.nouns import Record, Run
from bench.sheet import NOTHING, Sheet, Text


def sheets(run: Run, model: str) -> list[Sheet]:
    """For a model: the options chosen on validation, and the fit of what was trained; only what there is."""
    return [*_chosen(run, model), *_fit(run, model)]


def _chosen(run: Run, model: str) -> list[Sheet]:
    found = [record for record in run.records if record.model == model and record.tuning]
    if not found:
        return []
    notes = ["chosen on the validation split with the first seed; search: what the trials took"]
    if any(record.tuning["at_edge"] for record in found):
        notes.append("at an end: the lowest or highest value that was tried is the best; a better one may lie beyond")
    heads = ("method", "task", "tried", "judged by", "chosen", "search", "at an end")
    lines = tuple(_choice(record, record.tuning) for record in found)
    return [Sheet(f"{clean(model)}: options", heads, lines, tuple(notes))]


def _choice(record: Record, tuning: Mapping[str, Any]) -> tuple[Text, ...]:
    name = tuning["criterion"]
    tried = [f"{_options(trial['options'])}: {_value(name, trial['value'])}" for trial in tuning["trials"]]
    texts = (
        clean(record.method),
        clean(record.task),
        "\n".join(tried),
        title(name) if name in NAMES else name,
        _options(tuning["chosen"]),
        seconds(record.phases["tune"].wall_s) if "tune" in record.phases else NOTHING,
        ", ".join(f"{clean(key)} ({end})" for key, end in tuning["at_edge"].items()),
    )
    return tuple(map(Text, texts))


def _options(chosen: Mapping[str, Any]) -> str:
    return ", ".join(f"{clean(name)} {clean(str(value))}" for name, value in chosen.items())


def _value(criterion: str, value: float | None) -> str:
    if value is None:
        return "diverged"
    return number(criterion, value) if criterion in NAMES else f"{value:.3f}"


def _fit(run: Run, model: str) -> list[Sheet]:
    """How much better trained methods know what they were trained on; medians over seeds."""
    groups: dict[tuple[str, str], list[Record]] = {}
    for record in run.records:
        if record.model == model and record.on_train:
            groups.setdefault((record.method, record.task), []).append(record)
    if not groups:
        return []
    lines = []
    for (method, task), own in groups.items():
        metric = next(iter(own[0].scores))
        losses = [
            _median([record.training["loss"][split] for record in own if record.training.get("loss")])
            for split in ("train", "validation")
        ]
        scores = [number(metric, statistics.median(r.on_train[metric].value for r in own if metric in r.on_train)),
                  number(metric, statistics.median(r.scores[metric].value for r in own))]  # fmt: skip
        best, last = (_median([record.training.get(name) for record in own]) for name in ("best_step", "steps"))
        kept = "" if best == last else f"{best} of "
        lines.append(tuple(map(Text, (clean(method), clean(task), *losses, *scores, f"{kept}{last}"))))
    heads = ("method", "task", "train\nloss", "validation\nloss", "on train\nitems", "on test\nitems", "kept\nstep")
    legend = "loss in nats for each answer token, of equally many examples; medians over seeds"
    return [Sheet(f"{clean(model)}: fit", heads, tuple(lines), (legend,))]


def _median(values: Sequence[float | int | None]) -> str:
    known = [value for value in values if value is not None]
    if not known:
        return NOTHING
    median = statistics.median(known)
    return f"{median:,.0f}" if isinstance(known[0], int) else f"{median:.3f}"
