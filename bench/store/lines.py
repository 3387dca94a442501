"""The lines of a file of predictions, checked when they are read: one JSON object for each item."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Annotated, NotRequired

from pydantic import ConfigDict, FiniteFloat, Strict, TypeAdapter, ValidationError, with_config
from typing_extensions import TypedDict

from bench.core.errors import DamagedError
from bench.store.archive import RunPath

Text = Annotated[str, Strict()]


@with_config(ConfigDict(extra="allow"))
class Line(TypedDict):
    """What readers use of an item's line; the other fields of its prediction stand there as well."""

    id: Text
    output: Text
    metrics: Mapping[str, Annotated[FiniteFloat, Strict()]]  # of those that are means over items
    counts: NotRequired[Mapping[str, Sequence[int]]]  # of the others: what a comparison resamples
    prompt_tokens: NotRequired[int]
    context_tokens: NotRequired[int]
    passages_dropped: NotRequired[int]
    output_tokens: NotRequired[int]
    confidence: NotRequired[FiniteFloat | None]  # of the answer, from 0 to 1, where a task has refusals
    scores: NotRequired[Sequence[FiniteFloat]]  # log-likelihood of each choice, nats
    order: NotRequired[Sequence[int]]  # places of the choices, the best first
    right: NotRequired[int]  # place of the right choice
    group: NotRequired[Text]
    ranking: NotRequired[Sequence[Text]]
    cited: NotRequired[Sequence[int]]  # ranks, from 1


_LINES = TypeAdapter(list[Line])


def lines_of(file: RunPath) -> list[Line]:
    """The lines of a file of predictions, all with the same metrics.

    Raises:
        DamagedError: the file is not what adaptbench writes.
    """
    rows = [row for row in file.read_bytes().split(b"\n") if row]  # text may hold what else counts as the end of a line
    try:
        lines = _LINES.validate_json(b"[" + b",".join(rows) + b"]")
    except ValidationError as error:
        first = error.errors(include_url=False, include_input=False)[0]
        number, *names = first["loc"] or ("",)
        place = f"item {number}, {'.'.join(map(str, names))}: " if names else ""
        raise _damaged(file, place + first["msg"]) from None
    if not lines:
        raise _damaged(file, "it is empty")
    metrics, counts = lines[0]["metrics"].keys(), _counts(lines[0])
    alike = all(line["metrics"].keys() == metrics for line in lines)
    if not alike or any(("counts" in line or counts) and _counts(line) != counts for line in lines):
        raise _damaged(file, "its lines are not scored by the same metrics")
    return lines


def _counts(line: Line) -> dict[str, int]:
    """How many counts each corpus metric has."""
    return {name: len(row) for name, row in line.get("counts", {}).items()}


def _damaged(file: RunPath, problem: str) -> DamagedError:
    return DamagedError(f"{file} is not what adaptbench wrote: {problem}; remove its folder and run again")
