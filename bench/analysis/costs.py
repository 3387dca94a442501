"""What a cell costs at the prices of a dated file: search, making the method ready, and answering.

Making it ready holds what a teacher's answers took, as a part of its own: the tokens of an endpoint, or machine time.

Reads records alone, so that another price needs no new measurement. Rented hours are what is counted; the price of
energy is shown beside them and never added, as a rented hour includes it. What a served model answers costs its tokens:
the time that is spent on waiting for it costs nothing here, that of finding passages costs what it does elsewhere.
"""

from __future__ import annotations

from collections.abc import Sequence

from pydantic import BaseModel, ConfigDict

from bench.config.prices import Prices
from bench.core.phases import ANSWERING, PRODUCTION, SEARCH, TEACHING, PhaseName
from bench.core.record import Record
from bench.metrics import NAMES

_HOUR, _JOULES_OF_KWH = 3600.0, 3.6e6


class CellCost(BaseModel):
    """Money of one cell, in the prices' currency."""

    model_config = ConfigDict(frozen=True)

    search: float  # choosing options, once for a task
    production: float | None  # index, teacher and training, for each version; None: trained elsewhere, or no price
    teaching: float | None  # of this: a teacher's answers; None where an endpoint's tokens have no price
    thousand_queries: float | None  # answered in batches; None where nothing was answered
    thousand_single: float | None  # answered one by one, by the median latency; None where that was not measured
    correct_answer: float | None  # in batches; None for a metric that is no share of correct answers, or where none was
    energy: float | None  # of all phases; None where any of them has no counter


def cost(record: Record, prices: Prices) -> CellCost:
    """What a cell that ended cost."""
    rate, taught = prices.hour(record.environment) / _HOUR, teaching(record, prices)
    if record.served is not None:
        return _served(record, prices, rate, taught)
    made = None if taught is None or record.parts.trained_elsewhere else _seconds(record, PRODUCTION) * rate + taught
    searched = record.retrieval.get("money_per_query", 0.0)  # by a service
    query = _seconds(record, ANSWERING) * rate / record.items + searched if record.items else None
    served = record.latency.get("served")
    return CellCost(
        search=_seconds(record, SEARCH) * rate + _reflecting(record, prices),
        production=made,
        teaching=taught,
        thousand_queries=None if query is None else 1000 * query,
        thousand_single=None if served is None else 1000 * (served.p50 * rate + searched),
        correct_answer=_correct(record, query),
        energy=_energy(record, prices),
    )


def paid(record: Record, prices: Prices, phase: PhaseName) -> float | None:
    """Money for the requests to an endpoint in a phase; None where they have no price."""
    assert record.served is not None
    price, used = prices.tokens.get(record.model) or record.served.price, record.served.used.get(phase)
    if price is None:
        return None
    return 0.0 if used is None else price.money(used)


def teaching(record: Record, prices: Prices) -> float | None:
    """Money for a teacher's answers: 0 without a teacher; None where an endpoint's tokens have no price."""
    taught = record.taught
    if taught is None or taught.used is None:
        return of_phases(record, prices, (TEACHING,))
    price = prices.tokens.get(taught.model) or taught.price
    return None if price is None else price.money(taught.used)


def _reflecting(record: Record, prices: Prices) -> float:
    """Money for the tokens of an endpoint that wrote instructions; 0 where they have no price."""
    by = record.prompt_search.reflector if record.prompt_search else None
    price = (prices.tokens.get(by.model) or by.price) if by else None
    return price.money(by.used) if by and by.used and price else 0.0


def _served(record: Record, prices: Prices, rate: float, taught: float | None) -> CellCost:
    answers, search = paid(record, prices, "predict"), paid(record, prices, "tune")
    known = answers is not None and record.items > 0
    searched = record.retrieval.get("money_per_query", 0.0)
    found = _seconds(record, ("retrieve", "rerank")) * rate
    query = ((answers or 0.0) + found) / record.items + searched if known else None
    return CellCost(
        search=(search or 0.0) + _reflecting(record, prices),
        production=None if taught is None else _seconds(record, ("retriever", "index")) * rate + taught,
        teaching=taught,
        thousand_queries=None if query is None else 1000 * query,
        thousand_single=None if query is None else 1000 * query,  # tokens cost the same one by one
        correct_answer=_correct(record, query),
        energy=None,  # spent elsewhere
    )


def of_phases(record: Record, prices: Prices, phases: Sequence[PhaseName]) -> float:
    """What some phases of a cell cost."""
    return _seconds(record, phases) * prices.hour(record.environment) / _HOUR


def _seconds(record: Record, phases: Sequence[PhaseName]) -> float:
    return sum(record.wall_s(name) for name in phases if name in record.phases)


def _correct(record: Record, query: float | None) -> float | None:
    """Money for a correct answer, where the primary metric is a share of right ones."""
    name = next(iter(record.scores), None)
    if name not in ("accuracy", "exact_match") or query is None:
        return None
    share = record.scores[name].value / NAMES[name].scale
    return query / share if share else None


def _energy(record: Record, prices: Prices) -> float | None:
    joules = [phase.joules for phase in record.phases.values()]
    known = [one for one in joules if one is not None]
    return sum(known) / _JOULES_OF_KWH * prices.kwh if known and len(known) == len(joules) else None
