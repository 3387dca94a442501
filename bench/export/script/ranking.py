"""Which choice of an item comes first, by the rule that the method was measured with."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any


def best(
    rule: str, prompting: Any, score: Callable[[Any], list[float]], item: dict[str, Any], choices: list[str]
) -> str | None:
    """The choice; None where the prompt does not fit. `score`: log-likelihoods in nats of a prompt's choices."""
    prompt = prompting.write(item, choices, choices)
    if prompt is None:
        return None
    values = score(prompt)
    if rule == "tokens":
        values = [value / len(ids) for value, ids in zip(values, prompt.choices, strict=True)]
    if rule == "chars":
        values = [value / len(text) for value, text in zip(values, choices, strict=True)]
    if rule == "pmi":  # less the likelihood without the item
        priors = score(prompting.write(item, choices, choices, bare=True))
        values = [value - prior for value, prior in zip(values, priors, strict=True)]
    return choices[max(range(len(values)), key=lambda place: values[place])]
