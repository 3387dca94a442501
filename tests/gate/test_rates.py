"""How often the gate is wrong: unchanged candidates that fail, true drops that are found. Seeded simulations.

What is simulated is the rule itself (`judge`), on differences made from drawn scores; no run is written. Real runs are
split by their seeds.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np
import pytest

from bench.analysis.statistics import drops, onesided
from bench.analysis.statistics.onesided import OneSided
from bench.analysis.statistics.paired import PairedTable
from bench.gate.expand import Planned
from bench.gate.measure import Measured
from bench.gate.policy import Policy, load
from bench.gate.tails import Tails
from bench.gate.verdict import judge
from bench.store.run_folder import read_run
from scripts import gate_rates

RNG = np.random.Generator


def measured(place: int, tails: OneSided, margin: float, detect: float) -> Measured:
    planned = Planned("quality", "m", f"task {place}", "lora", "accuracy", "critical", margin, detect)
    return Measured(planned, baseline=0.7, candidate=0.7 + tails.difference, tails=Tails(tails, None, identical=False))


def judged(tails: Sequence[OneSided], margin: float = 0.0, detect: float = 0.05, mode: str = "regression") -> int:
    policy = Policy.model_validate({"mode": mode, "inconclusive": "pass"})
    return judge([measured(i, one, margin, detect) for i, one in enumerate(tails)], policy).exit_code


def shares(rng: RNG, n: int, discordance: float, drop: float = 0.0) -> OneSided:
    """Two checkpoints that differ on a share of items, one of them worse by `drop`."""
    gained, lost, _ = rng.multinomial(n, [(discordance - drop) / 2, (discordance + drop) / 2, 1 - discordance])
    right = int(0.6 * (n - gained - lost))
    return onesided.of_counts(PairedTable(right, int(gained), int(lost), n - int(gained) - int(lost) - right))


def means(rng: RNG, n: int, drop: float = 0.0, draws: int = 2_000) -> OneSided:
    """Token F1 of two versions: many 0 and 1, a tenth of the items changed."""
    before = np.clip(rng.normal(0.6, 0.5, n), 0, 1)
    after = np.where(rng.random(n) < 0.1, np.clip(rng.normal(0.6, 0.5, n), 0, 1), before)
    return onesided.means(after - drop, before, draws=draws)


def seeds(rng: RNG, n: int, spread: float, count: int = 3, drop: float = 0.0) -> OneSided:
    """Trained twice with `count` seeds each: seeds move all items by `spread`, and turn single ones over."""
    hard = rng.normal(0.0, 1.0, n)

    def trained(shift: float) -> np.ndarray:
        level = 0.5 + shift + rng.normal(0.0, spread, (count, 1))
        return np.clip(level + 0.3 * hard + rng.normal(0, 0.2, (count, n)), 0, 1)

    return onesided.crossed(trained(-drop), trained(0.0))


def alarms(codes: Sequence[int]) -> float:
    return sum(code == 1 for code in codes) / len(codes)


def limit(rate: float, draws: int) -> float:
    """A rate that a simulation of a true `rate` exceeds with a chance below 1 in 1,000."""
    return rate + 3.1 * math.sqrt(rate * (1 - rate) / draws)


def test_one_check_of_shares_raises_few_false_alarms() -> None:
    rng = np.random.default_rng(1)
    assert alarms([judged([shares(rng, 200, 0.15)]) for _ in range(2_000)]) <= limit(0.05, 2_000)


def test_fifty_checks_of_shares_raise_few_false_alarms() -> None:
    rng = np.random.default_rng(2)
    family = [(int(n), float(d)) for n, d in zip(rng.integers(50, 800, 50), rng.uniform(0.02, 0.4, 50), strict=True)]
    assert alarms([judged([shares(rng, n, d) for n, d in family]) for _ in range(100)]) <= limit(0.05, 100)


def test_one_check_of_seeds_raises_few_false_alarms() -> None:
    rng = np.random.default_rng(3)
    assert alarms([judged([seeds(rng, 60, 0.03)]) for _ in range(500)]) <= limit(0.05, 500)


def test_one_check_by_bootstrap_raises_few_false_alarms() -> None:
    rng = np.random.default_rng(4)
    assert alarms([judged([means(rng, 150)]) for _ in range(500)]) <= limit(0.05, 500)


def test_a_gate_of_point_values_would_raise_many() -> None:
    """The rule this one replaces: fail where the score fell by more than two points, 200 items."""
    rng = np.random.default_rng(5)
    fell = np.mean([shares(rng, 200, 0.1).difference < -0.02 for _ in range(2_000)])
    assert fell > 0.1
    ours = [judged([shares(rng, 200, 0.1)], margin=0.02) for _ in range(500)]
    assert alarms(ours) <= limit(0.05, 500)


@pytest.mark.parametrize(("n", "discordance", "drop", "margin"), [(420, 0.1, 0.04, 0.02), (200, 0.2, 0.1, 0.0)])
def test_a_drop_is_found_as_often_as_is_said(n: int, discordance: float, drop: float, margin: float) -> None:
    rng = np.random.default_rng(6)
    found = alarms([judged([shares(rng, n, discordance, drop)], margin, drop) for _ in range(2_000)])
    assert found == pytest.approx(drops.found_shares(n, discordance, drop, alpha=0.05, margin=margin), abs=0.03)


def test_a_drop_among_fifty_is_found_as_often_as_is_said() -> None:
    rng = np.random.default_rng(7)
    calm = [shares(rng, 400, 0.1) for _ in range(49)]
    found = alarms([judged([shares(rng, 979, 0.1, 0.04), *calm], 0.02, 0.04) for _ in range(1_000)])
    said = drops.found_shares(979, 0.1, 0.04, alpha=0.05 / 50, margin=0.02)
    assert said == pytest.approx(0.8, abs=0.005)
    assert found == pytest.approx(said, abs=0.03)


def test_a_drop_right_at_the_margin_passes_a_release_rarely() -> None:
    rng = np.random.default_rng(8)
    codes = [judged([shares(rng, 500, 0.12, 0.05)], margin=0.05, mode="non-inferiority") for _ in range(1_000)]
    policy = Policy(mode="non-inferiority")
    again = np.random.default_rng(8)
    passed = sum(
        judge([measured(0, shares(again, 500, 0.12, 0.05), 0.05, 0.1)], policy).exit_code == 0 for _ in range(1_000)
    )
    assert passed / 1_000 <= limit(0.05, 1_000)
    assert alarms(codes) <= limit(0.05, 1_000)


def test_an_unchanged_release_passes_as_often_as_is_said() -> None:
    rng = np.random.default_rng(9)
    policy = Policy(mode="non-inferiority")
    passed = sum(judge([measured(0, shares(rng, 600, 0.1), 0.03, 0.1)], policy).exit_code == 0 for _ in range(2_000))
    assert passed / 2_000 == pytest.approx(drops.within_shares(600, 0.1, 0.03, alpha=0.05), abs=0.03)


@pytest.mark.parametrize(("baseline", "candidate"), gate_rates.SPLITS)
def test_no_split_of_a_real_run_by_its_seeds_fails(baseline: int, candidate: int) -> None:
    run = read_run(Path(__file__).parents[2] / "baselines" / "mini.run.zip")
    codes = gate_rates.codes_of_splits(run, baseline, candidate, load(None))
    assert sum(codes.values()) == {(1, 1): 20, (2, 2): 30, (2, 3): 10}[baseline, candidate]
    assert codes[1] <= 0.05 * sum(codes.values())


@pytest.mark.parametrize("spread", [0.0, 0.1])
def test_other_seeds_of_simulated_methods_rarely_fail(spread: float) -> None:
    rng = np.random.default_rng(12)
    codes = [gate_rates.unchanged(rng, (2, 2), 40, spread, 1, load(None)) for _ in range(100)]
    assert alarms(codes) <= limit(0.05, 100)


@pytest.mark.parametrize("spread", [0.0, 0.05])
def test_a_drop_of_ten_points_is_found_or_refused_by_the_plan(spread: float) -> None:
    rng = np.random.default_rng(13)
    policy = Policy.model_validate({"quality": [{"margin": "2%", "detect": "10%"}]})
    ends = [gate_rates.dropped(rng, spread, 1, policy) for _ in range(100)]
    assert ends.count("missed") <= 20
    assert ends.count("found") >= (70 if spread == 0 else 0)


@pytest.mark.slow
@pytest.mark.timeout(3600)
@pytest.mark.parametrize("seeds", [(2, 2), (2, 3), (3, 3)])
@pytest.mark.parametrize("spread", gate_rates.SPREADS)
def test_other_seeds_of_many_simulated_methods_rarely_fail(seeds: tuple[int, int], spread: float) -> None:
    rng = np.random.default_rng(14)
    codes = [gate_rates.unchanged(rng, seeds, 100, spread, 5, load(None)) for _ in range(500)]
    assert alarms(codes) <= limit(0.05, 500)


@pytest.mark.slow
@pytest.mark.timeout(3600)
@pytest.mark.parametrize(
    ("what", "make"),
    [
        ("one check of shares", lambda rng: [shares(rng, 200, 0.15)]),
        ("one check by exchange", lambda rng: [means(rng, 150, draws=10_000)]),
        ("one check of seeds", lambda rng: [seeds(rng, 100, 0.03)]),
        ("fifty checks of shares", lambda rng: [shares(rng, 200, 0.02 + 0.005 * i) for i in range(50)]),
        ("fifty checks of seeds", lambda rng: [seeds(rng, 60, 0.002 * i) for i in range(50)]),
        ("fifty checks of all kinds", lambda rng: mixed(rng)),
    ],
)
def test_false_alarms_of_every_kind_of_check(what: str, make: Callable[[RNG], list[OneSided]]) -> None:
    """2,000 unchanged candidates each, with no margin at all to protect them."""
    rng = np.random.default_rng(10)
    rate = alarms([judged(make(rng)) for _ in range(2_000)])
    print(f"\n{what}: {rate:.4f}")
    assert rate <= limit(0.05, 2_000)


def mixed(rng: RNG) -> list[OneSided]:
    return [
        *(shares(rng, 200, 0.02 + 0.01 * i) for i in range(30)),
        *(means(rng, 150, draws=10_000) for _ in range(10)),
        *(seeds(rng, 60, 0.01 * i) for i in range(10)),
    ]


@pytest.mark.slow
@pytest.mark.timeout(3600)
def test_power_of_means_and_of_seeds() -> None:
    rng = np.random.default_rng(11)
    found = alarms([judged([means(rng, 300, 0.02, 10_000)], 0.0, 0.02) for _ in range(2_000)])
    errors = [means(rng, 300).error for _ in range(100)]
    error = float(np.mean(errors))
    critical = drops.one_sided_critical([(error**2, 299)], 0.05)
    said = drops.found_means(error, critical, 0.02)
    print(f"\nmeans: {found:.4f}, said {said:.4f}")
    assert found == pytest.approx(said, abs=0.03)
    # Three seeds that move nothing but single items: the pooled t of the seeds' means decides.
    found = alarms([judged([seeds(rng, 100, 0.0, drop=0.03)], 0.0, 0.03) for _ in range(2_000)])
    errors = [seeds(rng, 100, 0.0).error for _ in range(200)]
    error = float(np.sqrt(np.mean(np.square(errors))))
    said = drops.found_means(error, drops.one_sided_critical([(error**2, 4)], 0.05), 0.03)
    print(f"seeds: {found:.4f}, said {said:.4f}")
    assert found == pytest.approx(said, abs=0.03)
