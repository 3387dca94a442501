"""Templates with the columns of an item in them."""

from __future__ import annotations

import re
from typing import Any

_PLACEHOLDER = re.compile(r"\{\{|\}\}|\{([^{}\n]+)\}")


def fill(template: str, item: dict[str, Any], choices: list[str] | None = None) -> str:
    """A template with the columns of an item in it, and its choices where it names them."""
    values = {**item, **({"choices": "; ".join(choices)} if choices else {})}
    return _PLACEHOLDER.sub(lambda match: match[0][0] if match[1] is None else str(values[match[1]]), template)


def question(settings: dict[str, Any], item: dict[str, Any], choices: list[str] | None = None) -> str:
    """The item as it is asked: the filled template of `settings` without the spaces behind it."""
    return fill(settings["template"], item, choices).rstrip(" \t")
