"""A verdict in sentences, made by rules from its figures."""

from __future__ import annotations

from collections.abc import Iterator

from bench.analysis.cells_at_once import shared
from bench.analysis.comparison import Difference
from bench.analysis.decision.again_words import again, items_of, minus, p_text
from bench.analysis.decision.learning import Overtaking
from bench.analysis.decision.rule import Check, Standing, by_worth, counted, lead
from bench.analysis.decision.sensitivity import SCAN, ChoiceFlip, Crossing
from bench.analysis.decision.verdict import Verdict
from bench.analysis.retention import Loss
from bench.metrics.formats import clean, number, title

_CHECKS = {
    "quality": "the quality asked for",
    "latency_p95_s": "the latency asked for",
    "retention_loss": "the retention asked for",
    "memory_gib": "the memory allowed",
    "money_per_month": "the money allowed",
    "data_stays": "that data stay on this machine",
}
_ASSUMPTIONS = {
    "queries_per_month": ("queries a month", "{:,.0f}"),
    "updates_per_month": ("updates a month", "{:,.2g}"),
    "value_of_right": ("for a correct answer", "{:,.2g}"),
}
SMALL = 0.01  # of the currency: amounts below it are no figure to decide by
_FLIPS_SHOWN = 2
_RIVALS_SHOWN = 3


def sentences(verdict: Verdict, currency: str) -> list[str]:
    """What to choose, how sure that is, what it costs, what would flip it, and what was not measured."""
    return [
        *_choice(verdict),
        *_doubt(verdict),
        *again(verdict),
        *_cost(verdict, currency),
        *_flips(verdict, currency),
        *(_overtaking(one) for one in verdict.overtakings),
        *_missing(verdict),
    ]


def money(value: float, currency: str) -> str:
    """An amount with its currency: two significant digits below 100."""
    shown = "0" if value == 0 else f"{value:,.0f}" if abs(value) >= 100 else f"{value:.2g}"
    return f"{shown} {clean(currency)}"


def cost_text(value: float, currency: str) -> str:
    """An amount to decide by: what is too small to matter is only said to be so."""
    return f"under {SMALL:g} {clean(currency)}" if 0 < value < SMALL else money(value, currency)


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
            yield f"{clean(one.label)} fails {failures(one, metric)}."
        return
    chosen = _of(verdict, verdict.choice)
    alone = verdict.evidence == "one method"
    interval = f"{number(metric, chosen.interval.low)} to {number(metric, chosen.interval.high)}"
    score = number(metric, chosen.candidate.answers.score)
    start = "Not enough evidence to choose; so far the best is" if verdict.undecided else "Choose"
    start = "Nothing to choose from yet; the only measured method is" if alone else start
    yield f"{start} {clean(chosen.label)}: {title(metric)} {score} (95% interval {interval})."
    able = [one for one in verdict.standings if one.feasible]
    left = [one for one in verdict.standings if not one.feasible]
    if chosen is not able[0] and verdict.assumed.value_of_right is not None:
        yield f"{clean(able[0].label)} is better, and at that value of a correct answer not worth its cost."
    better = [one for one in left if verdict.standings.index(one) < verdict.standings.index(able[0])]
    for one in better:
        yield f"{clean(one.label)} is better and fails {failures(one, metric)}."


def failures(one: Standing, metric: str) -> str:
    """The requirements that a method fails, each with what was measured."""
    return ", ".join(_failed(check, metric) for check in one.checks if check.status == "fails")


def _failed(check: Check, metric: str) -> str:
    if check.name == "data_stays":
        return _CHECKS[check.name]
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
        nearest = nearest_rival(verdict)
        yield (
            f"It is better than {_next_best(verdict, nearest)}." if nearest else "Nothing else meets the requirements."
        )
    elif verdict.evidence == "tie":
        yield f"It is as good as {others} to within {margin}, and costs least of them."
    else:
        unsure = [check for check in _of(verdict, verdict.choice).checks if check.status == "unsure"]
        if not verdict.undecided:
            yield "Not enough evidence."
        if unsure:
            names = " and ".join(_CHECKS[check.name] for check in unsure)
            yield f"Whether it has {names} is not sure: its interval holds values on both sides."
        if rivals and worth:
            yield f"It is worth most after its cost, and within the doubt on quality {rivals} may be worth more."
        elif rivals:
            for label in verdict.rivals[:_RIVALS_SHOWN]:
                yield f"{_difference(verdict, label)}."
            cheapest = min((_of(verdict, label) for label in verdict.ties), key=lambda one: one.cost)
            score = number(verdict.family.metric, cheapest.candidate.answers.score)
            yield f"The cheapest of them is {clean(cheapest.label)}, at {title(verdict.family.metric)} {score}."
            yield (
                f"To tell these checkpoints apart to within {margin}, about {verdict.items_needed:,} test items are "
                f"needed; there are {items_of(verdict):,}."
            )


def _difference(verdict: Verdict, label: str) -> str:
    """The choice less another method, for these checkpoints."""
    one = _between(verdict, label)
    return f"{minus(verdict, one, one.interval)}, not significant (Holm p {p_text(one.p_adjusted)})"


def _between(verdict: Verdict, label: str) -> Difference:
    pair = {label, verdict.choice}
    return next(one for one in verdict.family.differences if {one.a.label, one.b.label} == pair)


def nearest_rival(verdict: Verdict) -> Difference | None:
    """The difference to the next best method that meets the requirements."""
    able = {one.label for one in verdict.standings if one.feasible}
    pairs = ((one, {one.a.label, one.b.label}) for one in verdict.family.differences)
    found = [one for one, pair in pairs if verdict.choice in pair and pair <= able]
    return min(found, key=lambda one: abs(one.difference), default=None)


def _next_best(verdict: Verdict, nearest: Difference) -> str:
    metric, choice = verdict.family.metric, verdict.choice or ""
    ahead, low, high = (number(metric, value) for value in lead(nearest, choice))
    limits = f"95% interval {low} to {high}{', these checkpoints' if nearest.retraining else ''}"
    return f"{clean(nearest.other(choice).label)}, the next, by {ahead} ({limits})"


def _cost(verdict: Verdict, currency: str) -> Iterator[str]:
    if verdict.choice is None or verdict.undecided:
        return
    chosen, assumed = _of(verdict, verdict.choice), verdict.assumed
    queries, made_of = f"{assumed.queries_per_month:,.0f} queries", counted(assumed, [chosen])
    if assumed.months == 1:
        yield f"It costs {cost_text(chosen.cost, currency)} over a month of {queries} ({made_of})."
    else:
        monthly = cost_text(chosen.cost / assumed.months, currency)
        period = f"{assumed.months:g} months of {queries}"
        yield f"It costs {cost_text(chosen.cost, currency)} over {period}, {monthly} a month ({made_of})."
    if chosen.candidate.cells_at_once > 1:
        yield shared(chosen.candidate.cells_at_once)
    yield from _forgotten(chosen)


def _forgotten(chosen: Standing) -> Iterator[str]:
    """The largest loss within each unit."""
    losses = chosen.candidate.losses
    if losses and all(one.value == 0 for one in losses):
        yield "It forgets nothing."
    elif losses and all(one.value <= 0 for one in losses):
        yield "No probe shows a loss."
    for one in losses:
        if one.value > 0:
            yield f"After training, {_lost(one)}."


def _lost(one: Loss) -> str:
    limits = ""
    if one.interval is not None:
        low, high = (number(one.metric, value) for value in (one.interval.low, one.interval.high))
        limits = f" (95% interval {low} to {high})"
    share = "" if one.share is None else f", {100 * one.share:.0f}%"
    size, probe = number(one.metric, one.value), clean(one.probe)
    base = f"the base model{one.base_form and f' in {one.base_form}'}"
    if one.metric == "bits_per_byte":
        return f"{probe} costs {size} more bits per byte than with {base}{limits}{share} more"
    knew = f"{share} of what {base} knew" if share else f" compared with {base}" if one.base_form else ""
    return f"{probe} loses {size} of {title(one.metric)}{limits}{knew}"


def _flips(verdict: Verdict, currency: str) -> Iterator[str]:
    for flip in verdict.flips[:_FLIPS_SHOWN]:
        yield flip_text(flip, currency)
    if verdict.choice is not None and not verdict.flips and not verdict.undecided:
        yield f"The choice stays the same from 0 to {SCAN:,.0f} times the assumed queries, {_updates(verdict)}."


def _updates(verdict: Verdict) -> str:
    if verdict.assumed.updates_per_month:
        return "and from 0 to as many times the assumed updates"
    return f"and with up to {SCAN:,.0f} updates a month"


def flip_text(flip: ChoiceFlip, currency: str) -> str:
    """From which value of an assumption on another method is chosen."""
    unit, shape = _ASSUMPTIONS[flip.assumption]
    amount = f"{clean(currency)} {unit}" if flip.assumption == "value_of_right" else unit
    side = ("above" if flip.rises else "below") if flip.value else "at"
    where = f"{side} {shape.format(flip.value)} {amount}".replace(" 1 updates", " 1 update")
    return f"It flips to {clean(flip.to)} {where}." if flip.to else f"Nothing meets the requirements {where}."


def _overtaking(one: Overtaking) -> str:
    if one.at is None:
        return f"{clean(one.method)} is not better than {clean(one.other)} with any of {', '.join(one.sizes)} items."
    where = "with all training items" if one.at == "all" else f"from {one.at} training items on"
    return f"{clean(one.method)} is better than {clean(one.other)} {where}."


def _missing(verdict: Verdict) -> Iterator[str]:
    brought = [clean(one.label) for one in verdict.standings if one.candidate.trained_elsewhere]
    if brought:
        yield f"What training {', '.join(brought)} took is unknown, and in no cost."
    if verdict.choice is None or verdict.undecided:
        return
    chosen = _of(verdict, verdict.choice).candidate
    missing = []
    if not chosen.losses and not chosen.not_measurable:
        missing.append("what it forgets")
    if chosen.latency_p95_s is None:
        missing.append("its latency")
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
    between = "" if one.range is None else f" [{one.range[0]:,.0f}, {one.range[1]:,.0f}]"
    return f"{one.found.kind} {one.found.x:,.0f}{between}"
