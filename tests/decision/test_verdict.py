"""Decisions on constructed runs. Prices are such that a second costs 1 EUR, so that costs are seen at a glance."""

from __future__ import annotations

import io
import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import yaml
from click.testing import CliRunner
from rich.console import Console

from bench.analysis.decision.lines import BreakEven
from bench.analysis.decision.verdict import Retrained, Verdict, verdicts
from bench.analysis.decision.words import crossing, sentences
from bench.analysis.statistics.paired import PairedTable, newcombe
from bench.cli import cli
from bench.config import assumptions
from bench.config.prices import replaced
from bench.core.errors import NotComparableError, UsageError
from bench.core.identity import MethodParts, PartSettings
from bench.core.measured import Environment, Latency
from bench.core.phases import Phase
from bench.core.record import Record, Run, Score
from bench.core.training import Training
from bench.report.brief import overviews
from bench.report.tables.decision import tables, to_json
from bench.store import run_folder
from bench.store.listing import RUN_FILE
from tests.test_comparison import answers, run, scored

PRICES = replaced({"cpu_core_hour": 3600.0, "currency": "EUR"}, "test")

FEW_SHOT = MethodParts(PartSettings("frozen"), PartSettings("few-shot"))


def method(
    folder: Path,
    label: str,
    right: int,
    of: int,
    *,
    train: float = 0.0,
    query: float = 0.1,
    p95: float = 0.2,
    seed: int = 0,
    last: bool = False,
    at_once: int = 1,
    **changes: Any,
) -> Record:
    """A record of `right` answers among the first (or last) items, that took so many seconds."""
    values = [1.0] * right + [0.0] * (of - right)
    phases = {"train": Phase(train, 2**30), "predict": Phase(query * of, 2**30)}
    return answers(
        folder, label, seed, scored(values[::-1] if last else values),
        phases={name: phase for name, phase in phases.items() if phase.wall_s},
        environment=Environment(device="cpu", threads=1, cells_at_once=at_once),
        latency={"served": Latency(query, p95, 0.0)},
        training=Training(steps=1) if train else None, **changes,
    )  # fmt: skip


def verdict(found: Run, **assumed: Any) -> Verdict:
    given = assumptions.read({"queries_per_month": 100, "months": 1, **assumed}, "test")
    [one] = verdicts(found, PRICES, given)
    return one


def test_a_clear_winner(tmp_path: Path) -> None:
    records = (
        method(tmp_path, "few-shot", 100, 200, query=0.3),
        method(tmp_path, "full", 180, 200, train=50),
    )
    found = verdict(run(tmp_path, *records))
    assert (found.choice, found.evidence) == ("full", "enough")
    assert [one.cost for one in found.standings] == [60.0, 30.0]  # 50 + 100 × 0.1; 100 × 0.3
    assert crossing(found.crossings[0]) == "from 250"  # 50 / 0.2
    apart = newcombe(PairedTable(both=100, only_a=80, only_b=0, neither=20))
    assert sentences(found, "EUR") == [
        "Choose full: Accuracy 0.900 (95% interval 0.851 to 0.934).",
        f"It is better than few-shot, the next, by 0.400 (95% interval {apart.low:.3f} to {apart.high:.3f}, these "
        "checkpoints).",
        "Training again: one seed cannot say whether it would be better (full 0.900).",
        "To find out, add seeds: `adaptbench run trial.yaml --seeds 0,1,2,3,4`.",
        "It costs 60 EUR over a month of 100 queries (compute only).",
        "The choice stays the same from 0 to 1,000 times the assumed queries, and with up to 1,000 updates a month.",
        "Not measured: what it forgets.",
    ]


def test_costs_of_cells_at_once_are_said_to_be_so_and_never_stand_beside_those_of_cells_alone(tmp_path: Path) -> None:
    few_shot = method(tmp_path, "few-shot", 100, 200, query=0.3, at_once=2)
    full = method(tmp_path, "full", 180, 200, train=50, at_once=2)
    shared = "Costs were measured with 2 cells at once: they compare with each other, not with those of cells alone."
    found = run(tmp_path, few_shot, full)
    assert shared in sentences(verdict(found), "EUR")
    assert brief_of(found)[1] == shared
    alone = replace(full, environment=replace(full.environment, cells_at_once=1))
    mixed = (
        "Costs of cells measured alone and 2 at once are not compared, as cells at once share a machine "
        "(1 alone, 1 with 2 at once)."
    )
    with pytest.raises(NotComparableError) as error:
        verdict(run(tmp_path, few_shot, alone))
    assert str(error.value) == f"{mixed} Measure them again in one way."
    _, *lines = brief_of(run(tmp_path, few_shot, alone))
    assert lines[:2] == [mixed, f"mail: {mixed} Measure them again in one way."]


def brief_of(found: Run) -> list[str]:
    """The lines that a terminal shows at first."""
    console = Console(file=io.StringIO(), width=300)
    for line in overviews([found], console):
        console.print(line)
    assert isinstance(console.file, io.StringIO)
    return [line.strip() for line in console.file.getvalue().splitlines()]


def test_a_tie_goes_to_the_cheaper_and_flips_with_the_volume(tmp_path: Path) -> None:
    records = (
        method(tmp_path, "few-shot", 150, 200, query=0.3),
        method(tmp_path, "lora", 150, 200, train=50),
    )
    found = verdict(run(tmp_path, *records))
    assert (found.choice, found.evidence, set(found.ties)) == ("few-shot", "tie", {"few-shot", "lora"})
    said = sentences(found, "EUR")
    assert "It is as good as lora to within 0.020, and costs least of them." in said
    assert "It flips to lora above 250 queries a month." in said
    assert [label for _, label in found.cheapest] == ["few-shot", "lora"]
    assert [x for x, _ in found.cheapest] == pytest.approx([0.0, 250.0])
    assert verdict(run(tmp_path, *records), queries_per_month=400).choice == "lora"
    updated = verdict(run(tmp_path, *records), queries_per_month=400, updates_per_month=1)
    assert updated.choice == "few-shot"  # 400 × 0.3 < 50 + 50 + 400 × 0.1
    assert "It flips to lora below 0.6 updates a month." in sentences(updated, "EUR")  # 120 - 40 - 50 = 50 × 0.6


def test_a_requirement_that_the_best_fails(tmp_path: Path) -> None:
    records = (
        method(tmp_path, "few-shot", 120, 200, p95=0.2),
        method(tmp_path, "full", 190, 200, train=50, p95=2.0),
    )
    found = verdict(run(tmp_path, *records), require={"latency_p95_s": 0.5})
    assert found.choice == "few-shot"
    said = sentences(found, "EUR")
    assert said[1] == "full is better and fails the latency asked for (2 for 0.5)."
    assert said[2] == "Nothing else meets the requirements."
    none = verdict(run(tmp_path, *records), require={"latency_p95_s": 0.5, "quality": 0.9})
    assert (none.choice, none.evidence) == (None, "none meets")
    assert sentences(none, "EUR") == [
        "No method meets the requirements.",
        "full fails the latency asked for (2 for 0.5).",
        "few-shot fails the quality asked for (0.6 for 0.900).",
    ]


def test_never_and_always(tmp_path: Path) -> None:
    records = (
        method(tmp_path, "zero-shot", 60, 200, query=0.1),
        method(tmp_path, "full", 160, 200, train=20, query=0.2),
    )
    found = verdict(run(tmp_path, *records))
    assert [(one.a, one.b, one.found) for one in found.crossings] == [("full", "zero-shot", BreakEven("never"))]
    assert found.cheapest == ((0.0, "zero-shot"),)
    cheaper = (method(tmp_path / "b", "zero-shot", 60, 200, query=0.3), method(tmp_path / "b", "rag", 160, 200))
    always = verdict(run(tmp_path / "b", *cheaper))
    assert crossing(always.crossings[0]) == "always"
    assert [one.on_front for one in always.standings] == [1.0, 0.0]


def test_too_few_items_say_how_many_would_do(tmp_path: Path) -> None:
    records = (
        method(tmp_path, "few-shot", 12, 20, query=0.1, last=True),
        method(tmp_path, "full", 14, 20, train=50),
    )
    found = verdict(run(tmp_path, *records))
    assert (found.choice, found.evidence, found.undecided) == ("full", "not enough", True)
    assert found.rivals == ("few-shot",)
    assert found.flips == ()
    assert found.items_needed is not None
    [one] = found.family.differences
    assert found.items_needed == pytest.approx(20 * (one.detectable / 0.02) ** 2, abs=1)
    said = sentences(found, "EUR")
    assert said[0].startswith("Not enough evidence to choose; so far the best is full: Accuracy 0.700 (95% interval ")
    low, high = one.interval.low, one.interval.high
    assert said[1] == (
        f"full − few-shot = +0.100 (95% CI {low:+.3f} to {high:+.3f}), not significant (Holm p = {one.p_adjusted:.2g})."
    )
    assert said[2] == "The cheapest of them is few-shot, at Accuracy 0.600."
    assert said[3] == (
        f"To tell these checkpoints apart to within 0.020, about {found.items_needed:,} test items are needed; "
        "there are 20."
    )
    assert said[4] == "Training again: one seed cannot say whether it would be better (full 0.700)."
    unsure = verdict(run(tmp_path, *records), require={"quality": 0.65})
    assert "Whether it has the quality asked for is not sure" in sentences(unsure, "EUR")[1]


def test_what_a_right_answer_is_worth_decides(tmp_path: Path) -> None:
    records = (
        method(tmp_path, "few-shot", 100, 200, query=0.1),
        method(tmp_path, "full", 180, 200, train=50, query=0.1),
    )
    cheap, dear = (verdict(run(tmp_path, *records), value_of_right=value) for value in (1.0, 2.0))
    assert (cheap.choice, dear.choice) == ("few-shot", "full")
    assert [one.worth for one in cheap.standings] == [30.0, 40.0]  # 100 × 0.9 - 60; 100 × 0.5 - 10
    assert [label for _, label in cheap.worthiest] == ["few-shot", "full"]
    assert [x for x, _ in cheap.worthiest] == pytest.approx([0.0, 1.25])  # 50 / (100 × 0.4)
    said = sentences(cheap, "EUR")
    assert "full is better, and at that value of a correct answer not worth its cost." in said
    assert "It flips to full above 1.2 EUR for a correct answer." in said or "1.3 EUR" in " ".join(said)


def test_worth_within_the_doubt_on_quality_is_not_settled(tmp_path: Path) -> None:
    records = (
        method(tmp_path, "few-shot", 12, 20, query=0.1, last=True),
        method(tmp_path, "lora", 14, 20, train=50),
        method(tmp_path, "full", 14, 20, train=70),
    )
    found = verdict(run(tmp_path, *records), value_of_right=2.0)
    assert (found.choice, found.evidence) == ("few-shot", "not enough")  # 120 - 10, 140 - 60 and 140 - 80
    assert set(found.ties) == {"few-shot", "lora", "full"}
    [one] = [each for each in found.family.differences if {each.a.label, each.b.label} == {"few-shot", "lora"}]
    assert 200 * one.interval.high > 50  # lora may be better by more than its training costs
    said = sentences(found, "EUR")
    assert any(line.startswith("It is worth most after its cost, and within the doubt on quality") for line in said)
    assert not any("costs least" in line for line in said)
    sure = verdict(run(tmp_path, *records), value_of_right=0.1)
    assert sure.evidence == "enough"
    assert "Nothing else that meets the requirements is worth as much after its cost." in sentences(sure, "EUR")


def test_learning_curves_say_where_training_overtakes(tmp_path: Path) -> None:
    records = [
        method(tmp_path, "few-shot, 32 items", 100, 200, suite_method="few-shot", train_size=32, parts=FEW_SHOT),
        method(tmp_path, "few-shot", 100, 200, suite_method="few-shot", parts=FEW_SHOT),
        method(tmp_path, "full, 32 items", 90, 200, train=5, suite_method="full", train_size=32),
        method(tmp_path, "full", 180, 200, train=50, suite_method="full"),
    ]
    found = verdict(run(tmp_path, *records))
    assert [one.label for one in found.standings] == ["full", "few-shot"]  # points of a curve are not chosen
    assert "full is better than few-shot with all training items." in sentences(found, "EUR")
    [one] = found.overtakings
    assert (one.at, one.sizes) == ("all", ("32", "all"))


def test_the_largest_size_is_chosen_from_where_no_point_has_all_items(tmp_path: Path) -> None:
    def point(name: str, size: int, right: int, **changes: Any) -> Record:
        return method(tmp_path, f"{name}, {size} items", right, 200, suite_method=name, train_size=size, **changes)

    records = [
        method(tmp_path, "zero-shot", 40, 200, suite_method="zero-shot"),
        point("few-shot", 32, 100, parts=FEW_SHOT),
        point("few-shot", 64, 110, parts=FEW_SHOT),
        point("full", 32, 150, train=5),
        point("full", 64, 180, train=50),
        point("lora", 32, 190, train=5),  # its larger size was not measured
    ]
    found = verdict(run(tmp_path, *records))
    assert [one.label for one in found.standings] == ["full, 64 items", "few-shot, 64 items", "zero-shot"]
    assert found.choice == "full, 64 items"
    assert len(found.family.differences) == 3  # pairs with what is not to choose from ask for no correction
    p = sorted(one.p for one in found.family.differences)
    by_hand = p[0] * 3, max(p[0] * 3, p[1] * 2), max(p[0] * 3, p[1] * 2, p[2])
    assert sorted(one.p_adjusted for one in found.family.differences) == pytest.approx(by_hand)


def test_seeds_give_a_volume_its_interval_and_retention_its_loss(tmp_path: Path) -> None:
    base = Record("b", "m", "facts", "base", 0, "ok", "", scores={"exact_match": Score(0.8)})
    trained = [
        method(tmp_path, "full", 180 + seed, 200, train=40 + 10 * seed, seed=seed, weights_changed=True,
               probes={"facts": {"exact_match": Score(0.7 - 0.1 * seed)}})
        for seed in (0, 1, 2)
    ]  # fmt: skip
    few = method(tmp_path, "few-shot", 100, 200, query=0.3, weights_changed=False)
    found = verdict(Run(tmp_path, "trial", (few, *trained), base=(base,)), require={"retention_loss": 0.15})
    assert [[(loss.value, loss.share) for loss in one.candidate.losses] for one in found.standings] == [
        [(pytest.approx(0.2), pytest.approx(0.25))], [(0.0, 0.0)]
    ]  # fmt: skip
    assert found.choice == "few-shot"
    [cross] = found.crossings
    assert cross.found.kind == "from"
    assert cross.found.x == pytest.approx(250.0)  # of the mean, 50
    assert cross.range is not None
    assert list(cross.range) == pytest.approx([200.0, 300.0])  # of the seeds' 40 and 60
    assert "forgets nothing" in " ".join(sentences(found, "EUR"))


def test_controls_are_no_choice(tmp_path: Path) -> None:
    oracle = method(tmp_path, "rag (control=oracle)", 190, 200, parts=MethodParts(is_control=True))
    found = verdict(run(tmp_path, oracle, method(tmp_path, "rag", 100, 200)))
    assert [one.label for one in found.standings] == ["rag"]


def test_the_same_records_give_the_same_sheets(tmp_path: Path) -> None:
    records = (method(tmp_path, "few-shot", 100, 200), method(tmp_path, "full", 180, 200, train=50))
    one, other = (verdict(run(tmp_path, *records)) for _ in range(2))
    assert tables([one], "EUR") == tables([other], "EUR")
    assert json.dumps(to_json([one], "EUR")) == json.dumps(to_json([other], "EUR"))


@pytest.mark.parametrize(
    ("given", "words"),
    [
        ({"querys_per_month": 1}, 'unknown key "decide.querys_per_month" (did you mean "queries_per_month"?)'),
        ({"require": {"qualty": 1}}, 'unknown key "decide.require.qualty" (did you mean "quality"?)'),
        ({"months": 0}, "decide.months is 0; it must be greater than 0"),
    ],
)
def test_wrong_assumptions_are_one_line(given: dict[str, Any], words: str) -> None:
    with pytest.raises(UsageError) as caught:
        assumptions.read(given, "suite.yaml")
    assert str(caught.value).startswith(f"suite.yaml: {words}")


def test_hosting_by_method() -> None:
    assumed = assumptions.read({"hosting_per_month": {"full": 30, "other": 5}}, "x")
    assert [assumed.hosting(name) for name in ("full", "lora")] == [30, 5]
    assert assumptions.read({"hosting_per_month": 7}, "x").hosting("lora") == 7


def test_the_command_takes_what_the_suite_says_and_what_it_is_told(tmp_path: Path) -> None:
    records = (method(tmp_path, "few-shot", 150, 200, query=0.3), method(tmp_path, "lora", 150, 200, train=50))
    for record in records:
        [folder] = (tmp_path / "cells").glob(f"*-{record.key[:12]}")
        run_folder.write_record(folder, record)
    listed = [{"key": r.key, "name": r.method, "model": r.model, "task": r.task, "method": r.method, "seed": 0}
              for r in records]  # fmt: skip
    (tmp_path / RUN_FILE).write_text(json.dumps({"schema": 1, "suite": "trial", "cells": listed}))
    suite = {"prices": {"cpu_core_hour": 3600.0}, "decide": {"queries_per_month": 100, "months": 1}}
    (tmp_path / "suite.yaml").write_text(yaml.safe_dump(suite))
    shown = CliRunner().invoke(cli, ["decide", str(tmp_path)])
    assert shown.exit_code == 0, shown.output
    assert "choice: few-shot, Accuracy 0.750" in shown.output
    assert "choice: lora" in CliRunner().invoke(cli, ["decide", str(tmp_path), "--queries", "400"]).output
    assert "Choose few-shot" in CliRunner().invoke(cli, ["decide", str(tmp_path), "--full"]).output
    told = CliRunner().invoke(cli, ["decide", str(tmp_path), "--require", "quality=0.9", "--json"])
    assert json.loads(told.output)["verdicts"][0]["evidence"] == "none meets"
    assert "| lora |" in CliRunner().invoke(cli, ["decide", str(tmp_path), "--markdown"]).output
    wrong = CliRunner().invoke(cli, ["decide", str(tmp_path), "--require", "quality"])
    assert "give NAME=VALUE" in str(wrong.exception)


def seeds_of(folder: Path, label: str, *right: int, of: int = 40, **changes: Any) -> list[Record]:
    return [method(folder, label, count, of, train=50, seed=seed, **changes) for seed, count in enumerate(right)]


def test_training_again_would_be_better_too(tmp_path: Path) -> None:
    records = [*seeds_of(tmp_path, "full", 36, 37, 35), method(tmp_path, "few-shot", 12, 40, query=0.3)]
    found = verdict(run(tmp_path, *records))
    assert (found.choice, found.evidence, found.again.answer) == ("full", "enough", "yes")
    [one] = found.family.differences
    assert one.retraining is not None
    assert one.retraining.interval is not None
    assert one.retraining.interval.low < one.interval.low < one.interval.high < one.retraining.interval.high
    assert "Training again: full would be better too; full − few-shot = +0.600 (95% CI " in " ".join(
        sentences(found, "EUR")
    )


def test_where_seeds_differ_more_than_items_more_items_would_not_do(tmp_path: Path) -> None:
    records = [*seeds_of(tmp_path, "full", 40, 20, 30), method(tmp_path, "few-shot", 22, 40, query=0.3)]
    found = verdict(run(tmp_path, *records))
    assert (found.choice, found.evidence, found.again.answer) == ("full", "enough", "unsure")
    # by hand: the seeds' means 1, 0.5, 0.75 have a standard error of 0.144 (less what items give), times t(2) = 4.30
    [one] = found.family.differences
    assert one.retraining is not None
    assert 0.4 < (one.retraining.seeds_half_width or 0) < 4.303 * 0.25 / 3**0.5
    assert found.again.items_needed is None
    needed = found.again.seeds_needed
    assert needed is not None
    listed = ",".join(map(str, range(needed)))
    seeds = f"`adaptbench run trial.yaml --seeds {listed}`" if needed <= 10 else f"about {needed} of each method"
    assert f"To decide that, add seeds: {seeds}; test items alone would not." in sentences(found, "EUR")


def test_what_the_correction_alone_leaves_open_asks_for_no_items_that_are_there(tmp_path: Path) -> None:
    records = [*seeds_of(tmp_path, "full", 36, 37, 35), method(tmp_path, "few-shot", 12, 40, query=0.3)]
    found = verdict(run(tmp_path, *records))
    [one] = found.family.differences
    assert one.retraining is not None
    corrected = replace(one, retraining=replace(one.retraining, p_adjusted=0.06))  # as a family of many pairs has it
    among = replace(found, again=Retrained("unsure", (corrected,), items_needed=40))
    said = sentences(among, "EUR")
    assert "Tested alone this pair would be significant; corrected for all pairs of methods it is not." in said
    assert not any("test items are needed" in sentence for sentence in said)
    more = replace(found, again=Retrained("unsure", (corrected,), items_needed=41))
    assert "To decide that, about 41 test items are needed; there are 40." in sentences(more, "EUR")


def test_two_seeds_of_all_wrong_are_not_certain(tmp_path: Path) -> None:
    records = [*seeds_of(tmp_path, "full", 0, 0), method(tmp_path, "few-shot", 0, 40)]
    found = verdict(run(tmp_path, *records))
    assert all(one.interval.low == 0 and 0.08 < one.interval.high < 0.1 for one in found.standings)
    [one] = found.family.differences
    assert one.interval.low < -0.05 < 0.05 < one.interval.high
    assert found.again.answer == "too few seeds"
    assert "two seeds cannot say whether it would be better (full 0.000, 0.000)" in " ".join(sentences(found, "EUR"))


def test_updates_are_tried_where_none_are_assumed(tmp_path: Path) -> None:
    records = (method(tmp_path, "rag", 150, 200, query=0.3), method(tmp_path, "lora", 150, 200, train=50))
    found = verdict(run(tmp_path, *records), queries_per_month=10_000)
    assert found.choice == "lora"  # 50 + 1,000 against 3,000
    # lora costs 50 more with every update: 3,000 - 1,000 - 50 = 50 × 39, and volumes flip at 250, forty times less
    assert [(one.assumption, one.value, one.to) for one in found.flips] == [
        ("updates_per_month", 39.0, "rag"),
        ("queries_per_month", 250.0, "rag"),
    ]
    assert "It flips to rag above 39 updates a month." in sentences(found, "EUR")


def test_the_nearest_flip_in_ratio_comes_first(tmp_path: Path) -> None:
    records = (method(tmp_path, "rag", 150, 200, query=0.3), method(tmp_path, "lora", 150, 200, train=50))
    found = verdict(run(tmp_path, *records), queries_per_month=300, updates_per_month=0.1)
    assert found.choice == "lora"  # 50 + 5 + 30 against 90
    # 0.1 updates rise to 0.2; 300 queries fall to 275
    assert [one.assumption for one in found.flips] == ["queries_per_month", "updates_per_month"]
    assert [one.value for one in found.flips] == pytest.approx([275, 0.2], abs=5)


def test_a_loss_is_asked_about_with_its_doubt(tmp_path: Path) -> None:
    base = Record("b", "m", "facts", "base", 0, "ok", "", scores={"exact_match": Score(0.8)})
    unmeasured = method(tmp_path, "full", 180, 200, train=50, weights_changed=True)
    few = method(tmp_path, "few-shot", 100, 200, query=0.3, weights_changed=False)
    found = verdict(Run(tmp_path, "trial", (few, unmeasured), base=(base,)), require={"retention_loss": 0.1})
    full, other = found.standings
    assert (full.checks[0].status, full.checks[0].measured) == ("not measured", None)
    assert (other.checks[0].status, other.on_front) == ("meets", 1.0)  # full's loss is unknown, so it beats nothing
    assert "Not measured: what it forgets." in sentences(found, "EUR")


def test_hosting_and_peoples_time_are_paid_once_and_monthly(tmp_path: Path) -> None:
    records = (method(tmp_path, "few-shot", 100, 200, query=0.3), method(tmp_path, "full", 180, 200, train=50))
    people = {"hourly_rate": 80, "setup_hours": {"full": 5}, "upkeep_hours_per_month": {"full": 2, "other": 0.5}}
    found = verdict(run(tmp_path, *records), months=3, hosting_per_month=10, **people)
    costs = {one.label: one.cost for one in found.standings}
    assert costs["few-shot"] == pytest.approx(3 * (10 + 0.5 * 80 + 100 * 0.3))
    assert costs["full"] == pytest.approx(50 + 5 * 80 + 3 * (10 + 2 * 80 + 100 * 0.1))
    assert found.assumed.counted == "compute, hosting and people's time"
    assert any("(compute, hosting and people's time)" in line for line in sentences(found, "EUR"))
    [methods] = [table for table in tables([found], "EUR") if table.title.startswith("Methods")]
    assert "cost\n(compute, hosting and people's time)" in methods.columns


def test_hours_without_the_money_of_an_hour_are_refused() -> None:
    with pytest.raises(UsageError, match="hourly_rate"):
        assumptions.read({"setup_hours": {"lora": 4}}, "suite.yaml")
    assert assumptions.read({"setup_hours": {"lora": 0}}, "suite.yaml").counted == "compute only"
