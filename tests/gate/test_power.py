"""What evidence allows for: chances by hand, smallest drops, refusals; and items that changed."""

from __future__ import annotations

import math
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import scipy.stats  # type: ignore[import-untyped]  # scipy ships no types

from bench.analysis.answers import Answers, of_lines
from bench.analysis.statistics import drops
from bench.core.identity import Identity
from bench.core.record import Record, Score
from bench.core.training import Training
from bench.gate import tails
from bench.gate.flips import ItemFlip, Texts, flips
from bench.gate.measure import Measured
from bench.gate.plan import Need, need, remedy
from bench.gate.policy import Amount, Policy
from bench.gate.power import Evidence, chance_of_means
from bench.gate.tails import Tails
from bench.gate.verdict import GateFinding
from bench.store.run_folder import read_run
from tests.gate.made import Made, planned

REGRESSION, RELEASE = Policy(), Policy(mode="non-inferiority")


def answers(rows: list[list[float]], metric: str = "accuracy", **more: Any) -> Answers:
    """What seeds scored, from lines as files hold them."""
    files: Any = [
        [
            {"id": f"test/{i}", "output": f"said {value}", "metrics": {metric: value}, **more}
            for i, value in enumerate(row)
        ]
        for row in rows
    ]
    records = [
        Record("k" * 64, "m", "mail", "lora", seed, "ok", "2026-01-01T00:00:00+00:00", items=len(row))
        for seed, row in enumerate(rows)
    ]
    scores = [Score(float(np.mean(row)), "v1") for row in rows]
    return of_lines(files, "lora", records, metric, scores, "mail", "asked")


class TestPlans:
    def test_costs_by_their_ratio(self) -> None:
        ratio_ = Evidence(20, tested=False)
        steps, seconds = planned("cost", "steps", 0.1), planned("cost", "predict_s", 0.1)
        above = "the noise floor, 30%, is above the limit: it could not find what it asks"
        never = "its noise was never measured: it could not pass; run `adaptbench calibrate`"
        for check, floor, refusal in (
            (steps, None, ""), (steps, 0.1, ""), (steps, 0.3, above), (seconds, None, never), (seconds, 0.1, ""),
            (seconds, 0.3, above),
        ):  # fmt: skip
            found = need(check, ratio_, REGRESSION, floor, 1)
            assert (found.items, found.refusal, found.chance) == (20, refusal, None)
        assert need(planned(), Evidence(0, True, problem="gone"), REGRESSION, None, 1).refusal == "gone"

    def test_a_score_by_its_room_and_its_noise(self) -> None:
        values = np.tile([1.0, 0.0], (1, 500))
        evidence = Evidence(1000, True, values, shares=True, room=0.1)
        able = need(planned(), evidence, REGRESSION, None, 1)
        assert (able.refusal, able.smallest, able.seeds) == ("", None, None)
        low = need(planned(), replace(evidence, room=0.09), REGRESSION, None, 1)
        assert low.refusal == "cannot fail: the baseline score (0.090) is smaller than the drop to detect (0.100)"
        noisy = need(planned(), evidence, REGRESSION, 0.1, 1)
        assert noisy.refusal == "the noise floor, 0.100, is no lower than what must be found, 0.100"
        assert need(planned(), evidence, REGRESSION, 0.05, 1).refusal == ""
        release = need(planned(margin=0.05), evidence, RELEASE, 0.05, 7)
        assert release.refusal == ""
        assert release.chance == need(planned(margin=0.05), evidence, RELEASE, None, 1).chance  # all have to pass
        above = need(planned(margin=0.05), evidence, RELEASE, 0.06, 1)
        assert above.refusal == "the noise floor, 0.060, is above the margin: it could not pass"
        few = need(planned(), replace(evidence, values=values[:, :20], items=20, room=0.9), REGRESSION, None, 1)
        assert few.refusal == (
            f"the power to detect a drop of 0.100 is {few.chance:.2f}; the policy requires 0.8: "
            f"{few.needed} items are needed"
        )
        assert few.smallest is not None
        shown = need(planned(), replace(evidence, values=values[:, :20], items=20), RELEASE, None, 1)
        assert shown.refusal == (
            f"an unchanged candidate would pass with a probability of {shown.chance:.2f}; the policy requires 0.8: "
            f"{shown.needed:,} items are needed"
        )
        assert shown.smallest is None

    def test_what_would_help(self) -> None:
        check = Need(planned(), 20)
        assert remedy(check) == "more than 20 seeds are needed"
        assert remedy(replace(check, needed=1200)) == "1,200 items are needed"
        assert remedy(replace(check, needed=1200, seeds=5)) == "5 seeds or 1,200 items are needed"
        assert not replace(check, refusal="x", planned=planned(tier="supporting")).refused
        assert replace(check, refusal="x").refused
        assert not check.refused

    def test_the_smallest_drop_in_hundredths(self) -> None:
        """Shares: the first hundredth whose chance is 0.8; of a cost its limit is half of it."""
        evidence = Evidence(200, True, np.tile([1.0, 0.0], (1, 100)), shares=True, room=0.5)
        chances = [drops.found_shares(200, max(0.1, d / 100), d / 100, alpha=0.05, margin=0.02) for d in range(3, 51)]
        expected = next(d for d, chance in enumerate(chances, 3) if chance >= 0.8) / 100
        assert evidence.smallest(planned(), REGRESSION, 0.05, 0.0) == pytest.approx(expected)
        assert replace(evidence, room=expected).smallest(planned(), REGRESSION, 0.05, 0.0) == pytest.approx(expected)
        assert replace(evidence, room=expected - 0.01).smallest(planned(), REGRESSION, 0.05, 0.0) is None
        assert evidence.smallest(planned(), REGRESSION, 0.05, 0.3) > 0.3  # type: ignore[operator]
        assert Evidence(200, True).smallest(planned(), REGRESSION, 0.05, 0.0) is None

    def test_chances_of_means_by_hand(self) -> None:
        """One seed: a tenth of the items drawn anew, twice the variance of each. Normal around the drop."""
        values = np.array([[0.2, 0.4, 0.9, 0.5]])
        for n in (50, 400):
            error = math.sqrt(2 * 0.1 * np.var(values[0], ddof=1) / n)
            critical = scipy.stats.t.ppf(0.95, n - 1) * error
            found = chance_of_means(REGRESSION, values, False, 0.02, 0.05, 0.05)(n)
            assert found == pytest.approx(scipy.stats.norm.cdf((0.05 - max(critical, 0.02)) / error))
            passed = chance_of_means(RELEASE, values, False, 0.02, 0.05, 0.05)(n)
            assert passed == pytest.approx(scipy.stats.norm.cdf((0.02 - critical) / error))
        assert chance_of_means(REGRESSION, values, False, 0.02, 0.05, 0.05)(1) == 0.0

    def test_twenty_seeds_are_the_most_that_are_looked_for(self) -> None:
        """Of the drop that twenty seeds on each side find with a probability of 0.8, and of a little less."""
        values = np.array([[0.9], [1.0], [1.1]])  # standard deviation 0.1
        error = (1 - 2 / 18) ** -1.5 * 0.1 * math.sqrt(2 / 20)
        drop = float((scipy.stats.t.ppf(0.95, 2 * 19) + scipy.stats.norm.ppf(0.8)) * error)
        evidence = Evidence(9, True, values, training=True)
        assert evidence.seeds_needed(REGRESSION, drop + 1e-9, 0.0, 0.05) == 20
        assert evidence.seeds_needed(REGRESSION, drop - 1e-9, 0.0, 0.05) is None
        assert replace(evidence, values=values[:1]).seeds_needed(REGRESSION, drop + 1.0, 0.0, 0.05) is None
        assert evidence.seeds_needed(REGRESSION, 9.0, 0.0, 0.05) == 4  # one more than there are

    def test_chances_of_seeds_by_hand(self) -> None:
        """Three seeds on both sides: items by what seeds do to each, seeds beyond that, and Student's pooled test."""
        rng = np.random.default_rng(3)
        values = rng.random((3, 40)) + np.array([[0.0], [0.05], [0.2]])
        items = 2 * values.var(axis=0, ddof=1).mean() / 3 / 40
        means, rest = (
            values.mean(axis=1),
            values - values.mean(axis=1, keepdims=True) - values.mean(axis=0) + values.mean(),
        )
        between = 2 * max(0.0, np.var(means, ddof=1) - (rest**2).sum() / (2 * 39) / 40) / 3
        assert between > 0
        for count in (3, 6):
            parts = [items * 3 / count, between * 3 / count]
            error = math.sqrt(sum(parts)) * (1 - 2 / 18) ** -1.5
            weighted = parts[0] * scipy.stats.t.ppf(0.95, 39) + parts[1] * scipy.stats.t.ppf(0.95, 2 * (count - 1))
            pooled = scipy.stats.t.ppf(0.95, 2 * (count - 1)) * error
            expected = scipy.stats.norm.cdf((0.3 - max(weighted / math.sqrt(sum(parts)), pooled)) / error)
            found = chance_of_means(REGRESSION, values, True, 0.02, 0.3, 0.05, seeds=count)(40)
            assert found == pytest.approx(float(expected))


class TestTails:
    def test_lower_is_better_turns_the_difference(self) -> None:
        worse, better = (
            answers([[3.0, 2.0, 2.5, 4.0]], "bits_per_byte"),
            answers([[1.0, 1.5, 2.5, 2.0]], "bits_per_byte"),
        )
        found = tails.of_scores(worse, better, -1, 500).checkpoints
        assert found is not None
        assert found.difference == pytest.approx(-1.125)
        seeds = tails.of_scores(answers([[3.0, 2.0], [2.0, 3.5]]), answers([[1.0, 2.0]]), -1, 500)
        assert seeds.training is not None
        assert seeds.checkpoints is not None
        assert seeds.training.difference == seeds.checkpoints.difference == pytest.approx(-(2.625 - 1.5))
        errors, before = answers([[1.0, 1.0, 0.0, 1.0]]), answers([[0.0, 1.0, 0.0, 0.0]])
        shares = tails.of_scores(errors, before, -1, 500).checkpoints
        assert shares is not None
        assert (shares.difference, shares.discordance) == (-0.5, 0.5)
        assert shares.below(0.0) == 0.25  # two coins

    def test_shares_are_of_0_and_1_without_groups(self) -> None:
        right, halves = answers([[1.0, 0.0, 1.0, 1.0]]), answers([[1.0, 0.5, 1.0, 1.0]])
        for new, old, is_one in ((right, right, True), (right, halves, False), (halves, right, False)):
            found = tails.of_scores(new, old, 1, 500).checkpoints
            assert found is not None
            assert (found.discordance is not None) is is_one
        grouped = answers([[1.0, 0.0, 1.0, 1.0]], group="a")
        two = replace(grouped, groups=("a", "a", "b", "b"))
        found = tails.of_scores(two, two, 1, 500).checkpoints
        assert found is not None
        assert (found.units, found.discordance) == (2, None)

    def test_what_is_the_same(self) -> None:
        one, other = [1.0, 0.0, 1.0], [0.0, 0.0, 1.0]
        for new, old, is_same in (
            ([one], [one], True), ([one, other], [other, one], True), ([one], [other], False),
            ([one, one], [one], True), ([one], [one, one, one], True), ([one, other], [one], False),
            ([one], [one, other], False), ([one, one], [other], False), ([one, one, other], [one, other], False),
        ):  # fmt: skip
            assert tails.of_scores(answers(new), answers(old), 1, 200).identical is is_same

    def test_whether_seeds_differ(self, tmp_path: Path) -> None:
        plain = Made(tmp_path).cell("few-shot", [1.0], identity=Identity(seed=0))
        other, none = replace(plain, identity=Identity(seed=1)), replace(plain, identity=Identity())
        trained = replace(plain, training=Training(steps=1))
        assert not tails.resampled([plain], [plain])
        assert not tails.resampled([none], [none])
        for new, old in (
            ([plain], [other]), ([trained], [plain]), ([plain], [trained]), ([plain, plain], [plain]),
            ([plain], [plain, plain]),
        ):  # fmt: skip
            assert tails.resampled(new, old)

    def test_counters_are_shares_of_the_baseline(self) -> None:
        new, old = np.array([[4.0, 8.0, 6.0]]), np.array([[2.0, 6.0, 4.0]])
        one = tails.of_counter(new, old, 300)
        assert one.checkpoints is not None
        assert one.training is None
        assert one.checkpoints.difference == pytest.approx(-0.5)
        several = tails.of_counter(np.vstack([new, new + 2]), old, 300)
        assert several.checkpoints is not None
        assert several.training is not None
        assert several.training.difference == pytest.approx(-0.75)
        totals = tails.of_counter(np.array([[4.0], [6.0]]), np.array([[4.0]]), 300)
        assert totals.checkpoints is None
        assert totals.training is not None
        assert totals.training.difference == pytest.approx(-0.25)
        assert tails.of_counter(np.array([[4.0]]), np.array([[4.0]]), 300) == Tails(None, None, True)

    @pytest.mark.parametrize(
        ("units", "least", "draws"),
        [(1, 2000, 10_000), (6000, 2000, 10_000), (12_000, 2000, 5000), (60_000, 2000, 2000),
                                      (0, 2000, 10_000), (6000, 20_000, 20_000)],
    )  # fmt: skip
    def test_draws_by_the_number_of_units(self, units: int, least: int, draws: int) -> None:
        assert tails._draws(units, least) == draws


class TestFlips:
    def shown(self, new: Answers, old: Answers, folder: Path, most: int = 9) -> Any:
        folder.mkdir()
        run = read_run(Made(folder).done())
        one = Measured(planned(name=new.metric), 0.5, 0.5, answers=(new, old))
        return flips(GateFinding(one, "regression", "", 0.02), Texts(run, run), most)

    def test_the_largest_losses_first(self, tmp_path: Path) -> None:
        found = self.shown(answers([[0.5, 1.0, 0.0, 0.25]]), answers([[1.0, 0.75, 1.0, 0.25]]), tmp_path / "a")
        assert (found.lost, found.gained, found.why_no_text) == (2, 1, "no record of it")
        assert found.shown == (
            ItemFlip("test/2", -1.0, "said 1.0", "said 0.0"), ItemFlip("test/0", -0.5, "said 1.0", "said 0.5"),
            ItemFlip("test/1", 0.25, "said 0.75", "said 1.0"),
        )  # fmt: skip
        few = self.shown(answers([[0.5, 1.0, 0.0, 0.25]]), answers([[1.0, 0.75, 1.0, 0.25]]), tmp_path / "b", 1)
        assert (few.lost, few.gained, len(few.shown)) == (2, 1, 1)

    def test_lower_is_better_and_the_first_seeds_count(self, tmp_path: Path) -> None:
        new, old = answers([[1.0, 2.0], [9.0, 9.0]], "bits_per_byte"), answers([[2.0, 1.0]], "bits_per_byte")
        found = self.shown(new, old, tmp_path / "a")
        assert [(one.id, one.gain) for one in found.shown] == [("test/1", -1.0), ("test/0", 1.0)]

    def test_an_item_of_a_corpus_metric_changed_where_its_answer_did(self, tmp_path: Path) -> None:
        """Taking its n-grams away lowers BLEU; an item that was answered alike did not change, whatever it adds."""
        good, bad = [9, 9, 9, 8, 7, 6, 9, 8, 7, 6], [9, 9, 5, 2, 1, 1, 9, 8, 7, 6]
        old = replace(answers([[1.0] * 4], "bleu"), values=None, counts=(np.array([good] * 4),))
        new = replace(
            old, counts=(np.array([good, bad, good, bad]),), outputs=(("said 1.0", "x", "said 1.0", "said 1.0"),)
        )
        found = self.shown(new, old, tmp_path / "a")
        assert (found.lost, found.gained, [one.id for one in found.shown]) == (1, 0, ["test/1"])

    def test_a_text_is_cut(self, tmp_path: Path) -> None:
        new, old = answers([[1.0, 0.0]]), answers([[0.0, 0.0]])
        long = replace(new, outputs=(("x" * 601, "y"),))
        whole = replace(old, outputs=(("z" * 599 + "\ud800", "y"),))
        [one] = self.shown(long, whole, tmp_path / "a").shown
        assert one.candidate == "x" * 600 + "…"
        assert one.baseline == "z" * 599 + "?"


def test_amounts() -> None:
    assert Amount(0.5, relative=False).of(100.0) == 0.5
    assert Amount(0.5, relative=True).of(100.0) == 50.0
