"""How many rows a micro-batch has, and whether they are padded: by a timed trial on rows of the training itself.

The rule by width (`bench.model.budget.train_tokens`) keeps a micro-batch near the caches of a CPU. Some processors and
models gain by more rows, some by padded ones. A training that is long enough tries that before it begins: forward and
backward passes over a few of its rows, twice as many at once for as long as that gains. What the trial came to is kept
for the machine, so a rerun takes the same shape. The optimizer step keeps its size.
"""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Mapping, Sequence
from contextlib import nullcontext
from dataclasses import asdict
from typing import Any

import torch

from bench.core.training import ShapeTrial, TriedShape
from bench.model.memory import free_cached, is_out_of_memory
from bench.model.trials_kept import kept
from bench.training.batches import Arrangement, Pair, Pairs, collate, divisor
from bench.training.loss import arrangement_of, on, padded_arrangement_of, summed_loss
from bench.training.packed_attention import packed_attention

GAIN = 1.1  # times as many tokens a second as the best shape so far: less is noise
SHORTEST = 256  # times the rows of a micro-batch that a training must have: a trial takes 15 to 33 times those rows
_ROUNDS = 3  # over the same rows; the first pays for what is set up once and is not timed
_MOST_TIMES = 4  # rows of a micro-batch at most, as many times those by width: memory grows with them


def shape_trial(
    make: Callable[[], Any], pairs: Sequence[Pair], rows: int, batch_size: int, pad: int, bf16: bool,
    of: Mapping[str, Any],
) -> ShapeTrial:  # fmt: skip
    """The trial of a training on `pairs`, or what an earlier one came to on this machine.

    `make` gives the model to train; `rows`: of a micro-batch by width; `of`: what tells models and machines apart.
    """
    length = sorted(len(prompt) + len(answer) for prompt, answer in pairs)[len(pairs) // 2]
    about = {**of, "rows": rows, "batch_size": batch_size, "bf16": bf16, "tokens": 1 << (length - 1).bit_length()}
    start = time.perf_counter()
    result, known = kept("micro-batch", about, lambda: {"tried": _tried(make(), pairs, rows, batch_size, pad, bf16)})
    tried = tuple(TriedShape(**shape) for shape in result["tried"])
    return ShapeTrial(tried, 0.0 if known else time.perf_counter() - start)


def fastest(trial: ShapeTrial) -> TriedShape:
    """The shape to take; the first, which is the one by width, where no other gains enough."""
    best = trial.tried[0]
    for shape in trial.tried[1:]:
        best = shape if shape.times_as_fast >= GAIN * best.times_as_fast else best
    return best


def _tried(model: Any, pairs: Sequence[Pair], rows: int, batch_size: int, pad: int, bf16: bool) -> list[dict[str, Any]]:
    usual = arrangement_of(model)
    model.train()

    def rate(rows: int, arrangement: Arrangement) -> float:
        return 1 / _seconds_a_token(model, _of_middle_length(pairs, rows), arrangement, pad, bf16)

    packed = usual is Arrangement.PACKED
    with torch.random.fork_rng(devices=[]):  # dropout draws
        tried = [TriedShape(rows, packed, 1.0)]
        by_width = rate(rows, usual)
        if not by_width:  # memory does not even hold that
            return [asdict(tried[0])]
        while (more := divisor(batch_size, 2 * tried[-1].rows)) > tried[-1].rows and more <= _MOST_TIMES * rows:
            tried.append(TriedShape(more, packed, round(rate(more, usual) / by_width, 3)))
            if fastest(ShapeTrial(tuple(tried), 0.0)) is not tried[-1]:
                break
        if packed:
            most = fastest(ShapeTrial(tuple(tried), 0.0)).rows
            padded = rate(most, padded_arrangement_of(model))
            tried.append(TriedShape(most, False, round(padded / by_width, 3)))
    return [asdict(shape) for shape in tried]


def _of_middle_length(pairs: Sequence[Pair], count: int) -> list[dict[str, Any]]:
    """Rows of about the same length, as batches have them."""
    data = sorted(Pairs(pairs).rows, key=lambda row: len(row["input_ids"]))
    start = max(0, min(len(data) - count, len(data) // 2))
    return data[start : start + count]


def _seconds_a_token(
    model: Any, data: Sequence[dict[str, Any]], arrangement: Arrangement, pad: int, bf16: bool
) -> float:
    """Of a forward and backward pass over the rows at once, the fastest round; infinite where memory does not hold it.

    By the clock of the process where it computes in one thread: other work on the machine does not count there.
    """
    clock = time.process_time if torch.get_num_threads() == 1 else time.perf_counter
    best = math.inf
    for turn in range(_ROUNDS):
        start = clock()
        if not _pass(model, data, arrangement, pad, bf16):
            return math.inf
        if turn:
            best = min(best, clock() - start)
    return max(best, 1e-9) / sum(len(row["input_ids"]) for row in data)


def _pass(model: Any, data: Sequence[dict[str, Any]], arrangement: Arrangement, pad: int, bf16: bool) -> bool:
    """A forward and backward pass whose gradients are thrown away; whether memory held it."""
    try:
        with packed_attention(model) if arrangement is Arrangement.PACKED else nullcontext():
            batch = on(model.device, collate(data, pad, arrangement))
            with torch.autocast(model.device.type, torch.bfloat16, enabled=bf16):
                loss = summed_loss(model, batch)
            loss.backward()
        return True
    except Exception as error:  # the library's own errors differ by device: is_out_of_memory tells
        if not is_out_of_memory(error):
            raise
    finally:
        model.zero_grad(set_to_none=True)
    free_cached()
    return False
