"""What is measured in addition to training and answering: its budget, its samples, and what a suite turns off."""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import nullcontext
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from bench.cell import budget, side_evals
from bench.config.suite import MeasureSettings
from bench.core.errors import UsageError
from bench.core.item import Item
from bench.core.measured import Latency
from bench.core.method import Context
from bench.core.phases import Phase, PhaseName
from bench.core.record import Record
from bench.core.training import Training
from bench.meters import latency
from bench.report.tables import notes
from tests.small import cells_of, measure, write_suite

CPU = torch.device("cpu")


def phases(**seconds: float) -> dict[PhaseName, Phase]:
    return {name: Phase(each, 0) for name, each in seconds.items()}  # type: ignore[misc]


@pytest.mark.parametrize(
    ("seconds", "side_s", "left"),
    [
        ({"train": 60.0, "predict": 30.0}, 0.0, 30.0),  # 30 beside 90 is a quarter of 120
        ({"train": 60.0, "predict": 30.0, "overfit": 4.0, "count": 1.0}, 0.0, 25.0),
        ({"train": 60.0}, 15.0, 0.0),  # 45 of work allow for 15, which validation losses took
        ({"predict": 3.0, "serve": 2.0}, 0.0, -1.0),
        ({}, 0.0, 0.0),
    ],
)
def test_what_is_left_by_hand(seconds: dict[str, float], side_s: float, left: float) -> None:
    assert budget.left_s(phases(**seconds), side_s) == pytest.approx(left)


def test_seconds_taken_over_from_an_earlier_cell_allow_for_nothing() -> None:
    taken_over = {"index": Phase(100.0, 0, reused_s=97.0)}
    assert budget.left_s(taken_over) == pytest.approx(1.0)  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("trained", "way", "seconds"),
    [(9.0, "unmerged", 0.375), (9.0, "served", 1.5), (9.0, "uncached", 3.0), (900.0, "served", 10.0)],
)
def test_seconds_for_a_way_of_serving_by_hand(trained: float, way: Any, seconds: float) -> None:
    meter: Any = SimpleNamespace(phases=phases(train=trained), side_s=0.0)
    assert budget.for_latency(meter, way) == pytest.approx(seconds)


class Slow:
    """A predictor whose answers take the given seconds on a clock made by hand."""

    def __init__(self, clock: list[float], seconds: Sequence[float]) -> None:
        self.clock, self.seconds, self.answered = clock, list(seconds), 0
        self.writer = SimpleNamespace(write=lambda items: items, context=Context())

    def one_at_a_time(self) -> Slow:
        return self

    def shortened(self) -> Slow:
        return self

    def answer(self, items: Sequence[Item], prompts: object) -> None:
        self.clock[0] += self.seconds[self.answered]
        self.answered += 1


def timed(monkeypatch: pytest.MonkeyPatch, seconds: Sequence[float], **given: Any) -> Latency:
    clock = [100.0]
    monkeypatch.setattr("time.perf_counter", lambda: clock[0])
    items = [Item(str(place), {}) for place in range(len(seconds))]
    return latency.latency(Slow(clock, seconds), items, CPU, **given)  # type: ignore[arg-type]


def test_no_question_is_begun_that_would_end_too_late(monkeypatch: pytest.MonkeyPatch) -> None:
    # after warming up (9 s) and four of 1 s, a fifth would end at 14 s
    found = timed(monkeypatch, [9.0, *[1.0] * 10], limit_s=13.5)
    assert (found.questions, found.p50, found.p95) == (4, 1.0, None)


def test_two_questions_are_timed_however_long_they_take(monkeypatch: pytest.MonkeyPatch) -> None:
    found = timed(monkeypatch, [50.0, 10.0, 30.0, 20.0, 10.0], limit_s=-1.0)
    assert (found.questions, found.p50, found.p95) == (2, 20.0, None)


def test_twenty_where_the_tail_is_required(monkeypatch: pytest.MonkeyPatch) -> None:
    found = timed(monkeypatch, [1.0, *[float(n) for n in range(1, 25)]], limit_s=0.0, fewest=20)
    assert found.questions == 20
    assert found.p95 == pytest.approx(19.05)  # of 1 to 20, linear between the 19th and the 20th


@pytest.mark.parametrize(
    ("predicted", "served_s", "ways"),
    [(3.0, 0.9, ["served", "uncached"]), (3.0, 1.1, ["served"]), (0.0, 0.04, ["served", "uncached"])],
)
def test_latency_without_a_cache_is_left_out_where_the_budget_is_spent(
    monkeypatch: pytest.MonkeyPatch, predicted: float, served_s: float, ways: list[Any]
) -> None:
    """A quarter of 4 s is 1 s; what takes no twentieth of a second is never left out."""
    monkeypatch.setattr(side_evals, "latency", lambda *args, **kwargs: Latency(served_s, None, 0.0, 1))
    meter: Any = SimpleNamespace(
        phases=phases(predict=predicted), side_s=0.0, device=CPU, phase=lambda name: nullcontext()
    )
    job: Any = SimpleNamespace(turned_off=[], times_tail=False)
    task: Any = SimpleNamespace(test=())
    evals = side_evals.SideEvals(job, task, None, meter, lambda *args: None)  # type: ignore[arg-type]
    for way in ("served", "uncached"):
        evals.serve(way, None)  # type: ignore[arg-type]
    assert list(evals.latency) == ways
    assert evals.left_out == ([] if "uncached" in ways else ["latency without the prefix cache"])


def test_what_is_beyond_the_budget_is_said(task_folder: Path, tmp_path: Path, tiny_model: Path) -> None:
    _, _, run = measure(write_suite(tmp_path, tiny_model, methods=["zero-shot"]), tmp_path / "run")
    over = replace(run.records[0], over_budget=("latency without the prefix cache",))
    said = [note for table in notes.tables(replace(run, records=(over, over)), []) for note in table.notes]
    assert "latency without the prefix cache: of 2 cells, a quarter of whose time was spent" in said


@pytest.mark.parametrize(
    ("setting", "train", "validation", "expected"),
    [
        ("auto", 96, 128, 32),
        ("auto", 30, 128, 16),  # not fewer
        ("auto", 30, 16, None),  # all there are
        ("auto", 6000, 3000, 200),  # not more
        (128, 48, 128, None),
        (50, 48, 128, 50),
    ],
)
def test_validation_items_by_hand(setting: Any, train: int, validation: int, expected: int | None) -> None:
    assert MeasureSettings(validation_items=setting).validation_sample(train, validation) == expected


@given(st.integers(0, 10**6), st.integers(0, 10**6))
def test_a_sample_is_smaller_than_its_split(train: int, validation: int) -> None:
    sampled = MeasureSettings().validation_sample(train, validation)
    assert sampled is None or 16 <= sampled < validation
    assert sampled is not None or validation <= max(16, train // 3, 200)


@pytest.mark.parametrize(("written", "read"), [("off", "off"), (False, "off"), ("on", "on"), (True, "on")])
def test_switches(written: object, read: str) -> None:
    assert MeasureSettings.model_validate({"latency": written}).latency == read


@pytest.mark.parametrize(
    ("given_", "line"),
    [
        ({"latency": "of"}, 'measure.latency is "of" (did you mean "off"?); allowed: on or off'),
        ({"latncy": "off"}, 'unknown key "measure.latncy" (did you mean "latency"?)'),
        ({"validation_items": 0}, "measure.validation_items is 0; it must be auto or greater than 0"),
    ],
)
def test_what_cannot_be_is_said(
    task_folder: Path, tmp_path: Path, tiny_model: Path, given_: dict[str, Any], line: str
) -> None:
    with pytest.raises(UsageError) as caught:
        cells_of(write_suite(tmp_path, tiny_model, measure=given_))
    assert line in str(caught.value)


def test_a_sample_is_part_of_the_keys_of_what_learns(task_folder: Path, tmp_path: Path, tiny_model: Path) -> None:
    file = write_suite(tmp_path, tiny_model)
    whole, *cut = ({cell.label: cell for cell in cells_of(file, measure=each)[1]} for each in (
        {"latency": "off"}, {"validation_items": 3}, {"validation_items": 4}))  # fmt: skip
    plain = {cell.label: cell for cell in cells_of(file)[1]}
    assert {label: cell.key for label, cell in plain.items()} == {label: cell.key for label, cell in whole.items()}
    assert "validation_items" not in plain["full"].identity.content()
    assert [cells["full"].identity.validation_items for cells in cut] == [3, 4]
    assert len({cells["full"].key for cells in (plain, *cut)}) == 3
    assert len({cells["zero-shot"].key for cells in (plain, *cut)}) == 1


def test_what_is_turned_off_is_not_measured_and_said(task_folder: Path, tmp_path: Path, tiny_model: Path) -> None:
    off = {"latency": False, "training_items": "off", "flop_check": "off", "validation_items": 3}
    methods = [{"lora": {"learning_rate": [1e-3, 1e-2], "max_steps": 4, "rank": 2}}, {"head": {"c": 1.0}}]
    _, _, run = measure(write_suite(tmp_path, tiny_model, methods=methods, measure=off), tmp_path / "run")
    for record in run.records:
        assert record.turned_off == ("latency", "training_items", "flop_check")
        assert (record.latency, record.on_train, record.flop_check) == ({}, {}, {})
        assert record.phases["predict"].flops  # worked out, which takes no time
        assert record.identity.validation_items == 3
    lora = run.records[0]
    assert not {"serve"} & set(lora.phases)
    assert lora.training
    assert lora.tuning
    assert (lora.training.loss.train, lora.training.loss.gap) == (None, None)
    assert lora.training.loss.validation == lora.training.best_validation_loss
    assert lora.tuning.items == 3
    said = [note for table in notes.tables(run, []) for note in table.notes]
    assert "check of FLOPs, latency, training items: turned off by `measure` of the suite" in said


def test_validation_losses_are_no_training_time(task_folder: Path, tmp_path: Path, tiny_model: Path) -> None:
    _, _, run = measure(write_suite(tmp_path, tiny_model), tmp_path / "run")
    full = run.records[2]
    assert full.training
    assert 0 < (full.training.validation_s or 0) < full.phases["train"].wall_s
    by_hand = Record("k", "m", "t", "full", 0, "ok", "", phases=phases(train=10.0, predict=3.0),
                     training=Training(validation_s=4.0))  # fmt: skip
    assert (by_hand.wall_s("train"), by_hand.wall_s("predict")) == (6.0, 3.0)
    assert replace(by_hand, training=None).wall_s("train") == 10.0
