"""JSON from files and answers that nobody vouches for."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any


def parse(text: str | bytes, pairs: Callable[[list[tuple[str, Any]]], Any] | None = None) -> Any:
    """The value of a JSON text; `pairs` makes that of an object.

    Raises:
        ValueError: no JSON, a number of thousands of digits, or lists and objects nested too deep to be read.
    """
    try:
        return json.loads(text, object_pairs_hook=pairs)
    except RecursionError:
        raise ValueError("nested too deep") from None


def without_halves(text: str) -> str:
    """`text` with U+FFFD for every half of a surrogate pair, which JSON can write and UTF-8 cannot."""
    return text if text.isascii() else text.encode("utf-16", "surrogatepass").decode("utf-16", "replace")
