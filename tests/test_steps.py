"""Where the time of a training step goes."""

from __future__ import annotations

from dataclasses import astuple
from pathlib import Path
from typing import Any

import pytest
import torch

from bench.core.training import StepSeconds
from bench.training.step_timer import FIRST, LAST, StepTimer
from tests.toy import adapted, choice_task


def test_parts_by_hand(monkeypatch: pytest.MonkeyPatch) -> None:
    watch = StepTimer(torch.device("cpu"))
    clock = iter([0.0, 0.0, 1.0, 1.0, 2.0, 5.0, 12.0, 13.0, 15.0, 20.0])
    monkeypatch.setattr(watch, "_now", lambda: next(clock))
    step: list[Any] = [None, None, None]
    for number in (FIRST - 1, FIRST):
        watch.begin(number)  # 0
        with watch.part("data"):  # 0 to 1
            pass
        with watch.part("forward and backward"), watch.part("forward"):  # 1 to 12, and 2 to 5
            pass
        watch.on_pre_optimizer_step(*step)  # 13
        watch.on_optimizer_step(*step)  # 15
        watch.on_step_end(*step)  # 20
    assert watch.means() == StepSeconds(steps=1, data=1, forward=3, backward=8, optimizer=2, other=6)


def test_a_training_is_measured_but_for_its_first_steps(tiny_model: Path) -> None:
    options = {"batch_size": 4, "learning_rate": 1e-3}
    long, short = (adapted(choice_task(), "full", {**options, "max_steps": n}, tiny_model).training for n in (5, 2))
    assert long
    assert long.step_seconds
    assert long.step_seconds.steps == 5 - FIRST + 1 <= LAST
    assert all(seconds > 0 for seconds in astuple(long.step_seconds))
    assert short
    assert short.step_seconds is None


def test_what_is_kept_is_counted(tiny_model: Path) -> None:
    quick = {"max_steps": 1, "batch_size": 4, "learning_rate": 1e-3}
    full, lora, zero = (
        adapted(choice_task(), name, options, tiny_model).parameters
        for name, options in (("full", quick), ("lora", {**quick, "rank": 2}), ("zero-shot", {}))
    )
    assert full.stored_bytes == 4 * 115_200 == 4 * full.total
    assert 0 < (lora.stored_bytes or 0) == 4 * lora.trained < full.stored_bytes / 10
    assert zero.stored_bytes == 0
