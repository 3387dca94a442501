"""Timings as ratios: how long the work takes, in the time of a reference kernel measured beside it.

Seconds say as much of the machine as of the code: another processor, a busy neighbour or a processor that has grown
warm move them by tens of percent, which hides what a change of ours does. A kernel that no change of ours touches,
timed in the same process right before and right after each round, is moved in the same way, so that the ratio of both
stays (the benchmarks are to be compared over machines and months, not raced). Since processors differ in what they are
good at, there is a kernel for each kind of work: small products in torch, arrays in numpy, objects in Python.
"""

from __future__ import annotations

import statistics
import time
from collections.abc import Callable
from itertools import pairwise
from typing import Any

import numpy as np

Kernel = Callable[[], object]
ROUNDS, WARM_UP = 25, 3


def in_torch() -> object:
    """Sixty small layers: products [32, 64] × [64, 192] and back, as in the tiny model; dispatch is most of it."""
    import torch

    with torch.inference_mode():
        x, up, down = torch.ones(32, 64), torch.full((64, 192), 0.01), torch.full((192, 64), 0.01)
        for _ in range(60):
            x = torch.nn.functional.silu(x @ up) @ down
        return x


def in_numpy() -> object:
    """Draw, count and multiply: 100 resamples of 1,000 units."""
    rng = np.random.Generator(np.random.PCG64(0))
    drawn = rng.integers(1000, size=(100, 1000)) + 1000 * np.arange(100)[:, None]
    counts = np.bincount(drawn.ravel(), minlength=100_000).reshape(100, 1000).astype(np.float64)
    return counts @ np.ones((1000, 2))


def in_python() -> object:
    """Lists, tuples and a dictionary of 3,000 objects."""
    found: dict[int, list[tuple[int, str]]] = {}
    for number in range(3000):
        found.setdefault(number % 97, []).append((number, str(number)))
    return [sorted(one, key=lambda pair: pair[1]) for one in found.values()]


def seconds(work: Kernel, count: int = 1) -> float:
    """The mean time of `count` calls one after the other."""
    start = time.perf_counter()
    for _ in range(count):
        work()
    return (time.perf_counter() - start) / count


def measure(benchmark: Any, work: Callable[[], object], kernel: Kernel) -> None:
    """Time `work` and put ratios in the place of the fixture's seconds, so that all it writes and compares is ratios.

    Each round is divided by the mean of the kernel's times before and after it. The kernel is called so often that it
    takes about as long as the work: what is shorter gets through between two interruptions more often.
    """
    if benchmark.disabled:
        work()
        return
    count = max(1, round(min(seconds(work) for _ in range(WARM_UP)) / min(seconds(kernel) for _ in range(WARM_UP))))
    beside: list[float] = []
    benchmark.pedantic(work, setup=lambda: beside.append(seconds(kernel, count)), rounds=ROUNDS)
    beside.append(seconds(kernel, count))
    timed = benchmark.stats.stats
    benchmark.extra_info.update(
        unit="times the kernel", kernel=kernel.__name__, kernel_s=statistics.median(beside),
        work_s=statistics.median(timed.data),
    )  # fmt: skip
    timed.data = [own / ((a + b) / 2) for own, (a, b) in zip(timed.data, pairwise(beside), strict=True)]
