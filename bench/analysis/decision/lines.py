"""Straight lines and where they cross: costs over a number of queries, worth over the value of a correct answer."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal

Kind = Literal["always", "never", "from", "up to", "equal"]


@dataclass(frozen=True, slots=True)
class Line:
    """start + slope × x, for x >= 0."""

    start: float
    slope: float

    def at(self, x: float) -> float:
        """The value at x."""
        return self.start + self.slope * x


@dataclass(frozen=True, slots=True)
class BreakEven:
    """Where a line lies below another: always, never, from an x on, or up to it."""

    kind: Kind
    x: float | None = None


def below(a: Line, b: Line) -> BreakEven:
    """Where `a` is less than `b`. A line that is never more and somewhere less is below always."""
    start, slope = a.start - b.start, a.slope - b.slope
    if start == 0 and slope == 0:
        return BreakEven("equal")
    if start <= 0 and slope <= 0:
        return BreakEven("always")
    if start >= 0 and slope >= 0:
        return BreakEven("never")
    return BreakEven("from" if slope < 0 else "up to", -start / slope)


def lowest(lines: Mapping[str, Line]) -> list[tuple[float, str]]:
    """Which line is lowest from which x on, beginning at 0; of equal ones the flatter, then the one named first."""
    names = list(lines)
    x, found = 0.0, list[tuple[float, str]]()
    current = min(names, key=lambda name: (lines[name].start, lines[name].slope, names.index(name)))
    while True:
        found.append((x, current))
        flatter = [name for name in names if lines[name].slope < lines[current].slope]
        if not flatter:
            return found
        meets = {name: _meeting(lines[current], lines[name]) for name in flatter}
        nearest = min(meets.values())
        x = max(x, nearest)
        current = min(
            (name for name in flatter if meets[name] <= x), key=lambda name: (lines[name].slope, names.index(name))
        )


def highest(lines: Mapping[str, Line]) -> list[tuple[float, str]]:
    """Which line is highest from which x on, beginning at 0."""
    return lowest({name: Line(-line.start, -line.slope) for name, line in lines.items()})


def _meeting(a: Line, b: Line) -> float:
    """The x at which the flatter b comes down to a."""
    return (b.start - a.start) / (a.slope - b.slope)


def rounded(x: float) -> float:
    """Two significant digits."""
    if x == 0 or not math.isfinite(x):
        return x
    digits = 1 - math.floor(math.log10(abs(x)))
    return round(x, digits)
