"""What did not change passes: identical answers, other seeds, noisy counters; and what each question may claim."""

from __future__ import annotations

import shutil
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import scipy.stats  # type: ignore[import-untyped]  # scipy ships no types

from bench.core.identity import Identity
from bench.core.phases import Phase
from bench.core.training import Training
from bench.gate.costs import varies
from bench.gate.policy import Policy, load
from bench.gate.run import gate
from bench.gate.verdict import GateFinding, GateVerdict
from tests.gate.made import Made, change, simple

QUALITY = [{"margin": 0.02, "detect": 0.1}]
TRAINED = Training(steps=3)
WRITTEN: dict[str, Any] = {"quality": [], "cost": [{"counter": "output_tokens", "limit": "25%"}]}


def verdict(baseline: Path, candidate: Path, **policy: Any) -> GateVerdict:
    return gate(baseline, candidate, Policy.model_validate({"quality": QUALITY, **policy}), "gate.yaml").verdict


def only(found: GateVerdict) -> GateFinding:
    [finding] = found.findings
    return finding


def trained(folder: Path, rows: list[list[float]], first_seed: int = 0, **changes: Any) -> Path:
    made = Made(folder)
    for seed, row in enumerate(rows, first_seed):
        made.cell("lora", row, seed=seed, training=TRAINED, **changes)
    return made.done()


@pytest.mark.parametrize("mode", ["regression", "non-inferiority"])
@pytest.mark.parametrize("rows", [[[1.0, 0.0, 0.0]], [[1.0, 0.0, 1.0], [0.0, 0.0, 1.0]], [[0.0] * 4] * 3])
def test_identical_scores_pass_whatever_the_power(tmp_path: Path, rows: list[list[float]], mode: str) -> None:
    """Three items or a score of 0 could show no fall; the seeds may come in another order."""
    old, new = trained(tmp_path / "old", rows), trained(tmp_path / "new", rows[::-1], first_seed=7)
    found = verdict(old, new, mode=mode)
    assert (found.exit_code, only(found).status, only(found).reason) == (0, "pass", "identical for every item")


def test_an_identical_candidate_passes_the_bundled_policy(tmp_path: Path) -> None:
    made = Made(tmp_path / "old")
    made.cell("base", [1.0, 0.0] * 10, task="facts", metric="exact_match", is_base=True)
    made.cell("zero-shot", [1.0, 0.0] * 10, weights_changed=False)
    made.cell("bleu", [[9, 9, 8, 6, 5, 4, 9, 8, 7, 6]] * 8, metric="bleu", task="mt", value=_bleu())
    for seed in range(2):
        made.cell("lora", [1.0, 0.0, float(seed)] * 7, seed=seed, probes={"facts": [1.0, 0.0] * 10}, training=TRAINED)
    old = made.done()
    shutil.copytree(old, tmp_path / "new")
    found = gate(old, tmp_path / "new", load(None), "default.yaml").verdict
    assert found.exit_code == 0
    assert {finding.status for finding in found.findings} == {"pass"}


def _bleu() -> float:
    from bench.metrics import from_statistics

    return float(from_statistics("bleu", 8 * np.array([[9, 9, 8, 6, 5, 4, 9, 8, 7, 6]]))[0])


class TestOneSeedEach:
    """A checkpoint that is worse, and a training that may not be."""

    worse = ([[1.0] * 80 + [0.0] * 20], [[1.0] * 40 + [0.0] * 60])

    def runs(self, folder: Path, **changes: Any) -> tuple[Path, Path]:
        before, now = self.worse
        return trained(folder / "old", before, **changes), trained(folder / "new", now, **changes)

    def test_a_worse_checkpoint_is_no_regression_of_training(self, tmp_path: Path) -> None:
        finding = only(found := verdict(*self.runs(tmp_path)))
        assert (found.exit_code, finding.status, finding.question) == (3, "inconclusive", "training")
        assert finding.p == 1.0  # training again: nothing can be said
        assert finding.reason == (
            "fell by 0.400, beyond the margin of 0.020; "
            "1 seed against 1 cannot say whether training again would be worse"
        )

    def test_asked_of_checkpoints_it_is_one(self, tmp_path: Path) -> None:
        finding = only(found := verdict(*self.runs(tmp_path), question="checkpoints"))
        assert (found.exit_code, finding.question) == (1, "checkpoints")
        assert finding.p == pytest.approx(scipy.stats.binomtest(0, 40, alternative="less").pvalue)

    def test_a_better_checkpoint_passes(self, tmp_path: Path) -> None:
        old, new = self.runs(tmp_path)
        assert verdict(new, old).exit_code == 0

    def test_other_examples_by_another_seed_are_no_regression(self, tmp_path: Path) -> None:
        """Few-shot draws its examples by the seed; with the same seed they are the same, and the items alone speak."""
        before, now = (rows[0] for rows in self.worse)
        runs = {}
        for name, row, seed in (("old", before, 0), ("other", now, 1), ("same", now, 0)):
            runs[name] = simple(tmp_path / name, row, seed=seed, identity=Identity(seed=seed))
        assert verdict(runs["old"], runs["other"]).exit_code == 3
        assert verdict(runs["old"], runs["same"]).exit_code == 1


def test_two_seeds_fail_only_by_the_seeds_too(tmp_path: Path) -> None:
    """Every item of the second seed is worse: by the items a clear fall, by two seeds each it is not."""
    good, bad = [1.0] * 90 + [0.0] * 10, [1.0] * 30 + [0.0] * 70
    old, new = trained(tmp_path / "old", [good, good]), trained(tmp_path / "new", [good, bad])
    finding = only(found := verdict(old, new))
    assert (found.exit_code, finding.status) == (3, "inconclusive")
    assert "2 seeds against 2 cannot say" in finding.reason
    assert only(verdict(old, new, question="checkpoints")).status == "regression"


def test_two_seeds_that_agree_can_fail(tmp_path: Path) -> None:
    good, bad = [1.0] * 90 + [0.0] * 10, [1.0] * 30 + [0.0] * 70
    old = trained(tmp_path / "old", [good, [*good[1:], 1.0]])
    assert verdict(old, trained(tmp_path / "new", [bad, [*bad[1:], 0.0]])).exit_code == 1


class TestCounters:
    def seeds(self, folder: Path, means: list[int], **changes: Any) -> Path:
        made = Made(folder)
        for seed, mean in enumerate(means):
            made.cell("lora", [1.0] * 20, seed=seed, written=[mean - 1, mean + 1] * 10, training=TRAINED, **changes)
        return made.done()

    def test_what_seeds_write_is_tested_by_seeds(self, tmp_path: Path) -> None:
        """Seeds of 20 to 60 tokens: half as much again is noise; of 40 to 42 it is not."""
        noisy = self.seeds(tmp_path / "a", [20, 60, 25]), self.seeds(tmp_path / "b", [60, 30, 70])
        finding = only(found := verdict(*noisy, **WRITTEN))
        assert (found.exit_code, found.family) == (3, 1)
        t = scipy.stats.ttest_ind([60, 30, 70], [20, 60, 25], alternative="greater")
        assert finding.p == pytest.approx(float(t.pvalue), rel=0.05)  # the items add next to nothing
        calm = self.seeds(tmp_path / "c", [40, 41, 42]), self.seeds(tmp_path / "d", [60, 61, 62])
        finding = only(found := verdict(*calm, **WRITTEN))
        assert (found.exit_code, finding.reason) == (1, "rose by 49%, beyond the limit of 25%")
        assert finding.interval is not None
        assert 0.4 < finding.interval.low < 20 / 41 < finding.interval.high < 0.6

    def test_one_run_each_is_paired_by_item(self, tmp_path: Path) -> None:
        """Ten of twenty answers are twice as long: 1 of 2^10 exchanges of signs is as extreme."""
        old = simple(tmp_path / "old", [1.0] * 20, written=[10] * 20)
        new = simple(tmp_path / "new", [1.0] * 20, written=[20] * 10 + [10] * 10)
        finding = only(found := verdict(old, new, **WRITTEN))
        assert found.exit_code == 1
        assert finding.p == pytest.approx(2**-10, abs=1e-3)
        one_long = simple(tmp_path / "long", [1.0] * 20, written=[210] + [10] * 19)
        assert verdict(old, one_long, **WRITTEN).exit_code == 3  # twice as many in all, by one answer

    def test_operations_follow_the_tokens(self, tmp_path: Path) -> None:
        policy: dict[str, Any] = {"quality": [], "cost": [{"counter": "predict_flops", "limit": "10%"}]}
        runs = [
            simple(tmp_path / name, [1.0] * 20, written=tokens, phases={"predict": Phase(1.0, 1, flops=flops)})
            for name, tokens, flops in (("old", [10] * 20, 20_000), ("long", [210] + [10] * 19, 40_000),
                                        ("all", [20] * 20, 40_000), ("same", [10] * 20, 20_000))
        ]  # fmt: skip
        old, one_long, all_long, same = runs
        assert [verdict(old, new, **policy).exit_code for new in (one_long, all_long, same)] == [3, 1, 0]

    def test_totals_that_contradict_the_items_are_incomplete(self, tmp_path: Path) -> None:
        old, new = (simple(tmp_path / name, [1.0] * 20) for name in ("old", "new"))
        change(next(new.glob("cells/*/record.json")), tokens={"prompt_tokens": 600, "output_tokens": 41})
        finding = only(found := verdict(old, new, **WRITTEN))
        assert (found.exit_code, finding.status) == (4, "missing")
        assert "says 41 output_tokens, its predictions 40" in finding.reason

    def test_without_counts_of_items_seeds_are_all_there_is(self, tmp_path: Path) -> None:
        runs = [self.seeds(tmp_path / "a", [40, 41]), self.seeds(tmp_path / "b", [60, 62])]
        for file in runs[0].glob("cells/*/predictions.jsonl"):
            file.write_text(file.read_text().replace('"output_tokens"', '"other"'))
        finding = only(found := verdict(*runs, **WRITTEN))
        t = scipy.stats.ttest_ind([60, 62], [40, 41], alternative="greater")
        assert found.exit_code == 1
        assert finding.p == pytest.approx(float(t.pvalue))

    def test_what_nothing_but_a_change_moves_goes_by_its_ratio(self, tmp_path: Path) -> None:
        made = Made(tmp_path / "run")
        plain = made.cell("zero-shot", [1.0] * 4)
        drawn = made.cell("few-shot", [1.0] * 4, identity=Identity(seed=0), tokens={"context_tokens": 9})
        steady = made.cell(
            "lora", [1.0] * 4, identity=Identity(method={"lora": {"patience": None}}, seed=0), training=TRAINED
        )
        early = made.cell(
            "full", [1.0] * 4, identity=Identity(method={"full": {"patience": 2}}, seed=0), training=TRAINED
        )
        assert not varies("prompt_tokens", [plain])
        assert varies("prompt_tokens", [drawn])
        assert not varies("prompt_tokens", [steady])
        assert varies("train_flops", [steady])
        assert not varies("steps", [steady])
        assert varies("steps", [early])
        assert varies("output_tokens", [plain])
        assert not varies("stored_bytes", [early])
