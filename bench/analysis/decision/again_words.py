"""The second question in sentences: would training again be better?"""

from __future__ import annotations

from collections.abc import Iterator

from bench.analysis.comparison import Difference
from bench.analysis.decision.rule import lead
from bench.analysis.decision.verdict import ENOUGH_SEEDS, Verdict
from bench.analysis.statistics.intervals import Interval
from bench.analysis.statistics.two_questions import FEWEST_SEEDS
from bench.config.suite import argument
from bench.metrics.formats import clean, number, signed

_SEEDS_LISTED = 10


def minus(verdict: Verdict, one: Difference, interval: Interval) -> str:
    """`choice − other = +d (95% CI low to high)`, in the metric as it is."""
    metric, sign = verdict.family.metric, 1 if one.a.label == verdict.choice else -1
    other = one.b.label if sign > 0 else one.a.label
    low, high = sorted((sign * interval.low, sign * interval.high))
    figures = (signed(metric, value) for value in (sign * one.difference, low, high))
    shape = "{} − {} = {} (95% CI {} to {})"
    return shape.format(clean(verdict.choice or ""), clean(other), *figures)


def p_text(value: float) -> str:
    """A p-value behind "Holm p"."""
    return "< 0.001" if value < 0.001 else f"= {value:.2g}"


def again(verdict: Verdict) -> Iterator[str]:
    """Would training again be better, and what it takes to know."""
    found = verdict.again
    if found.answer == "too few seeds":
        yield f"Training again: {_too_few(verdict)}."
        yield f"To find out, add seeds: {_command(verdict.suite, found.seeds_needed or ENOUGH_SEEDS)}."
    elif found.answer != "not asked":
        yield from _said(verdict)


def _said(verdict: Verdict) -> Iterator[str]:
    """The answer where seeds can give one, by the difference that is nearest to none."""
    found, choice = verdict.again, verdict.choice or ""
    unsure = [one for one in found.against if one.retraining and not one.retraining.differ]
    nearest = min(unsure or found.against, key=lambda one: abs(lead(one, choice)[0]))
    retraining = nearest.retraining
    assert retraining is not None
    assert retraining.interval is not None
    difference, p = minus(verdict, nearest, retraining.interval), p_text(retraining.p_adjusted or 0.0)
    if found.answer == "yes":
        yield f"Training again: {clean(choice)} would be better too; {difference}, Holm p {p}."
        return
    result = "significant" if retraining.differ else "not significant"
    yield f"Training again: {difference}, {result} with {retraining.fewest} seeds (Holm p {p})."
    if found.seeds_needed:
        few = found.seeds_needed <= _SEEDS_LISTED
        seeds = _command(verdict.suite, found.seeds_needed) if few else f"about {found.seeds_needed} of each method"
        yield f"To decide that, add seeds: {seeds}; test items alone would not."
    elif found.items_needed and found.items_needed > items_of(verdict):
        yield f"To decide that, about {found.items_needed:,} test items are needed; there are {items_of(verdict):,}."
    elif not retraining.differ and not retraining.interval.covers(0.0):
        yield "Tested alone this pair would be significant; corrected for all pairs of methods it is not."
    elif not found.items_needed and not retraining.differ:
        yield "No affordable number of seeds would decide that; test items alone would not either."


def _too_few(verdict: Verdict) -> str:
    """Whose seeds are too few, and what each of them gave."""
    found = {side.label: side for one in verdict.again.against for side in (one.a, one.b)}
    few = [side for side in found.values() if side.seeded and len(side.seeds) < FEWEST_SEEDS]
    fewest = min(len(side.seeds) for side in few)
    metric = verdict.family.metric
    values = "; ".join(
        f"{clean(side.label)} {', '.join(number(metric, score) for score in side.scores)}" for side in few
    )
    return f"{'one seed' if fewest == 1 else 'two seeds'} cannot say whether it would be better ({values})"


def _command(suite: str, seeds: int) -> str:
    return f"`adaptbench run {clean(argument(suite))} --seeds {','.join(map(str, range(seeds)))}`"


def items_of(verdict: Verdict) -> int:
    """Test items of the task."""
    return len(verdict.standings[0].candidate.answers.ids)
