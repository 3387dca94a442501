"""A headline in words: the facts of a task for who decides, and three lines of them for a terminal."""

from __future__ import annotations

from bench.analysis.cells_at_once import shared
from bench.analysis.comparison import Difference
from bench.analysis.decision.headline import Headline
from bench.analysis.decision.nearest_answer import NEAREST
from bench.analysis.decision.next_step import NextStep
from bench.analysis.decision.reference_line import CHANCE
from bench.analysis.decision.rule import Standing, by_worth, counted, lead
from bench.analysis.decision.sensitivity import SCAN
from bench.analysis.decision.verdict import Verdict
from bench.analysis.decision.words import SMALL, cost_text, failures, flip_text, nearest_rival
from bench.analysis.retention import Loss
from bench.metrics.formats import clean, duration, number, signed, title

NOT_ENOUGH = "not enough evidence"
_RIVALS = 3  # named
_AS_METHOD = "method nearest-answer of model classical"


def facts(found: Headline, currency: str) -> list[tuple[str, str]]:
    """(term, text) of what a decision rests on; without a candidate that nothing can be chosen.

    Cost, latency and what is forgotten are those of a choice: a method that merely leads has none of them here.
    """
    verdict, leads = found.verdict, found.leads
    if leads is None:
        return [("choice", "none, no method has both answers and a price")]
    known = [
        ("caution", caution(found)),
        ("choice", f"{choice(found)}, {score(verdict, leads)}"),
        ("these checkpoints", checkpoints(found)),
        ("training again", retrained(verdict)),
        ("leader against" if merely_leads(found) else "compared with", against(found)),
        *(_of_choice(found, leads, currency) if chosen(found) else ()),
        ("flipped by", flips(verdict, currency) if chosen(found) else ""),
        ("next step", step(found.next_step) + or_else(found.next_step)),
    ]
    return [(term, text) for term, text in known if text]


def chosen(found: Headline) -> bool:
    """Whether there is a choice, rather than a method that merely leads."""
    return found.verdict.choice is not None and not found.verdict.undecided and found.beats_reference


def merely_leads(found: Headline) -> bool:
    """Whether others are measured and none is a choice."""
    return not chosen(found) and found.verdict.evidence != "one method"


def _of_choice(found: Headline, leads: Standing, currency: str) -> list[tuple[str, str]]:
    """What the choice forgets and costs; the larger figure of both first."""
    seconds, assumed = leads.candidate.latency_p95_s, found.verdict.assumed
    spent = (f"cost a month ({counted(assumed, [leads])})", cost(found, currency))
    number = leads.candidate.cells_at_once
    beside = [("measured", shared(number))] if number > 1 else []
    facts_ = [("forgets", forgotten(leads)), ("latency (p95)", "" if seconds is None else f"{seconds * 1000:,.0f} ms")]
    return [*facts_, spent, *beside] if leads.cost / assumed.months < SMALL else [spent, *beside, *facts_]


def three_lines(name: str, found: Headline, currency: str) -> list[str]:
    """At most three: the choice and how sure it is, what it is better than, and what to do next or what it costs."""
    verdict, leads = found.verdict, found.leads
    if leads is None:
        return [f"{name}: nothing to choose from, no method has both answers and a price"]
    doubt = caution(found)
    again = f"training again: {retrained(verdict)}"
    parts = {"enough": [again], "tie": [checkpoints(found), again]}.get(verdict.evidence, [checkpoints(found)])
    sure = "; ".join(filter(None, parts))
    first = f"{name}: {doubt + '; ' if doubt else ''}{advice(found)}, {score(verdict, leads)}{sure and f'; {sure}'}"
    compared = against(found)
    to_do = step(found.next_step)
    last = f"next: {to_do}" if to_do else _known(found, leads, currency)
    return [first, *([f"against {compared}"] if compared else []), *filter(None, [last])]


def _known(found: Headline, leads: Standing, currency: str) -> str:
    """What the choice forgets and costs in a line; nothing where there is no choice."""
    if not chosen(found):
        return ""
    spent = f"{cost(found, currency)} a month ({counted(found.verdict.assumed, [leads])})"
    lost = f"forgets {forgotten(leads)}"
    return "; ".join((lost, spent) if leads.cost / found.verdict.assumed.months < SMALL else (spent, lost))


def caution(found: Headline) -> str:
    """What has to be said before a choice: it meets no requirement, or what needs no model does as well."""
    verdict, leads = found.verdict, found.leads
    assert leads is not None
    said = []
    if verdict.choice is None:
        said.append(f"no method meets the requirements; the best fails {failures(leads, verdict.family.metric)}")
    elif any(check.status == "unsure" for check in leads.checks):
        said.append("it is not sure that it meets the requirements")
    if found.reference is not None and not found.beats_reference:
        value = number(verdict.family.metric, found.reference.score)
        line = "chance" if found.reference.label == CHANCE else f"the {found.reference.label}"
        said.append(f"not shown to be better than {line} ({value})")
    if copying_wins(found) and found.reference is not None:
        value = number(verdict.family.metric, found.reference.score)
        said.append(f"copying the {found.reference.label} of the training split does better ({value}; {_AS_METHOD})")
    return "; ".join(said)


def copying_wins(found: Headline) -> bool:
    """Whether copying the nearest training answer is better than what leads."""
    if found.leads is None or found.reference is None or found.reference.label != NEAREST:
        return False
    return lead(found.against[-1], found.leads.label)[2] < 0


def choice(found: Headline) -> str:
    """What to choose, or what leads where that is open."""
    assert found.leads is not None
    label = clean(found.leads.label)
    if found.verdict.choice is None:
        return f"none; the best is {label}"
    if found.verdict.evidence == "one method":
        return f"nothing to choose from yet; only {label} is measured"
    if found.verdict.undecided:
        return f"undecided; {label} leads"
    return label if found.beats_reference else f"none yet; {label} leads"


def advice(found: Headline) -> str:
    """The choice as one is told it."""
    if not chosen(found):
        return choice(found)
    return f"of the methods measured choose {choice(found)}" if copying_wins(found) else f"choose {choice(found)}"


def score(verdict: Verdict, one: Standing) -> str:
    """A method's score with its interval."""
    metric = verdict.family.metric
    low, high = number(metric, one.interval.low), number(metric, one.interval.high)
    return f"{title(metric)} {number(metric, one.candidate.answers.score)} [{low}, {high}]"


def checkpoints(found: Headline) -> str:
    """Whether these checkpoints are better."""
    verdict = found.verdict
    if verdict.choice is None or verdict.evidence == "one method":
        return ""
    if verdict.rivals:
        more = len(verdict.rivals) - _RIVALS
        names = ", ".join(map(clean, verdict.rivals[:_RIVALS])) + (f" and {more} more" if more > 0 else "")
        return f"{NOT_ENOUGH}; {names} may be better"
    if verdict.evidence == "not enough":
        return NOT_ENOUGH
    if by_worth(verdict.standings, verdict.assumed):
        return "worth the most after its cost"
    if verdict.evidence == "tie":
        others = ", ".join(clean(label) for label in verdict.ties if label != verdict.choice)
        return f"as good as {others} to within {number(verdict.family.metric, verdict.margin)}, and cheaper"
    nearest = nearest_rival(verdict)
    if nearest is None:
        return "nothing else meets the requirements"
    return f"better than {clean(nearest.other(verdict.choice).label)}, the next, by {ahead_of(nearest, verdict.choice)}"


def retrained(verdict: Verdict) -> str:
    """Whether training again would be better."""
    again = verdict.again
    if verdict.evidence == "one method":
        return ""
    if again.answer == "too few seeds":
        fewest = min(one.retraining.fewest for one in again.against if one.retraining)
        return f"{'one seed' if fewest == 1 else 'two seeds'} cannot say"
    if again.answer == "unsure":
        fewest = min((one.retraining.fewest for one in again.against if one.retraining), default=0)
        return f"not shown with {fewest} seeds"
    if again.answer == "yes":
        return "better too"
    trained = any(one.trained for one in verdict.family.answers if one.label == verdict.choice)
    return "gives the same" if trained else "nothing is trained"


def against(found: Headline) -> str:
    """By how much it is better than zero-shot prompting and than the reference line."""
    assert found.leads is not None
    label = found.leads.label
    return "; ".join(f"{clean(one.other(label).label)} {ahead_of(one, label)}" for one in found.against)


def ahead_of(one: Difference, label: str) -> str:
    """By how much a method is the better of two, with the interval."""
    ahead, low, high = (signed(one.a.metric, value) for value in lead(one, label))
    return f"{ahead} [{low}, {high}]"


def cost(found: Headline, currency: str) -> str:
    """Money a month."""
    assert found.leads is not None
    known = cost_text(found.leads.cost / found.verdict.assumed.months, currency)
    return f"{known}, and its training, which is unknown" if found.leads.candidate.trained_elsewhere else known


def forgotten(one: Standing) -> str:
    """The largest loss, as a share of what the base model knew where that is known."""
    losses, unknown = one.candidate.losses, one.candidate.not_measurable
    if not losses:
        return f"not measurable on {', '.join(map(clean, unknown))}" if unknown else "not measured"
    worst = max(losses, key=_size)
    if worst.value > 0:
        return _loss(worst)
    return "nothing" if all(loss.value == 0 for loss in losses) else "nothing that a probe shows"


def _loss(one: Loss) -> str:
    limits = ""
    if one.interval is not None:
        limits = f" [{number(one.metric, one.interval.low)}, {number(one.metric, one.interval.high)}]"
    if one.metric == "bits_per_byte":
        return f"{number(one.metric, one.value)}{limits} more bits per byte on {clean(one.probe)}"
    in_form = one.base_form and f" in {one.base_form}"
    share = "" if one.share is None else f", {100 * one.share:.0f}% of what was known{in_form}"
    return f"{number(one.metric, one.value)}{limits} {title(one.metric)} on {clean(one.probe)}{share}"


def _size(loss: Loss) -> tuple[bool, float, float]:
    return loss.value > 0, loss.share or 0.0, loss.value


def flips(verdict: Verdict, currency: str) -> str:
    """The nearest assumption that changes the choice."""
    if verdict.choice is None or verdict.undecided:
        return ""
    if verdict.flips:
        return flip_text(verdict.flips[0], currency).removesuffix(".")
    return f"nothing, from 0 to {SCAN:,.0f} times the assumed queries and updates"


def step(found: NextStep | None) -> str:
    """What to do, how long it takes, and the command."""
    if found is None:
        return ""
    if found.kind == "model":
        return "none of these is of use with this model and data: try a larger model, or more training items"
    if found.kind == "methods":
        return "measure other methods too: one alone cannot be compared"
    taken = "" if found.seconds is None else f" (about {duration(found.seconds, rough=True)})"
    command = f": `{found.command}`"
    if found.kind == "cells":
        missing = "cell that is" if found.amount == 1 else f"{found.amount:,.0f} cells that are"
        return f"measure the {missing} missing{taken}{command}"
    if found.kind == "items":
        return f"measure on {found.amount:,.0f} test items{taken}{command}"
    if found.kind == "seeds":
        return f"measure {found.amount:.0f} seeds{taken}{command}"
    return f"choose {clean(found.chooses)}, the cheapest, if {found.amount:.3g} more or less does not matter{command}"


def or_else(found: NextStep | None) -> str:
    """What it would take to tell the leaders apart, where the task has too few items."""
    if found is None or found.items_needed <= found.items_there:
        return ""
    start = "else" if found.kind == "margin" else "that may not be enough:"
    return f"; {start} about {found.items_needed:,} test items are needed, and the task has {found.items_there:,}"
