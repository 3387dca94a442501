"""The decision for one task with one model: what to choose, how sure that is, and what would change it."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

from bench.comparison import Family
from bench.decision.assumptions import Assumptions
from bench.decision.candidates import Candidate
from bench.decision.learning import Overtaking, overtakings, size_of
from bench.decision.lines import highest, lowest
from bench.decision.rule import Standing, choose, differing, is_share, standings_of, ties, worths
from bench.decision.sensitivity import Crossing, Flip, crossings_of, flips_of
from bench.metrics import NAMES

Evidence = Literal["enough", "tie", "not enough", "none meets"]


@dataclass(frozen=True, slots=True)
class Verdict:
    """The decision and all that it rests on."""

    family: Family
    assumed: Assumptions
    standings: tuple[Standing, ...]  # the best quality first
    choice: str | None
    evidence: Evidence
    ties: tuple[str, ...]  # feasible methods that cannot be told apart from the best feasible one
    margin: float
    items_needed: int | None  # test items that would settle a tie to within the margin
    crossings: tuple[Crossing, ...]
    cheapest: tuple[tuple[float, str], ...]  # from which monthly volume on
    worthiest: tuple[tuple[float, str], ...]  # from which value of a right answer on; () where the metric is no share
    flips: tuple[Flip, ...]  # the nearest first
    overtakings: tuple[Overtaking, ...]


def decide(family: Family, found: Sequence[Candidate], assumed: Assumptions) -> Verdict:
    """The verdict on candidates, given best first; `family` holds the differences between them."""
    full = [one for one in found if size_of(one.label) is None]
    standings = standings_of(full, assumed)
    differ = differing(family)
    choice = choose(standings, differ, assumed)
    tied = ties(standings, differ)
    margin = assumed.margin or NAMES[family.metric].scale / 50
    evidence, needed = _evidence(family, standings, choice, tied, margin)
    lines = {one.label: one.line(assumed) for one in full}
    return Verdict(
        family=family,
        assumed=assumed,
        standings=tuple(standings),
        choice=choice,
        evidence=evidence,
        ties=tied,
        margin=margin,
        items_needed=needed,
        crossings=tuple(crossings_of(full, assumed)),
        cheapest=tuple(lowest(lines)) if lines else (),
        worthiest=tuple(highest(worths(full, assumed))) if full and is_share(family.metric) else (),
        flips=tuple(flips_of(full, standings, differ, assumed, choice)),
        overtakings=tuple(overtakings(family)),
    )


def _evidence(
    family: Family, standings: Sequence[Standing], choice: str | None, ties: Sequence[str], margin: float
) -> tuple[Evidence, int | None]:
    """How sure the choice is: a tie is settled where the best can be better by no more than the margin."""
    if choice is None:
        return "none meets", None
    chosen = next(one for one in standings if one.label == choice)
    unsure = any(check.status == "unsure" for check in chosen.checks)
    worst, needed = 0.0, None
    for one in family.differences:
        if choice in (one.a.label, one.b.label) and {one.a.label, one.b.label} <= set(ties):
            sign = 1 if NAMES[family.metric].higher_is_better else -1
            edge = max(-sign * one.interval.low, -sign * one.interval.high)  # by how much b may be the better
            if one.b.label == choice:
                edge = max(sign * one.interval.low, sign * one.interval.high)
            if edge > worst:
                worst = edge
                needed = math.ceil(one.n * max(1.0, one.detectable / margin) ** 2)
    if unsure or worst > margin:
        return "not enough", needed
    return ("tie" if len(ties) > 1 else "enough"), None
