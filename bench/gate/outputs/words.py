"""A verdict in words and figures, the same in every output."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from functools import partial

from bench.gate.costs import ALL
from bench.gate.measure import FEW_SEEDS
from bench.gate.plan import Need, remedy
from bench.gate.rules import Status
from bench.gate.verdict import (
    INCOMPLETE,
    INCONCLUSIVE,
    NOT_COMPARABLE,
    PASSED,
    REGRESSION,
    GateFinding,
    GateVerdict,
)
from bench.metrics import NAMES
from bench.metrics.formats import amount as drop_of
from bench.metrics.formats import clean, number
from bench.report.table import NOTHING

_ORDER: tuple[Status, ...] = ("regression", "missing", "not_comparable", "inconclusive", "warn", "pass")
_NAMED = 3  # checks named in the headline
_MADE_BY: Mapping[int, Status] = {
    REGRESSION: "regression",
    INCONCLUSIVE: "inconclusive",
    INCOMPLETE: "missing",
    NOT_COMPARABLE: "not_comparable",
}


def headline(verdict: GateVerdict) -> str:
    """One line: the verdict, and what made it."""
    deciding = [finding for finding in ordered(verdict.findings) if finding.decides]
    said = [f"{label(one)}: {one.reason}" for one in deciding if _made(one, verdict)]
    said += list(verdict.problems) if verdict.exit_code not in (PASSED, REGRESSION) else []
    named = "; ".join(clean(text) for text in said[:_NAMED])
    more = f"; and {len(said) - _NAMED} more" if len(said) > _NAMED else ""
    scope = checkpoints(verdict)
    text = f"{verdict.word.upper()}: {named or counted(verdict)}{more}"
    return f"{text} ({scope})" if scope else text


def checkpoints(verdict: GateVerdict) -> str:
    """For which methods the verdict is one on the checkpoints at hand, not on what another training would give."""
    here = [one.planned.method for one in verdict.findings if one.measured.few_seeds or one.question == "checkpoints"]
    few = "" if any(one.question == "checkpoints" for one in verdict.findings) else f", fewer than {FEW_SEEDS} seeds"
    return f"for these checkpoints{few}: {', '.join(map(clean, dict.fromkeys(here)))}" if here else ""


def counted(verdict: GateVerdict) -> str:
    """How many checks ended in which way."""
    count = Counter(finding.status for finding in verdict.findings)
    return ", ".join(
        [
            f"{len(verdict.findings)} check{'' if len(verdict.findings) == 1 else 's'}",
            *(f"{count[s]} {s.replace('_', ' ')}" for s in _ORDER if count[s]),
        ]
    )


def ordered(findings: Sequence[GateFinding]) -> list[GateFinding]:
    """The gravest first, else in their order; of one status those that decide first."""
    return sorted(findings, key=lambda finding: (not finding.decides, _ORDER.index(finding.status)))


def label(finding: GateFinding) -> str:
    """Which check."""
    return clean(finding.planned.label)


def figures(finding: GateFinding) -> tuple[str, str, str, str, str, str]:
    """Baseline, candidate, change, interval, what is tolerated, and p."""
    one, planned = finding.measured, finding.planned
    if one.baseline is None or one.candidate is None:
        return (NOTHING,) * 4 + (_limit(finding), NOTHING)
    p = NOTHING if finding.p_adjusted is None else f"{finding.p_adjusted:.3g}"
    ends = [finding.interval.low, finding.interval.high] if finding.interval else []
    if planned.kind == "cost":
        change = f"{one.candidate / one.baseline - 1:+.1%}" if one.baseline else NOTHING
        interval = " to ".join(f"{end:+.1%}" for end in ends) or NOTHING
        return amount(one.baseline), amount(one.candidate), change, interval, _limit(finding), p
    interval = " to ".join(_signed(planned.name, end) for end in ends) or NOTHING
    before, after = (number(planned.name, value) for value in (one.baseline, one.candidate))
    return before, after, _signed(planned.name, one.candidate - one.baseline), interval, _limit(finding), p


def sees(need: Need) -> str:
    """Which drop a check finds that lacks power, and what would let it find the one that is looked for."""
    if not need.refusal:
        return "has power, but would take it from checks of quality"
    if need.chance is None:
        return need.refusal
    say, word = (percent, "rise") if need.planned.kind == "cost" else (partial(drop_of, need.planned.name), "drop")
    return f"finds {f'a {word} of {say(need.smallest)} or more' if need.smallest else f'no {word}'}; {takes(need)}"


def takes(need: Need) -> str:
    """What would let a check find the drop that is looked for."""
    detect = need.planned.detect or 2 * need.planned.margin
    say = percent if need.planned.kind == "cost" else partial(drop_of, need.planned.name)
    if need.room is not None and need.room < detect:
        return f"its score of {say(need.room)} cannot lose {say(detect)}"
    return f"for {say(detect)}, {remedy(need)}"


def percent(value: float) -> str:
    """A share."""
    return f"{value:.0%}"


def unit(finding: GateFinding) -> str:
    """Of a cost; of a score its metric says it."""
    return ALL[finding.planned.name].unit if finding.planned.kind == "cost" else ""


def amount(value: float) -> str:
    """A counter: whole numbers whole, others to four digits."""
    return f"{value:,.0f}" if value == int(value) or abs(value) >= 10_000 else f"{value:.4g}"


def _limit(finding: GateFinding) -> str:
    if finding.planned.kind == "cost":
        return f"+{finding.margin:.0%}"
    return (
        f"{'−' if NAMES[finding.planned.name].higher_is_better else '+'}{number(finding.planned.name, finding.margin)}"
    )


def _signed(metric: str, value: float) -> str:
    text = number(metric, value)
    return text if text.startswith("-") else f"+{text}"


def _made(finding: GateFinding, verdict: GateVerdict) -> bool:
    """Whether a finding is what gave this exit code."""
    return finding.status == _MADE_BY.get(verdict.exit_code)
