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


@dataclass
class CheckpointCallback(TrainerCallback):
    """Keeps what is trained at `count` equally spaced steps before the last, in `folder`, which its owner removes."""

    folder: Path
    count: int
    taken: list[tuple[int, Path]] = field(default_factory=list)  # (step, file)

    def on_train_begin(self, args: Any, state: Any, control: Any, **kwargs: Any) -> None:
        """Start anew: a training that ran out of memory is begun again."""
        self.folder.mkdir(parents=True, exist_ok=True)
        self.taken.clear()

    def on_step_end(self, args: Any, state: Any, control: Any, model: Any = None, **kwargs: Any) -> None:
        """Keep the weights of this step, where it is one of those."""
        steps = {round(state.max_steps * i / (self.count + 1)) for i in range(1, self.count + 1)}
        if state.global_step in steps and state.global_step < state.max_steps:
            file = self.folder / f"step-{state.global_step}.pt"
            torch.save(trained(model), file)
            self.taken.append((state.global_step, file))

    def each(self, model: Any) -> Iterator[int]:
        """The steps that were kept; while each is yielded, `model` has its weights, and afterwards its own again."""
        own = trained(model)
        for step, file in self.taken:
            _put(model, torch.load(file, map_location="cpu", weights_only=True))
            yield step
        _put(model, own)


def trained(model: Any) -> dict[str, torch.Tensor]:
    """A copy, in the host's memory, of every parameter that is trained."""
    return {name: p.detach().cpu().clone() for name, p in model.named_parameters() if p.requires_grad}


@torch.no_grad()
def _put(model: Any, weights: dict[str, torch.Tensor]) -> None:
    for name, parameter in model.named_parameters():
        if name in weights:
            parameter.copy_(weights[name])
