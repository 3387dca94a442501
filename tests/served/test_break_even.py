"""From how many queries on a tuned model of one's own is cheaper than a hosted prompt: three cases, by hand."""

from __future__ import annotations

from dataclasses import replace

import pytest

from bench.analysis.costs import cost, of_phases
from bench.analysis.decision.candidates import Price, line_of
from bench.analysis.decision.lines import BreakEven, below
from bench.config.assumptions import Assumptions
from bench.config.prices import replaced
from bench.core.measured import Environment, ServedBy, TokenPrices, TokensUsed
from bench.core.phases import REFRESH, Phase
from bench.core.record import Record

PRICES = replaced({"gpu_hour": {"card": 3.6}}, "")  # 0.001 a second
# 100 queries: 30,000 new tokens at 2, 20,000 cached at 1 and 1,000 generated at 8 for a million: 0.088, so 0.00088 each
HOSTED = ServedBy(
    "https://api.example.org/v1", "m", "generation", True, False,
    used={"predict": TokensUsed(100, 50_000, 20_000, 1_000), "probe": TokensUsed(20, 10_000, 0, 200)},
    price=TokenPrices(input=2.0, output=8.0, cached_input=1.0, date="2026-11-01"),
)  # fmt: skip


def record(method: str, served: ServedBy | None, **seconds: float) -> Record:
    return Record(
        "a" * 64, "m", "t", method, 0, "ok", "2026-11-01T00:00:00+00:00", items=100, served=served,
        phases={name: Phase(value, 0) for name, value in seconds.items()},  # type: ignore[misc]
        environment=Environment(device="cuda", device_name="card"),
    )  # fmt: skip


def price(of: Record) -> Price:
    paid = cost(of, PRICES)
    assert paid.thousand_queries is not None
    assert paid.production is not None
    return Price(paid.search, paid.production, of_phases(of, PRICES, REFRESH), paid.thousand_queries / 1000)


@pytest.mark.parametrize(
    ("predict_s", "hosting", "expected"),
    [
        (10.0, 0.0, BreakEven("from", 1.8 / (10 * 0.00078))),  # 1,800 s of training; 0.0001 a query: 231 a month
        (100.0, 0.0, BreakEven("never")),  # 0.001 a query
        (10.0, 5.0, BreakEven("from", (1.8 + 50) / (10 * 0.00078))),  # and 5 a month over 10 months: 6,641 a month
    ],
)
def test_a_tuned_model_against_a_hosted_prompt(predict_s: float, hosting: float, expected: BreakEven) -> None:
    assumed = Assumptions(months=10, hosting_per_month={"lora": hosting})
    hosted = line_of(price(record("zero-shot", HOSTED, load=2.0, predict=60.0)), "zero-shot", assumed)
    tuned = line_of(price(record("lora", None, train=1800.0, predict=predict_s)), "lora", assumed)
    assert (hosted.start, hosted.slope) == pytest.approx((0.0, 0.0088))
    found = below(tuned, hosted)
    assert found.kind == expected.kind
    assert found.x == (None if expected.x is None else pytest.approx(expected.x))


def test_ranking_passages_here_and_tuning_their_encoder_cost_what_they_do_elsewhere() -> None:
    found = cost(record("rag", HOSTED, retriever=500.0, index=100.0, retrieve=4.0, rerank=6.0), PRICES)
    assert found.production == pytest.approx(0.6)
    assert found.thousand_queries == pytest.approx(0.88 + 0.1)  # 10 s for 100 queries


def test_what_is_looked_up_here_costs_what_it_does_elsewhere() -> None:
    # 3 s of indexing once, and 1 s of finding passages for 100 queries
    found = price(record("rag", HOSTED, index=3.0, retrieve=1.0, predict=60.0))
    assert (found.production, found.refresh) == pytest.approx((0.003, 0.003))
    assert found.query == pytest.approx(0.00088 + 0.001 / 100)


def test_a_hosted_prompt_without_a_price_has_no_cost() -> None:
    assert cost(record("zero-shot", replace(HOSTED, price=None), predict=60.0), PRICES).thousand_queries is None
