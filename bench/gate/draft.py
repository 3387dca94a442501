"""A policy for a baseline: those checks of the default policy that it has the power for, and what it cannot see."""

from __future__ import annotations

import math
from bisect import bisect_left
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from functools import cache

from bench.core.errors import UsageError, unknown
from bench.core.record import Run
from bench.gate.expand import Planned, expand, fits, groups
from bench.gate.plan import Floors, Need, need
from bench.gate.policy import Policy, load
from bench.gate.power import Evidence, gather
from bench.gate.rules import TINY

KINDS = ("quality", "retention", "cost")


@dataclass(frozen=True, slots=True)
class Draft:
    """What was chosen of the default policy, whose settings hold."""

    policy: Policy
    checks: tuple[Planned, ...]  # with the tolerance and the drop that each is given
    wider: tuple[Need, ...]  # of the checks that only find more than the default's drop: what that one would need
    left_out: tuple[Need, ...]  # checks that could find nothing, or would take their power from others; the same
    of_controls: tuple[Planned, ...]  # tests of controls of retrieval, which nobody serves: never gated
    few_seeds: tuple[str, ...]  # methods whose seeds are too few to tell another seed from a change


def draft(baseline: Run, floors: Floors, tasks: Sequence[str] = (), methods: Sequence[str] = ()) -> Draft:
    """As many checks of the default policy as have power together.

    Tests share alpha (Holm), so that each more takes power from the others. Taken is the largest number of them that
    all find some drop, smaller than the score, when adjusted for that number, and that leaves at least half of the
    checks of quality which would have power without any others. A check keeps the default's drop where that is found,
    and else has the smallest one that is.

    Args:
        baseline: the run.
        floors: of noise, by check.
        tasks: globs of the only tasks to gate; none given: all.
        methods: globs of the only methods to gate; none given: all.

    Raises:
        UsageError: no such task or method.
        IncompleteError: the baseline holds no measured cell.
    """
    policy = load(None)
    planned = expand(policy, baseline, "the default policy")
    planned = _only(_only(planned, "task", tasks), "method", methods)
    controls = {group for group, records in groups(baseline).items() if any(r.parts.is_control for r in records)}
    known = list(gather([one for one in planned if one.kind == "cost" or one.group not in controls], baseline, policy))
    tests = [one for one in known if one[1].tested and one[0].group not in controls]
    found = _with_power(tests, policy, floors)
    size = max(len(found), 1)
    lacking = {
        check.key: need(check, evidence, policy, floors.get(check.key), size)
        for check, evidence in tests
        if found.get(check.key, math.inf) > _detect(check) + TINY
    }
    return Draft(
        policy,
        tuple(
            _given(check, evidence.room, found.get(check.key, 0.0), floors.get(check.key, 0.0))
            for check, evidence in known
            if not evidence.tested or check.key in found
        ),
        wider=tuple(one for key, one in lacking.items() if key in found),
        left_out=tuple(one for key, one in lacking.items() if key not in found),
        of_controls=tuple(check for check, evidence in known if evidence.tested and check.group in controls),
        few_seeds=tuple(dict.fromkeys(check.method for check, evidence in tests if evidence.few_seeds)),
    )


def _only(planned: Sequence[Planned], what: str, globs: Sequence[str]) -> list[Planned]:
    """Checks whose `what`, task or method, one of the globs names."""
    names = {getattr(check, what) for check in planned}
    for glob in globs:
        if not any(fits(name, glob) for name in names):
            raise UsageError(unknown(f"{what} of the baseline:", glob, names))
    return [one for one in planned if not globs or any(fits(getattr(one, what), glob) for glob in globs)]


def _with_power(
    tests: Sequence[tuple[Planned, Evidence]], policy: Policy, floors: Floors
) -> dict[tuple[str, ...], float]:
    """The checks to take, each with the smallest drop that it finds when adjusted for their number."""

    @cache
    def smallest(place: int, size: int) -> float | None:
        check, evidence = tests[place]
        return (
            None
            if evidence.problem
            else evidence.smallest(check, policy, policy.alpha / size, floors.get(check.key, 0.0))
        )

    def able(size: int, kinds: Sequence[str] = KINDS) -> list[int]:
        """Places, quality first, of the checks that find something when adjusted for so many; the best ones first."""
        found = [
            place for place, (check, _) in enumerate(tests) if check.kind in kinds and smallest(place, size) is not None
        ]
        return sorted(found, key=lambda place: (KINDS.index(tests[place][0].kind), smallest(place, size) or 0.0))

    def most(fits: Callable[[int], bool]) -> int:
        """The largest number of checks that fits, as every smaller one does."""
        return bisect_left(range(1, len(tests) + 1), True, key=lambda size: not fits(size))

    alone = most(lambda size: len(able(size, ("quality",))) >= size)
    size = most(lambda size: len(able(size)) >= size and 2 * len(able(size, ("quality",))) >= alone)
    return {tests[place][0].key: smallest(place, size) or 0.0 for place in able(max(size, 1))[:size]}


def _detect(check: Planned) -> float:
    """What must be found by the default policy; of a cost twice the limit."""
    return check.detect or 2 * check.margin


def _given(check: Planned, room: float | None, smallest: float, floor: float) -> Planned:
    """A check with what it is to find; the limit of a cost is half of that, in whole hundredths."""
    usual = _detect(check)
    if check.kind == "cost":
        return replace(check, margin=math.ceil(max(usual / 2, smallest / 2, floor) * 100 - 1e-9) / 100)
    return replace(check, detect=smallest if room is not None and room < usual else max(smallest, usual))
