"""What the table of knowledge retention says: each method's change on each probe, and what it consists of."""

from __future__ import annotations

import statistics
from collections.abc import Mapping, Sequence

from bench.analysis.retention import (
    BaseScore,
    Paired,
    RetentionChange,
    base_scores,
    before_training,
    by_probe,
    paired,
)
from bench.analysis.summary import by_method, spread
from bench.core.record import Record, Run
from bench.metrics.formats import clean, number, signed, title
from bench.report.table import NOTHING, ReportTable, Text

_LEGEND = "base model: its score; below: by how much it changed, 0 where no weight did"
_KL = (
    "KL from base: divergence (nats) of the adapted from the base model's distribution of the first answer token, "
    "on the task's prompts"
)
_PAIRED = (
    "Brackets: 95% CI of these checkpoints on new items; again: of training again, with 3 seeds or more. "
    "-lost +gained: items correct only before / only after adaptation, mean per seed"
)
_STARTS = "untrained: what a method changes before it learns anything, which the row of the method includes"
_FORM = (
    "{method} turns the base into {form}: the row untrained is that form against the base model as loaded, the row "
    "{method} is against that form"
)
_UNKNOWN = "not measurable: the base model is not above chance (one-sided binomial test at .05), so nothing can be lost"


def tables(run: Run, model: str) -> list[ReportTable]:
    """Probe scores of the base model, and how far each method moved them."""
    base = base_scores(run, model)
    groups = by_method(run, model, lambda record: record.weights_changed is not None)
    if not base:
        return []
    scores = (Text(number(before.metric, before.value)) for before in base.values())
    lines = [(Text("base model"), Text(NOTHING), *scores, Text(NOTHING))]
    by_item, starts_changed, forms = False, False, list[str]()
    for (method, task), records in groups.items():
        found = by_probe(records, base)
        cells = []
        for probe in base:
            pairs = paired(run, records, probe) if probe in found else None
            by_item = by_item or pairs is not None
            cells.append(_changed(found[probe], pairs) if probe in found else _no_change(base[probe], records))
        first = _before_training(records, base)
        if first:
            starts_changed = starts_changed or not records[0].parts.base_form
            lines.append((Text(f"{clean(method)}, untrained"), Text(clean(task)), *first, Text(NOTHING, "faint")))
        lines.append((Text(clean(method)), Text(clean(task)), *cells, _apart(records)))
        if form := records[0].parts.base_form:
            forms.append(_FORM.format(method=clean(method), form=form))
    heads = (f"{clean(probe)}\n{title(before.metric)}" for probe, before in base.items())
    unknown = () if all(before.above_chance for before in base.values()) else (_UNKNOWN,)
    started = (*((_STARTS,) if starts_changed else ()), *dict.fromkeys(forms))
    notes = (_LEGEND, *((_PAIRED,) if by_item else ()), *started, *unknown, _KL)
    columns = ("method", "adapted to", *heads, "KL from\nbase")
    return [ReportTable(f"{clean(model)}: knowledge retention", columns, tuple(lines), notes)]


def _before_training(records: Sequence[Record], base: Mapping[str, BaseScore]) -> list[Text]:
    """A cell for each probe; none where the method starts as the base model."""
    found: dict[str, list[RetentionChange]] = {}
    for record in records:
        for change in before_training(record, base):
            found.setdefault(change.probe, []).append(change)
    return [_changed(found[probe], None) if probe in found else Text(NOTHING, "faint") for probe in base if found]


def _no_change(before: BaseScore, records: Sequence[Record]) -> Text:
    asked = any(record.weights_changed and record.probes for record in records)
    return Text("not measurable" if asked and not before.above_chance else NOTHING, "faint")


def _apart(records: Sequence[Record]) -> Text:
    known = [record.divergence for record in records if record.divergence is not None]
    if not known:
        return Text(NOTHING, "faint")
    mean = statistics.fmean(known)
    return Text(f"{mean:.3g}", "" if mean else "faint")


def _changed(changes: Sequence[RetentionChange], pairs: Paired | None) -> Text:
    if all(change.difference == 0 for change in changes) and (pairs is None or not (pairs.lost or pairs.gained)):
        return Text("0", "faint")
    metric = changes[0].metric
    if pairs is None:
        found = spread([change.difference for change in changes])
        sd = "" if found.sd is None else f" ± {number(metric, found.sd)}, n={found.n}"
        return Text(signed(metric, found.mean) + sd)
    lines = [
        signed(metric, pairs.difference),
        f"[{signed(metric, pairs.interval.low)}, {signed(metric, pairs.interval.high)}]",
    ]
    if pairs.retrained is not None:
        lines.append(f"again [{signed(metric, pairs.retrained.low)}, {signed(metric, pairs.retrained.high)}]")
    elif len(pairs.seeds) > 1:
        lines.append(f"seeds {', '.join(signed(metric, value) for value in pairs.seeds)}")
    if pairs.counts:
        lines.append(f"-{pairs.lost:,.0f} +{pairs.gained:,.0f}")
    return Text("\n".join(lines))
