"""Costs: what a record holds of them, item by item, by their ratio, and in turns."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any, ClassVar

import pytest

from bench.core.errors import NotComparableError, UsageError
from bench.core.identity import Identity
from bench.core.measured import Environment, Latency, Parameters, TaughtBy, TokensUsed
from bench.core.phases import Phase
from bench.core.record import Record
from bench.core.training import Training
from bench.gate import cost_rules, costs, counters
from bench.gate.interleaved import Ratio, in_turns, ratio
from bench.gate.measure import Measured
from bench.gate.policy import Mode, Policy
from tests.gate.made import HARDWARE, Made, planned

REGRESSION, RELEASE = Policy(), Policy(mode="non-inferiority")


class TestCosts:
    PHASES: ClassVar[dict[str, Phase]] = {
        "train": Phase(10.0, 5, 7, joules=20.0, flops=1000), "load": Phase(2.0, 9), "tune": Phase(50.0, 1),
        "teach": Phase(4.0, 3, joules=1.0, flops=30), "retrieve": Phase(1.0, 2, flops=60),
        "predict": Phase(3.0, 8, 6, joules=8.0, flops=20),
    }  # fmt: skip

    def record(self, folder: Path, **changes: Any) -> Record:
        found = Made(folder).cell("lora", [1.0] * 4)
        figures: dict[str, Any] = {
            "tokens": {"prompt_tokens": 100, "context_tokens": 20, "output_tokens": 8},
            "parameters": Parameters(900, 30, 7, 5), "phases": self.PHASES,
            "training": Training(steps=6, tokens=44), "latency": {"served": Latency(0.5, 0.75, 0.1)},
        }  # fmt: skip
        return replace(found, **{**figures, **changes})

    def test_every_figure(self, tmp_path: Path) -> None:
        record = self.record(tmp_path)
        found = {name: counter.read(record) for name, counter in costs.ALL.items()}
        assert found == {
            "prompt_tokens": 25, "context_tokens": 5, "output_tokens": 2, "trained_parameters": 30,
            "total_parameters": 900, "stored_bytes": 7, "index_bytes": 5, "steps": 6, "train_tokens": 44,
            "train_flops": 1000, "predict_flops": 20, "train_s": 12, "predict_s": 1, "latency_p50_s": 0.5,
            "latency_p95_s": 0.75, "peak_host_bytes": 9, "peak_device_bytes": 7, "train_joules": 20,
            "predict_joules": 2,
        }  # fmt: skip
        assert set(found) == {*costs.COUNTERS, *costs.MEASURED}

    def test_a_teacher_here_is_a_part_of_training_and_one_elsewhere_is_not(self, tmp_path: Path) -> None:
        teacher = TaughtBy("big", "d", False, 4, {}, 1, 1)
        here = self.record(tmp_path / "a", taught=teacher)
        elsewhere = self.record(tmp_path / "b", taught=replace(teacher, used=TokensUsed()))
        for name, expected in (("train_s", 16), ("train_flops", 1030), ("train_joules", 21)):
            assert costs.ALL[name].read(here) == expected
            assert costs.ALL[name].read(elsewhere) == costs.ALL[name].read(self.record(tmp_path / f"c{name}"))

    def test_what_a_record_does_not_hold_is_none(self, tmp_path: Path) -> None:
        bare = self.record(tmp_path / "a", tokens={}, parameters=None, phases={}, training=None, latency={})
        assert {counter.read(bare) for counter in costs.ALL.values()} == {None}
        empty = self.record(tmp_path / "b", items=0)
        known = {name for name, counter in costs.ALL.items() if counter.read(empty) is not None}
        assert {*costs.ALL} - known == {
            "prompt_tokens", "context_tokens", "output_tokens", "predict_flops", "predict_s", "predict_joules",
        }  # fmt: skip

    def test_means_of_seeds_that_all_hold_it(self, tmp_path: Path) -> None:
        one, other = self.record(tmp_path / "a"), self.record(tmp_path / "b", training=Training(steps=9))
        assert costs.value([one, other], "steps") == 7.5
        assert costs.value([one, replace(other, training=None)], "steps") is None
        assert costs.value([], "steps") is None

    @pytest.mark.parametrize("name", ["device", "device_name", "cpu_count", "threads", "system", "machine"])
    def test_one_kind_of_machine(self, name: str, tmp_path: Path) -> None:
        one = Made(tmp_path / "a").cell("lora", [1.0])
        changed: dict[str, Any] = {name: 7 if "u" in name or name == "threads" else "x"}
        other = replace(one, environment=replace(HARDWARE, **changed))
        unknown = replace(one, environment=replace(HARDWARE, device=""))
        assert costs.same_hardware([one], [one])
        assert not costs.same_hardware([one], [other])
        assert not costs.same_hardware([other], [one])
        assert not costs.same_hardware([unknown], [unknown])
        beside = replace(one, environment=replace(HARDWARE, cells_at_once=2))
        assert costs.same_conditions([one], [one])
        assert costs.same_conditions([beside], [beside])
        assert not costs.same_conditions([one], [beside])
        assert not costs.same_conditions([one], [other])

    def test_why_they_do_not_compare(self, tmp_path: Path) -> None:
        alone = Made(tmp_path / "a").cell("lora", [1.0])
        two, three = (replace(alone, environment=replace(HARDWARE, cells_at_once=k)) for k in (2, 3))
        other = replace(alone, environment=replace(HARDWARE, threads=8))
        end = "costs of cells alone and at once do not compare"
        assert costs.why_not_comparable([alone], [alone]) == ""
        assert costs.why_not_comparable([two], [two]) == ""
        assert costs.why_not_comparable([two, three], [alone]) == (
            f"measured 2 at once and 3 at once, the baseline alone: {end}"
        )
        assert costs.why_not_comparable([alone, two], [alone, two]) == (
            f"measured alone and 2 at once, the baseline alone and 2 at once: {end}"
        )
        assert costs.why_not_comparable([alone], [other]) == "measured on other hardware than the baseline"

    def test_what_varies_with_seeds(self, tmp_path: Path) -> None:
        drawn = replace(self.record(tmp_path), identity=Identity(seed=0), training=None)
        dry = replace(drawn, tokens={"context_tokens": 0})
        for name, expected in {
            "prompt_tokens": True, "context_tokens": True, "index_bytes": True, "train_tokens": True,
            "train_flops": True, "steps": False, "stored_bytes": False, "trained_parameters": False,
            "total_parameters": False, "predict_s": False, "output_tokens": True, "predict_flops": True,
        }.items():  # fmt: skip
            assert costs.varies(name, [drawn]) is expected, name
        assert [costs.varies(name, [dry]) for name in ("prompt_tokens", "context_tokens", "index_bytes")] == [
            False, False, True,
        ]  # fmt: skip


class TestCounters:
    def cells(self, made: Made, **lines: list[Any]) -> Any:
        ids = [{"id": f"test/{i}"} for i in range(3)]
        rows: list[dict[str, Any]] = [
            {**row, **{name: values[i] for name, values in lines.items()}} for i, row in enumerate(ids)
        ]
        sums = {name: sum(values) for name, values in lines.items() if name.endswith("tokens")}
        record = made.cell("lora", [1.0] * 3, seed=len(made.entries), tokens=sums,
                           phases={"predict": Phase(1.0, 1, flops=18)})  # fmt: skip
        return [(record, rows)]

    def test_tokens_and_operations_of_each_item(self, tmp_path: Path) -> None:
        """Read beyond the shortest prompt, and written: 1, 2 + 3 and 0 + 0 of 6; 6 FLOPs an item on average."""
        made = Made(tmp_path)
        old = self.cells(made, prompt_tokens=[10, 12, 10], output_tokens=[1, 3, 0])
        new = self.cells(made, prompt_tokens=[10, 10, 10], output_tokens=[2, 2, 0])
        found = counters.figures("output_tokens", new, old)
        assert [values.tolist() for values in found] == [[[2, 2, 0]], [[1, 3, 0]]]
        found = counters.figures("predict_flops", new, old)
        assert [values.tolist() for values in found] == [[[9, 9, 0]], [[3, 15, 0]]]
        assert counters.of_run("prompt_tokens", old).tolist() == [[10, 12, 10]]
        both = counters.figures("predict_flops", [*new, *old], old)[0]
        assert both.tolist() == [[9, 9, 0], [3, 15, 0]]

    def test_items_without_tokens_share_alike(self, tmp_path: Path) -> None:
        nothing = self.cells(Made(tmp_path), prompt_tokens=[5, 5, 5], output_tokens=[0, 0, 0])
        assert counters.of_run("predict_flops", nothing).tolist() == [[6, 6, 6]]

    def test_items_of_a_group_are_summed(self, tmp_path: Path) -> None:
        grouped = self.cells(Made(tmp_path), output_tokens=[1, 3, 7], group=["a", "", "a"])
        found = sorted(counters.of_run("output_tokens", grouped)[0].tolist())
        assert found == pytest.approx([3 * 2 / 3, 8 * 2 / 3])  # so that their mean is that of the items

    @pytest.mark.parametrize("counter", ["output_tokens", "predict_flops"])
    def test_totals_where_a_side_lacks_the_items(self, counter: str, tmp_path: Path) -> None:
        made = Made(tmp_path)
        known = self.cells(made, prompt_tokens=[10, 12, 11], output_tokens=[1, 3, 2])
        record, lines = self.cells(made, prompt_tokens=[10, 12, 11], output_tokens=[1, 1, 1])[0]
        lacking: Any = [(record, [{"id": line["id"]} for line in lines])]
        expected = {"output_tokens": ([[1.0]], [[2.0]]), "predict_flops": ([[6.0]], [[6.0]])}[counter]
        assert [values.tolist() for values in counters.figures(counter, lacking, known)] == list(expected)
        assert [values.tolist() for values in counters.figures(counter, known, lacking)] == list(expected)[::-1]

    def test_what_does_not_go_together(self, tmp_path: Path) -> None:
        made = Made(tmp_path)
        one, other = self.cells(made, output_tokens=[1, 3, 2]), self.cells(made, output_tokens=[1, 3, 2])
        turned = [(record, lines[::-1]) for record, lines in other]
        for new, old in ((turned, one), (one, [*one, *turned])):
            with pytest.raises(NotComparableError, match=r"^not the same items$"):
                counters.figures("output_tokens", new, old)
        wrong = [(replace(one[0][0], seed=4, tokens={"output_tokens": 7}), one[0][1])]
        with pytest.raises(UsageError) as raised:
            counters.of_run("output_tokens", wrong)
        assert str(raised.value) == "the record of seed 4 says 7 output_tokens, its predictions 6"


class TestCostRules:
    def said(self, before: float, now: float, floor: float | None = 0.0, name: str = "steps", **more: Any) -> Any:
        one = Measured(planned("cost", name, 0.1), before, now, **more)
        return cost_rules.outcome(one, floor, "regression")

    @pytest.mark.parametrize(
        ("before", "now", "floor", "expected"),
        [
            (100, 110, None, ("pass", "")), (100, 110, 0.3, ("pass", "")),
            (100, 111, None, ("regression", "rose by 11%, beyond the limit of 10%")),
            (100, 111, 0.3, ("warn", "rose by 11%, within the noise floor of 30%")),
            (100, 130, 0.3, ("warn", "rose by 30%, within the noise floor of 30%")),
            (100, 131, 0.3, ("regression", "rose by 31%, beyond the noise floor of 30%")),
            (100, 111, 0.05, ("regression", "rose by 11%, beyond the limit of 10%")),
            (0, 0, None, ("pass", "")), (0, 1, None, ("regression", "rose from 0, beyond the limit of 10%")),
        ],
    )  # fmt: skip
    def test_counters(self, before: float, now: float, floor: float | None, expected: tuple[str, str]) -> None:
        assert self.said(before, now, floor) == expected

    def test_measured_quantities(self) -> None:
        other = "measured on other hardware than the baseline"
        assert self.said(1, 1, 0.1, "predict_s", not_comparable=other) == ("not_comparable", other)
        unknown = ("inconclusive", "its noise was never measured; run `adaptbench calibrate`")
        assert self.said(1, 1, None, "predict_s") == unknown
        assert self.said(1, 1, 0.0, "predict_s") == ("pass", "")
        assert self.said(1, 1, None, "steps", not_comparable=other) == ("pass", "")

    @pytest.mark.parametrize(
        ("mode", "figures", "expected"),
        [
            ("regression", (1.2, 1.05, 1.4), ("regression", "rose by 20% in 4 turns, beyond the limit of 10%")),
            ("regression", (1.05, 1.01, 1.1), ("warn", "rose by 5% in 4 turns, within the limit of 10%")),
            ("regression", (1.1, 1.01, 1.2), ("warn", "rose by 10% in 4 turns, within the limit of 10%")),
            ("regression", (1.05, 1.0, 1.1), ("pass", "")), ("regression", (1.05, 0.9, 1.2), ("pass", "")),
            ("regression", (1.05, 0.9, 1.21), ("inconclusive", "a rise of 20% cannot be ruled out in 4 turns")),
            ("regression", (1.2, 0.9, 1.6), ("inconclusive", "a rise of 20% cannot be ruled out in 4 turns")),
            ("non-inferiority", (1.2, 1.11, 1.3),
             ("regression", "rose by 20% in 4 turns, all of the interval beyond 10%")),
            ("non-inferiority", (1.2, 1.1, 1.3), ("inconclusive", "a rise of 10% cannot be ruled out in 4 turns")),
            ("non-inferiority", (1.05, 1.0, 1.1), ("pass", "")),
            ("non-inferiority", (1.05, 1.0, 1.11), ("inconclusive", "a rise of 10% cannot be ruled out in 4 turns")),
        ],
    )  # fmt: skip
    def test_in_turns(self, mode: Mode, figures: tuple[float, float, float], expected: tuple[str, str]) -> None:
        one = Measured(planned("cost", "predict_s", 0.1), 1.0, 1.2, ratio=Ratio(*figures, turns=4))
        assert cost_rules.outcome(one, 0.5, mode) == expected


class TestTurns:
    def records(self, made: Made, minutes: tuple[int, ...], **changes: Any) -> list[Record]:
        environment = replace(HARDWARE, boot="b0")
        return [
            made.cell("full", [1.0], seed=seed, created=f"2026-01-01T00:{minute:02}:00+00:00",
                      **{"environment": environment, **changes})
            for seed, minute in enumerate(minutes)
        ]  # fmt: skip

    def test_pairs_in_the_order_of_time(self, tmp_path: Path) -> None:
        new, old = self.records(Made(tmp_path / "a"), (5, 1, 3)), self.records(Made(tmp_path / "b"), (0, 4, 3))
        assert in_turns(new, old) == [(new[1], old[0]), (new[2], old[2]), (new[0], old[1])]
        assert in_turns(new[:2], old) == []
        unknown = self.records(Made(tmp_path / "c"), (0, 3, 4), environment=Environment())
        assert in_turns(unknown, unknown) == []

    def test_without_a_figure_there_is_no_ratio(self, tmp_path: Path) -> None:
        new, old = self.records(Made(tmp_path / "a"), (1, 3, 5)), self.records(Made(tmp_path / "b"), (0, 2, 4))
        same = ratio(new, old, "predict_s", 0.05)
        assert same == Ratio(1.0, 1.0, 1.0, 3)
        assert ratio([replace(new[0], phases={}), *new[1:]], old, "predict_s", 0.05) is None
        assert ratio(new, [replace(one, phases={}) for one in old], "predict_s", 0.05) is None
        assert ratio(new[:2], old[:2], "predict_s", 0.05) is None
