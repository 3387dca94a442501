"""Costs of cells that shared a machine: they compare with each other, never with those of cells measured alone."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable

from bench.core.errors import NotComparableError
from bench.core.record import Record


def counts(records: Iterable[Record]) -> dict[int, int]:
    """Cells measured at once, this one included: how many of the cells that ended were measured so; in order."""
    return dict(sorted(Counter(r.environment.cells_at_once for r in records if r.status == "ok").items()))


def words(found: Iterable[int]) -> str:
    """Such as "alone and 2 at once"."""
    return " and ".join("alone" if number == 1 else f"{number} at once" for number in found)


def sentence(records: Iterable[Record]) -> str:
    """What has to be known of the costs of these cells; nothing where each was measured alone."""
    found = counts(records)
    if len(found) > 1:
        cells = ", ".join(f"{count:,} {'with ' * (number > 1)}{words([number])}" for number, count in found.items())
        return f"Costs of cells measured {words(found)} are not compared, as cells at once share a machine ({cells})."
    number = next(iter(found), 1)
    return shared(number) if number > 1 else ""


def shared(number: int) -> str:
    """The sentence for costs that were all measured with so many cells at once."""
    return (
        f"Costs were measured with {number} cells at once: they compare with each other, not with those of cells alone."
    )


def refuse_mixed(records: Iterable[Record]) -> int:
    """How many cells were measured at once wherever one of these was.

    Raises:
        NotComparableError: not the same number for all.
    """
    own = list(records)
    if len(counts(own)) > 1:
        raise NotComparableError(f"{sentence(own)} Measure them again in one way.")
    return next(iter(counts(own)), 1)
