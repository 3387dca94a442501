"""What is wrong with a task, gathered so that everything can be said at once."""

from __future__ import annotations

from bench.core.errors import TaskError
from bench.core.quoting import plain

MAX_LINES = 20


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
