"""Latency is of questions asked one at a time, after some that warm up."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch

from bench.engine.backend import local
from bench.meters.latency import FEWEST, SAMPLE, WARM_UP, latency
from tests.toy import adapted, blind, choice_task


@pytest.mark.parametrize(("items", "most", "timed"), [(40, SAMPLE, SAMPLE), (40, FEWEST, FEWEST), (5, SAMPLE, 3)])
def test_so_many_questions_are_timed(tiny_model: Path, items: int, most: int, timed: int) -> None:
    task = choice_task(test=items)
    predictor = adapted(task, "few-shot", {"k": 2}, tiny_model).predictor
    asked: list[int] = []
    local(predictor.backend).model.register_forward_pre_hook(lambda module, given: asked.append(1))
    found = latency(predictor, blind(task.test), torch.device("cpu"), most=most)
    assert found.questions == timed == min(items, most + WARM_UP) - WARM_UP
    assert len(asked) >= min(items, most + WARM_UP)  # at least a pass for each
    assert 0 < found.retrieval_p50 < found.p50 <= found.p95
