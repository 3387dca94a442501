"""What a model forgot: its probe scores after it was adapted, less those of the base model.

Reads records, and where they are there the answers to each item, so that the change is paired: what was known and
still is (kept), is no longer (lost), or is now (gained). A method that leaves every weight as it was has changed
nothing, and that is exactly 0.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from bench.analysis.statistics.intervals import Interval
from bench.analysis.statistics.seeds import crossed_means
from bench.core.record import Record, Run, Score
from bench.metrics import NAMES
from bench.store.archive import RunPath
from bench.store.run_folder import find_predictions, lines_of, probe_file


@dataclass(frozen=True, slots=True)
class RetentionChange:
    """One cell's change on one probe, in the probe's primary metric."""

    probe: str
    metric: str
    base: float
    adapted: float

    @property
    def difference(self) -> float:
        """Adapted less base; what that means, the metric's direction says."""
        return self.adapted - self.base


def base_scores(run: Run, model: str) -> dict[str, tuple[str, float]]:
    """Probe -> (primary metric, score) of the base model, for the probes that were measured."""
    own = [record for record in run.base if record.model == model and record.status == "ok"]
    return {record.task: _primary(record.scores) for record in own}


def changes(record: Record, base: Mapping[str, tuple[str, float]]) -> list[RetentionChange]:
    """The changes of one cell on every probe it can be compared on."""
    if record.weights_changed is None:
        return []
    found = []
    for probe, (metric, before) in base.items():
        after = record.probes.get(probe) if record.weights_changed else None
        if not record.weights_changed:
            found.append(RetentionChange(probe, metric, before, before))
        elif after is not None and metric in after:
            found.append(RetentionChange(probe, metric, before, after[metric].value))
    return found


def by_probe(records: Sequence[Record], base: Mapping[str, tuple[str, float]]) -> dict[str, list[RetentionChange]]:
    """Probe -> the changes of several cells (seeds), in their order."""
    found: dict[str, list[RetentionChange]] = {}
    for record in records:
        for change in changes(record, base):
            found.setdefault(change.probe, []).append(change)
    return found


@dataclass(frozen=True, slots=True)
class Paired:
    """The change of one method on one probe, item by item, over its seeds."""

    difference: float  # adapted less base
    interval: Interval  # seeds and items vary; with one seed, items alone
    p: float
    n: int  # items
    kept: float  # items right before and after, mean over seeds; None of the three for a metric that is not 0 or 1
    lost: float
    gained: float
    counts: bool  # whether kept, lost and gained mean something


def paired(run: Run, records: Sequence[Record], probe: str) -> Paired | None:
    """The change on `probe` of the cells (seeds) of one method; None where answers to its items are not there.

    Raises:
        UsageError: a file of answers that cannot be read.
    """
    base = next((r for r in run.base if (r.model, r.task, r.status) == (records[0].model, probe, "ok")), None)
    moved = [record for record in records if record.weights_changed and probe in record.probes]
    files = [find_predictions(run.path, record.key, probe_file(probe)) for record in moved]
    before_file = find_predictions(run.path, base.key) if base else None
    if base is None or before_file is None or not files or None in files:
        return None
    metric = next(iter(base.scores))
    before = _values(before_file, metric)
    after = [_values(file, metric) for file in files if file is not None]
    if any(sorted(one) != sorted(before) for one in after):
        return None
    ids = sorted(before)
    a, b = np.array([[one[i] for i in ids] for one in after]), np.array([[before[i] for i in ids]])
    found = crossed_means(a, b)
    binary = bool(np.isin(a, (0, 1)).all() and np.isin(b, (0, 1)).all())
    kept, lost, gained = (float(part.sum(axis=1).mean()) for part in ((a * b), (1 - a) * b, a * (1 - b)))
    limits = _possible(found.interval, metric, float(b.mean()))
    return Paired(found.difference, limits, found.p, len(ids), kept, lost, gained, binary)


def _possible(found: Interval, metric: str, before: float) -> Interval:
    """The interval without what no score could change by: below 0 there is none, nor above the scale."""
    if metric not in NAMES:
        return found
    least, most = -before, NAMES[metric].scale - before
    return Interval(max(found.low, least), min(found.high, most), found.level)


def _values(file: RunPath, metric: str) -> dict[str, float]:
    return {line["id"]: float(line["metrics"][metric]) for line in lines_of(file)}


def _primary(scores: Mapping[str, Score]) -> tuple[str, float]:
    name, score = next(iter(scores.items()))
    return name, score.value
