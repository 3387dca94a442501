"""The headline of a task: what a choice is held against, and the cheapest step that would bring one."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from bench.analysis.comparison import within
from bench.analysis.decision import next_step as steps
from bench.analysis.decision.headline import Headline, headline
from bench.analysis.decision.headline_words import caution, facts, three_lines
from bench.analysis.decision.next_step import NextStep
from bench.analysis.decision.reference_line import reference_line
from bench.analysis.decision.words import sentences
from bench.core.identity import Identity, MethodParts, PartSettings, TaskIdentity
from bench.core.record import CellRef, Run
from tests.decision.test_verdict import method, seeds_of, verdict
from tests.test_comparison import answers, run

ZERO_SHOT = MethodParts(PartSettings("frozen"), PartSettings("zero-shot"))
CLASSES = [0] * 5 + [1] * 3 + [2] * 2
LABELS = ("bill", "card", "loan")


def told(folder: Path, label: str, said: Sequence[int], **changes: Any) -> Any:
    """A record of answers to items of `CLASSES` among the same three labels."""
    lines = [
        {"metrics": {"accuracy": float(answer == truth)}, "output": LABELS[answer], "right": truth,
         "scores": [0.0, 0.0, 0.0], "order": [answer, *({0, 1, 2} - {answer})]}
        for answer, truth in zip(said, CLASSES, strict=True)
    ]  # fmt: skip
    return answers(folder, label, 0, lines, **changes)


def test_the_majority_class_is_right_where_the_class_is(tmp_path: Path) -> None:
    found = run(tmp_path, told(tmp_path, "lora", [0, 1, 2, 0, 1, 2, 0, 1, 2, 0]))
    [family] = within(found)
    line = reference_line(found, family)
    assert line is not None
    assert line.values is not None
    assert (line.label, line.score) == ("majority class", 0.5)
    assert line.values.tolist() == [[1.0] * 5 + [0.0] * 5]


def test_classes_are_known_from_the_counts_of_macro_f1_too(tmp_path: Path) -> None:
    """Runs of older versions say no place of the right choice."""
    lines = [{"metrics": {"accuracy": 0.0}, "counts": {"macro_f1": [truth + 7, 9]}} for truth in CLASSES]
    found = run(tmp_path, answers(tmp_path, "lora", 0, lines))
    [family] = within(found)
    line = reference_line(found, family)
    assert line is not None
    assert (line.label, line.score) == ("majority class", 0.5)


def test_where_every_item_has_choices_of_its_own_the_line_is_chance(tmp_path: Path) -> None:
    lines = [
        {"metrics": {"accuracy": 1.0}, "output": f"text {i}", "right": 0, "scores": [0.0] * count, "order": [0, 1]}
        for i, count in enumerate((2, 2, 4, 4))
    ]
    found = run(tmp_path, answers(tmp_path, "lora", 0, lines))
    [family] = within(found)
    line = reference_line(found, family)
    assert line is not None
    assert line.label == "chance"
    assert line.score == (0.5 + 0.5 + 0.25 + 0.25) / 4


def test_texts_have_no_line(tmp_path: Path) -> None:
    found = run(tmp_path, answers(tmp_path, "lora", 0, [{"metrics": {"exact_match": 1.0}}] * 4))
    [family] = within(found)
    assert reference_line(found, family) is None


def headed(found: Run, **assumed: Any) -> Headline:
    return headline(found, verdict(found, **assumed))


def test_what_is_no_better_than_the_majority_class_is_said_first(tmp_path: Path) -> None:
    timed = method(tmp_path / "timed", "x", 1, 10)  # its phases and machine give a price
    priced = {"phases": timed.phases, "environment": timed.environment}
    always = told(tmp_path, "lora", [0] * 10, **priced)
    plain = told(tmp_path, "zero-shot", [2] * 10, parts=ZERO_SHOT, **priced)
    shown = headed(run(tmp_path, always, plain))
    assert not shown.beats_reference
    assert caution(shown) == "not shown to be better than the majority class (0.500)"
    first, second, _ = three_lines("mail", shown, "EUR")
    assert first.startswith("mail: not shown to be better than the majority class")
    assert second.startswith("against zero-shot +0.300 [")
    assert "; majority class 0.000 [" in second
    right = headed(run(tmp_path / "right", told(tmp_path / "right", "lora", CLASSES, **priced)))
    assert right.beats_reference  # all 10 right, the line 5 of 10: 5 changed items of 10
    assert caution(right) == ""


def test_a_requirement_that_nothing_meets_is_said_first(tmp_path: Path) -> None:
    shown = headed(run(tmp_path, method(tmp_path, "few-shot", 150, 200)), require={"quality": 0.9})
    [first, *_] = three_lines("mail", shown, "EUR")
    assert first.startswith(
        "mail: no method meets the requirements; the best fails the quality asked for (0.75 for 0.9"
    )
    assert dict(facts(shown, "EUR"))["choice"].startswith("none; the best is few-shot")


def limited(found: Run, limit: int) -> Run:
    task = TaskIdentity(limit=limit)
    return replace(found, records=tuple(replace(r, identity=Identity(task=task)) for r in found.records))


def undecided(folder: Path) -> Run:
    """150 and 146 of 200 right on different items: neither differs, and either may be better by more than 0.02."""
    return run(
        folder, method(folder, "few-shot", 150, 200, query=0.3), method(folder, "lora", 146, 200, train=50, last=True)
    )


def test_a_margin_brings_the_choice_it_promises_and_a_smaller_one_does_not(tmp_path: Path) -> None:
    found = undecided(tmp_path)
    step = headed(found).next_step
    assert step is not None
    assert (step.kind, step.seconds) == ("margin", 0.0)
    chosen = verdict(found, margin=step.amount)
    assert (chosen.undecided, chosen.choice) == (False, step.chooses)
    assert verdict(found, margin=0.9 * step.amount).undecided


def test_items_that_the_task_still_has_are_measured_at_a_price(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    found = limited(undecided(tmp_path), 200)
    needed = verdict(found).items_needed
    assert needed is not None
    monkeypatch.setattr(steps, "test_items", lambda run, record: needed)
    step = headed(found).next_step
    assert step is not None
    # 0.3 and 0.1 s an item, and a training of 50 s that another number of items needs anew
    assert (step.kind, step.amount) == ("items", needed)
    assert step.seconds == pytest.approx(0.4 * needed + 50)
    assert step.command == f"adaptbench run trial.yaml --limit {needed}"
    monkeypatch.setattr(steps, "test_items", lambda run, record: needed - 1)
    assert getattr(headed(found).next_step, "kind", "") == "margin"


def test_of_methods_that_know_nothing_the_cheapest_is_no_advice(tmp_path: Path) -> None:
    timed = method(tmp_path / "timed", "x", 1, 10)
    priced = {"phases": timed.phases, "environment": timed.environment}
    useless = (told(tmp_path, "lora", [0] * 10, **priced), told(tmp_path, "full", [0, 1] * 5, **priced))
    step = headed(run(tmp_path, *useless)).next_step
    assert step == NextStep("model", 0, "", None)
    zero = tmp_path / "zero"
    nothing = [method(zero, label, 0, 40, query=query) for label, query in (("few-shot", 0.3), ("full", 0.1))]
    assert getattr(headed(run(zero, *nothing)).next_step, "kind", "") == "model"


def test_seeds_cost_what_those_that_are_missing_cost(tmp_path: Path) -> None:
    seeds = seeds_of(tmp_path, "full", 36, 37)
    found = run(tmp_path, *seeds, method(tmp_path, "few-shot", 12, 40, query=0.3))
    step = headed(found).next_step
    # three more of five, each with 50 s of training and 40 items at 0.1 s; few-shot has one seed, and trains nothing
    assert step is not None
    assert step == NextStep("seeds", 5, "adaptbench run trial.yaml --seeds 0,1,2,3,4", step.seconds)
    assert step.seconds == pytest.approx(3 * 54.0)


def test_cells_that_are_missing_come_first(tmp_path: Path) -> None:
    found = run(tmp_path, method(tmp_path, "few-shot", 150, 200, query=0.3))
    found = replace(found, missing=(CellRef("f" * 64, "m", "mail", "few-shot", 1),))
    step = headed(found).next_step
    assert step is not None
    assert step == NextStep("cells", 1, "adaptbench run trial.yaml", step.seconds)
    assert step.seconds == pytest.approx(200 * 0.3)


@pytest.mark.parametrize("missing", [(), (CellRef("f" * 64, "m", "mail", "lora", 0),)])
def test_of_one_method_there_is_nothing_to_choose_from_yet(tmp_path: Path, missing: tuple[CellRef, ...]) -> None:
    found = replace(run(tmp_path, *seeds_of(tmp_path, "full", 36, 37)), missing=missing)
    shown = headed(found)
    first, last = three_lines("mail", shown, "EUR")
    assert first.startswith("mail: nothing to choose from yet; only full is measured, Accuracy 0.9")
    assert first.endswith("]")
    said = dict(facts(shown, "EUR"))
    assert said["choice"].startswith("nothing to choose from yet; only full is measured, Accuracy 0.9")
    assert not {"these checkpoints", "training again", "forgets", "flipped by"} & set(said)
    sentences_ = sentences(shown.verdict, "EUR")
    assert len(sentences_) == 1
    assert sentences_[0].startswith("Nothing to choose from yet; the only measured method is full: Accuracy 0.9")
    if missing:
        assert last.startswith("next: measure the cell that is missing (about ")
    else:
        assert last == "next: measure other methods too: one alone cannot be compared"


@pytest.mark.parametrize(
    ("needed", "command"), [(39, None), (40, None), (60, "adaptbench run trial.yaml --limit 60 --seeds 0,1,2")]
)
def test_no_step_asks_for_items_that_are_measured_already(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, needed: int, command: str | None
) -> None:
    """40 of 100 items are measured, with three seeds; training again would need so many items to be shown better."""
    records = [*seeds_of(tmp_path, "full", 36, 37, 35), method(tmp_path, "few-shot", 12, 40, query=0.3)]
    found = run(tmp_path, *records)
    choice = verdict(found)
    asked = replace(choice, again=replace(choice.again, seeds_needed=None, items_needed=needed))
    monkeypatch.setattr(steps, "_there", lambda run, verdict: 100)
    step = steps.next_step(found, asked)
    assert (step.command if step else None) == command


def test_a_choice_that_holds_needs_no_step(tmp_path: Path) -> None:
    records = [*seeds_of(tmp_path, "full", 36, 37, 35), method(tmp_path, "few-shot", 12, 40, query=0.3)]
    shown = headed(run(tmp_path, *records))
    assert shown.next_step is None
    assert dict(facts(shown, "EUR"))["training again"] == "better too"
    assert three_lines("mail", shown, "EUR")[-1] == "60 EUR a month (compute only); forgets not measured"


def test_a_bundled_suite_is_run_by_its_name(tmp_path: Path) -> None:
    records = [*seeds_of(tmp_path, "full", 36, 37), method(tmp_path, "few-shot", 12, 40, query=0.3)]
    step = headed(replace(run(tmp_path, *records), suite="quickstart")).next_step
    assert step is not None
    assert step.command == "adaptbench run quickstart --seeds 0,1,2,3,4"


def test_a_method_that_merely_leads_has_no_costs_beside_the_verdict(tmp_path: Path) -> None:
    shown = headed(undecided(tmp_path))
    assert {term for term, _ in facts(shown, "EUR")} == {
        "choice", "these checkpoints", "training again", "next step"
    }  # fmt: skip
    assert not any("cost" in line or "forgets" in line for line in three_lines("mail", shown, "EUR"))


def test_costs_too_small_to_matter_come_last(tmp_path: Path) -> None:
    records = [*seeds_of(tmp_path, "full", 36, 37, 35), method(tmp_path, "few-shot", 12, 40, query=0.3)]
    shown = headed(run(tmp_path, *records), queries_per_month=0.001, months=1e5)  # 50 EUR and 10 over 100,000 months
    assert three_lines("mail", shown, "EUR")[-1] == "forgets not measured; under 0.01 EUR a month (compute only)"
    terms = [term for term, _ in facts(shown, "EUR")]
    assert terms.index("forgets") < terms.index("cost a month (compute only)")
