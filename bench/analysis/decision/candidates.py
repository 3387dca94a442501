"""What was measured of each method that can be chosen: its answers, what it costs, how fast it is, what it forgot."""

from __future__ import annotations

import statistics
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property

from bench.analysis import cells_at_once, costs
from bench.analysis.comparison import Answers, Family
from bench.analysis.costs import CellCost
from bench.analysis.decision.lines import Line
from bench.analysis.retention import BaseScore, Loss, base_scores, losses
from bench.config.assumptions import Assumptions
from bench.config.prices import Prices
from bench.core.measured import ServedBy, TaughtBy
from bench.core.phases import PRODUCTION, REFRESH
from bench.core.prompt_search import ReflectedBy
from bench.core.record import Record, Run


@dataclass(frozen=True, slots=True)
class Price:
    """Money of one cell: once, for each update, for each query."""

    search: float
    production: float
    refresh: float
    query: float


@dataclass(frozen=True)
class Candidate:
    """A method on a task with a model. None: not measured."""

    label: str
    answers: Answers
    prices: tuple[Price, ...]  # of each seed
    latency_p95_s: float | None
    memory_bytes: int
    data_stays: bool  # what it is asked, and what a teacher is shown to train it, goes to no other machine
    losses: tuple[Loss, ...]  # the largest on any probe of each unit; () where none was measured
    trained_elsewhere: bool = False  # what training took is unknown, and in none of its prices
    not_measurable: tuple[str, ...] = ()  # probes of which the base model knows no more than chance
    pays_tokens: bool = False  # its queries cost the tokens of an endpoint, not the time of a machine
    cells_at_once: int = 1  # wherever its costs were measured, and those of the others

    @property
    def method(self) -> str:
        """As the suite names it: what hosting and people's time go by."""
        return self.answers.method or self.label

    @cached_property
    def price(self) -> Price:
        """Means over seeds; the search is done once, so it is that of the seed that has one."""
        production, refresh, query = (
            statistics.fmean(values)
            for values in zip(*((one.production, one.refresh, one.query) for one in self.prices), strict=True)
        )
        return Price(max(one.search for one in self.prices), production, refresh, query)

    def line(self, assumed: Assumptions) -> Line:
        """Money over the period as a line in the queries of a month."""
        return line_of(self.price, self.method, assumed)


def line_of(price: Price, method: str, assumed: Assumptions) -> Line:
    """A line in the queries of a month, each of which costs months × query.

    It starts at search + production + people's setup + months × (updates × refresh + hosting + people's upkeep).
    """
    once = price.search + price.production + assumed.people_once(method)
    monthly = assumed.updates_per_month * price.refresh + assumed.hosting(method) + assumed.people_monthly(method)
    return Line(once + assumed.months * monthly, assumed.months * price.query)


def candidates(run: Run, family: Family, prices: Prices, assumed: Assumptions) -> list[Candidate]:
    """The methods of a family that can be chosen, the best first; one whose queries have no price is left out.

    Controls (rag with the gold or with random passages) show what retrieval is worth and cannot be served.

    Raises:
        NotComparableError: costs of cells measured alone stand beside those of cells that shared a machine.
    """
    served = [r for r in run.records if (r.model, r.task) == (family.model, family.task) and not r.parts.is_control]
    together = cells_at_once.refuse_mixed(served)
    base = base_scores(run, family.model)
    found = []
    for answers in family.answers:
        own = [r for r in run.records if _is(r, family, answers.label) and r.status == "ok"]
        if not own or any(record.parts.is_control for record in own):
            continue
        paid = [_price(record, prices, assumed) for record in own]
        if any(price is None for price in paid):
            continue
        latencies = [r.latency["served"].p95 for r in own if "served" in r.latency]
        tails = [p95 for p95 in latencies if p95 is not None]
        found.append(
            Candidate(
                label=answers.label,
                answers=answers,
                prices=tuple(price for price in paid if price is not None),
                latency_p95_s=statistics.median(tails) if len(tails) == len(own) else None,
                memory_bytes=max(_memory(record) for record in own),
                pays_tokens=any(record.served is not None for record in own),
                data_stays=all(place.stays for record in own for place in places(record)),
                losses=losses(run, own, base),
                trained_elsewhere=own[0].parts.trained_elsewhere,
                not_measurable=_not_measurable(own, base),
                cells_at_once=together,
            )
        )
    return found


def places(record: Record) -> Iterator[ServedBy | TaughtBy | ReflectedBy]:
    """Where items were sent to: the models of a record that may be elsewhere."""
    reflector = record.prompt_search.reflector if record.prompt_search else None
    yield from (place for place in (record.served, record.taught, reflector) if place)


def _is(record: Record, family: Family, label: str) -> bool:
    return (record.model, record.task, record.method) == (family.model, family.task, label)


def _price(record: Record, prices: Prices, assumed: Assumptions) -> Price | None:
    cost: CellCost = costs.cost(record, prices)
    thousand = cost.thousand_queries if assumed.serving == "batches" else cost.thousand_single
    if thousand is None or cost.teaching is None:
        return None
    production = costs.of_phases(record, prices, PRODUCTION) + cost.teaching  # all of it that is known
    refresh = costs.of_phases(record, prices, REFRESH) + cost.teaching
    return Price(cost.search, production, refresh, thousand / 1000)


def _memory(record: Record) -> int:
    return max((p.peak_device_bytes or p.peak_host_bytes for p in record.phases.values()), default=0)


def _not_measurable(records: Sequence[Record], base: Mapping[str, BaseScore]) -> tuple[str, ...]:
    asked = {probe for record in records if record.weights_changed for probe in record.probes}
    return tuple(probe for probe, before in base.items() if probe in asked and not before.above_chance)
