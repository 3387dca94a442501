"""Bias carry-over: how often an answer changes where it ought not to, and whether adapting a model changed that.

A task names the changes (`bench/core/counterfactual.py`); a cell's model answers both forms of an item. An adapted
model is set against the base model with the same context, pair by pair.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from bench.analysis.statistics import two_questions
from bench.analysis.statistics.intervals import Interval, wilson
from bench.core.record import Record
from methods.frozen import Frozen


@dataclass(frozen=True, slots=True)
class Bias:
    """How often a method's answers change on the pairs of one slot, and how much more often than the base model's."""

    slot: str
    pairs: int
    share: float  # of pairs with different answers, mean over seeds
    interval: Interval  # of the share, over pairs
    more: float | None  # share less that of the base model with the same context; None where that was not asked
    more_interval: Interval | None


def biases(records: Sequence[Record], base: Record | None) -> list[Bias]:
    """For each slot of the cells (seeds) of one method; `base` is the cell of the frozen model with its context."""
    found = []
    for slot in dict.fromkeys(name for record in records for name in record.counterfactual):
        ids = sorted(set.intersection(*(set(record.counterfactual.get(slot, {})) for record in records)))
        if not ids:
            continue
        own = _flags(records, slot, ids)
        before = [base] if base is not None and set(ids) <= set(base.counterfactual.get(slot, {})) else []
        against = two_questions.difference(own, _flags(before, slot, ids), 1.0) if before and len(ids) > 1 else None
        found.append(
            Bias(
                slot,
                len(ids),
                float(own.mean()),
                two_questions.score(own, 1.0) if len(ids) > 1 else wilson(round(float(own.mean())), 1),
                against.difference if against else None,
                against.interval if against else None,
            )
        )
    return found


def base_of(record: Record, others: Sequence[Record]) -> Record | None:
    """The cell of the frozen model with the context of an adapted one, on its task; None where there is none."""
    if record.parts.weights.name == Frozen.name:
        return None
    return next(
        (
            other
            for other in others
            if (other.model, other.task, other.status) == (record.model, record.task, "ok")
            and other.parts.weights.name == Frozen.name
            and other.parts.context == record.parts.context
        ),
        None,
    )


def _flags(records: Sequence[Record], slot: str, ids: Sequence[str]) -> NDArray[np.float64]:
    return np.array([[float(record.counterfactual[slot][i]) for i in ids] for record in records])
