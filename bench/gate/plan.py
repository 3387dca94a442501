"""What a policy could find with the items and seeds of a baseline, before any candidate is measured."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from functools import partial

from bench.core.record import Run
from bench.gate import costs
from bench.gate.expand import Planned
from bench.gate.policy import Policy
from bench.gate.power import MOST_SEEDS, Evidence, gather
from bench.metrics.formats import amount

Floors = Mapping[tuple[str, str, str, str, str, str], float]


@dataclass(frozen=True, slots=True)
class Need:
    """One check: what its items allow for."""

    planned: Planned
    items: int
    chance: float | None = None  # regression: of finding a drop of `detect`; non-inferiority: of passing unchanged
    needed: int | None = None  # items for the chance the policy asks for; None where no number is enough
    refusal: str = ""  # why this check cannot do what it is for
    seeds: int | None = None  # on each side for that chance with the items at hand; None where it is known of none
    room: float | None = None  # how much worse the score could get; None for a cost
    smallest: float | None = None  # drop that is found with that chance; None: not even the loss of all of the score

    @property
    def refused(self) -> bool:
        return bool(self.refusal) and self.planned.tier == "critical"


def plan(planned: Sequence[Planned], baseline: Run, policy: Policy, floors: Floors) -> list[Need]:
    """Chances and items needed of every check.

    Of the candidate it is assumed that `changed` of its items score otherwise than the baseline's, each as if it were
    drawn anew. A trained method with several seeds says itself how far its items and its seeds move. The chance is
    that of the strictest step of Holm's procedure, alpha over the number of checks.
    """
    known = list(gather(planned, baseline, policy))
    advisory = sum(evidence.tested and check.tier == "advisory" for check, evidence in known)
    others = sum(evidence.tested for _, evidence in known) - advisory
    return [
        need(check, evidence, policy, floors.get(check.key), advisory if check.tier == "advisory" else others)
        for check, evidence in known
    ]


def need(check: Planned, evidence: Evidence, policy: Policy, floor: float | None, family: int) -> Need:
    """One check among `family` that are adjusted together; `floor`: of noise, None where it was never measured."""
    if not evidence.tested:
        return Need(check, evidence.items, refusal=_of_ratio(check, floor))
    if evidence.problem or evidence.values is None:
        return Need(check, evidence.items, refusal=evidence.problem)
    floor = floor or 0.0
    alpha = policy.alpha / family if policy.mode == "regression" else policy.alpha
    margin, detect = max(check.margin, floor), check.detect or 2 * check.margin
    chance = evidence.chance(policy, detect, margin, alpha)
    now = chance(evidence.units)
    found = Need(check, evidence.items, now, evidence.items_needed(chance, policy.power), room=evidence.room)
    if now < policy.power and policy.mode == "regression":
        seeds = evidence.seeds_needed(policy, detect, margin, alpha)
        found = replace(found, seeds=seeds, smallest=evidence.smallest(check, policy, alpha, floor))
    return replace(found, refusal=_refusal(found, policy, floor))


def _of_ratio(check: Planned, floor: float | None) -> str:
    if check.name in costs.MEASURED and floor is None:
        return "its noise was never measured: it could not pass; run `adaptbench calibrate`"
    if floor is not None and floor > check.margin:
        return f"the noise floor, {floor:.0%}, is above the limit: it could not find what it asks"
    return ""


def _refusal(found: Need, policy: Policy, floor: float) -> str:
    """Why a test cannot do what it is for."""
    check, room, now = found.planned, found.room, found.chance or 0.0
    detect = check.detect or 2 * check.margin
    say = partial(amount, check.name) if room is not None else "{:.0%}".format
    if policy.mode == "non-inferiority":
        if floor > check.margin:
            return f"the noise floor, {say(floor)}, is above the margin: it could not pass"
        what = f"an unchanged candidate would pass with a probability of {now:.2f}"
    else:
        if floor >= detect:
            return f"the noise floor, {say(floor)}, is no lower than what must be found, {say(detect)}"
        if room is not None and room < detect:
            return f"cannot fail: the baseline score ({say(room)}) is smaller than the drop to detect ({say(detect)})"
        what = f"the power to detect a {'rise' if room is None else 'drop'} of {say(detect)} is {now:.2f}"
    if now >= policy.power:
        return ""
    return f"{what}; the policy requires {policy.power:g}: {remedy(found)}"


def remedy(found: Need) -> str:
    """What would give a check the power it lacks."""
    ways = [f"{found.seeds} seeds"] if found.seeds else []
    ways += [f"{found.needed:,} items"] if found.needed else []
    return f"{' or '.join(ways)} are needed" if ways else f"more than {MOST_SEEDS} seeds are needed"
