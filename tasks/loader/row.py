"""One row of a table, which reports what is wrong with its cells."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, TypeVar

from bench.core.quoting import shown
from tasks.loader.problems import Problems
from tasks.loader.rows import text_of

T = TypeVar("T")
FILL_IN = "fill it in or remove the row"


@dataclass(frozen=True, slots=True)
class Row:
    """One row, which reports what is wrong with its cells."""

    cells: Mapping[str, Any]
    number: int
    file: str
    problems: Problems

    def complain(self, what: str, remedy: str) -> None:
        """Report a problem of this row."""
        self.problems.add(self.file, what, remedy, self.number)

    def converted(self, name: str, convert: Callable[[Any], T], remedy: str, has_fields: bool = False) -> T | None:
        """A cell as `convert` reads it; None, and a problem, where that raises TypeError.

        `has_fields`: of an object, a field may be named instead.
        """
        try:
            return convert(self.cells.get(name))
        except TypeError as error:
            if has_fields and str(error.args[0]).startswith("an object"):
                remedy = f"name one of them, such as {shown(f'{name}.text')}"
            self.complain(f"column {shown(name)} holds {error.args[0]}", remedy)
            return None

    def text(self, name: str) -> str | None:
        """A needed cell as text; None, and a problem, where it is empty or holds no text."""
        text = self.converted(name, lambda cell: text_of(cell) or "", "write plain text", has_fields=True)
        if text == "":
            self.complain(f"column {shown(name)} is empty", FILL_IN)
        return text or None
