"""How far an adapted model has moved from its base on the task's own prompts, whether its answers are right or not."""

from __future__ import annotations

from collections.abc import Sequence

from bench.engine.backend import LocalBackend
from bench.engine.prompts import Encoded

PROMPTS = 100  # at most


def divergence(adapted: LocalBackend, base: LocalBackend, prompts: Sequence[Encoded]) -> float | None:
    """Mean of KL(adapted ‖ base) over the first token of the answer, in nats; None without a prompt that fits.

    Both models read the same prompts. 0 where no weight has moved; large where the adapted model is sure of what the
    base would hardly have said.
    """
    fitting = [prompt for prompt in prompts if prompt.failure is None][:PROMPTS]
    if not fitting:
        return None
    total = 0.0
    for prompt in fitting:
        moved, before = (backend.next_token(prompt) for backend in (adapted, base))
        total += float((moved.exp() * (moved - before)).sum())
    return total / len(fitting)
