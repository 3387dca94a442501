"""What an answer costs where it is served: latency one question at a time, and how much of it is looking things up.

Questions are asked one by one, as an interactive service would, after a few that warm up. Throughput is another
matter: it is items over seconds of the cell's own batched prediction.
"""

from __future__ import annotations

import time
from collections.abc import Sequence

import numpy as np
import torch

from bench.core.item import Item
from bench.core.measured import Latency
from bench.engine.predictor import ModelPredictor
from bench.model.devices import now

WARM_UP = 2  # questions asked before the clock starts
SAMPLE = 24  # questions timed: the 95th percentile of fewer says little
FEWEST, LONGEST_S = 8, 4.0  # a model that takes long is timed on fewer, and no longer than this; enough for a median


def latency(
    predictor: ModelPredictor, items: Sequence[Item], device: torch.device, cached: bool = True, most: int = SAMPLE
) -> Latency:
    """Latency at batch size 1 over up to `most` items; `cached`: a beginning that prompts share is kept.

    Where answers take long there are fewer, at least `FEWEST`: the record says how many.
    """
    alone = predictor.one_at_a_time()
    times: list[tuple[float, float]] = []
    until = time.monotonic() + LONGEST_S
    for item in items[: most + WARM_UP]:
        if len(times) >= FEWEST + WARM_UP and time.monotonic() > until:
            break
        times.append(_timed(alone, item, device, cached))
    kept = times[WARM_UP:] or times
    whole = [written + answered for written, answered in kept]
    p50, p95 = (float(value) for value in np.quantile(whole, (0.5, 0.95)))
    return Latency(p50, p95, float(np.median([written for written, _ in kept])), len(kept))


def _timed(predictor: ModelPredictor, item: Item, device: torch.device, cached: bool) -> tuple[float, float]:
    """Seconds to write the prompt and to answer it."""
    if not cached:
        predictor.backend.forget()
    start = now(device)
    prompts = predictor.writer.write([item])
    written = now(device)
    predictor.answer([item], prompts)
    return written - start, now(device) - written
