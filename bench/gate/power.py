"""What the baseline of one check says of a drop: the probability of finding it, by items, seeds and alpha."""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import cache
from itertools import groupby

import numpy as np
from numpy.typing import NDArray

from bench.analysis.answers import by_unit
from bench.analysis.statistics import drops
from bench.analysis.statistics.drops import Chance
from bench.analysis.statistics.seeds import seeds_variance
from bench.core.errors import AdaptbenchError
from bench.core.record import Record, Run
from bench.gate import costs, counters
from bench.gate.expand import Planned, groups
from bench.gate.measure import FEW_SEEDS, Lines, MissingError, Side, answers_of
from bench.gate.policy import Mode, Policy
from bench.metrics import NAMES
from bench.metrics.formats import clean

Array = NDArray[np.float64]
MOST_ITEMS, MOST_SEEDS = 1_000_000, 20  # looked for; beyond them no number is enough
_ONE_SEED = "one seed cannot say whether training again would be worse: take three or more, or ask of `checkpoints`"


@dataclass(frozen=True, slots=True)
class Evidence:
    """What a baseline holds for one check."""

    items: int
    tested: bool  # whether its test is adjusted together with others
    values: Array | None = None  # [seeds, units]; of a cost as shares of its mean; None: compared by its ratio
    shares: bool = False  # right or wrong, one answer to each item
    training: bool = False  # the seeds are a sample too
    room: float | None = None  # how much worse a score could get; None for a cost
    problem: str = ""  # why nothing can be said of it

    def chance(self, policy: Policy, drop: float, margin: float, alpha: float, seeds: int | None = None) -> Chance:
        """As a function of units: of finding a drop; in non-inferiority mode of passing unchanged.

        `seeds` of each side, where they are to be others than the baseline's.
        """
        if self.values is None:
            return lambda _: 1.0
        if self.shares:
            return _of_shares(policy.mode, policy.changed, drop, margin, alpha)
        return chance_of_means(policy, self.values, self.training, margin, drop, alpha, seeds)

    @property
    def units(self) -> int:
        """Items, or groups of them."""
        return 0 if self.values is None else self.values.shape[1]

    @property
    def few_seeds(self) -> bool:
        """Whether the seeds are a sample, and too few to say what another one would give."""
        return self.training and self.values is not None and len(self.values) < FEW_SEEDS

    def items_needed(self, chance: Chance, power: float) -> int | None:
        """Items for a probability of `power` with the seeds at hand; None where no number is enough."""
        units = drops.items_needed(chance, power, MOST_ITEMS)
        return None if units is None else int(np.ceil(units * self.items / self.units))

    def seeds_needed(self, policy: Policy, drop: float, margin: float, alpha: float) -> int | None:
        """Seeds on each side for the policy's power with the items at hand; None where no number is enough."""
        if self.values is None or len(self.values) < 2:
            return None
        more = range(len(self.values) + 1, MOST_SEEDS + 1)
        enough = (k for k in more if self.chance(policy, drop, margin, alpha, k)(self.units) >= policy.power)
        return next(enough, None)

    def smallest(self, planned: Planned, policy: Policy, alpha: float, floor: float) -> float | None:
        """The smallest drop that is found with the policy's power, in whole hundredths of the scale; None for none.

        Of a cost it is a rise, of which a limit is half; one to twice what it was is looked for at most.
        """
        cost = planned.kind == "cost"
        scale = 1.0 if cost else NAMES[planned.name].scale
        most = 100 if self.room is None else int(min(99.0, self.room / scale * 100 + 1e-9))

        def found(percent: int) -> bool:
            drop = percent * scale / 100
            margin = max(drop / 2 if cost else planned.margin, floor)
            return drop > margin and self.chance(policy, drop, margin, alpha)(self.units) >= policy.power

        if self.values is None or most < 1 or not found(most):
            return None
        return (bisect_left(range(1, most), True, key=found) + 1) * scale / 100


def gather(planned: Sequence[Planned], baseline: Run, policy: Policy) -> Iterator[tuple[Planned, Evidence]]:
    """The evidence of every check; the files of one method are read once for all of its checks."""
    side = Side("the baseline", baseline, groups(baseline))
    for _, checks in groupby(sorted(planned, key=lambda check: check.group), key=lambda check: check.group):
        kept: dict[str, list[tuple[Record, Lines]]] = {}
        for check in checks:
            yield check, _evidence(check, side, kept, policy)


def _evidence(check: Planned, side: Side, kept: dict[str, list[tuple[Record, Lines]]], policy: Policy) -> Evidence:
    records = side.cells[check.group]
    if check.kind == "cost" and not costs.varies(check.name, records):
        return Evidence(records[0].items, tested=False)
    try:
        if check.probe not in kept:
            lines = side.probe(records, check.probe) if check.probe else zip(records, side.task(records), strict=True)
            kept[check.probe] = list(lines)
        cells = kept[check.probe]
        answers = None if check.kind == "cost" else answers_of(check, side, cells)
        values = by_unit([answers])[0] if answers else counters.of_run(check.name, cells)
    except (MissingError, AdaptbenchError, KeyError, TypeError, ValueError) as error:
        return Evidence(0, tested=True, problem=f"the baseline cannot be compared with: {clean(error)}")
    items, seeded = len(cells[0][1]), len(cells) > 1 or costs.seeded([record for record, _ in cells])
    if answers is None and (not values.any() or (values.shape[1] == 1 and not seeded)):
        return Evidence(items, tested=False)  # as the gate does with what is 0, and with a total that no seed moves
    training = seeded and policy.question == "training"
    shares = bool(answers and answers.values is not None) and not (seeded or any(answers.groups if answers else ()))
    return Evidence(
        items,
        tested=True,
        values=values if answers else values / values.mean(),
        shares=shares and bool(np.isin(values, (0.0, 1.0)).all()),
        training=training,
        room=NAMES[check.name].room(answers.score) if answers else None,
        problem=_ONE_SEED if training and len(cells) == 1 and policy.mode == "regression" else "",
    )


@cache
def _of_shares(mode: Mode, changed: float, drop: float, margin: float, alpha: float) -> Chance:
    """Checks of one task often agree in all of these, so that each probability is computed once."""
    if mode == "regression":
        discordance = min(max(changed, drop), 1.0)
        return cache(lambda n: drops.found_shares(n, discordance, drop, alpha=alpha, margin=margin))
    return cache(lambda n: drops.within_shares(n, changed, margin, alpha=alpha))


def chance_of_means(
    policy: Policy,
    values: Array,
    training: bool,
    margin: float,
    detect: float,
    alpha: float,
    seeds: int | None = None,
) -> Chance:
    """A chance as a function of the number of units, from what [seeds, units] say of their spread.

    `training`: seeds are a sample too, and the t-test of their means is asked as well. Of a single unit, a total, the
    seeds' test is all there is. `seeds`: of each side, where they are to be others than those of `values`.
    """
    count, total = seeds or len(values), values.shape[1] == 1
    spread = _spread(values, policy.changed) * len(values) / count
    between = _between_seeds(values, count) if training else None
    pooled = 2.0 * (count - 1) if training else 0.0

    def chance(n: int) -> float:
        if n < 2 and not total:
            return 0.0
        parts = [] if total else [(spread / n, n - 1.0)]
        parts += [between] if between else []
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


def _spread(values: Array, changed: float) -> float:
    """Variance of one unit's difference between two runs, from [seeds, units]."""
    if len(values) > 1:  # two sets of as many seeds: each item's mean varies by what its seeds do, on both sides
        return float(2 * values.var(axis=0, ddof=1).mean() / len(values))
    return float(2 * changed * values[0].var(ddof=1))


def _between_seeds(values: Array, count: int) -> tuple[float, float] | None:
    """What `count` seeds of each of two runs add to the variance of their difference, and its degrees of freedom."""
    if min(values.shape) < 2:
        return None
    variance, _ = seeds_variance(values)
    return (2 * variance * len(values) / count, 2.0 * (count - 1)) if variance else None
