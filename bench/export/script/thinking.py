"""A thought before an answer, where the method was measured with thinking."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any


def think(
    write: Callable[[list[int], list[str], int], str], prompting: Any, thinking: dict[str, Any], prompt: list[int]
) -> list[int]:
    """The ids of a prompt with a thought behind it, which is closed."""
    text = write(prompt, [thinking["close"]], thinking["tokens"])
    end = prompting.tokenizer.decode(prompt[-16:], skip_special_tokens=False)
    begun = end.rfind(thinking["open"]) > end.rfind(thinking["close"]) or text.startswith(thinking["open"])
    told = (text if begun else f"{thinking['open']}\n") + thinking["ending"]
    return [*prompt, *prompting.tokens(told)]
