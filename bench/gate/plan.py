"""What a policy could find with the items of a baseline, before any candidate is measured."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cache, partial
from itertools import groupby

import numpy as np

from bench.analysis.answers import by_unit
from bench.analysis.statistics import drops
from bench.analysis.statistics.drops import Chance
from bench.analysis.statistics.seeds import seeds_variance
from bench.core.errors import AdaptbenchError
from bench.core.record import Record, Run
from bench.gate import costs, counters
from bench.gate.expand import Planned, groups
from bench.gate.measure import Lines, MissingError, Side, answers_of
from bench.gate.policy import Policy
from bench.metrics import NAMES
from bench.metrics.formats import amount, clean

Floors = Mapping[tuple[str, str, str, str, str, str], float]
_MOST = 1_000_000  # items; more is said as "no number"
_ONE_SEED = "one seed cannot say whether training again would be worse: take three or more, or ask of `checkpoints`"


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
    side = Side("the baseline", baseline, groups(baseline))
    tested = [one for one in planned if one.kind != "cost" or costs.varies(one.name, side.cells[one.group])]
    advisory = sum(one.tier == "advisory" for one in tested)
    found = []
    for _, some in groupby(sorted(planned, key=lambda one: one.group), key=lambda one: one.group):
        kept: dict[str, list[tuple[Record, Lines]]] = {}
        for one in some:
            floor = floors.get(one.key)
            size = advisory if one.tier == "advisory" else len(tested) - advisory
            found.append(
                _of_test(one, side, kept, policy, floor or 0.0, size) if one in tested else _of_ratio(one, side, floor)
            )
    return found


def _of_ratio(one: Planned, side: Side, floor: float | None) -> Need:
    items = side.cells[one.group][0].items
    if one.name in costs.MEASURED and floor is None:
        return Need(one, items, refusal="its noise was never measured: it could not pass; run `adaptbench calibrate`")
    if floor is not None and floor > one.margin:
        return Need(
            one, items, refusal=f"the noise floor, {floor:.0%}, is above the limit: it could not find what it asks"
        )
    return Need(one, items)


def _of_test(
    one: Planned,
    side: Side,
    kept: dict[str, list[tuple[Record, Lines]]],
    policy: Policy,
    floor: float,
    family: int,
) -> Need:
    try:
        if one.probe not in kept:
            records = side.cells[one.group]
            own = side.probe(records, one.probe) if one.probe else zip(records, side.task(records), strict=True)
            kept[one.probe] = list(own)
        cells = kept[one.probe]
        answers = None if one.kind == "cost" else answers_of(one, side, cells)
        values = by_unit([answers])[0] if answers else counters.of_run(one.name, cells)
    except (MissingError, AdaptbenchError, KeyError, TypeError, ValueError) as error:
        return Need(one, 0, refusal=f"the baseline cannot be compared with: {clean(error)}")
    items, seeded = len(cells[0][1]), len(cells) > 1 or costs.seeded([record for record, _ in cells])
    if answers is None and (not values.any() or (values.shape[1] == 1 and not seeded)):
        return Need(one, items)  # by its ratio, as one total that no seed moves is
    if seeded and len(cells) == 1 and (policy.question, policy.mode) == ("training", "regression"):
        return Need(one, items, refusal=_ONE_SEED)
    alpha = policy.alpha / family if policy.mode == "regression" else policy.alpha
    margin, detect = max(one.margin, floor), one.detect or 2 * one.margin
    if answers and answers.values is not None and not (seeded or any(answers.groups)) and _binary(values):
        chance: Chance = _shares(policy.mode, policy.changed, margin, detect, alpha)
        now, needed = chance(items), _needed(policy.mode, policy.changed, margin, detect, alpha, policy.power)
    else:
        values = values if answers else values / values.mean()
        chance = chance_of_means(policy, values, seeded and policy.question == "training", margin, detect, alpha)
        now, needed = chance(values.shape[1]), drops.items_needed(chance, policy.power, _MOST)
    wanted = None if needed is None else int(np.ceil(needed * items / values.shape[1]))
    room = None if answers is None else NAMES[one.name].room(answers.score)
    return Need(one, items, now, wanted, _refusal(one, policy, room, floor, now, wanted))


def _refusal(one: Planned, policy: Policy, room: float | None, floor: float, now: float, needed: int | None) -> str:
    """Why a test cannot do what it is for; `room`: how much worse a score could get, None for a cost."""
    detect = one.detect or 2 * one.margin
    say = partial(amount, one.name) if room is not None else "{:.0%}".format
    if policy.mode == "non-inferiority":
        if floor > one.margin:
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
    more = "no number of items is enough; more seeds may be" if needed is None else f"{needed:,} items are needed"
    return f"{what}; the policy requires {policy.power:g}: {more}"


def _shares(mode: str, changed: float, margin: float, detect: float, alpha: float) -> Chance:
    if mode == "regression":
        discordance = min(max(changed, detect), 1.0)
        return lambda n: drops.found_shares(n, discordance, detect, alpha=alpha, margin=margin)
    return lambda n: drops.within_shares(n, changed, margin, alpha=alpha)


@cache
def _needed(mode: str, changed: float, margin: float, detect: float, alpha: float, power: float) -> int | None:
    return drops.items_needed(_shares(mode, changed, margin, detect, alpha), power, _MOST)


def chance_of_means(
    policy: Policy, values: np.ndarray, training: bool, margin: float, detect: float, alpha: float
) -> Chance:
    """A chance as a function of the number of units, from what [seeds, units] say of their spread.

    `training`: seeds are a sample too, and the t-test of their means is asked as well. Of a single unit, a total, the
    seeds' test is all there is.
    """
    spread, seeds = _spread(values, policy.changed), _seeds(values) if training else None
    pooled = 2.0 * (len(values) - 1) if training else 0.0

    total = values.shape[1] == 1

    def chance(n: int) -> float:
        if n < 2 and not total:
            return 0.0
        parts = [] if total else [(spread / n, n - 1.0)]
        parts += [seeds] if seeds else []
        error = float(np.sqrt(spread if total else sum(variance for variance, _ in parts)))
        error *= _median_correction(len(values) - 1) if training else 1.0
        critical = drops.one_sided_critical(parts, alpha)
        if pooled:
            critical = max(critical, drops.one_sided_critical([(error**2, pooled)], alpha))
        if policy.mode == "regression":
            return drops.found_means(error, critical, detect, margin=margin)
        return drops.within_means(error, critical, margin)

    return chance


def _median_correction(df: int) -> float:
    """What makes a standard deviation of few seeds too low as often as too high: with three seeds 1.19.

    A variance of `df` degrees of freedom lies below its true value in more than half of all samples; its median is
    df (1 - 2 / (9 df))^3 over df (Wilson and Hilferty 1931, PNAS 17, 684-688).
    """
    return float((1 - 2 / (9 * df)) ** -1.5) if df else 1.0


def _binary(values: np.ndarray) -> bool:
    return bool(np.isin(values, (0.0, 1.0)).all())


def _spread(values: np.ndarray, changed: float) -> float:
    """Variance of one unit's difference between two runs, from [seeds, units]."""
    if len(values) > 1:  # two sets of as many seeds: each item's mean varies by what its seeds do, on both sides
        return float(2 * values.var(axis=0, ddof=1).mean() / len(values))
    return float(2 * changed * values[0].var(ddof=1))


def _seeds(values: np.ndarray) -> tuple[float, float] | None:
    """What the seeds of two runs add to the variance of their difference, and its degrees of freedom."""
    if min(values.shape) < 2:
        return None
    variance, df = seeds_variance(values)
    return (2 * variance, 2.0 * df) if variance else None
