"""What is wrong with a task, gathered so that everything can be said at once."""

from __future__ import annotations

import json
from collections.abc import Iterable

from bench.core.errors import TaskError

MAX_LINES = 20
_MAX_SHOWN = 60  # characters of a value quoted in a line


def plain(text: str) -> str:
    """`text` with every character that could move a terminal's cursor or colour written as an escape."""
    return "".join(c if c.isprintable() else c.encode("unicode_escape").decode() for c in text)


def shown(value: object) -> str:
    """`value` as a short, quoted, harmless piece of one line."""
    text = value if isinstance(value, str) else json.dumps(value, ensure_ascii=False, default=str)
    text = plain(text if len(text) <= _MAX_SHOWN else text[: _MAX_SHOWN - 1] + "…")
    return f'"{text}"' if isinstance(value, str) else text


def listed(names: Iterable[str], most: int = 12) -> str:
    """`names` joined by commas, the rest of a long list counted."""
    names = list(names)
    head = ", ".join(plain(name) for name in names[:most])
    return head + (f", … ({len(names) - most} more)" if len(names) > most else "") or "none"


class Problems:
    """Collects problems; the same problem in many rows of a file is one line that counts them."""

    def __init__(self) -> None:
        self._rows: dict[tuple[str, str, str], list[int]] = {}

    def __len__(self) -> int:
        return len(self._rows)

    @property
    def full(self) -> bool:
        """Whether further lines will only be counted, so that costly hints can be left out."""
        return len(self._rows) > MAX_LINES

    def add(self, file: str, what: str, remedy: str, row: int | None = None) -> None:
        """Add one problem; `row` counts data rows from 1."""
        rows = self._rows.setdefault((file, what, remedy), [])
        if row is not None:
            rows.append(row)

    def lines(self) -> list[str]:
        """One line each, `file:row: what; remedy`; at most MAX_LINES and a count of the rest."""
        lines = [_line(*key, rows) for key, rows in list(self._rows.items())[:MAX_LINES]]
        hidden = len(self._rows) - len(lines)
        return [*lines, f"(+{hidden} more)"] if hidden else lines

    def check(self) -> None:
        """Raise TaskError with every line where there is a problem."""
        if self:
            raise TaskError(self.lines())


def _line(file: str, what: str, remedy: str, rows: list[int]) -> str:
    where = f"{file}:{rows[0]}" if rows else file
    also = rows[1:4]
    more = f" (also row{'s' if len(rows) > 2 else ''} {', '.join(map(str, also))}" if also else ""
    more += f" and {len(rows) - 4} more" if len(rows) > 4 else ""
    return plain(f"{where}: {what}{more}{')' if also else ''}; {remedy}")
