"""Measured costs of two runs whose cells were measured in turns: what an hour did to the one, it did to the other.

Time, memory and energy of two runs can be compared without a calibration if a cell of the one and a cell of the other
were always measured one after the other, on one machine: each such turn gives a ratio, and how far the ratios lie apart
says what the machine's own unrest is worth.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from itertools import pairwise
from statistics import fmean, stdev

from bench.analysis.statistics.distributions import t_quantile
from bench.core.record import Record
from bench.gate.costs import ALL

LEAST = 3  # turns; with fewer nothing is known of how far they lie apart


@dataclass(frozen=True, slots=True)
class Ratio:
    """Candidate over baseline, with one-sided limits, over so many turns."""

    mean: float  # geometric
    low: float
    high: float
    turns: int


def in_turns(new: Sequence[Record], old: Sequence[Record]) -> list[tuple[Record, Record]]:
    """(candidate's, baseline's) cell of each turn; none where the two runs were not measured in turns.

    In turns: on one machine that was not started anew between them, as many cells of each, and each turn's two cells
    ended before those of the next. Which of the two came first does not matter. A cell that took vectors over from an
    earlier one counts that one's seconds: they are not of its turn, and would hide how far turns lie apart. A cell that
    was measured beside others shares its turn with those.
    """
    boots = {record.environment.boot for record in (*new, *old)}
    if any(record.environment.cells_at_once > 1 for record in (*new, *old)):
        return []
    if len(new) != len(old) or len(new) < LEAST or len(boots) > 1 or None in boots:
        return []
    if any(phase.reused_s for record in (*new, *old) for phase in record.phases.values()):
        return []
    turns = list(zip(sorted(new, key=_ended), sorted(old, key=_ended), strict=True))
    apart = all(max(map(_ended, turn)) <= min(map(_ended, later)) for turn, later in pairwise(turns))
    return turns if apart else []


def ratio(new: Sequence[Record], old: Sequence[Record], counter: str, alpha: float) -> Ratio | None:
    """How a measured cost changed, from the logarithms of the turns' ratios (Student's t, one-sided at `alpha`).

    None where the runs were not measured in turns, or a cell lacks the figure or has 0 of it.
    """
    figures = [tuple(map(ALL[counter].read, turn)) for turn in in_turns(new, old)]
    logs = [math.log(now / before) for now, before in figures if now and before]
    if not logs or len(logs) < len(figures):
        return None
    reach = t_quantile(1 - alpha, len(logs) - 1) * stdev(logs) / math.sqrt(len(logs))
    mean = fmean(logs)
    return Ratio(math.exp(mean), math.exp(mean - reach), math.exp(mean + reach), len(logs))


def _ended(record: Record) -> datetime:
    return datetime.fromisoformat(record.created)
