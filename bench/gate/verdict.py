"""Numbers to statuses, statuses to a verdict and an exit code. Reads no files: what decides can be simulated."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from functools import lru_cache
from typing import Literal, TypeAlias

from bench.analysis.statistics.drops import found_means, found_shares
from bench.analysis.statistics.family import holm
from bench.analysis.statistics.intervals import Interval
from bench.analysis.statistics.onesided import OneSided
from bench.core.errors import IncompleteError, NotComparableError
from bench.gate import costs
from bench.gate.expand import Planned
from bench.gate.interleaved import Ratio
from bench.gate.measure import Measured
from bench.gate.policy import Mode, Policy
from bench.metrics import NAMES
from bench.metrics.formats import number

Status: TypeAlias = Literal["pass", "warn", "regression", "inconclusive", "missing", "not_comparable"]
PASSED, REGRESSION, INCONCLUSIVE = 0, 1, 3
INCOMPLETE, NOT_COMPARABLE = IncompleteError.exit_code, NotComparableError.exit_code
WORDS: Mapping[int, str] = {
    PASSED: "pass",
    REGRESSION: "regression",
    INCONCLUSIVE: "inconclusive",
    INCOMPLETE: "incomplete",
    NOT_COMPARABLE: "not comparable",
}
_TINY = 1e-12  # below which a difference of scores is rounding


@dataclass(frozen=True, slots=True)
class GateFinding:
    """What one check found."""

    measured: Measured
    status: Status
    reason: str
    margin: float  # the policy's, or the noise floor where that is higher
    floor: float | None = None  # noise floor; None where it was never measured
    p: float | None = None  # one-sided, of the fall that the mode asks for
    p_adjusted: float | None = None  # Holm, over the family
    power: float | None = None  # chance that a drop of `detect` would have been found; regression mode
    stops: bool = True  # whether inconclusive does, by the policy
    level: float = 0.9  # of the interval: 1 - 2 alpha, so that each end is a one-sided limit at alpha

    @property
    def interval(self) -> Interval | None:
        """Of candidate less baseline, in the unit of the metric."""
        if self.measured.tails is None:
            return None
        turned = self.measured.tails.interval(self.level)
        if NAMES[self.planned.name].higher_is_better:
            return turned
        return Interval(-turned.high, -turned.low, turned.level)

    @property
    def planned(self) -> Planned:
        return self.measured.planned

    @property
    def decides(self) -> bool:
        """Whether this status alone makes the verdict other than a pass."""
        if self.status == "missing":
            return True
        if self.planned.tier == "advisory":
            return False
        hardware = self.planned.kind == "cost" and self.status == "not_comparable"
        if self.status == "inconclusive" or hardware:
            return self.planned.tier == "critical" and (hardware or self.stops)
        return self.status in ("regression", "not_comparable")


@dataclass(frozen=True, slots=True)
class GateVerdict:
    """What is said of a candidate."""

    exit_code: int
    mode: Mode
    alpha: float
    family: int  # significance tests that were adjusted together
    findings: tuple[GateFinding, ...]
    problems: tuple[str, ...] = ()  # what is missing beside the checks
    notes: tuple[str, ...] = ()

    @property
    def word(self) -> str:
        return WORDS[self.exit_code]


Floors: TypeAlias = Mapping[tuple[str, str, str, str, str, str], float]


def judge(
    measured: Sequence[Measured],
    policy: Policy,
    floors: Floors | None = None,
    problems: Sequence[str] = (),
    notes: Sequence[str] = (),
) -> GateVerdict:
    """A status for every check, and what they say together.

    Checks of scores that can fail the gate are one family, adjusted together (Holm), with those that could not be
    measured in it at p = 1; advisory ones are a family of their own. In regression mode p is of no drop; in
    non-inferiority mode it is of no drop beyond the margin, and passing needs no adjustment, as all have to pass
    (intersection-union test; Berger 1982, Technometrics 24, 295-300).
    """
    known = floors or {}
    found: dict[int, GateFinding] = {}
    sizes = []
    for advisory in (False, True):
        family = [m for m in measured if m.planned.kind != "cost" and (m.planned.tier == "advisory") == advisory]
        sizes.append(len(family))
        if not family:
            continue
        p = [_p(one, policy.mode, _margin(one, known)) for one in family]
        adjusted = holm(p)
        for one, own, together in zip(family, p, adjusted, strict=True):
            found[id(one)] = _of_score(one, policy, known.get(one.planned.key), own, float(together), len(family))
    for one in measured:
        if one.planned.kind == "cost":
            found[id(one)] = _of_cost(one, known.get(one.planned.key), policy.mode)
    stops = policy.inconclusive == "stop"
    findings = tuple(replace(found[id(one)], stops=stops) for one in measured)
    code = _exit_code(findings, problems)
    return GateVerdict(code, policy.mode, policy.alpha, sizes[0], findings, tuple(problems), tuple(notes))


def _exit_code(findings: Sequence[GateFinding], problems: Sequence[str]) -> int:
    """The gravest: a regression is a fact, whatever else is missing."""
    statuses = {finding.status for finding in findings if finding.decides}
    if "regression" in statuses:
        return REGRESSION
    if "missing" in statuses or problems or not findings:
        return INCOMPLETE
    if "not_comparable" in statuses:
        return NOT_COMPARABLE
    return INCONCLUSIVE if "inconclusive" in statuses else PASSED


def _margin(one: Measured, floors: Floors) -> float:
    return max(one.planned.margin, floors.get(one.planned.key, 0.0))


def _p(one: Measured, mode: Mode, margin: float) -> float:
    if one.tails is None:
        return 1.0
    return one.tails.below(0.0 if mode == "regression" else -margin)


def _of_score(
    one: Measured, policy: Policy, floor: float | None, p: float, adjusted: float, family: int
) -> GateFinding:
    margin = max(one.planned.margin, floor or 0.0)
    if one.tails is None:
        assert one.problem
        return GateFinding(one, one.problem, one.reason, margin, floor)
    rule = _regression if policy.mode == "regression" else _non_inferiority
    status, reason, power = rule(one, one.tails, policy, margin, floor or 0.0, adjusted, family)
    return GateFinding(one, status, reason, margin, floor, p, adjusted, power, level=1 - 2 * policy.alpha)


Outcome: TypeAlias = tuple[Status, str, float | None]


def _regression(
    one: Measured, tails: OneSided, policy: Policy, margin: float, floor: float, adjusted: float, family: int
) -> Outcome:
    detect, say = one.planned.detect or 2 * one.planned.margin, _saying(one)
    drop, beyond = -tails.difference, -tails.difference > margin + _TINY
    power = _power(tails, detect, policy.alpha / family, margin)
    if adjusted <= policy.alpha:
        if beyond:
            return "regression", f"{say.fell(drop)}, beyond the {say.margin(margin, floor)}", power
        return "warn", f"{say.fell(drop)}, within the {say.margin(margin, floor)}", power
    if detect <= floor:
        return "inconclusive", f"the noise floor, {say.figure(floor)}, is no lower than what must be found", power
    if _room(one) < detect and tails.above(-margin) > policy.alpha:
        return (
            "inconclusive",
            f"cannot fail: the baseline score ({say.figure(one.baseline or 0.0)}) is smaller than the drop to detect "
            f"({say.figure(detect)}); make it advisory or lower `detect`",
            power,
        )
    if power < policy.power and tails.above(-detect) > policy.alpha:
        wanted = f"the power to detect a drop of {say.figure(detect)} is {power:.2f}"
        return (
            "inconclusive",
            f"{wanted}; the policy requires {policy.power:g}; add test items or seeds, or raise `detect`",
            power,
        )
    if beyond:
        return "warn", f"{say.fell(drop)}, beyond the {say.margin(margin, floor)}, but that may be chance", power
    return "pass", "", power


def _non_inferiority(
    one: Measured, tails: OneSided, policy: Policy, margin: float, floor: float, adjusted: float, family: int
) -> Outcome:
    say, drop = _saying(one), -tails.difference
    if adjusted <= policy.alpha and drop > margin + _TINY:
        return "regression", f"{say.fell(drop)}, and the whole interval is beyond the {say.margin(margin, floor)}", None
    if one.planned.margin < floor:
        return "inconclusive", f"the noise floor, {say.figure(floor)}, is above the margin", None
    if tails.above(-one.planned.margin) <= policy.alpha:
        return "pass", "", None
    return "inconclusive", f"the interval does not clear the {say.margin(margin, floor)}", None


def _room(one: Measured) -> float:
    """How much worse the baseline's score could get."""
    return NAMES[one.planned.name].room(one.baseline or 0.0)


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
class _Saying:
    """Figures of one metric in words."""

    metric: str

    def figure(self, value: float) -> str:
        return number(self.metric, value) if value == 0 or value >= 0.001 * NAMES[self.metric].scale else f"{value:.2g}"

    def fell(self, drop: float) -> str:
        word = "fell" if NAMES[self.metric].higher_is_better else "rose"
        return f"{word} by {self.figure(drop)}"

    def margin(self, margin: float, floor: float) -> str:
        return f"{'noise floor' if floor and margin == floor else 'margin'} of {self.figure(margin)}"


def _saying(one: Measured) -> _Saying:
    return _Saying(one.planned.name)


def _of_cost(one: Measured, floor: float | None, mode: Mode) -> GateFinding:
    limit = max(one.planned.margin, floor or 0.0)
    if one.problem:
        return GateFinding(one, one.problem, one.reason, limit, floor)
    if one.ratio:
        rule = _in_turns if mode == "regression" else _cleared_in_turns
        return GateFinding(one, *rule(one.ratio, one.planned.margin), one.planned.margin)
    assert one.baseline is not None
    assert one.candidate is not None
    if one.planned.name in costs.MEASURED:
        if not one.same_hardware:
            return GateFinding(one, "not_comparable", "measured on other hardware than the baseline", limit, floor)
        if floor is None:
            return GateFinding(one, "inconclusive", "its noise was never measured; run `adaptbench calibrate`", limit)
    if one.candidate <= one.baseline * (1 + one.planned.margin) * (1 + _TINY):
        return GateFinding(one, "pass", "", limit, floor)
    rise = f"rose by {one.candidate / one.baseline - 1:.0%}" if one.baseline else "rose from 0"
    limited = f"{'noise floor' if floor and limit == floor else 'limit'} of {limit:.0%}"
    if one.candidate <= one.baseline * (1 + limit) * (1 + _TINY):
        return GateFinding(one, "warn", f"{rise}, within the {limited}", limit, floor)
    return GateFinding(one, "regression", f"{rise}, beyond the {limited}", limit, floor)


def _in_turns(ratio: Ratio, limit: float) -> tuple[Status, str]:
    """As of a score: a rise is found if it is beyond chance and the limit, and twice the limit must be findable."""
    rise, turns = f"rose by {ratio.mean - 1:.0%}", f"in {ratio.turns} turns"
    beyond = ratio.mean > (1 + limit) * (1 + _TINY)
    if ratio.low > 1 + _TINY:
        where = "beyond" if beyond else "within"
        return ("regression" if beyond else "warn"), f"{rise} {turns}, {where} the limit of {limit:.0%}"
    if ratio.high > 1 + 2 * limit:
        return "inconclusive", f"a rise of {2 * limit:.0%} cannot be ruled out {turns}"
    return (
        ("warn", f"{rise} {turns}, beyond the limit of {limit:.0%}, but that may be chance") if beyond else ("pass", "")
    )


def _cleared_in_turns(ratio: Ratio, limit: float) -> tuple[Status, str]:
    """Non-inferiority: it passes only if its confidence limit lies below the policy's."""
    if ratio.low > (1 + limit) * (1 + _TINY):
        return (
            "regression",
            f"rose by {ratio.mean - 1:.0%} in {ratio.turns} turns, all of the interval beyond {limit:.0%}",
        )
    if ratio.high <= (1 + limit) * (1 + _TINY):
        return "pass", ""
    return "inconclusive", f"a rise of {limit:.0%} cannot be ruled out in {ratio.turns} turns"
