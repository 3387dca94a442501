"""Shapes of micro-batches: what a timed trial decides, when there is one, and that it changes nothing but time."""

from __future__ import annotations

import dataclasses
import math
from pathlib import Path
from typing import Any

import pytest
import torch
from transformers import AutoModelForCausalLM

from bench.adapt import gradient
from bench.adapt.gradient import is_to_be_tried, setting_for
from bench.config.suite import load
from bench.core.errors import UsageError
from bench.core.phases import SIDE
from bench.core.training import ShapeTrial, TriedShape
from bench.training import shapes
from bench.training.batches import Arrangement, Pair
from bench.training.loss import arrangement_of, summed_loss
from bench.training.shapes import fastest, shape_trial
from bench.training.trainer import train
from tests.small import measure, write_suite
from tests.test_training import drawn, setting
from tests.toy import adapted, choice_task, session_of

PACKED, LEFT = Arrangement.PACKED, Arrangement.LEFT


@pytest.fixture(autouse=True)
def cache(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Path:
    monkeypatch.setenv("ADAPTBENCH_CACHE", str(tmp_path / "cache"))
    return tmp_path / "cache"


@pytest.fixture
def model(tiny_model: Path) -> Any:
    return AutoModelForCausalLM.from_pretrained(tiny_model)


def timed(
    monkeypatch: pytest.MonkeyPatch, model: Any, seconds: dict[tuple[int, Arrangement], float], batch_size: int = 16
) -> list[tuple[int, bool, float]]:
    """What a trial from two rows on comes to where a token takes these seconds; each is timed once, in their order."""
    asked = []

    def of(model: Any, data: Any, arrangement: Arrangement, pad: int, bf16: bool) -> float:
        asked.append((len(data), arrangement))
        return seconds[asked[-1]]

    monkeypatch.setattr(shapes, "_seconds_a_token", of)
    trial = shape_trial(lambda: model, drawn(40), 2, batch_size, 0, False, {"model": str(seconds)})
    assert asked == list(seconds)
    best = fastest(trial)
    return [(shape.rows, shape.packed, shape.times_as_fast) for shape in (best, *trial.tried)]


def test_twice_as_many_rows_for_as_long_as_that_gains(monkeypatch: pytest.MonkeyPatch, model: Any) -> None:
    seconds = {(2, PACKED): 8.0, (4, PACKED): 5.0, (8, PACKED): 4.0, (8, LEFT): 6.4}
    assert timed(monkeypatch, model, seconds) == [
        (8, True, 2.0), (2, True, 1.0), (4, True, 1.6), (8, True, 2.0), (8, False, 1.25),
    ]  # fmt: skip


def test_what_gains_little_is_left_as_it_is_by_width(monkeypatch: pytest.MonkeyPatch, model: Any) -> None:
    seconds = {(2, PACKED): 8.0, (4, PACKED): 7.5, (2, LEFT): 7.5}
    assert timed(monkeypatch, model, seconds)[0] == (2, True, 1.0)


def test_padded_rows_where_they_are_quicker(monkeypatch: pytest.MonkeyPatch, model: Any) -> None:
    seconds = {(2, PACKED): 8.0, (4, PACKED): 9.0, (2, LEFT): 4.0}
    assert timed(monkeypatch, model, seconds)[0] == (2, False, 2.0)


def test_a_shape_that_memory_does_not_hold_is_not_taken(monkeypatch: pytest.MonkeyPatch, model: Any) -> None:
    seconds = {(2, PACKED): 8.0, (4, PACKED): math.inf, (2, LEFT): math.inf}
    assert timed(monkeypatch, model, seconds) == [
        (2, True, 1.0), (2, True, 1.0), (4, True, 0.0), (2, False, 0.0),
    ]  # fmt: skip
    assert timed(monkeypatch, model, {(2, PACKED): math.inf})[0] == (2, True, 1.0)


def test_rows_divide_the_step(monkeypatch: pytest.MonkeyPatch, model: Any) -> None:
    seconds = {(2, PACKED): 8.0, (3, PACKED): 4.0, (6, PACKED): 2.0, (6, LEFT): 2.0}
    assert timed(monkeypatch, model, seconds, batch_size=6)[0] == (6, True, 4.0)


def test_memory_that_runs_out_is_a_shape_that_does_not_fit(monkeypatch: pytest.MonkeyPatch, model: Any) -> None:
    real = summed_loss

    def short(model: Any, batch: dict[str, Any]) -> Any:
        if len(batch["layout"].own) > 2:
            raise RuntimeError("DefaultCPUAllocator: can't allocate memory")
        return real(model, batch)

    monkeypatch.setattr(shapes, "summed_loss", short)
    trial = shape_trial(lambda: model, drawn(40), 2, 8, 0, False, {})
    assert [(shape.rows, shape.times_as_fast > 0) for shape in trial.tried[:2]] == [(2, True), (4, False)]


def test_a_trial_changes_neither_the_model_nor_what_is_drawn(model: Any) -> None:
    before = [parameter.detach().clone() for parameter in model.parameters()]
    state = torch.get_rng_state()
    trial = shape_trial(lambda: model, drawn(40), 2, 8, 0, False, {})
    assert trial.wall_s > 0
    assert all(shape.times_as_fast > 0 for shape in trial.tried)
    assert torch.equal(torch.get_rng_state(), state)
    for parameter, was in zip(model.parameters(), before, strict=True):
        assert torch.equal(parameter, was)
        assert parameter.grad is None


def test_a_rerun_takes_the_shape_of_the_first(model: Any, cache: Path) -> None:
    def again() -> Any:
        raise AssertionError("a model is loaded for a trial that is known")

    pairs = drawn(40)
    first = shape_trial(lambda: model, pairs, 2, 8, 0, False, {"model": "a"})
    assert shape_trial(again, pairs, 2, 8, 0, False, {"model": "a"}) == dataclasses.replace(first, wall_s=0.0)
    with pytest.raises(AssertionError, match="that is known"):
        shape_trial(again, pairs, 2, 8, 0, True, {"model": "a"})  # of another precision
    assert len(list((cache / "trials").iterdir())) == 1


def test_padded_rows_take_the_same_step(tiny_model: Path) -> None:
    made: list[Any] = []
    pairs: list[Pair] = [((5, 6, 7, *prompt), answer) for prompt, answer in drawn(8)]
    for padded in (False, True):
        model, outcome = train(
            lambda: AutoModelForCausalLM.from_pretrained(tiny_model), pairs, pairs[:4],
            setting(options={"batch_size": 8, "max_steps": 2}, padded=padded), lambda d, n: None,
        )  # fmt: skip
        assert outcome.packed is not padded
        assert arrangement_of(model) is (LEFT if padded else PACKED)  # for what is measured afterwards too
        made.append(model)
    for one, other in zip(*(model.parameters() for model in made), strict=True):
        torch.testing.assert_close(one, other, rtol=0, atol=3e-5)


@pytest.mark.parametrize(
    ("micro_batch", "train_tokens", "epochs", "held", "expected"),
    [
        ("auto", None, 200, {}, True),
        ("auto", None, 2, {}, False),  # short
        ("width", None, 200, {}, False),
        (2, None, 200, {}, False),
        ("auto", 64, 200, {}, False),  # the suite sets the rows by their tokens
        ("auto", None, 200, {"generate": 64}, False),  # memory ran out
    ],
)
def test_when_there_is_a_trial(
    tiny_model: Path, micro_batch: Any, train_tokens: int | None, epochs: int, held: dict[str, int], expected: bool
) -> None:
    session, method = session_of(
        choice_task(), "lora", {"epochs": epochs, "batch_size": 64, "learning_rate": 1e-3}, tiny_model
    )
    limits = dataclasses.replace(session.limits, micro_batch=micro_batch, train_tokens=train_tokens, held=held)
    session = dataclasses.replace(session, limits=limits)
    pairs = [([1] * 40, [2])] * 12  # by width 1,024 / 41 tokens: 16 rows divide 64
    made = setting_for(session, method, pairs)
    assert made.micro_batch == {2: 2, "auto": 16, "width": 16}[micro_batch] if train_tokens is None else 1
    assert is_to_be_tried(session, made, pairs) is expected


def test_a_training_in_the_fastest_shape(tiny_model: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(gradient, "SHORTEST", 0)
    known = ShapeTrial((TriedShape(16, True, 1.0), TriedShape(32, True, 1.4), TriedShape(32, False, 1.6)), 2.5)
    monkeypatch.setattr(gradient, "shape_trial", lambda *args: known)
    made = adapted(
        choice_task(), "full", {"max_steps": 2, "batch_size": 64, "learning_rate": 1e-3}, tiny_model,
        micro_batch="auto", train_tokens=None,
    )  # fmt: skip
    assert made.training is not None
    assert (made.training.micro_batch, made.training.packed, made.training.shape_trial) == (32, False, known)


def test_a_suite_pins_the_rows_and_the_trial_is_overhead(tmp_path: Path, task_folder: Path, tiny_model: Path) -> None:
    full = {"full": {"learning_rate": 1e-3, "max_steps": 300}}
    file = write_suite(tmp_path, tiny_model, methods=[full], engine={"micro_batch": 2})
    _, _, run = measure(file, tmp_path / "run")
    (record,) = run.records
    assert record.training is not None
    assert (record.training.micro_batch, record.training.shape_trial, "shape" in record.phases) == (2, None, False)
    assert "shape" in SIDE
    for wrong in (0, "wide"):
        with pytest.raises(UsageError, match=r"engine\.micro_batch"):
            load(write_suite(tmp_path, tiny_model, engine={"micro_batch": wrong}), {})
