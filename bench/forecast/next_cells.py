"""Which cells are worth measuring next, and when a contest needs no more of them."""

from __future__ import annotations

import math
from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass

from bench.forecast.choice import UNDECIDED, Outlook
from bench.forecast.contest import Slot

ERROR = 0.1  # chance that a contest that is left has another outcome with all of its cells


@dataclass(frozen=True, slots=True)
class NextCell:
    """A cell that may be measured next."""

    slot: Slot
    worth: float | None  # see `bench.forecast.choice.value_of`; None: nothing tells yet what its method scores
    cost: float  # in the unit of the costs given; 0 where it is not known
    why: str


def settled_on(outlook: Outlook, error: float = ERROR) -> str | None:
    """The outcome of the full grid, known but for a chance of `error`; None where it is open.

    It is what is measured that chooses, or else it is known that all cells would not give the evidence for a choice.
    """
    likely = max(outlook.chances, key=lambda name: outlook.chances[name], default=None)
    if likely is None or outlook.chances[likely] < 1 - error:
        return None
    return likely if likely in (outlook.now, UNDECIDED) else None


def ranked(outlooks: Iterable[Outlook], costs: Mapping[str, float], ready: Collection[str]) -> list[NextCell]:
    """The cells that are worth most for what they cost, of contests that are not settled.

    First come methods of which nothing is known, the cheapest first: no verdict can be told without them. Then cells by
    the value of information for a unit of cost. Where no single cell would tell the outcome, those of methods that may
    be the outcome, the cheapest first, and then the rest.
    """
    found: list[tuple[tuple[float, float, float], NextCell]] = []
    for outlook in outlooks:
        if settled_on(outlook) is not None:
            continue
        unknown = {one.name for one in outlook.contest.unknown}
        for one in outlook.contest.entrants:
            for slot in one.left[:1] if one.name in unknown else one.left:  # one seed tells what it is about
                if slot.ref.key not in ready:
                    continue
                cost = costs.get(slot.ref.key, 0.0)
                if one.name in unknown:
                    found.append(((0, 0.0, cost), NextCell(slot, None, cost, one.refused)))
                elif not unknown:
                    worth = outlook.worth.get(slot.ref.key, 0.0)
                    rate = worth / cost if cost else math.inf if worth else 0.0
                    may_be = one.name == outlook.now or one.name in outlook.chances
                    why = f"{one.name} may be the choice" if may_be else f"{one.name} is part of the comparison"
                    found.append(((1 if worth else 2 if may_be else 3, -rate, cost), NextCell(slot, worth, cost, why)))
    return [cell for _, cell in sorted(found, key=lambda pair: (pair[0], pair[1].slot.ref.name))]
