"""What measuring costs: the same cell with and without its meter, in turns, in one process.

    python scripts/meter_overhead.py [pairs]

Without: phases are not timed, the floating-point operations of a batch are not counted, energy and memory are not read.
Prints the median ratio of the wall times of each pair, less one.
"""

from __future__ import annotations

import statistics
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict
from pathlib import Path
from typing import Any
from unittest import mock

import methods
from bench.cell.job import Job
from bench.cell.measure import measure
from bench.core.identity import Identity
from bench.core.phases import Phase, PhaseName
from bench.meters.phases import Meter
from bench.model.resolve import ModelSpec, resolve

PAIRS = 10
_COUNTS = ("bench.cell.measure.of_prediction", "bench.cell.measure.of_answers", "bench.adapt.gradient.of_training")
METHODS: tuple[tuple[str, dict[str, Any]], ...] = (
    ("zero-shot", {}),
    ("full", {"learning_rate": 1e-3, "max_steps": 40}),
)


class NoMeter(Meter):
    """Enters phases and measures nothing."""

    @contextmanager
    def phase(self, name: PhaseName) -> Iterator[None]:
        self.phases.setdefault(name, Phase(0.0, 0))
        yield

    def multiplied(self, name: PhaseName, flops: int) -> None:
        return


def main(pairs: int) -> None:
    """Time the pairs for each method and print the ratios."""
    for name, options in METHODS:
        with tempfile.TemporaryDirectory() as folder:
            job = _job(name, options, Path(folder))
            _once(job, metered=True)  # pays for what is imported and loaded once
            ratios = []
            for i in range(pairs):
                seconds = {metered: _once(job, metered) for metered in ((True, False) if i % 2 else (False, True))}
                ratios.append(seconds[True] / seconds[False] - 1)
            print(
                f"{name}: {statistics.median(ratios):+.1%} of {seconds[False]:.1f} s, median of {pairs} pairs",
                flush=True,
            )


def _once(job: Job, metered: bool) -> float:
    """Seconds of a cell."""
    counts = [mock.patch(name, return_value=None) for name in _COUNTS]
    start = time.perf_counter()
    if metered:
        measure(job, lambda *_: None)
    else:
        with mock.patch("bench.cell.measure.Meter", NoMeter), counts[0], counts[1], counts[2]:
            measure(job, lambda *_: None)
    return time.perf_counter() - start


def _job(name: str, options: dict[str, Any], out: Path) -> Job:
    method = methods.create(name, options)
    chosen = {**method.weights.options.model_dump(mode="json"), **method.context.options.model_dump(mode="json")}
    model = resolve(ModelSpec(path="tiny-random"))
    return Job(
        key="overhead", identity=Identity(), model={**asdict(model), "folder": str(model.folder)},
        task="support-intents", limit=None, train_size=None, probes=[], probe_limit=None,
        counterfactuals=0, checkpoints=0, adapter_scales=[], method=name, options=chosen, trials=3, chosen=None,
        suite_method=name, label=name, seed=0,
        embedder="none", device="cpu", batch_tokens=None, train_tokens=None, batch_size=None, out=str(out),
    )  # fmt: skip


if __name__ == "__main__":
    main(int(sys.argv[1]) if len(sys.argv) > 1 else PAIRS)
