"""What was forgotten: probes of what the model knew, before and after; and learning set against forgetting."""

from __future__ import annotations

import statistics
from collections.abc import Iterator, Sequence

from bench.analysis.retention import RetentionChange, base_scores, by_probe
from bench.analysis.summary import by_method
from bench.core.record import Record, Run, Scores
from bench.metrics import NAMES
from bench.metrics.formats import clean, title
from bench.report.cases import Case, of_runs
from bench.report.charts import heatmap, lines
from bench.report.charts.chart import About
from bench.report.charts.lines import At, Series
from bench.report.html.blocks import Block, Figure, Section, as_blocks, figure
from bench.report.tables import retention

_LEAD = (
    "Each probe asks the model something it was not adapted to, before and after. Methods that leave the weights as "
    "they are forget nothing, which is exactly 0."
)
_LIMIT = 50.0  # hundredths of a probe's scale: a change from which on the colour is the strongest


def section(cases: Sequence[Case]) -> Section:
    """A heatmap of changes and its table for each model; curves where checkpoints were asked."""
    return Section("retention", "What was forgotten", _LEAD, tuple(_blocks(cases)))


def _blocks(cases: Sequence[Case]) -> Iterator[Block]:
    for number_, (run, own) in enumerate(of_runs(cases), 1):
        for model in dict.fromkeys(case.model for case in own):
            tables = retention.tables(run, model)
            if not tables:
                continue
            yield _changes(f"retention-{number_}-{own[0].id}", run, model)
            yield from as_blocks(tables)
    for case in cases:
        yield from _curves(case)


def _changes(name: str, run: Run, model: str) -> Figure:
    base = base_scores(run, model)
    groups = by_method(run, model, lambda record: record.weights_changed is not None)
    rows, cells = [], []
    for (method, task), records in groups.items():
        changes = by_probe(records, base)
        form = records[0].parts.base_form
        rows.append(f"{clean(method)} on {clean(task)}{form and f' (from the base in {form})'}")
        cells.append(tuple(_points(changes.get(probe, ())) for probe in base))
    about = About(
        name,
        f"{clean(model)}: change on each probe",
        "Change in probe score (after minus before) in percentage points of the probe's range, mean over seeds. "
        "Negative = knowledge lost.",
    )
    heads = tuple(f"{clean(probe)} ({title(before.metric)})" for probe, before in base.items())
    grid = heatmap.Grid(tuple(rows), heads, tuple(cells))
    return figure(heatmap.draw, about, grid, "percentage points of the range", limit=_LIMIT, show=_signed)


def _points(changes: Sequence[RetentionChange]) -> float | None:
    """Mean change in hundredths of the metric's scale, losses below 0; None where there is none."""
    if not changes:
        return None
    info = NAMES[changes[0].metric]
    sign = 1 if info.higher_is_better else -1
    return 100 * sign * statistics.fmean(one.difference for one in changes) / info.scale


def _signed(value: float) -> str:
    return "0" if value == 0 else f"{value:+.1f}".replace("-0.0", "0.0").replace("+0.0", "0.0")


def _curves(case: Case) -> Iterator[Block]:
    """Score on validation items against the score on a probe, step by step, of methods with checkpoints."""
    first = [record for record in case.records if record.curve and record.status == "ok"]
    probes = list(dict.fromkeys(name for record in first for one in record.curve for name in one.probes))
    base = base_scores(case.run, case.model)
    for i, probe in enumerate(probes):
        series = []
        for label in dict.fromkeys(record.method for record in first):
            points = _path([record for record in first if record.method == label], probe)
            if probe in base and points:
                series.append(Series(clean(label), tuple(points), case.marks[label]))
        if not series:
            continue
        metric = base[probe].metric
        learnt = next(name for record in first for one in record.curve for name in one.validation or ())
        up = "Up" if NAMES[learnt].higher_is_better else "Down"
        left = "left" if NAMES[metric].higher_is_better else "right"
        about = About(
            f"{case.id}-forgetting-{i}",
            f"{case.title}: learning against forgetting on {clean(probe)}",
            "Each line follows a training from its first checkpoint to its last, mean over seeds. "
            f"{up} is learning the task, {left} is forgetting.",
        )
        known = ((base[probe].value, "base model"),)
        titles = (f"{clean(probe)}: {title(metric)}", f"score on validation items: {title(learnt)}")
        yield figure(lines.draw, about, series, *titles, rules=known)


def _path(records: Sequence[Record], probe: str) -> list[At]:
    """(score on the probe, score on validation items) at each checkpoint, mean over seeds."""
    steps: dict[int, list[tuple[float, float]]] = {}
    for record in records:
        for one in record.curve:
            known, own = one.probes.get(probe), one.validation
            if known and own:
                steps.setdefault(one.step, []).append((_first(known), _first(own)))
    return [
        At(statistics.fmean(x for x, _ in found), statistics.fmean(y for _, y in found))
        for _, found in sorted(steps.items())
    ]


def _first(scores: Scores) -> float:
    """The primary score."""
    return next(iter(scores.values())).value
