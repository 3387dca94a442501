"""What requests used, as the endpoint says, or as far as it can be known."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, TypeGuard

from bench.core.measured import TokensUsed

CHARS_PER_TOKEN = 3.0  # where nothing better is known: a little less than of English, so that budgets hold


def usage_of(content: Mapping[str, Any], most_output: int, characters: int) -> TokensUsed:
    """The usage that an answer reports; an estimate from `characters` of the prompt where it cannot be right.

    It cannot be where a number is missing, negative or none at all, where more was cached than asked, nothing was read,
    or more was written than `most_output` allows.
    """
    said = content.get("usage")
    said = said if isinstance(said, Mapping) else {}
    prompt = said.get("prompt_tokens", said.get("input_tokens"))
    output = said.get("completion_tokens", said.get("output_tokens", 0 if most_output == 0 else None))
    details = said.get("prompt_tokens_details") or said.get("input_tokens_details") or {}
    cached = (details.get("cached_tokens") or 0) if isinstance(details, Mapping) else None
    if not (_is_count(prompt) and _is_count(output) and _is_count(cached)):
        return estimate(characters, most_output)
    if prompt == 0 or cached > prompt or output > most_output:
        return estimate(characters, most_output)
    return TokensUsed(1, prompt, cached, output)


def _is_count(value: object) -> TypeGuard[int]:
    return isinstance(value, int) and not isinstance(value, bool) and value >= 0


def estimate(characters: int, most_output: int) -> TokensUsed:
    """What a request of so many characters may use at most, as far as that can be known before it is sent."""
    return TokensUsed(1, round(characters / CHARS_PER_TOKEN) + 1, 0, most_output, 1)
