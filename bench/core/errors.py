"""Every error adaptbench raises on purpose: one tree, one sentence each, one exit code each.

Imported by `bench`, `methods` and `tasks`; imports no package.
"""

from __future__ import annotations

import difflib
from collections.abc import Iterable

from bench.core.quoting import listed, quoted


class AdaptbenchError(Exception):
    """Anything adaptbench raises on purpose; the command line prints it as one line."""

    exit_code = 70
    kind = "internal"


class UsageError(AdaptbenchError):
    """The user asked for something that cannot be: a typo, a missing file, an option out of range."""

    exit_code = 2
    kind = "usage"


class TaskError(UsageError):
    """A task folder is wrong; every problem found is listed, one line each."""

    kind = "task"

    def __init__(self, problems: str | Iterable[str]) -> None:
        self.problems = [problems] if isinstance(problems, str) else list(problems)
        super().__init__("\n".join(self.problems))


class CellError(AdaptbenchError):
    """One cell could not be measured; it becomes a failed record and the run goes on."""

    exit_code = 4
    kind = "cell"


class NotApplicableError(CellError):
    """The method needs something this task or model does not have (a corpus, a train split, gold ids)."""

    kind = "not_applicable"


class DivergedError(CellError):
    """Training produced a loss that is not a finite number."""

    kind = "diverged"


class NonFiniteError(CellError):
    """The model's logits hold NaN or infinity: no answer can be read off them."""

    kind = "non_finite"

    def __init__(self) -> None:
        super().__init__("the model's logits after a prompt are not finite numbers (NaN or infinity)")


class OutOfMemoryError(CellError):
    """The smallest batch did not fit into memory."""

    kind = "out_of_memory"


class CellTimeoutError(CellError):
    """The cell ran longer than the suite's time limit for one cell."""

    kind = "timeout"


class CrashedError(CellError):
    """The cell's process ended without a result (killed, segmentation fault, unhandled exception)."""

    kind = "crashed"


class EndpointError(CellError):
    """A served model did not answer as it has to; answers that arrived are kept, and the run can go on."""

    kind = "endpoint"


class BudgetError(CellError):
    """What a suite allows to be spent on a served model is spent."""

    kind = "budget"


class DamagedError(UsageError):
    """A file that adaptbench wrote is not as it was written; reading the same again cannot help."""

    exit_code = 4
    kind = "damaged"


class NotComparableError(AdaptbenchError):
    """Two results are not of the same questions, or not scored the same way."""

    exit_code = 5
    kind = "not_comparable"


class IncompleteError(AdaptbenchError):
    """Something that is needed for a verdict is not there, or cannot be read."""

    exit_code = 4
    kind = "incomplete"


def nearest(value: str, allowed: Iterable[str]) -> str:
    """' (did you mean "x"?)' for the allowed name most like `value`, or '' where none is near."""
    close = difflib.get_close_matches(value, list(allowed), n=1, cutoff=0.5)
    return f' (did you mean "{close[0]}"?)' if close else ""


def unknown(what: str, value: str, allowed: Iterable[str]) -> str:
    """One line for a name that does not exist: the value, the nearest match and what is allowed."""
    names = sorted(allowed)
    return f"unknown {what} {quoted(value)}{nearest(value, names)}; allowed: {listed(names, most=50)}"
