"""A verdict in sentences, made by rules from its figures."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from bench.analysis.decision.learning import Overtaking
from bench.analysis.decision.rule import Check, Standing, by_worth, lead
from bench.analysis.decision.sensitivity import ChoiceFlip, Crossing
from bench.analysis.decision.verdict import Verdict
from bench.metrics.formats import clean, number, title

_CHECKS = {
    "quality": "the quality asked for",
    "latency_p95_s": "the latency asked for",
    "retention_loss": "the retention asked for",
    "memory_gib": "the memory allowed",
    "money_per_month": "the money allowed",
}
_ASSUMPTIONS = {
    "queries_per_month": ("queries a month", "{:,.0f}"),
    "updates_per_month": ("updates a month", "{:,.2g}"),
    "value_of_right": ("for a correct answer", "{:,.2g}"),
}
_FLIPS_SHOWN = 2
_ENOUGH_SEEDS = 5  # fewer are worth adding to


def sentences(verdict: Verdict, currency: str) -> list[str]:
    """What to choose, how sure that is, what it costs, what would flip it, and what was not measured."""
    return [
        *_choice(verdict),
        *_doubt(verdict),
        *_cost(verdict, currency),
        *_flips(verdict, currency),
        *(_overtaking(one) for one in verdict.overtakings),
        *_missing(verdict),
    ]


def money(value: float, currency: str) -> str:
    """An amount with its currency: two significant digits below 100."""
    shown = "0" if value == 0 else f"{value:,.0f}" if abs(value) >= 100 else f"{value:.2g}"
    return f"{shown} {clean(currency)}"


def _of(verdict: Verdict, label: str) -> Standing:
    return next(one for one in verdict.standings if one.label == label)


def _choice(verdict: Verdict) -> Iterator[str]:
    metric = verdict.family.metric
    if not verdict.standings:
        yield "Nothing to choose from: no method has both answers and a price."
        return
    if verdict.choice is None:
        yield "No method meets the requirements."
        for one in verdict.standings:
            failed = ", ".join(_failed(check, metric) for check in one.checks if check.status == "fails")
            yield f"{clean(one.label)} fails {failed}."
        return
    chosen = _of(verdict, verdict.choice)
    interval = f"{number(metric, chosen.interval.low)} to {number(metric, chosen.interval.high)}"
    score = number(metric, chosen.candidate.answers.score)
    start = "Not enough evidence to choose; so far the best is" if verdict.undecided else "Choose"
    yield f"{start} {clean(chosen.label)}: {title(metric)} {score} (95% interval {interval})."
    able = [one for one in verdict.standings if one.feasible]
    left = [one for one in verdict.standings if not one.feasible]
    if chosen is not able[0] and verdict.assumed.value_of_right is not None:
        yield f"{clean(able[0].label)} is better, and at that value of a correct answer not worth its cost."
    better = [one for one in left if verdict.standings.index(one) < verdict.standings.index(able[0])]
    for one in better:
        failed = ", ".join(_failed(check, metric) for check in one.checks if check.status == "fails")
        yield f"{clean(one.label)} is better and fails {failed}."


def _failed(check: Check, metric: str) -> str:
    asked = number(metric, check.asked) if check.name == "quality" else f"{check.asked:g}"
    measured = "–" if check.measured is None else f"{check.measured:.3g}"
    return f"{_CHECKS[check.name]} ({measured} for {asked})"


def _doubt(verdict: Verdict) -> Iterator[str]:
    if verdict.choice is None:
        return
    worth = by_worth(verdict.standings, verdict.assumed)
    margin = number(verdict.family.metric, verdict.margin)
    others = ", ".join(clean(label) for label in verdict.ties if label != verdict.choice)
    rivals = ", ".join(map(clean, verdict.rivals))
    if verdict.evidence == "enough" and worth:
        yield "Nothing else that meets the requirements is worth as much after its cost."
    elif verdict.evidence == "enough":
        apart = _nearest_rival(verdict)
        yield f"It is better than {apart}." if apart else "Nothing else meets the requirements."
    elif verdict.evidence == "tie":
        yield f"It is as good as {others} to within {margin}, and costs least of them."
    else:
        unsure = [check for check in _of(verdict, verdict.choice).checks if check.status == "unsure"]
        if not verdict.undecided:
            yield "Not enough evidence."
        if unsure:
            yield "Whether it has the quality asked for is not sure: its interval holds values on both sides."
        if rivals and worth:
            yield f"It is worth most after its cost, and within the doubt on quality {rivals} may be worth more."
        elif rivals:
            cheapest = min((_of(verdict, label) for label in verdict.ties), key=lambda one: one.cost).label
            costs = "it costs least of them" if cheapest == verdict.choice else f"{clean(cheapest)} costs least of them"
            yield f"It is not significantly different from {rivals}; {costs}."
            yield f"{_needed(verdict)} would settle it to within {margin}."


def _needed(verdict: Verdict) -> str:
    """What it takes to know: more test items, and more seeds where there are few."""
    items = f"bout {verdict.items_needed:,} test items (there are {len(_items(verdict)):,})"
    tied = (one.candidate.answers for one in verdict.standings if one.label in verdict.ties)
    seeds = min((len(one.seeds) for one in tied if one.trained or len(one.seeds) > 1), default=_ENOUGH_SEEDS)
    if seeds >= _ENOUGH_SEEDS:
        return f"A{items}"
    return f"More than {'one seed' if seeds == 1 else f'{seeds} seeds'}, or a{items},"


def _items(verdict: Verdict) -> Sequence[str]:
    return verdict.standings[0].candidate.answers.ids


def _nearest_rival(verdict: Verdict) -> str:
    """The next best feasible method, with the difference and its interval."""
    metric = verdict.family.metric
    rivals = {one.label for one in verdict.standings if one.feasible}
    found = [
        one
        for one in verdict.family.differences
        if verdict.choice in (one.a.label, one.b.label) and {one.a.label, one.b.label} <= rivals
    ]
    if not found:
        return ""
    nearest = min(found, key=lambda one: abs(one.difference))
    other = nearest.b if nearest.a.label == verdict.choice else nearest.a
    ahead, low, high = (number(metric, value) for value in lead(nearest, verdict.choice or ""))
    return f"{clean(other.label)}, the next, by {ahead} (95% interval {low} to {high})"


def _cost(verdict: Verdict, currency: str) -> Iterator[str]:
    if verdict.choice is None:
        return
    chosen, assumed = _of(verdict, verdict.choice), verdict.assumed
    queries = f"{assumed.queries_per_month:,.0f} queries"
    if assumed.months == 1:
        yield f"It costs {money(chosen.cost, currency)} over a month of {queries}."
    else:
        monthly = money(chosen.cost / assumed.months, currency)
        yield f"It costs {money(chosen.cost, currency)} over {assumed.months:g} months of {queries}, {monthly} a month."
    loss = chosen.candidate.loss
    if loss is not None:
        forgets = f"loses {loss:.3g} on {clean(chosen.candidate.loss_on)}" if loss else "forgets nothing"
        yield f"It {forgets}."


def _flips(verdict: Verdict, currency: str) -> Iterator[str]:
    for flip in verdict.flips[:_FLIPS_SHOWN]:
        yield _flip(flip, currency)
    if verdict.choice is not None and not verdict.flips and not verdict.undecided:
        yield "The choice stays the same from 1/1000 to 1000 times the assumed query and update volumes."


def _flip(flip: ChoiceFlip, currency: str) -> str:
    unit, shape = _ASSUMPTIONS[flip.assumption]
    amount = f"{clean(currency)} {unit}" if flip.assumption == "value_of_right" else unit
    where = f"{'above' if flip.rises else 'below'} {shape.format(flip.value)} {amount}"
    return f"It flips to {clean(flip.to)} {where}." if flip.to else f"Nothing meets the requirements {where}."


def _overtaking(one: Overtaking) -> str:
    if one.at is None:
        return f"{clean(one.method)} is not better than {clean(one.other)} with any of {', '.join(one.sizes)} items."
    where = "with all training items" if one.at == "all" else f"from {one.at} training items on"
    return f"{clean(one.method)} is better than {clean(one.other)} {where}."


def _missing(verdict: Verdict) -> Iterator[str]:
    if verdict.choice is None:
        return
    chosen = _of(verdict, verdict.choice).candidate
    missing = []
    if chosen.loss is None and not chosen.not_measurable:
        missing.append("what it forgets")
    if chosen.latency_p95_s is None:
        missing.append("its latency")
    if chosen.answers.trained and len(chosen.answers.seeds) < 2:
        missing.append("what another seed would give")
    if missing:
        yield f"Not measured: {', '.join(missing)}."
    if chosen.not_measurable:
        probes = ", ".join(map(clean, chosen.not_measurable))
        yield f"Retention is not measurable on {probes}: the base model is not above chance there."


def crossing(one: Crossing) -> str:
    """Where the first is cheaper than the second."""
    if one.found.x is None or one.found.x < 1:
        if one.found.x is not None:  # less than one query is none
            return "always" if one.found.kind == "from" else "never"
        return {"always": "always", "never": "never", "equal": "costs the same"}[one.found.kind]
    between = "" if one.interval is None else f" [{one.interval[0]:,.0f}, {one.interval[1]:,.0f}]"
    return f"{one.found.kind} {one.found.x:,.0f}{between}"
