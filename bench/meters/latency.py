"""What an answer costs where it is served: latency one question at a time, and how much of it is looking things up.

Questions are asked one by one, as an interactive service would, after the first token of one that warms up. Throughput
is another matter: it is items over seconds of the cell's own batched prediction.
"""

from __future__ import annotations

import math
import time
from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
import torch

from bench.core.item import Item
from bench.core.measured import TAIL_ITEMS, Latency
from bench.core.search import TwoStages
from bench.engine.predictor import ModelPredictor
from bench.model.devices import now

WARM_UP = 1  # questions asked before the clock starts
SAMPLE = 24  # questions timed where a tail is wanted
FEW = 8  # enough for a median
FEWEST = 2  # however long they take, and in addition to one that warms up


def latency(
    predictor: ModelPredictor,
    items: Sequence[Item],
    device: torch.device,
    cached: bool = True,
    *,
    fewest: int = FEWEST,
    most: int = SAMPLE,
    limit_s: float = math.inf,
) -> Latency:
    """Latency at batch size 1 over up to `most` items; `cached`: a beginning that prompts share is kept.

    No question is begun that would take the whole beyond `limit_s`, but for the first `fewest`: the record says how
    many were timed.
    """
    alone = predictor.one_at_a_time()
    times: list[_Times] = []
    warm_up = WARM_UP if cached else 0  # nothing is kept, and the cached way was timed before
    start = time.perf_counter()
    warming = alone.shortened()
    for item in items[: most + warm_up]:
        if len(times) >= fewest + warm_up and time.perf_counter() - start + times[-1].whole > limit_s:
            break
        times.append(_timed(alone if len(times) >= warm_up else warming, item, device, cached))
    return _summed_up(times[warm_up:] or times)


class _Times(NamedTuple):
    """Seconds of one question."""

    written: float  # to find and write its prompt
    answered: float
    second_stage: float | None  # of `written`; None where there is none

    @property
    def whole(self) -> float:
        return self.written + self.answered


def _summed_up(times: Sequence[_Times]) -> Latency:
    p50, p95 = (float(value) for value in np.quantile([each.whole for each in times], (0.5, 0.95)))
    written_p50 = float(np.median([each.written for each in times]))
    staged = [each.second_stage for each in times if each.second_stage is not None]
    stage_p50 = float(np.median(staged)) if staged else None
    return Latency(p50, p95 if len(times) >= TAIL_ITEMS else None, written_p50, len(times), stage_p50)


def _timed(predictor: ModelPredictor, item: Item, device: torch.device, cached: bool) -> _Times:
    """Seconds to write the prompt, those of a second stage among them, and to answer it."""
    if not cached:
        predictor.backend.forget()
    index = getattr(predictor.writer.context, "index", None)
    staged = index if isinstance(index, TwoStages) else None
    before = staged.seconds if staged else 0.0
    start = now(device)
    prompts = predictor.writer.write([item])
    written = now(device)
    predictor.answer([item], prompts)
    return _Times(written - start, now(device) - written, staged.seconds - before if staged else None)
