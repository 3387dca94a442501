"""How long a cell may still evaluate in addition to its test: a quarter of the cell, all such evaluations together.

What a suite asks for by number (probes, counterfactuals) is done in full and counts; what can be done on fewer items
gets what is left.
"""

from __future__ import annotations

from collections.abc import Mapping

from bench.core.measured import Serving
from bench.core.phases import SIDE, Phase, PhaseName, spent
from bench.meters.phases import Meter

SHARE = 0.25  # of a cell's seconds
_SHORT_S = 0.05
LONGEST_S = 10.0  # for the latency of one way of serving
_PARTS: Mapping[Serving, float] = {"unmerged": 1 / 8, "served": 1 / 2, "uncached": 1.0}  # in the order they are timed


def left_s(phases: Mapping[PhaseName, Phase], side_s: float = 0.0) -> float:
    """Seconds left by the phases so far; `side_s` of their work was evaluation already. Negative: overdrawn."""
    evaluated = side_s + sum(spent(phase) for name, phase in phases.items() if name in SIDE)
    worked = sum(map(spent, phases.values())) - evaluated
    return worked * SHARE / (1 - SHARE) - evaluated


def is_spent(meter: Meter, seconds: float) -> bool:
    """Whether an evaluation of so many seconds is too long for what is left; one below `_SHORT_S` never is."""
    return seconds > max(_SHORT_S, left_s(meter.phases, meter.side_s))


def for_latency(meter: Meter, way: Serving) -> float:
    """Seconds to time a way of serving in: a part of what is left, as others follow."""
    return min(LONGEST_S, left_s(meter.phases, meter.side_s) * _PARTS[way])
