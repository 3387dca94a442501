"""Two runs to a verdict: every status, every exit code, by hand."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import scipy.stats  # type: ignore[import-untyped]  # scipy ships no types

from bench.analysis.statistics.seeds import crossed_means
from bench.core.errors import IncompleteError, UsageError
from bench.core.measured import Environment, Parameters
from bench.core.phases import Phase
from bench.core.record import Failure, Score
from bench.core.training import Training
from bench.gate.policy import Policy
from bench.gate.run import gate
from bench.gate.verdict import GateFinding, GateVerdict
from bench.store.run_folder import read_run
from tests.gate.made import HARDWARE, Made, change, shares, simple

QUALITY = [{"margin": 0.02, "detect": 0.1}]


def verdict(baseline: Path, candidate: Path, **policy: Any) -> GateVerdict:
    return gate(baseline, candidate, Policy.model_validate({"quality": QUALITY, **policy}), "gate.yaml").verdict


def only(found: GateVerdict) -> GateFinding:
    [finding] = found.findings
    return finding


def pair(folder: Path, values: tuple[Sequence[float], Sequence[float]], **changes: Any) -> tuple[Path, Path]:
    before, now = values
    return simple(folder / "old", before, **changes), simple(folder / "new", now, **changes)


def test_a_clear_drop_is_a_regression(tmp_path: Path) -> None:
    found = verdict(*pair(tmp_path, shares(200, 150, lost=30, gained=5)))
    finding = only(found)
    assert (found.exit_code, finding.status) == (1, "regression")
    assert finding.measured.baseline == pytest.approx(0.75)
    assert finding.measured.candidate == pytest.approx(0.625)
    assert finding.p == pytest.approx(scipy.stats.binomtest(5, 35, alternative="less").pvalue)
    assert finding.reason == "fell by 0.125, beyond the margin of 0.020"


def test_no_change_passes(tmp_path: Path) -> None:
    found = verdict(*pair(tmp_path, shares(200, 150)))
    assert (found.exit_code, only(found).status) == (0, "pass")


def test_a_rise_passes(tmp_path: Path) -> None:
    assert verdict(*pair(tmp_path, shares(200, 100, gained=50))).exit_code == 0


def test_a_drop_within_the_margin_warns(tmp_path: Path) -> None:
    """9 of 1,000 lost, none gained: p = 1/512, a drop of 0.009."""
    finding = only(found := verdict(*pair(tmp_path, shares(1000, 500, lost=9))))
    assert (found.exit_code, finding.status) == (0, "warn")
    assert finding.p == pytest.approx(2**-9)


def test_a_drop_that_may_be_chance_warns(tmp_path: Path) -> None:
    """3 points, beyond the margin, 33 against 23: p = 0.11 with a power of 0.99 for ten points."""
    finding = only(found := verdict(*pair(tmp_path, shares(330, 200, lost=33, gained=23))))
    assert (found.exit_code, finding.status) == (0, "warn")
    assert finding.reason.endswith("but that may be chance")


def test_too_few_items_are_inconclusive(tmp_path: Path) -> None:
    old, new = pair(tmp_path, shares(40, 20, lost=4, gained=3))
    assert (verdict(old, new).exit_code, only(verdict(old, new)).status) == (3, "inconclusive")
    assert verdict(old, new, inconclusive="pass").exit_code == 0


def test_a_score_that_cannot_fall_is_inconclusive(tmp_path: Path) -> None:
    finding = only(found := verdict(*pair(tmp_path, shares(60, 3, lost=1, gained=1))))
    assert (found.exit_code, finding.status) == (3, "inconclusive")
    assert finding.reason.startswith(
        "cannot fail: the baseline score (0.050) is smaller than the drop to detect (0.100)"
    )


@pytest.mark.parametrize(
    ("values", "code", "status"),
    [
        (shares(600, 400, lost=6, gained=6), 0, "pass"),
        (shares(600, 400, lost=30, gained=25), 3, "inconclusive"),
        (shares(600, 400, lost=100, gained=5), 1, "regression"),
    ],
)
def test_a_release_must_clear_the_margin(
    tmp_path: Path, values: tuple[list[float], list[float]], code: int, status: str
) -> None:
    finding = only(found := verdict(*pair(tmp_path, values), mode="non-inferiority"))
    assert (found.exit_code, finding.status) == (code, status)
    assert finding.interval is not None
    assert (finding.interval.low > -0.02) == (status == "pass")  # the interval of level 1 - 2 alpha says the same


def test_checks_are_adjusted_together(tmp_path: Path) -> None:
    """Two of three fall with p = 0.0195 each: 3 × 0.0195 is above 0.05. Advisory checks are a family of their own."""
    old, new = Made(tmp_path / "old"), Made(tmp_path / "new")
    drops = {"a": (9, 1), "b": (8, 1), "c": (0, 0)}
    for method, (lost, gained) in drops.items():
        before, now = shares(100, 60, lost=lost, gained=gained)
        old.cell(method, before)
        new.cell(method, now)
    p = [scipy.stats.binomtest(gained, lost + gained, alternative="less").pvalue for lost, gained in ((9, 1), (8, 1))]
    found = verdict(old.done(), new.done(), quality=[{"margin": 0.01, "detect": 0.5}])
    adjusted = {finding.planned.method: finding.p_adjusted for finding in found.findings}
    assert adjusted["a"] == pytest.approx(3 * p[0])
    assert adjusted["b"] == pytest.approx(max(3 * p[0], 2 * p[1]))
    assert (adjusted["c"], found.family) == (1.0, 3)
    lone = [{"margin": 0.01, "detect": 0.5, "tier": "advisory"}, {"margin": 0.01, "detect": 0.5, "method": "a"}]
    alone = verdict(tmp_path / "old", tmp_path / "new", quality=lone)
    assert (alone.family, alone.exit_code) == (1, 1)


def test_lower_is_better_where_it_is(tmp_path: Path) -> None:
    rng = np.random.default_rng(0)
    before = rng.normal(2.0, 0.3, 200)
    worse = (before + rng.normal(0.3, 0.1, 200)).tolist()
    old, new = pair(tmp_path, (before.tolist(), worse), metric="bits_per_byte")
    finding = only(found := verdict(old, new, quality=[{"margin": "1%"}]))
    assert (found.exit_code, finding.status) == (1, "regression")
    assert finding.reason.startswith("rose by 0.2")
    assert finding.interval is not None
    assert 0.25 < finding.interval.low < 0.29 < finding.interval.high < 0.31
    assert verdict(new, old, quality=[{"margin": "1%"}]).exit_code == 0


def test_seeds_and_items_vary_for_trained_methods(tmp_path: Path) -> None:
    rng = np.random.default_rng(1)
    old, new = Made(tmp_path / "old"), Made(tmp_path / "new")
    values = {}
    for made, share in ((old, 0.9), (new, 0.4)):
        values[made.path.name] = (rng.random((3, 120)) < share).astype(float)
        for seed, row in enumerate(values[made.path.name].tolist()):
            made.cell("lora", row, seed=seed, training=Training(steps=3))
    finding = only(found := verdict(old.done(), new.done()))
    expected = crossed_means(values["new"], values["old"])
    assert found.exit_code == 1
    t = scipy.stats.ttest_ind(values["new"].mean(axis=1), values["old"].mean(axis=1), alternative="less")
    assert finding.p == pytest.approx(max(expected.p / 2, float(t.pvalue)))
    assert not finding.measured.few_seeds


@pytest.mark.parametrize(("seeds", "said"), [(1, True), (2, True), (3, False)])
def test_few_seeds_are_said(tmp_path: Path, seeds: int, said: bool) -> None:
    runs = []
    for name in ("old", "new"):
        made = Made(tmp_path / name)
        for seed in range(seeds):
            made.cell("lora", [1.0, 0.0] * 50, seed=seed, training=Training(steps=3))
        runs.append(made.done())
    assert only(verdict(runs[0], runs[1])).measured.few_seeds == said


def test_corpus_metrics_are_resampled_by_their_counts(tmp_path: Path) -> None:
    good, bad = [[9, 9, 8, 6, 5, 4, 9, 8, 7, 6]] * 40, [[9, 9, 5, 2, 1, 1, 9, 8, 7, 6]] * 40
    from bench.metrics import from_statistics

    runs = []
    for name, rows in (("old", good), ("new", bad)):
        made = Made(tmp_path / name)
        score = float(from_statistics("bleu", np.sum(rows, axis=0, keepdims=True))[0])
        made.cell("full", rows, metric="bleu", value=score)
        runs.append(made.done())
    finding = only(found := verdict(runs[0], runs[1], quality=[{"margin": "2%"}]))
    assert (found.exit_code, finding.status) == (1, "regression")


def probed(folder: Path, name: str, knows: Sequence[float], **changes: Any) -> Path:
    made = Made(folder / name)
    made.cell("base", [1.0] * 80 + [0.0] * 20, task="facts", metric="exact_match", is_base=True)
    made.cell("lora", [1.0, 0.0] * 50, probes={"facts": knows}, training=Training(steps=3), **changes)
    made.cell("zero-shot", [1.0, 0.0] * 50, weights_changed=False)
    return made.done()


def test_what_an_adapted_model_forgot_is_found(tmp_path: Path) -> None:
    knows, forgot = [1.0] * 70 + [0.0] * 30, [1.0] * 20 + [0.0] * 80
    old, new = probed(tmp_path, "old", knows), probed(tmp_path, "new", forgot)
    policy = {"retention": [{"probe": "facts", "margin": 0.05, "detect": 0.3}], "quality": []}
    found = verdict(old, new, question="checkpoints", **policy)
    by_method = {finding.planned.method: finding for finding in found.findings}
    assert found.exit_code == 1
    assert by_method["lora"].status == "regression"
    assert by_method["lora"].measured.candidate == pytest.approx(0.2)
    assert by_method["zero-shot"].status == "pass"  # the base model's answers, in both
    assert verdict(old, probed(tmp_path, "again", knows), **policy).exit_code == 0
    (file,) = (tmp_path / "new" / "cells").glob("*lora*/probe-facts.jsonl")
    file.unlink()
    assert verdict(old, new, **policy).exit_code == 4


COST = {"quality": [], "cost": [{"counter": "prompt_tokens", "limit": "10%"}]}


@pytest.mark.parametrize(("tokens", "code"), [(3000, 0), (3299, 0), (3301, 1), (6000, 1), (100, 0)])
def test_counters_may_rise_by_their_limit(tmp_path: Path, tokens: int, code: int) -> None:
    old = simple(tmp_path / "old", [1.0] * 100)
    new = simple(tmp_path / "new", [1.0] * 100, tokens={"prompt_tokens": tokens, "output_tokens": 1})
    found = verdict(old, new, **COST)
    assert found.exit_code == code
    if tokens == 6000:
        assert only(found).reason == "rose by 100%, beyond the limit of 10%"


def test_a_counter_that_rises_from_nothing(tmp_path: Path) -> None:
    old = simple(tmp_path / "old", [1.0] * 10)
    new = simple(tmp_path / "new", [1.0] * 10, parameters=Parameters(100, 0, index_bytes=5))
    finding = only(found := verdict(old, new, quality=[], cost=[{"counter": "index_bytes", "limit": "50%"}]))
    assert (found.exit_code, finding.reason) == (1, "rose from 0, beyond the limit of 50%")


def test_a_counter_that_is_gone_is_missing(tmp_path: Path) -> None:
    old, new = simple(tmp_path / "old", [1.0] * 10), simple(tmp_path / "new", [1.0] * 10, tokens={})
    assert verdict(old, new, **COST).exit_code == 4


def test_seconds_are_compared_on_the_same_hardware_with_known_noise_alone(tmp_path: Path) -> None:
    slow = {"predict": Phase(9.0, 2**20)}
    old = simple(tmp_path / "old", [1.0] * 10)
    new = simple(tmp_path / "new", [1.0] * 10, phases=slow)
    other = simple(tmp_path / "other", [1.0] * 10, phases=slow, environment=replace(HARDWARE, threads=8))
    unknown = simple(tmp_path / "unknown", [1.0] * 10, phases=slow, environment=Environment())
    policy = {"quality": [], "cost": [{"counter": "predict_s", "limit": "20%"}]}
    assert verdict(old, new, **policy).exit_code == 3  # its noise was never measured
    assert verdict(old, other, **policy).exit_code == 5
    assert verdict(old, unknown, **policy).exit_code == 5
    beside = simple(tmp_path / "beside", [1.0] * 10, environment=replace(HARDWARE, cells_at_once=2))
    found = verdict(old, beside, **policy)
    assert (found.exit_code, only(found).reason) == (
        5, "measured 2 at once, the baseline alone: costs of cells alone and at once do not compare",
    )  # fmt: skip
    again = simple(tmp_path / "again", [1.0] * 10, environment=replace(HARDWARE, cells_at_once=2))
    assert verdict(beside, again, **policy).exit_code == 3  # these compare, once their noise is known
    supporting = [{"counter": "predict_s", "limit": "20%", "tier": "supporting"}]
    assert verdict(old, other, quality=QUALITY, cost=supporting).findings[1].status == "not_comparable"


TIERS = [("critical", 1), ("supporting", 1), ("advisory", 0)]


@pytest.mark.parametrize(("tier", "code"), TIERS)
def test_what_a_regression_means_by_tier(tmp_path: Path, tier: str, code: int) -> None:
    old, new = Made(tmp_path / "old"), Made(tmp_path / "new")
    before, now = shares(200, 150, lost=60)
    for made, values in ((old, before), (new, now)):
        made.cell("full", values)
        made.cell("rag", before)
    policy = [{"margin": 0.02, "detect": 0.1, "method": "full", "tier": tier}]
    policy.append({"margin": 0.02, "detect": 0.1, "method": "rag"})
    assert verdict(old.done(), new.done(), quality=policy).exit_code == code


@pytest.mark.parametrize(("tier", "code"), [("critical", 3), ("supporting", 0)])
def test_what_inconclusive_means_by_tier(tmp_path: Path, tier: str, code: int) -> None:
    runs = pair(tmp_path, shares(40, 20, lost=4, gained=3))
    assert verdict(*runs, quality=[{"margin": 0.02, "tier": tier}]).exit_code == code


def test_the_later_entry_counts(tmp_path: Path) -> None:
    runs = pair(tmp_path, shares(200, 150, lost=30))
    assert verdict(*runs, quality=[*QUALITY, {"task": "ma*", "margin": 0.2}]).exit_code == 0


class TestMissing:
    def test_a_method(self, tmp_path: Path) -> None:
        old, new = Made(tmp_path / "old"), Made(tmp_path / "new")
        for method in ("full", "rag"):
            old.cell(method, [1.0] * 100)
        new.cell("rag", [1.0] * 100)
        found = verdict(old.done(), new.done())
        assert found.exit_code == 4
        assert [f.reason for f in found.findings if f.status == "missing"] == ["not in the candidate"]
        without = verdict(old.path, new.path, quality=[{"method": "rag", "margin": 0.02, "detect": 0.1}])
        assert (without.exit_code, without.problems) == (4, ("m · mail · full: not in the candidate",))

    def test_a_seed(self, tmp_path: Path) -> None:
        old, new = Made(tmp_path / "old"), Made(tmp_path / "new")
        for seed in (0, 1, 2):
            old.cell("full", [1.0] * 100, seed=seed)
        for seed in (0, 1):
            new.cell("full", [1.0] * 100, seed=seed)
        finding = only(found := verdict(old.done(), new.done()))
        assert (found.exit_code, finding.reason) == (4, "the candidate has 2 of the 3 seeds of the baseline")

    def test_a_cell_that_failed(self, tmp_path: Path) -> None:
        old = simple(tmp_path / "old", [1.0] * 100)
        new = simple(tmp_path / "new", [1.0] * 100, status="failed", failure=Failure("diverged", "nan"), scores={})
        assert only(verdict(old, new)).reason == "seed 0 failed: diverged"
        assert verdict(old, new).exit_code == 4

    def test_a_cell_without_a_record(self, tmp_path: Path) -> None:
        old, new = Made(tmp_path / "old"), Made(tmp_path / "new")
        for made in (old, new):
            made.cell("full", [1.0] * 100)
        new.entries.append({**new.entries[0], "key": "b" * 64, "name": "m · mail · lora · seed 0", "method": "lora"})
        found = verdict(old.done(), new.done())
        assert (found.exit_code, found.problems) == (4, ("candidate: m · mail · lora · seed 0 was not measured",))

    def test_predictions(self, tmp_path: Path) -> None:
        old, new = pair(tmp_path, shares(100, 50))
        next(new.glob("cells/*/predictions.jsonl")).unlink()
        assert verdict(old, new).exit_code == 4

    def test_a_metric(self, tmp_path: Path) -> None:
        old = simple(tmp_path / "old", [1.0] * 100)
        new = simple(tmp_path / "new", [1.0] * 100, metric="mrr")
        finding = only(found := verdict(old, new))
        assert (found.exit_code, finding.reason) == (4, "the candidate was not scored by accuracy")

    def test_an_empty_baseline(self, tmp_path: Path) -> None:
        old, new = Made(tmp_path / "old"), simple(tmp_path / "new", [1.0] * 100)
        old.path.mkdir()
        with pytest.raises(IncompleteError, match="holds no measured cell"):
            verdict(old.done(), new)

    def test_a_regression_beside_it_is_said_first(self, tmp_path: Path) -> None:
        old, new = Made(tmp_path / "old"), Made(tmp_path / "new")
        before, now = shares(200, 150, lost=60)
        old.cell("full", before)
        old.cell("rag", before)
        new.cell("full", now)
        assert verdict(old.done(), new.done()).exit_code == 1


class TestDamaged:
    @pytest.mark.parametrize("text", ["", "{", "[]", '{"schema": 9}', '{"schema": 1}', "\x00"])
    def test_a_record(self, text: str, tmp_path: Path) -> None:
        old, new = pair(tmp_path, shares(100, 50))
        next(new.glob("cells/*/record.json")).write_text(text)
        with pytest.raises(IncompleteError, match="candidate: ") as raised:
            verdict(old, new)
        assert len(str(raised.value).splitlines()) == 1

    @pytest.mark.parametrize("text", ["", "{", "[]", '{"schema": 1}', '{"schema": 1, "suite": "x", "cells": [{}]}'])
    def test_a_list_of_cells(self, text: str, tmp_path: Path) -> None:
        old, new = pair(tmp_path, shares(100, 50))
        (old / "run.json").write_text(text)
        with pytest.raises(IncompleteError, match="baseline: "):
            verdict(old, new)

    @pytest.mark.parametrize(
        ("old", "new", "words"),
        [
            ('"id": "test/1"', '"id": "test/0"', "stands twice"),
            ('"metrics": {"accuracy": 1.0}', '"metrics": {}', "not scored by the same metrics"),
            ('"metrics": {"accuracy": 1.0}', '"metrics": {"accuracy": NaN}', "finite number"),
            ('"metrics": {"accuracy": 1.0}', '"metrics": {"accuracy": "x"}', "valid number"),
            ('"metrics": {"accuracy": 1.0}', '"metrics": {"accuracy": 0.0}', "says 0.5, its predictions 0.49"),
            ('"metrics": {"accuracy": 1.0}', '"metrics": null', "should be an object"),
            ("\n", "", "Invalid JSON"),
        ],
    )
    def test_predictions(self, old: str, new: str, words: str, tmp_path: Path) -> None:
        before, now = pair(tmp_path, shares(100, 50))
        file = next(now.glob("cells/*/predictions.jsonl"))
        file.write_text(file.read_text().replace(old, new, 1))
        finding = only(found := verdict(before, now))
        assert (found.exit_code, finding.status) == (4, "missing")
        assert words in finding.reason

    def test_half_of_the_predictions(self, tmp_path: Path) -> None:
        old, new = pair(tmp_path, shares(100, 50))
        file = next(new.glob("cells/*/predictions.jsonl"))
        file.write_text("\n".join(file.read_text().splitlines()[:50]))
        assert only(verdict(old, new)).reason == "the candidate has predictions of 50 of 100 items of seed 0"


class TestNotComparable:
    @pytest.mark.parametrize(
        ("changes", "values", "words"),
        [
            ({"questions": "others"}, [1.0] * 100, "prompt or items differ"),
            ({"scores": {"accuracy": Score(1.0, "v2")}}, [1.0] * 100, "computed in two ways: v1, now v2"),
            ({}, [1.0] * 99, "not the same items (100, now 99)"),
        ],
    )
    def test_is_code_five(self, changes: dict[str, Any], values: list[float], words: str, tmp_path: Path) -> None:
        old = simple(tmp_path / "old", [1.0] * 100)
        finding = only(found := verdict(old, simple(tmp_path / "new", values, **changes)))
        assert (found.exit_code, finding.status) == (5, "not_comparable")
        assert words in finding.reason

    def test_items_in_another_order_are_the_same_items(self, tmp_path: Path) -> None:
        old, new = pair(tmp_path, shares(100, 50))
        file = next(new.glob("cells/*/predictions.jsonl"))
        file.write_text("\n".join(reversed(file.read_text().splitlines())))
        assert verdict(old, new).exit_code == 0

    def test_another_prompt_needs_the_items_to_be_known(self, tmp_path: Path) -> None:
        old = simple(tmp_path / "old", [1.0] * 100)
        new = simple(tmp_path / "new", [1.0] * 100, questions="others")
        finding = only(verdict(old, new, may_change=["prompt"]))
        assert "the task is not at hand" in finding.reason


class TestNames:
    def test_a_new_base_model_stands_for_the_old_one(self, tmp_path: Path) -> None:
        old, new = simple(tmp_path / "old", [1.0] * 100), simple(tmp_path / "new", [1.0] * 100, model="m2")
        found = verdict(old, new)
        assert found.exit_code == 0
        assert "model m2 of the candidate stands for m of the baseline" in found.notes

    def test_what_was_renamed_is_said_in_the_policy(self, tmp_path: Path) -> None:
        old = simple(tmp_path / "old", [1.0] * 100)
        made = Made(tmp_path / "new")
        made.cell("zero-shot, short", [1.0] * 100)
        new = made.done()
        assert verdict(old, new).exit_code == 4
        assert verdict(old, new, rename={"methods": {"zero-shot, short": "zero-shot"}}).exit_code == 0
        with pytest.raises(UsageError, match=r'rename: unknown method of the candidate: "zero-shot, shrt" \(did you'):
            verdict(old, new, rename={"methods": {"zero-shot, shrt": "zero-shot"}})

    def test_what_the_baseline_lacks_is_said_and_not_gated(self, tmp_path: Path) -> None:
        old = simple(tmp_path / "old", [1.0] * 100)
        made = Made(tmp_path / "new")
        made.cell("zero-shot", [1.0] * 100)
        made.cell("full", [0.0] * 100)
        found = verdict(old, made.done())
        assert found.exit_code == 0
        assert "m · mail · full: not in the baseline, so not gated" in found.notes

    def test_the_same_run_twice_is_refused(self, tmp_path: Path) -> None:
        old = simple(tmp_path / "old", [1.0] * 100)
        with pytest.raises(UsageError, match="would always pass"):
            verdict(old, tmp_path / "x" / ".." / "old")


@pytest.mark.parametrize(
    ("policy", "words"),
    [
        ({"quality": [{"margin": 0.02, "task": "mial"}]}, 'task of the baseline: "mial" (did you mean "mail"?)'),
        ({"quality": [{"margin": 0.02, "method": "lora"}]}, 'unknown method of the baseline: "lora"'),
        ({"quality": [{"margin": 0.02, "metric": "bleu"}]}, 'unknown metric in the baseline'),
        ({"quality": [{"margin": 2}]}, "margin 2 of accuracy: a score lies between 0 and 1; say 2% for 2%"),
        ({"retention": [{"margin": 0.02}], "quality": []}, "the baseline asked no probes"),
        ({"quality": [], "cost": [{"counter": "steps", "limit": 0.1}]}, 'unknown counter in the baseline'),
    ],
)  # fmt: skip
def test_a_policy_that_does_not_fit_the_baseline_is_one_line(
    policy: dict[str, Any], words: str, tmp_path: Path
) -> None:
    runs = pair(tmp_path, shares(100, 50))
    with pytest.raises(UsageError) as raised:
        verdict(*runs, **policy)
    assert words in str(raised.value)
    assert str(raised.value).startswith("gate.yaml: ")
    assert len(str(raised.value).splitlines()) == 1


def test_an_entry_that_may_be_absent_is_no_mistake(tmp_path: Path) -> None:
    runs = pair(tmp_path, shares(100, 50))
    absent = [{"margin": 0.02, "if_present": True}]
    assert len(verdict(*runs, retention=absent).findings) == 1
    with pytest.raises(UsageError, match="no check applies"):
        verdict(*runs, quality=[], retention=absent)


def test_a_baseline_that_failed_in_part_is_incomplete(tmp_path: Path) -> None:
    old, new = Made(tmp_path / "old"), Made(tmp_path / "new")
    for made in (old, new):
        made.cell("full", [1.0] * 100)
        made.cell("rag", [1.0] * 100, status="failed", failure=Failure("not_applicable", "no corpus"))
    assert verdict(old.done(), new.done()).exit_code == 0
    cell = next((old.path / "cells").glob("*rag*/record.json"))
    change(cell, failure={"kind": "diverged", "message": "nan"})
    found = verdict(old.path, new.path)
    assert (found.exit_code, found.problems) == (4, ("baseline: m · mail · rag · seed 0 failed",))


def test_a_shard_is_no_run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from bench.gate import reading

    runs = pair(tmp_path, shares(100, 50))
    monkeypatch.setattr(reading, "read_run", lambda path: replace(read_run(path), shard="1/3"))
    with pytest.raises(IncompleteError, match="is shard 1/3; join all of them"):
        verdict(*runs)
