"""Numbers to statuses, statuses to a verdict and an exit code. Reads no files: what decides can be simulated."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import TypeAlias

from bench.analysis.statistics.family import holm
from bench.analysis.statistics.intervals import Interval
from bench.analysis.statistics.onesided import OneSided
from bench.core.errors import IncompleteError, NotComparableError
from bench.gate import cost_rules, rules
from bench.gate.expand import Planned
from bench.gate.measure import Measured
from bench.gate.policy import Mode, Policy, Question
from bench.gate.rules import Case, Status
from bench.metrics import NAMES

PASSED, REGRESSION, INCONCLUSIVE = 0, 1, 3
INCOMPLETE, NOT_COMPARABLE = IncompleteError.exit_code, NotComparableError.exit_code
WORDS: Mapping[int, str] = {
    PASSED: "pass",
    REGRESSION: "regression",
    INCONCLUSIVE: "inconclusive",
    INCOMPLETE: "incomplete",
    NOT_COMPARABLE: "not comparable",
}


@dataclass(frozen=True, slots=True)
class GateFinding:
    """What one check found."""

    measured: Measured
    status: Status
    reason: str
    margin: float  # the policy's, or the noise floor where that is higher
    floor: float | None = None  # noise floor; None where it was never measured
    p: float | None = None  # one-sided, of the fall that the mode asks for; 1 where the question has no answer
    p_adjusted: float | None = None  # Holm, over the family
    power: float | None = None  # chance that a drop of `detect` would have been found; regression mode
    stops: bool = True  # whether inconclusive does, by the policy
    level: float = 0.9  # of the interval: 1 - 2 alpha, so that each end is a one-sided limit at alpha
    tails: OneSided | None = None  # what the interval is of, and what passing rests on
    question: Question | None = None  # that this check may fail under; None where no seed is involved

    @property
    def interval(self) -> Interval | None:
        """Of candidate less baseline, in the unit of the metric; of a cost as a share of the baseline's."""
        if self.tails is None:
            return None
        turned = self.tails.interval(self.level)
        if self.planned.kind != "cost" and NAMES[self.planned.name].higher_is_better:
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

    Tests that can fail the gate are one family, adjusted together (Holm), with those that could not be made in it at
    p = 1; advisory ones are a family of their own. In regression mode p is of no drop; in non-inferiority mode it is of
    no drop beyond the margin, and passing needs no adjustment, as all have to pass (intersection-union test; Berger
    1982, Technometrics 24, 295-300).
    """
    known = floors or {}
    found: dict[int, GateFinding] = {}
    sizes = []
    for advisory in (False, True):
        family = [one for one in measured if one.tested and (one.planned.tier == "advisory") == advisory]
        sizes.append(len(family))
        found.update(zip(map(id, family), _of_family(family, policy, known), strict=True))
    for one in measured:
        if not one.tested:
            floor = known.get(one.planned.key)
            status, reason = (one.problem, one.reason) if one.problem else cost_rules.outcome(one, floor, policy.mode)
            margin = one.planned.margin if one.ratio else _margin(one, known)
            found[id(one)] = GateFinding(one, status, reason, margin, None if one.ratio else floor)
    stops = policy.inconclusive == "stop"
    findings = tuple(replace(found[id(one)], stops=stops) for one in measured)
    code = _exit_code(findings, problems)
    return GateVerdict(code, policy.mode, policy.alpha, sizes[0], findings, tuple(problems), tuple(notes))


def _of_family(family: Sequence[Measured], policy: Policy, floors: Floors) -> list[GateFinding]:
    """Findings of tests that are adjusted together."""
    if not family:
        return []
    nulls = [0.0 if policy.mode == "regression" else -_margin(one, floors) for one in family]
    p = [_p(one.failing(policy.question) if one.tails else None, null) for one, null in zip(family, nulls, strict=True)]
    here = [_p(one.tails.checkpoints if one.tails else None, null) for one, null in zip(family, nulls, strict=True)]
    return [
        _of_test(one, policy, floors.get(one.planned.key), len(family), *figures)
        for one, *figures in zip(family, p, map(float, holm(p)), map(float, holm(here)), strict=True)
    ]


def _of_test(
    one: Measured, policy: Policy, floor: float | None, family: int, p: float, adjusted: float, adjusted_here: float
) -> GateFinding:
    if one.tails is None:
        assert one.problem
        return GateFinding(one, one.problem, one.reason, max(one.planned.margin, floor or 0.0), floor)
    case = Case(one, policy, floor or 0.0, adjusted, adjusted_here, family)
    status, reason, power = rules.outcome(case)
    return GateFinding(
        one,
        status,
        reason,
        case.margin,
        floor,
        p,
        adjusted,
        power,
        level=1 - 2 * policy.alpha,
        tails=one.passing(policy.question),
        question=policy.question if one.resampled else None,
    )


def _margin(one: Measured, floors: Floors) -> float:
    return max(one.planned.margin, floors.get(one.planned.key, 0.0))


def _p(tails: OneSided | None, null: float) -> float:
    return 1.0 if tails is None else tails.below(null)


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
