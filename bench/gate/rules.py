"""The rules of both modes for what is tested: a difference with its tails to a status. Reads no files."""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache
from typing import Literal, TypeAlias

from bench.analysis.statistics.drops import found_means, found_shares
from bench.analysis.statistics.onesided import OneSided
from bench.gate.expand import Planned
from bench.gate.measure import Measured
from bench.gate.policy import Policy
from bench.metrics import NAMES
from bench.metrics.formats import amount

Status: TypeAlias = Literal["pass", "warn", "regression", "inconclusive", "missing", "not_comparable"]
Outcome: TypeAlias = tuple[Status, str, float | None]  # with its reason, and the power of regression mode
TINY = 1e-12  # below which a difference of scores is rounding


@dataclass(frozen=True, slots=True)
class Case:
    """A check with what the family makes of it. Of a cost all amounts are shares of the baseline's."""

    measured: Measured
    policy: Policy
    floor: float  # of noise
    adjusted: float  # Holm's p of what may fail
    adjusted_here: float  # Holm's p of what was measured, seeds left aside
    family: int

    @property
    def planned(self) -> Planned:
        return self.measured.planned

    @property
    def margin(self) -> float:
        return max(self.planned.margin, self.floor)

    @property
    def detect(self) -> float:
        return self.planned.detect or 2 * self.planned.margin


def outcome(case: Case) -> Outcome:
    """What a check that was measured comes to. The same figures for every item pass whatever could have been found."""
    assert case.measured.tails is not None
    if case.measured.tails.identical:
        return "pass", "identical for every item", None
    passing = case.measured.passing(case.policy.question)
    if passing is None:
        return _one_figure_each(case)
    return (_regression if case.policy.mode == "regression" else _non_inferiority)(case, passing)


def _regression(case: Case, tails: OneSided) -> Outcome:
    say, drop = _Words(case), -tails.difference
    beyond = drop > case.margin + TINY
    power = _power(tails, case.detect, case.policy.alpha / case.family, case.margin)
    if case.adjusted <= case.policy.alpha:
        return ("regression" if beyond else "warn"), say.fell(drop), power
    if _by_seeds_alone(case) and case.adjusted_here <= case.policy.alpha and beyond:
        return "inconclusive", f"{say.fell(drop)}; {say.few_seeds}", power
    if not case.detect:
        return "pass", "", power
    if case.detect <= case.floor:
        return "inconclusive", f"the noise floor, {say.figure(case.floor)}, is no lower than what must be found", power
    if _room(case) < case.detect and tails.above(-case.margin) > case.policy.alpha:
        return "inconclusive", say.cannot_fail, power
    if power < case.policy.power and tails.above(-case.detect) > case.policy.alpha:
        return "inconclusive", say.weak(power), power
    return ("warn", f"{say.fell(drop)}, but that may be chance", power) if beyond else ("pass", "", power)


def _non_inferiority(case: Case, tails: OneSided) -> Outcome:
    say, drop = _Words(case), -tails.difference
    if case.adjusted <= case.policy.alpha and drop > case.margin + TINY:
        return "regression", f"{say.drop(drop)}, and the whole interval is beyond the {say.margin}", None
    if case.planned.margin < case.floor:
        return "inconclusive", f"the noise floor, {say.figure(case.floor)}, is above the margin", None
    if tails.above(-case.planned.margin) <= case.policy.alpha:
        return "pass", "", None
    if _by_seeds_alone(case) and case.adjusted_here <= case.policy.alpha:
        return "inconclusive", f"{say.fell(drop)}; {say.few_seeds}", None
    return "inconclusive", f"the interval does not clear the {say.margin}", None


def _one_figure_each(case: Case) -> Outcome:
    """A counter without figures of items, of one seed each: nothing says how far seeds lie apart."""
    assert case.measured.candidate is not None
    assert case.measured.baseline
    rise = case.measured.candidate / case.measured.baseline - 1
    if rise <= case.margin + TINY:
        return "pass", "", None
    return "inconclusive", f"{_Words(case).fell(rise)}; {_Words(case).few_seeds}", None


def _by_seeds_alone(case: Case) -> bool:
    """Whether a fall of what was measured cannot fail the gate, as it may be the seeds' doing."""
    return case.measured.few_seeds and case.policy.question == "training"


def _room(case: Case) -> float:
    """How much worse the baseline's figure could get."""
    if case.planned.kind == "cost":
        return float("inf")
    return NAMES[case.planned.name].room(case.measured.baseline or 0.0)


def _power(tails: OneSided, drop: float, alpha: float, margin: float) -> float:
    """Chance that these items would have shown a drop, with as many changed answers as they show."""
    if tails.discordance is not None:
        return _found_shares(tails.units, min(max(tails.discordance, drop), 1.0), drop, alpha, margin)
    limit = tails.interval(1 - 2 * alpha)
    return found_means(tails.error, (limit.high - limit.low) / 2, drop, margin=margin)


@lru_cache(maxsize=4096)
def _found_shares(n: int, discordance: float, drop: float, alpha: float, margin: float) -> float:
    """Checks of one task often agree in all of these."""
    return found_shares(n, discordance, drop, alpha=alpha, margin=margin)


@dataclass(frozen=True, slots=True)
class _Words:
    """A case in words."""

    case: Case

    def figure(self, value: float) -> str:
        """In the unit of the metric, or as a share."""
        if self.case.planned.kind == "cost":
            return f"{value:.0%}"
        return amount(self.case.planned.name, value)

    def drop(self, drop: float) -> str:
        cost = self.case.planned.kind == "cost"
        word = "rose" if cost or not NAMES[self.case.planned.name].higher_is_better else "fell"
        return f"{word} by {self.figure(drop)}"

    def fell(self, drop: float) -> str:
        return f"{self.drop(drop)}, {'beyond' if drop > self.case.margin + TINY else 'within'} the {self.margin}"

    @property
    def margin(self) -> str:
        floor = self.case.floor and self.case.margin == self.case.floor
        word = "limit" if self.case.planned.kind == "cost" else "margin"
        return f"{'noise floor' if floor else word} of {self.figure(self.case.margin)}"

    @property
    def few_seeds(self) -> str:
        new, old = self.case.measured.seeds
        return f"{new} seed{'s' * (new > 1)} against {old} cannot say whether training again would be worse"

    @property
    def cannot_fail(self) -> str:
        return (
            f"cannot fail: the baseline score ({self.figure(self.case.measured.baseline or 0.0)}) is smaller than the "
            f"drop to detect ({self.figure(self.case.detect)}); make it advisory or lower `detect`"
        )

    def weak(self, power: float) -> str:
        what = "rise" if self.case.planned.kind == "cost" else "drop"
        lever = "`limit`" if self.case.planned.kind == "cost" else "`detect`"
        return (
            f"the power to detect a {what} of {self.figure(self.case.detect)} is {power:.2f}; the policy requires "
            f"{self.case.policy.power:g}; add test items or seeds, or raise {lever}"
        )
