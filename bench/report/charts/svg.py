"""SVG as a tree of elements. Text goes in as text and is escaped when the tree is written: none can become markup."""

from __future__ import annotations

import html
import math
from collections.abc import Sequence
from dataclasses import dataclass

from bench.metrics.formats import clean


@dataclass(frozen=True, slots=True)
class Element:
    """An SVG element; `str` writes it. Children that are strings are text, never markup."""

    name: str
    attributes: tuple[tuple[str, str], ...]
    children: tuple[Element | str, ...]

    def __str__(self) -> str:
        given = "".join(f' {name}="{html.escape(value)}"' for name, value in self.attributes)
        if not self.children:
            return f"<{self.name}{given}/>"
        inside = "".join(str(one) if isinstance(one, Element) else html.escape(one) for one in self.children)
        return f"<{self.name}{given}>{inside}</{self.name}>"


def el(name: str, *children: Element | str | None, **attributes: str | float | None) -> Element:
    """An element; what is None is left out. `class_` and `text_anchor` are written class and text-anchor.

    Raises:
        ValueError: an attribute is a number that is not finite.
    """
    written = tuple(
        (key.rstrip("_").replace("_", "-"), printable(value) if isinstance(value, str) else num(value))
        for key, value in attributes.items()
        if value is not None
    )
    kept = tuple(printable(one) if isinstance(one, str) else one for one in children if one is not None)
    return Element(name, written, kept)


def num(value: float) -> str:
    """A number with at most two decimals.

    Raises:
        ValueError: it is not finite, which no picture can show.
    """
    if not math.isfinite(value):
        raise ValueError(f"{value} in a chart")
    text = f"{value:.2f}".rstrip("0").rstrip(".")
    return "0" if text in ("-0", "") else text


def path(points: Sequence[tuple[float, float]], *, closed: bool = False) -> str:
    """The `d` of straight lines through points (px)."""
    return "M" + "L".join(f"{num(x)} {num(y)}" for x, y in points) + ("Z" if closed else "")


def printable(text: object) -> str:
    """`text` on one line, without what XML does not allow or what would change the direction of what follows."""
    return clean(text).replace("\ufffe", "").replace("\uffff", "")
