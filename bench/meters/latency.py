"""What an answer costs where it is served: latency one question at a time, and how much of it is looking things up.

Questions are asked one by one, as an interactive service would, after the first token of one that warms up. Throughput
is another matter: it is items over seconds of the cell's own batched prediction.
"""

from __future__ import annotations

import math
import time
from collections.abc import Sequence

import numpy as np
import torch

from bench.core.item import Item
from bench.core.measured import TAIL_ITEMS, Latency
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
    times: list[tuple[float, float]] = []
    warm_up = WARM_UP if cached else 0  # nothing is kept, and the cached way was timed before
    start = time.perf_counter()
    warming = alone.shortened()
    for item in items[: most + warm_up]:
        if len(times) >= fewest + warm_up and time.perf_counter() - start + sum(times[-1]) > limit_s:
            break
        times.append(_timed(alone if len(times) >= warm_up else warming, item, device, cached))
    return _summed_up(times[warm_up:] or times)


def _summed_up(times: Sequence[tuple[float, float]]) -> Latency:
    whole = [written + answered for written, answered in times]
    p50, p95 = (float(value) for value in np.quantile(whole, (0.5, 0.95)))
    written_p50 = float(np.median([written for written, _ in times]))
    return Latency(p50, p95 if len(times) >= TAIL_ITEMS else None, written_p50, len(times))


def _timed(predictor: ModelPredictor, item: Item, device: torch.device, cached: bool) -> tuple[float, float]:
    """Seconds to write the prompt and to answer it."""
    if not cached:
        predictor.backend.forget()
    start = now(device)
    prompts = predictor.writer.write([item])
    written = now(device)
    predictor.answer([item], prompts)
    return written - start, now(device) - written
