"""Money by hand: seconds times the price of an hour, and nothing where nothing was measured."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from bench.analysis import costs
from bench.config.prices import replaced
from bench.core.errors import UsageError
from bench.core.measured import Environment, Latency
from bench.core.phases import Phase, PhaseName
from bench.core.record import Record, Score

CPU = Environment(device="cpu", threads=4)
PRICES = replaced({"cpu_core_hour": 0.9, "gpu_hour": {"L4": 0.5}, "kwh": 0.36}, "suite.yaml")


def record(**changes: Any) -> Record:
    seconds: dict[PhaseName, float] = {
        "tune": 50.0, "index": 4.0, "train": 96.0, "retrieve": 1.0, "predict": 9.0, "serve": 33.0,
    }  # fmt: skip
    phases = {name: Phase(value, 1) for name, value in seconds.items()}
    whole = Record("k", "m", "t", "lora", 0, "ok", "now", scores={"accuracy": Score(0.25)}, items=40, phases=phases,
                   latency={"served": Latency(0.5, 0.5, 0.0)}, environment=CPU)  # fmt: skip
    return replace(whole, **changes)


def test_seconds_become_money() -> None:
    found = costs.cost(record(), PRICES)
    second = 4 * 0.9 / 3600  # 0.001
    assert found.search == pytest.approx(50 * second)
    assert found.production == pytest.approx(100 * second)
    assert found.thousand_queries == pytest.approx(1000 * 10 / 40 * second)
    assert found.thousand_single == pytest.approx(500 * second)
    assert found.correct_answer == pytest.approx(10 / 40 / 0.25 * second)
    assert found.energy is None


def test_what_is_not_known_is_none() -> None:
    assert costs.cost(record(scores={"accuracy": Score(0.0)}), PRICES).correct_answer is None
    assert costs.cost(record(scores={"bleu": Score(31.0)}), PRICES).correct_answer is None
    assert costs.cost(record(latency={}), PRICES).thousand_single is None
    assert costs.cost(record(items=0), PRICES).thousand_queries is None


def test_energy_has_its_price_where_every_phase_was_counted() -> None:
    counted = {"train": Phase(1.0, 1, joules=7.2e6), "predict": Phase(1.0, 1, joules=3.6e6)}
    assert costs.cost(record(phases=counted), PRICES).energy == pytest.approx(3 * 0.36)
    assert costs.cost(record(phases={**counted, "score": Phase(1.0, 1)}), PRICES).energy is None


@pytest.mark.parametrize(
    ("name", "hour"), [("NVIDIA H200", 4.5), ("NVIDIA H100 80GB HBM3", 3.5), ("NVIDIA L4", 0.5), ("Radeon", 3.5)]
)
def test_a_gpu_has_the_price_of_its_name(name: str, hour: float) -> None:
    assert PRICES.hour(Environment(device="cuda", device_name=name)) == hour


def test_a_cpu_has_the_price_of_its_threads() -> None:
    assert PRICES.hour(CPU) == pytest.approx(3.6)
    assert replaced({}, "suite.yaml").hour(Environment(device="cpu", threads=2)) == pytest.approx(0.0816)


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"cpu_core_hour": -1}, "cpu_core_hour"),
        ({"kw": 1}, "kw"),
        ({"gpu_hour": {"L4": "cheap"}}, "gpu_hour.L4"),
        ({"gpu_hour": {"L4": -1}}, "gpu_hour.L4"),
        ({"gpu_hour": 3}, "gpu_hour"),
        ({"gpu_hour": None}, "gpu_hour"),
    ],
)
def test_wrong_prices_are_named(changes: dict[str, Any], words: str) -> None:
    with pytest.raises(UsageError, match=rf"suite.yaml: .*prices.{words}"):
        replaced(changes, "suite.yaml")
