"""Costs that are compared by a ratio: counters that nothing but a change moves, and measured quantities."""

from __future__ import annotations

from bench.gate import costs
from bench.gate.interleaved import Ratio
from bench.gate.measure import Measured
from bench.gate.policy import Mode
from bench.gate.rules import TINY, Status


def outcome(one: Measured, floor: float | None, mode: Mode) -> tuple[Status, str]:
    """The status of a cost that was measured, with its reason; `floor`: of noise, a share."""
    margin = one.planned.margin
    limit = max(margin, floor or 0.0)
    if one.ratio:
        return (_in_turns if mode == "regression" else _cleared_in_turns)(one.ratio, margin)
    assert one.baseline is not None
    assert one.candidate is not None
    if one.planned.name in costs.MEASURED:
        if one.not_comparable:
            return "not_comparable", one.not_comparable
        if floor is None:
            return "inconclusive", "its noise was never measured; run `adaptbench calibrate`"
    if one.candidate <= one.baseline * (1 + margin) * (1 + TINY):
        return "pass", ""
    rise = f"rose by {one.candidate / one.baseline - 1:.0%}" if one.baseline else "rose from 0"
    limited = f"{'noise floor' if floor and limit == floor else 'limit'} of {limit:.0%}"
    if one.candidate <= one.baseline * (1 + limit) * (1 + TINY):
        return "warn", f"{rise}, within the {limited}"
    return "regression", f"{rise}, beyond the {limited}"


def _in_turns(ratio: Ratio, limit: float) -> tuple[Status, str]:
    """As of a score: a rise is found if it is beyond chance and the limit, and twice the limit must be findable.

    A mean beyond the limit that may be chance ends in the latter: the interval's ends lie at equal factors from it.
    """
    rise, turns = f"rose by {ratio.mean - 1:.0%}", f"in {ratio.turns} turns"
    beyond = ratio.mean > (1 + limit) * (1 + TINY)
    if ratio.low > 1 + TINY:
        where = "beyond" if beyond else "within"
        return ("regression" if beyond else "warn"), f"{rise} {turns}, {where} the limit of {limit:.0%}"
    if ratio.high > 1 + 2 * limit:
        return "inconclusive", f"a rise of {2 * limit:.0%} cannot be ruled out {turns}"
    return "pass", ""


def _cleared_in_turns(ratio: Ratio, limit: float) -> tuple[Status, str]:
    """Non-inferiority: it passes only if its confidence limit lies below the policy's."""
    if ratio.low > (1 + limit) * (1 + TINY):
        return (
            "regression",
            f"rose by {ratio.mean - 1:.0%} in {ratio.turns} turns, all of the interval beyond {limit:.0%}",
        )
    if ratio.high <= (1 + limit) * (1 + TINY):
        return "pass", ""
    return "inconclusive", f"a rise of {limit:.0%} cannot be ruled out in {ratio.turns} turns"
