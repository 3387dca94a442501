"""What the steps of a training spend their time on, measured on a few of them.

A GPU works behind the program's back: a part's time is known only when both wait for each other around it. That costs
a little, so only some steps are measured, and not the first ones, which pay for what is set up once.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import torch
from transformers import TrainerCallback

from bench.core.training import StepSeconds
from bench.model.devices import now

FIRST, LAST = 3, 22  # steps that are measured, counted from 1


class StepTimer(TrainerCallback):
    """Seconds of the parts of optimizer steps. The trainer calls `begin` and enters `part`; the rest it is told."""

    def __init__(self, device: torch.device) -> None:
        self._device = device
        self._seconds: defaultdict[str, float] = defaultdict(float)
        self._steps = 0
        self._began: float | None = None  # None: this step is not measured
        self._stepping = 0.0

    def begin(self, step: int) -> None:
        """A step begins, with getting its data."""
        self._began = now(self._device) if FIRST <= step <= LAST else None

    @contextmanager
    def part(self, name: str) -> Iterator[None]:
        """Count the block's time to a part."""
        if self._began is None:
            yield
            return
        start = now(self._device)
        yield
        self._seconds[name] += now(self._device) - start

    def on_pre_optimizer_step(self, args: Any, state: Any, control: Any, **kwargs: Any) -> None:
        self._stepping = now(self._device) if self._began is not None else 0.0

    def on_optimizer_step(self, args: Any, state: Any, control: Any, **kwargs: Any) -> None:
        if self._began is not None:
            self._seconds["optimizer"] += now(self._device) - self._stepping

    def on_step_end(self, args: Any, state: Any, control: Any, **kwargs: Any) -> None:
        if self._began is not None:
            self._seconds["step"] += now(self._device) - self._began
            self._steps += 1
            self._began = None

    def so_far(self) -> dict[str, Any]:
        """The state of this between two steps, as a JSON value, for `go_on`."""
        return {"seconds": dict(self._seconds), "steps": self._steps}

    def go_on(self, state: dict[str, Any]) -> None:
        """Go on from the state of an earlier attempt."""
        self._seconds = defaultdict(float, state["seconds"])
        self._steps = state["steps"]

    def means(self) -> StepSeconds | None:
        """Seconds of each part of a step; None for a training too short to measure."""
        if not self._steps:
            return None
        total = self._seconds
        whole, both = total["step"], total["forward and backward"]
        seconds = {"data": total["data"], "forward": total["forward"], "backward": both - total["forward"]}
        seconds["optimizer"] = total["optimizer"]
        seconds["other"] = whole - sum(seconds.values())
        return StepSeconds(self._steps, **{name: value / self._steps for name, value in seconds.items()})
