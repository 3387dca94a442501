"""What a policy could find with the items of a baseline, before any candidate is measured."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import cache, partial
from itertools import groupby

import numpy as np

from bench.analysis.answers import by_unit, groups_of
from bench.analysis.statistics import drops
from bench.analysis.statistics.seeds import seeds_variance
from bench.core.errors import AdaptbenchError
from bench.core.record import Record, Run
from bench.gate import costs
from bench.gate.expand import Group, Planned, groups
from bench.gate.measure import Lines, MissingError, Side, answers_of
from bench.gate.policy import Policy
from bench.metrics import NAMES
from bench.metrics.formats import clean, number

Floors = Mapping[tuple[str, str, str, str, str, str], float]
_MOST = 1_000_000  # items; more is said as "no number"


@dataclass(frozen=True, slots=True)
class Need:
    """One check: what its items allow for."""

    planned: Planned
    items: int
    chance: float | None = None  # regression: of finding a drop of `detect`; non-inferiority: of passing unchanged
    needed: int | None = None  # items for the chance the policy asks for; None where no number is enough
    refusal: str = ""  # why this check cannot do what it is for

    @property
    def refused(self) -> bool:
        return bool(self.refusal) and self.planned.tier == "critical"


def plan(planned: Sequence[Planned], baseline: Run, policy: Policy, floors: Floors) -> list[Need]:
    """Chances and items needed of every check.

    Of the candidate it is assumed that `changed` of its items score otherwise than the baseline's, each as if it were
    drawn anew. A trained method with several seeds says itself how far its items and its seeds move. The chance is
    that of the strictest step of Holm's procedure, alpha over the number of checks.
    """
    family = sum(one.kind != "cost" and one.tier != "advisory" for one in planned)
    advisory = sum(one.kind != "cost" and one.tier == "advisory" for one in planned)
    side = Side("the baseline", baseline, groups(baseline))
    found = []
    for group, some in groupby(sorted(planned, key=lambda one: one.group), key=lambda one: one.group):
        kept: dict[str, list[tuple[Record, Lines]]] = {}
        for one in some:
            floor = floors.get(one.key)
            if one.kind == "cost":
                found.append(_of_cost(one, side, group, floor))
                continue
            size = advisory if one.tier == "advisory" else family
            found.append(_of_score(one, side, group, kept, policy, floor or 0.0, size))
    return found


def _of_cost(one: Planned, side: Side, group: Group, floor: float | None) -> Need:
    items = side.cells[group][0].items
    if one.name in costs.MEASURED and floor is None:
        return Need(one, items, refusal="its noise was never measured: it could not pass; run `adaptbench calibrate`")
    if floor is not None and floor > one.margin:
        return Need(
            one, items, refusal=f"the noise floor, {floor:.0%}, is above the limit: it could not find what it asks"
        )
    return Need(one, items)


def _of_score(
    one: Planned,
    side: Side,
    group: Group,
    kept: dict[str, list[tuple[Record, Lines]]],
    policy: Policy,
    floor: float,
    family: int,
) -> Need:
    try:
        if one.probe not in kept:
            records = side.cells[group]
            own = side.probe(records, one.probe) if one.probe else zip(records, side.task(records), strict=True)
            kept[one.probe] = list(own)
        answers = answers_of(one, side, kept[one.probe])
    except (MissingError, AdaptbenchError, KeyError, TypeError, ValueError) as error:
        return Need(one, 0, refusal=f"the baseline cannot be compared with: {clean(error)}")
    items = len(answers.ids)
    alpha = policy.alpha / family if policy.mode == "regression" else policy.alpha
    margin, detect = max(one.margin, floor), one.detect or 2 * one.margin
    binary = answers.values is not None and np.isin(answers.values, (0.0, 1.0)).all()
    if binary and len(answers.seeds) == 1 and not any(answers.groups):
        chance = _shares(policy.mode, policy.changed, margin, detect, alpha)
        needed, ratio = _needed(policy.mode, policy.changed, margin, detect, alpha, policy.power), 1.0
        now = chance(items)
    else:
        [values] = by_unit([answers])
        ratio = items / values.shape[1]
        spread = _spread(values, policy.changed)
        seeds = _seeds(values)
        chance = partial(_means, policy.mode, spread, seeds, 2 * (len(values) - 1), margin, detect, alpha)
        now, needed = chance(values.shape[1]), drops.items_needed(chance, policy.power, _MOST)
    wanted = None if needed is None else int(np.ceil(needed * ratio))
    return Need(
        one, items, now, wanted, _refusal(one, policy, answers.score, floor, now, wanted, bool(groups_of(answers)))
    )


def _refusal(
    one: Planned, policy: Policy, score: float, floor: float, now: float, needed: int | None, grouped: bool
) -> str:
    info, detect = NAMES[one.name], one.detect or 2 * one.margin
    say = partial(number, one.name)
    if policy.mode == "non-inferiority":
        if floor > one.margin:
            return f"the noise floor, {say(floor)}, is above the margin: it could not pass"
        what = f"an unchanged candidate would pass with a probability of {now:.2f}"
    else:
        if floor >= detect:
            return f"the noise floor, {say(floor)}, is no lower than what must be found, {say(detect)}"
        if info.room(score) < detect:
            return f"cannot fail: the baseline score ({say(score)}) is smaller than the drop to detect ({say(detect)})"
        what = f"the power to detect a drop of {say(detect)} is {now:.2f}"
    if now >= policy.power:
        return ""
    more = "no number of items is enough; more seeds may be" if needed is None else f"{needed:,} items are needed"
    return f"{what}; the policy requires {policy.power:g}: {more}"


def _shares(mode: str, changed: float, margin: float, detect: float, alpha: float) -> Callable[[int], float]:
    if mode == "regression":
        discordance = min(max(changed, detect), 1.0)
        return lambda n: drops.found_shares(n, discordance, detect, alpha=alpha, margin=margin)
    return lambda n: drops.within_shares(n, changed, margin, alpha=alpha)


@cache
def _needed(mode: str, changed: float, margin: float, detect: float, alpha: float, power: float) -> int | None:
    return drops.items_needed(_shares(mode, changed, margin, detect, alpha), power, _MOST)


def _means(
    mode: str,
    spread: float,
    seeds: tuple[float, int] | None,
    pooled: int,
    margin: float,
    detect: float,
    alpha: float,
    n: int,
) -> float:
    """A chance with n units whose differences have the variance `spread`.

    `pooled`: degrees of freedom of the t-test of seeds' means, which is asked too where there are several.
    """
    if n < 2:
        return 0.0
    parts = [(spread / n, n - 1.0), *([(seeds[0], float(seeds[1]))] if seeds else [])]
    error = float(np.sqrt(sum(variance for variance, _ in parts)))
    critical = drops.one_sided_critical(parts, alpha)
    if pooled:
        critical = max(critical, drops.one_sided_critical([(error**2, float(pooled))], alpha))
    if mode == "regression":
        return drops.found_means(error, critical, detect, margin=margin)
    return drops.within_means(error, critical, margin)


def _spread(values: np.ndarray, changed: float) -> float:
    """Variance of one unit's difference between two runs, from [seeds, units]."""
    if len(values) > 1:  # two sets of as many seeds: each item's mean varies by what its seeds do, on both sides
        return float(2 * values.var(axis=0, ddof=1).mean() / len(values))
    return float(2 * changed * values[0].var(ddof=1))


def _seeds(values: np.ndarray) -> tuple[float, int] | None:
    """What the seeds of two runs add to the variance of their difference, and its degrees of freedom."""
    if len(values) < 2:
        return None
    variance, df = seeds_variance(values)
    return (2 * variance, 2 * df) if variance else None
