"""Plans: items needed, and policies that could find nothing or pass nothing."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from bench.analysis.statistics import drops
from bench.core.training import Training
from bench.gate import noise
from bench.gate.expand import expand
from bench.gate.noise import Floor
from bench.gate.outputs.terminal import plan_sheet
from bench.gate.plan import Need, plan
from bench.gate.policy import Policy
from bench.metrics.formats import amount
from bench.store.run_folder import read_run
from tests.gate.made import Made, simple


def needs(folder: Path, **content: Any) -> list[Need]:
    policy, run = Policy.model_validate(content), read_run(folder)
    return plan(expand(policy, run, "gate.yaml"), run, policy, noise.read(folder))


def one(folder: Path, **content: Any) -> Need:
    [need] = needs(folder, **content)
    return need


def test_items_needed_to_find_a_drop_of_shares(tmp_path: Path) -> None:
    """Four points with a margin of two and a tenth of the items changed: 416 items, 200 are too few."""
    need = one(simple(tmp_path / "run", [1.0, 0.0] * 100), quality=[{"margin": 0.02}])
    assert need.items == 200
    assert need.chance == pytest.approx(drops.found_shares(200, 0.1, 0.04, alpha=0.05, margin=0.02))
    assert need.needed == 416
    assert need.refused
    assert need.refusal.endswith("the policy requires 0.8: 416 items are needed")
    enough = one(simple(tmp_path / "large", [1.0, 0.0] * 208), quality=[{"margin": 0.02}])
    assert (enough.refusal, enough.refused) == ("", False)


def test_a_drop_that_is_small_for_its_scale_is_not_said_as_zero(tmp_path: Path) -> None:
    need = one(simple(tmp_path / "run", [1.0, 0.0] * 100), quality=[{"margin": 0.0001}])
    assert need.refusal.startswith("the power to detect a drop of 0.0002 is ")


@pytest.mark.parametrize(
    ("metric", "value", "text"),
    [("bleu", 0.02, "0.02"), ("bleu", 0.0, "0.0"), ("bleu", 2.0, "2.0"), ("accuracy", 0.0004, "0.0004"),
     ("accuracy", 0.04, "0.040")],
)  # fmt: skip
def test_amounts(metric: str, value: float, text: str) -> None:
    assert amount(metric, value) == text


def test_a_plan_as_a_table(tmp_path: Path) -> None:
    run = simple(tmp_path / "run", [1.0, 0.0] * 100)
    cost = [{"counter": "output_tokens", "limit": "10%"}]
    found = needs(run, quality=[{"margin": 0.02, "detect": 0.05, "tier": "advisory"}], cost=cost)
    sheet = plan_sheet(found, "regression", 0.8)
    assert (sheet.columns[5], sheet.columns[6]) == ("chance\nto find it", "items for\n0.8")
    assert plan_sheet(found, "non-inferiority", 0.8).columns[5] == "chance\nto pass"
    [row] = sheet.rows  # a counter needs no items
    shown = found[0]
    expected = ["advisory", "0.02", "0.05", "200", f"{shown.chance:.2f}", str(shown.needed), shown.refusal]
    assert [cell.text for cell in row[1:]] == expected
    assert row[-1].style == ""  # an advisory check refuses nothing
    assert sheet.notes == ("1 checks of counters need no items beyond those there are",)
    assert plan_sheet(found[:1], "regression", 0.8).notes == ()


def test_more_checks_need_more_items(tmp_path: Path) -> None:
    made = Made(tmp_path / "run")
    for method in map(str, range(50)):
        made.cell(method, [1.0, 0.0] * 100)
    found = needs(made.done(), quality=[{"margin": 0.02}])
    assert {need.needed for need in found} == {979}
    advisory = [{"margin": 0.02, "tier": "advisory"}, {"margin": 0.02, "method": "0"}]
    assert {n.needed for n in needs(made.path, quality=advisory) if n.planned.tier == "critical"} == {416}


def test_more_changed_items_need_more_items(tmp_path: Path) -> None:
    run = simple(tmp_path / "run", [1.0, 0.0] * 100)
    few, many = (one(run, quality=[{"margin": 0.02}], changed=changed).needed for changed in (0.05, 0.3))
    assert few is not None
    assert many is not None
    assert few < 416 < many


def test_items_needed_to_show_that_nothing_was_lost(tmp_path: Path) -> None:
    need = one(simple(tmp_path / "run", [1.0, 0.0] * 100), quality=[{"margin": 0.02}], mode="non-inferiority")
    assert need.needed == 1565
    assert need.refusal.startswith("an unchanged candidate would pass with a probability of")


def test_means_are_planned_by_their_spread(tmp_path: Path) -> None:
    """Standard deviation 0.5 of the scores, a tenth drawn anew: 0.5 sqrt(0.2) of a difference."""
    values = np.random.default_rng(0).normal(0.5, 0.2, 400)
    values = 0.5 + (values - values.mean()) / values.std(ddof=1) * 0.5
    need = one(simple(tmp_path / "run", values.tolist(), metric="token_f1"), quality=[{"margin": 0.01, "detect": 0.05}])
    by_hand = (1.645 + 0.842) ** 2 * (0.25 * 0.2) / 0.05**2
    assert need.needed == pytest.approx(by_hand, rel=0.05)
    assert not need.refusal


def test_seeds_that_spread_need_more_seeds(tmp_path: Path) -> None:
    rng = np.random.default_rng(1)
    made = Made(tmp_path / "run")
    for seed, share in enumerate((0.3, 0.5, 0.7)):
        made.cell("lora", (rng.random(400) < share).astype(float).tolist(), seed=seed, training=Training(steps=1))
    need = one(made.done(), quality=[{"margin": 0.02}])
    assert need.needed is None
    assert need.refusal.endswith("more than 20 seeds are needed")


def test_seeds_that_agree_need_few_items(tmp_path: Path) -> None:
    made = Made(tmp_path / "run")
    for seed in range(3):
        values = [1.0, 0.0] * 200
        values[seed] = 1.0 - values[seed]
        made.cell("lora", values, seed=seed, training=Training(steps=1))
    assert not one(made.done(), quality=[{"margin": 0.02}]).refusal


def test_a_score_too_low_to_fall(tmp_path: Path) -> None:
    need = one(simple(tmp_path / "run", [1.0] + [0.0] * 999), quality=[{"margin": 0.02}])
    assert need.refusal == "cannot fail: the baseline score (0.001) is smaller than the drop to detect (0.040)"
    assert need.refused
    assert not one(tmp_path / "run", quality=[{"margin": 0.02, "tier": "supporting"}]).refused


def floors(folder: Path, floor: float, kind: str = "quality", name: str = "accuracy") -> None:
    noise.write(folder, [Floor(kind, "m", "mail", "zero-shot", "", name, 0.5, 0.0, floor)], [])


def test_noise_above_what_must_be_found(tmp_path: Path) -> None:
    run = simple(tmp_path / "run", [1.0, 0.0] * 1000)
    floors(run, 0.05)
    assert "the noise floor, 0.050, is no lower" in one(run, quality=[{"margin": 0.02}]).refusal
    release = one(run, quality=[{"margin": 0.02}], mode="non-inferiority")
    assert "is above the margin: it could not pass" in release.refusal


def test_seconds_without_known_noise_could_not_pass(tmp_path: Path) -> None:
    run = simple(tmp_path / "run", [1.0, 0.0] * 100)
    cost = {"cost": [{"counter": "predict_s", "limit": "10%"}]}
    assert "its noise was never measured" in one(run, **cost).refusal
    floors(run, 0.05, "cost", "predict_s")
    assert not one(run, **cost).refusal
    floors(run, 0.4, "cost", "predict_s")
    assert "the noise floor, 40%, is above the limit" in one(run, **cost).refusal


def test_probes_and_groups_are_planned(tmp_path: Path) -> None:
    made = Made(tmp_path / "run")
    made.cell("base", [1.0, 0.0] * 300, task="facts", metric="exact_match", is_base=True)
    made.cell("lora", [1.0, 0.0] * 300, probes={"facts": [1.0, 0.0] * 300}, training=Training(steps=1))
    made.cell("zero-shot", [1.0, 0.0] * 300, weights_changed=False)
    made.cell("rag", [1.0, 0.0] * 300, weights_changed=False)
    found = needs(made.done(), retention=[{"margin": 0.03}])
    assert [need.planned.method for need in found] == ["lora", "zero-shot"]  # rag has zero-shot's answers to it
    assert {need.items for need in found} == {600}


def test_predictions_that_are_gone_are_said(tmp_path: Path) -> None:
    run = simple(tmp_path / "run", [1.0, 0.0] * 100)
    next(run.glob("cells/*/predictions.jsonl")).unlink()
    assert "cannot be compared with" in one(run, quality=[{"margin": 0.02}]).refusal


def test_one_seed_of_a_trained_method_is_refused_unless_checkpoints_are_asked_of(tmp_path: Path) -> None:
    made = Made(tmp_path / "run")
    made.cell("lora", [1.0, 0.0] * 400, training=Training(steps=1))
    assert "one seed cannot say" in one(made.done(), quality=[{"margin": 0.02}]).refusal
    assert not one(made.path, quality=[{"margin": 0.02}], question="checkpoints").refusal


def test_items_needed_with_seeds_are_never_fewer_than_two(tmp_path: Path) -> None:
    """Seeds that differ by a point over twenty items: a wide drop needs items, and the number asked for is above 1."""
    made = Made(tmp_path / "run")
    rng = np.random.default_rng(2)
    for seed in range(3):
        made.cell("lora", (rng.random(20) < 0.6).astype(float).tolist(), seed=seed, training=Training(steps=1))
    need = one(made.done(), quality=[{"margin": 0.02, "detect": 0.2}])
    assert need.refused
    assert need.needed is None or need.needed > 20
