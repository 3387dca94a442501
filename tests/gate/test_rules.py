"""Differences, statuses and verdicts, each from figures chosen by hand."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest
import scipy.stats  # type: ignore[import-untyped]  # scipy ships no types

from bench.analysis.statistics import drops
from bench.analysis.statistics.onesided import OneSided
from bench.gate import rules
from bench.gate.expand import Kind, Planned
from bench.gate.measure import Measured
from bench.gate.policy import Policy, Tier
from bench.gate.rules import Case, Status
from bench.gate.tails import Tails
from bench.gate.verdict import GateFinding, GateVerdict, judge
from tests.gate.made import one_sided, planned

REGRESSION, RELEASE = Policy(), Policy(mode="non-inferiority")


CANNOT_SAY = "cannot say whether training again would be worse"


class TestRules:
    def case(self, tail: OneSided, adjusted: float = 0.5, here: float = 0.5, floor: float = 0.0, family: int = 1,
             policy: Policy = REGRESSION, check: Planned | None = None, **more: Any) -> Any:  # fmt: skip
        one = Measured(
            check or planned(), **{"baseline": 0.7, "candidate": 0.6, "tails": Tails(tail, None, False), **more}
        )
        return rules.outcome(Case(one, policy, floor, adjusted, here, family))

    def test_a_fall_that_is_significant(self) -> None:
        status, reason, power = self.case(one_sided(-0.05), adjusted=0.05)
        assert (status, reason) == ("regression", "fell by 0.050, beyond the margin of 0.020")
        # found beyond 0.02, of a true 0.1 with an error of 0.005 and a critical value of 0.01
        assert power == pytest.approx(scipy.stats.norm.cdf((0.1 - 0.02) / 0.005))
        assert self.case(one_sided(-0.02), adjusted=0.05)[:2] == ("warn", "fell by 0.020, within the margin of 0.020")
        assert self.case(one_sided(-0.05), 0.01, floor=0.06)[:2] == (
            "warn", "fell by 0.050, within the noise floor of 0.060",
        )  # fmt: skip
        assert self.case(one_sided(-0.05), adjusted=0.0501)[:2] == (
            "warn", "fell by 0.050, beyond the margin of 0.020, but that may be chance",
        )  # fmt: skip
        assert self.case(one_sided(-0.02), adjusted=0.0501)[:2] == ("pass", "")

    def test_words_of_a_metric_and_of_a_cost(self) -> None:
        loss, cost = planned(name="bits_per_byte"), planned("cost", "output_tokens", 0.1)
        assert self.case(one_sided(-0.05), 0.01, check=loss)[1] == "rose by 0.050, beyond the margin of 0.020"
        assert self.case(one_sided(-0.25), 0.01, check=cost)[1] == "rose by 25%, beyond the limit of 10%"
        weak = self.case(one_sided(0.0, above=lambda _: 0.4, reach=0.5), check=cost)
        assert weak[:2] == (
            "inconclusive",
            "the power to detect a rise of 20% is 0.12; the policy requires 0.8; add test items or seeds, or "
            "raise `limit`",
        )
        assert weak[2] == pytest.approx(scipy.stats.norm.cdf((0.2 - 0.5) / 0.25))

    def test_without_power_it_is_inconclusive_unless_the_drop_is_ruled_out(self) -> None:
        wide = one_sided(0.0, above=lambda null: 0.06 if null == -0.1 else 0.01, reach=0.2)
        assert self.case(wide)[:2] == (
            "inconclusive",
            "the power to detect a drop of 0.100 is 0.16; the policy requires 0.8; add test items or seeds, or "
            "raise `detect`",
        )
        assert self.case(one_sided(0.0, above=lambda null: 0.05 if null == -0.1 else 1.0, reach=0.2))[:2] == (
            "pass",
            "",
        )
        floor = self.case(one_sided(0.0), floor=0.1)
        assert floor[:2] == ("inconclusive", "the noise floor, 0.100, is no lower than what must be found")
        assert self.case(one_sided(0.0), floor=0.09)[0] == "pass"

    def test_shares_have_power_by_their_discordance(self) -> None:
        tail = one_sided(0.0, above=lambda _: 0.4, discordance=0.3)
        power = self.case(tail, family=4)[2]
        assert power == pytest.approx(drops.found_shares(200, 0.3, 0.1, alpha=0.05 / 4, margin=0.02))
        calm = one_sided(0.0, above=lambda _: 0.4, discordance=0.01)
        assert self.case(calm)[2] == pytest.approx(drops.found_shares(200, 0.1, 0.1, alpha=0.05, margin=0.02))

    def test_a_score_too_low_to_fall(self) -> None:
        low: dict[str, Any] = {"baseline": 0.05, "check": planned()}
        said = self.case(one_sided(0.0, above=lambda _: 0.06), **low)
        assert said[:2] == (
            "inconclusive",
            "cannot fail: the baseline score (0.050) is smaller than the drop to detect (0.100); make it advisory or "
            "lower `detect`",
        )
        assert self.case(one_sided(0.0, above=lambda null: 0.05 if null == -0.02 else 1.0), **low)[0] == "pass"
        assert self.case(one_sided(0.0, above=lambda _: 0.06), baseline=0.1, check=planned())[0] == "pass"
        nothing = planned(margin=0.0, detect=None)
        assert self.case(one_sided(0.0, above=lambda _: 1.0, reach=9.0), check=nothing)[:2] == ("pass", "")

    def test_few_seeds_cannot_fail_training(self) -> None:
        fell = one_sided(-0.05)
        new: dict[str, Any] = {"seeds": (2, 1), "resampled": True}
        words = f"2 seeds against 1 {CANNOT_SAY}"
        assert self.case(fell, 1.0, 0.05, **new)[:2] == (
            "inconclusive", f"fell by 0.050, beyond the margin of 0.020; {words}",
        )  # fmt: skip
        assert self.case(fell, 1.0, 0.051, **new)[0] == "warn"
        assert self.case(one_sided(-0.02), 1.0, 0.01, **new)[0] == "pass"
        asked = Policy(question="checkpoints")
        assert self.case(fell, 1.0, 0.01, policy=asked, **new)[0] == "warn"
        one = self.case(fell, 1.0, 0.01, seeds=(1, 2), resampled=True)[1]
        assert one.endswith(f"; 1 seed against 2 {CANNOT_SAY}")

    def test_a_release(self) -> None:
        def said(tail: OneSided, adjusted: float = 0.5, **more: Any) -> Any:
            return self.case(tail, adjusted, policy=RELEASE, **more)[:2]

        kept, lost = (
            one_sided(0.0, above=lambda null: 0.05 if null == -0.02 else 1.0),
            one_sided(-0.05, above=lambda _: 1.0),
        )
        assert said(kept) == ("pass", "")
        assert said(one_sided(0.0, above=lambda _: 0.051)) == (
            "inconclusive", "the interval does not clear the margin of 0.020",
        )  # fmt: skip
        assert said(lost, 0.05) == (
            "regression", "fell by 0.050, and the whole interval is beyond the margin of 0.020",
        )  # fmt: skip
        assert said(one_sided(-0.02, above=lambda _: 1.0), 0.05)[0] == "inconclusive"
        assert said(kept, floor=0.021) == ("inconclusive", "the noise floor, 0.021, is above the margin")
        assert said(kept, floor=0.02) == ("pass", "")
        few = said(lost, here=0.05, seeds=(1, 1), resampled=True)
        assert few == (
            "inconclusive",
            f"fell by 0.050, beyond the margin of 0.020; 1 seed against 1 {CANNOT_SAY}",
        )
        assert said(lost, here=0.051, seeds=(1, 1), resampled=True)[1].startswith("the interval does not")

    def test_a_total_of_one_seed_each(self) -> None:
        check = planned("cost", "output_tokens", 0.1)
        one: dict[str, Any] = {
            "tails": Tails(None, None, False),
            "check": check,
            "seeds": (1, 1),
            "resampled": True,
            "baseline": 10.0,
        }
        assert self.case(one_sided(0.0), candidate=11.0, **one) == ("pass", "", None)
        assert self.case(one_sided(0.0), candidate=12.0, **one) == (
            "inconclusive",
            f"rose by 20%, beyond the limit of 10%; 1 seed against 1 {CANNOT_SAY}", None,
        )  # fmt: skip

    def test_identical_answers_pass(self) -> None:
        same: dict[str, Any] = {"tails": Tails(None, None, True)}
        assert self.case(one_sided(-1.0), 0.0, **same) == ("pass", "identical for every item", None)


class TestVerdicts:
    @pytest.mark.parametrize(
        ("kind", "status", "tier", "stops", "decides"),
        [
            ("quality", "missing", "advisory", True, True), ("quality", "regression", "advisory", True, False),
            ("quality", "regression", "supporting", True, True),
            ("quality", "not_comparable", "supporting", True, True),
            ("quality", "inconclusive", "critical", True, True), ("quality", "inconclusive", "critical", False, False),
            ("quality", "inconclusive", "supporting", True, False), ("cost", "not_comparable", "critical", False, True),
            ("cost", "not_comparable", "supporting", True, False), ("cost", "regression", "supporting", True, True),
            ("quality", "warn", "critical", True, False), ("quality", "pass", "critical", True, False),
        ],
    )  # fmt: skip
    def test_what_decides(self, kind: Kind, status: Status, tier: Tier, stops: bool, decides: bool) -> None:
        one = Measured(planned(kind, "steps" if kind == "cost" else "accuracy", tier=tier))
        assert GateFinding(one, status, "", 0.02, stops=stops).decides is decides

    def test_intervals_are_turned_where_lower_is_better(self) -> None:
        tail = one_sided(-0.2, reach=0.05)
        for check, expected in (
            (planned(), (-0.25, -0.15)), (planned(name="bits_per_byte"), (0.15, 0.25)),
            (planned("cost", "steps"), (0.15, 0.25)),
        ):  # fmt: skip
            found = GateFinding(Measured(check), "pass", "", 0.02, tails=tail, level=0.8).interval
            assert found is not None
            assert (found.low, found.high, found.level) == pytest.approx((*expected, 0.8))
        assert GateFinding(Measured(planned()), "pass", "", 0.02).interval is None

    def test_families_and_what_they_are_adjusted_for(self) -> None:
        """Two tests of 0.01 and 0.04 with one that could not be made: 3 and 2 times; an advisory one is alone."""

        def measured(p: float, **more: Any) -> Measured:
            return Measured(planned(method=str(p), **more), 0.7, 0.6, Tails(one_sided(-0.1, p), None, False))

        gone = Measured(planned(method="gone"), problem="missing", reason="not there")
        steps = Measured(planned("cost", "steps", 0.1), 10, 12)
        given = [measured(0.04), gone, measured(0.01), steps, measured(0.03, tier="advisory")]
        floors = {given[0].planned.key: 0.06, gone.planned.key: 0.05, steps.planned.key: 0.3}
        found = judge(given, REGRESSION, floors, ["a problem"], ["a note"])
        assert [one.p for one in found.findings] == [0.04, None, 0.01, None, 0.03]
        assert [one.p_adjusted for one in found.findings] == [
            pytest.approx(0.08),
            None,
            pytest.approx(0.03),
            None,
            0.03,
        ]
        assert [one.margin for one in found.findings] == [0.06, 0.05, 0.02, 0.3, 0.02]
        assert [one.floor for one in found.findings] == [0.06, 0.05, None, 0.3, None]
        assert [one.status for one in found.findings] == ["warn", "missing", "regression", "warn", "regression"]
        assert [one.level for one in found.findings] == [0.9] * 5
        assert (found.family, found.exit_code, found.word) == (3, 1, "regression")
        assert (found.mode, found.alpha, found.problems, found.notes) == (
            "regression",
            0.05,
            ("a problem",),
            ("a note",),
        )
        assert {one.question for one in found.findings} == {None}
        assert found.findings[2].tails is not None
        assert found.findings[2].power is not None
        assert all(one.stops for one in found.findings)
        assert not any(one.stops for one in judge(given, Policy(inconclusive="pass")).findings)

    @pytest.mark.parametrize(
        ("statuses", "problems", "code", "word"),
        [
            (["pass", "warn"], [], 0, "pass"), (["pass"], ["x"], 4, "incomplete"), ([], [], 4, "incomplete"),
            (["regression", "missing"], ["x"], 1, "regression"), (["missing", "not_comparable"], [], 4, "incomplete"),
            (["not_comparable", "inconclusive"], [], 5, "not comparable"),
            (["inconclusive", "pass"], [], 3, "inconclusive"),
        ],
    )  # fmt: skip
    def test_the_gravest_gives_the_code(self, statuses: list[str], problems: list[str], code: int, word: str) -> None:
        floor = {planned("cost", "predict_s", 0.1, method=status).key: 0.0 for status in ("pass", "warn", "regression")}
        made = {
            "pass": (1.0, 1.0, {}), "warn": (1.0, 1.2, {}), "regression": (1.0, 2.0, {}),
            "inconclusive": (1.0, 1.0, {}),
            "missing": (None, None, {"problem": "missing"}), "not_comparable": (1.0, 1.0, {"not_comparable": "other"}),
        }  # fmt: skip
        floor[planned("cost", "predict_s", 0.1, method="warn").key] = 0.3
        given = [
            Measured(planned("cost", "predict_s", 0.1, method=status), *made[status][:2], **made[status][2])  # type: ignore[arg-type]
            for status in statuses
        ]
        found: GateVerdict = judge(given, REGRESSION, floor, problems)
        assert [one.status for one in found.findings] == statuses
        assert (found.exit_code, found.word) == (code, word)

    def test_the_question_and_what_may_pass(self) -> None:
        here, again = one_sided(-0.1, 0.001), one_sided(-0.1, 0.2, above=lambda _: 0.6)
        few = Measured(planned(), 0.7, 0.6, Tails(here, again, False), seeds=(2, 3), resampled=True)
        assert few.few_seeds
        assert few.failing("training") is again
        assert few.failing("checkpoints") is here
        assert few.passing("training") is here
        many = replace(few, seeds=(3, 3))
        assert not many.few_seeds
        assert many.passing("training") is again
        assert many.passing("checkpoints") is here
        assert not replace(few, resampled=False).few_seeds
        assert replace(few, resampled=False).failing("training") is here
        assert replace(few, tails=Tails(None, again, False)).passing("training") is again
        [found] = judge([few], REGRESSION).findings
        assert (found.p, found.question, found.tails) == (0.2, "training", here)

    def test_a_release_asks_for_a_fall_beyond_the_margin(self) -> None:
        asked: list[float] = []

        def below(null: float) -> float:
            asked.append(null)
            return 0.5

        one = Measured(planned(), 0.7, 0.6, Tails(replace(one_sided(-0.1), below=below), None, False))
        judge([one], RELEASE)
        judge([one], RELEASE, {one.planned.key: 0.05})
        judge([one], REGRESSION)
        assert asked == [-0.02, -0.02, -0.05, -0.05, 0.0, 0.0]
