"""What a training was worth half way: its weights at some steps, kept on disk while it runs and looked at afterwards.

So learning can be set against forgetting. Keeping is part of the training's time, looking is not.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import torch
from transformers import TrainerCallback

from bench.core.atomic import sync
from bench.core.trained_tensors import trained_tensors


@dataclass
class CheckpointCallback(TrainerCallback):
    """Keeps what is trained at `count` equally spaced steps before the last, in `folder`, which its owner removes."""

    folder: Path
    count: int
    taken: list[tuple[int, Path]] = field(default_factory=list)  # (step, file)

    def on_train_begin(self, args: Any, state: Any, control: Any, **kwargs: Any) -> None:
        """Start anew: a training that ran out of memory is begun again. One that goes on has its files so far."""
        self.folder.mkdir(parents=True, exist_ok=True)
        self.taken[:] = [(step, self._file(step)) for step in sorted(self._steps(state)) if step <= state.global_step]

    def on_step_end(self, args: Any, state: Any, control: Any, model: Any = None, **kwargs: Any) -> None:
        """Keep the weights of this step, where it is one of those."""
        if state.global_step in self._steps(state):
            file = self._file(state.global_step)
            torch.save(trained(model), file)
            sync(file)
            self.taken.append((state.global_step, file))

    def _steps(self, state: Any) -> set[int]:
        spaced = {round(state.max_steps * i / (self.count + 1)) for i in range(1, self.count + 1)}
        return {step for step in spaced if 0 < step < state.max_steps}

    def _file(self, step: int) -> Path:
        return self.folder / f"step-{step}.pt"

    def each(self, model: Any) -> Iterator[int]:
        """The steps that were kept; while each is yielded, `model` has its weights, and afterwards its own again."""
        own = trained(model)
        for step, file in self.taken:
            put(model, torch.load(file, map_location="cpu", weights_only=True))
            yield step
        put(model, own)


def trained(model: Any) -> dict[str, torch.Tensor]:
    """A copy, in the host's memory, of all that training changes."""
    return {name: tensor.detach().cpu().clone() for name, tensor in trained_tensors(model).items()}


@torch.no_grad()
def put(model: Any, weights: dict[str, torch.Tensor]) -> None:
    """Give parameters and statistics, by name, the values that `trained` copied."""
    for name, tensor in (*model.named_parameters(), *model.named_buffers()):
        if name in weights:
            tensor.copy_(weights[name])
