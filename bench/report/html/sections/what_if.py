"""Costs under assumptions that the reader of the page can change: the figures that its script works with."""

from __future__ import annotations

import json
from typing import Any

from bench.analysis.decision.headline_words import chosen
from bench.analysis.decision.rule import by_worth, counted, differing, lead
from bench.analysis.decision.verdict import Verdict
from bench.analysis.decision.words import money
from bench.metrics.formats import clean, number, title
from bench.report.cases import Case
from bench.report.html.blocks import Scenario, ScenarioRow


def scenario(case: Case, verdict: Verdict) -> Scenario:
    """The methods of a case, the best first, with their costs as assumed."""
    assumed, currency = verdict.assumed, case.prices.currency
    metric = verdict.family.metric
    assert case.headline is not None
    # the rule takes the cheapest of equals: not where worth decides, or what leads is no better than knowing nothing
    settles = case.headline.beats_reference and verdict.evidence != "one method"
    by_cost = settles and not by_worth(verdict.standings, assumed)
    rows = tuple(
        ScenarioRow(
            clean(one.label),
            number(metric, one.candidate.answers.score),
            money(one.cost / assumed.months, currency),
            json.dumps(data, separators=(",", ":")),
            one.label == verdict.choice and by_cost and chosen(case.headline),
        )
        for one, data in zip(verdict.standings, figures(verdict), strict=True)
    )
    return Scenario(
        id=f"{case.id}-what-if",
        title=f"{case.title}: other volumes and prices",
        metric=title(metric),
        cost=f"cost a month ({counted(assumed, verdict.standings)})",
        currency=clean(currency),
        queries=f"{assumed.queries_per_month:.15g}",
        updates=f"{assumed.updates_per_month:.15g}",
        months=assumed.months,
        most="" if assumed.require.money_per_month is None else f"{assumed.require.money_per_month!r}",
        rule=by_cost,
        rows=rows,
    )


def figures(verdict: Verdict) -> list[dict[str, Any]]:
    """What cost and rule need of each method, the best first; money in the currency of the prices."""
    assumed, differ = verdict.assumed, differing(verdict.family)
    labels = [one.label for one in verdict.standings]
    rivals: dict[str, list[str]] = {}  # method -> those that may be better by more than the margin
    for pair in verdict.family.differences:
        for label in (pair.a.label, pair.b.label):
            if -lead(pair, label)[1] > verdict.margin:
                rivals.setdefault(label, []).append(pair.other(label).label)
    return [
        {
            "search": one.candidate.price.search,
            "production": one.candidate.price.production,
            "refresh": one.candidate.price.refresh,
            "query": one.candidate.price.query,
            "once": assumed.people_once(one.label),
            "monthly": assumed.hosting(one.label) + assumed.people_monthly(one.label),
            "able": all(check.status != "fails" for check in one.checks if check.name != "money_per_month"),
            "differs": [place for place, label in enumerate(labels) if differ(one.label, label)],
            "rivals": [place for place, label in enumerate(labels) if label in rivals.get(one.label, ())],
        }
        for one in verdict.standings
    ]
