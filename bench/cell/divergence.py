"""How far an adapted model has moved from its base on the task's own prompts, whether its answers are right or not."""

from __future__ import annotations

from collections.abc import Sequence

from torch import Tensor

from bench.engine.backend import LocalBackend
from bench.engine.prompts import Encoded

PROMPTS = 16  # at most


def next_tokens(backend: LocalBackend, prompts: Sequence[Encoded]) -> Tensor | None:
    """Log-probabilities of an answer's first token, [prompts, vocabulary], in nats; None without a prompt that fits."""
    fitting = [prompt for prompt in prompts if prompt.failure is None][:PROMPTS]
    return backend.outputs(fitting).log_softmax(-1) if fitting else None


def divergence(moved: Tensor, before: Tensor) -> float:
    """Mean of KL(adapted ‖ base) over prompts, in nats, of what both say to the same ones [prompts, vocabulary].

    0 where no weight has moved; large where the adapted model is sure of what the base would hardly have said.
    """
    return float((moved.exp() * (moved - before)).sum(-1).mean())
