"""Values and names as short, harmless pieces of one line of a message."""

from __future__ import annotations

import json
from collections.abc import Iterable

_LONGEST_VALUE = 60  # characters of a value that is quoted in a line
_LONGEST_NAME = 200  # and of a name or a path


def plain(text: str) -> str:
    """`text` with every character that could move a terminal's cursor or colour written as an escape."""
    return "".join(c if c.isprintable() else c.encode("unicode_escape").decode() for c in text)


def json_text(content: object) -> str:
    """`content` as indented JSON for a terminal: what `plain` escapes is escaped as JSON does, and means the same."""
    lines = json.dumps(content, ensure_ascii=False, indent=1).split("\n")
    return "\n".join(line if line.isprintable() else "".join(map(_json_sign, line)) for line in lines)


def _json_sign(sign: str) -> str:
    return sign if sign.isprintable() else json.dumps(sign)[1:-1]


def shown(value: object) -> str:
    """`value` as a short, quoted, harmless piece of one line."""
    text = value if isinstance(value, str) else json.dumps(value, ensure_ascii=False, default=str)
    text = plain(clipped(text, _LONGEST_VALUE))
    return f'"{text}"' if isinstance(value, str) else text


def quoted(name: str) -> str:
    """A name or a path in quotes; of one that is too long, the beginning."""
    return f'"{plain(clipped(name))}"'


def clipped(text: str, longest: int = _LONGEST_NAME) -> str:
    """`text`, cut to `longest` characters, the last of them an ellipsis where something was cut."""
    return text if len(text) <= longest else text[: longest - 1] + "…"


def listed(names: Iterable[str], most: int = 12) -> str:
    """`names` joined by commas, the rest of a long list counted."""
    names = list(names)
    head = ", ".join(plain(clipped(name)) for name in names[:most])
    return head + (f", … ({len(names) - most} more)" if len(names) > most else "") or "none"
