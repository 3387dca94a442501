"""What a model forgot: its probe scores after it was adapted, less those of the base model.

Reads records alone. A method that leaves every weight as it was has changed nothing, and that is exactly 0.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from bench.nouns import Record, Run, Score


@dataclass(frozen=True, slots=True)
class Change:
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


def changes(record: Record, base: Mapping[str, tuple[str, float]]) -> list[Change]:
    """The changes of one cell on every probe it can be compared on."""
    if record.weights_changed is None:
        return []
    found = []
    for probe, (metric, before) in base.items():
        after = record.probes.get(probe) if record.weights_changed else None
        if not record.weights_changed:
            found.append(Change(probe, metric, before, before))
        elif after is not None and metric in after:
            found.append(Change(probe, metric, before, after[metric].value))
    return found


def by_probe(records: Sequence[Record], base: Mapping[str, tuple[str, float]]) -> dict[str, list[Change]]:
    """Probe -> the changes of several cells (seeds), in their order."""
    found: dict[str, list[Change]] = {}
    for record in records:
        for change in changes(record, base):
            found.setdefault(change.probe, []).append(change)
    return found


def _primary(scores: Mapping[str, Score]) -> tuple[str, float]:
    name, score = next(iter(scores.items()))
    return name, score.value
