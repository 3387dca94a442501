"""SVG as a tree of elements, and text in it: how wide it will about be, cut to the room there is.

Text goes in as text and is escaped when the tree is written: none can become markup. All text of a chart has one size.
"""

from __future__ import annotations

import html
import math
import re
import unicodedata
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass

from bench.metrics.formats import clean
from bench.report.table import NOTHING

SIZE = 12  # px
ASCENT, DESCENT = 10, 3  # px above and below the baseline
LINE = 16  # px from one baseline to the next
MIDDLE = 4  # px that a baseline lies below the middle of its text

_LONGEST = 300  # characters of a whole text in a tooltip
_MORE = "…"
_ROUNDING = 0.01  # px: room that is the difference of two places may have lost this much
_PIECE = re.compile(r"\s*(?:[^\s_-]+[-_]*|[-_]+)")  # what a line is never broken inside of

Show = Callable[[float], str]  # how the values of a chart are written


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


def width(text: str) -> float:
    """About how many px a text takes in a sans-serif font; rather too many than too few."""
    return SIZE * sum(_em(character) for character in text)


def _em(character: str) -> float:
    if unicodedata.category(character) in ("Mn", "Me"):
        return 0.0  # stands on the character before it
    if unicodedata.east_asian_width(character) in "WF" or ord(character) >= 0x2E80:
        return 1.0
    if character in "MWmw@%—…":
        return 0.9
    return 0.72 if character.isupper() else 0.6


def cut(text: str, room: float) -> str:
    """`text` if it fits into `room` px, else as much of its start as does, with an ellipsis."""
    if width(text) <= room + _ROUNDING:
        return text
    left = room - width(_MORE)
    if left < 0:
        return ""
    kept = 0
    for character in text:
        left -= SIZE * _em(character)
        if left < 0:
            break
        kept += 1
    return text[:kept].rstrip() + _MORE


def words(
    text: str,
    x: float,
    y: float,
    room: float,
    anchor: str | None = None,
    class_: str | None = None,
    *,
    whole: str | None = None,
) -> Element | None:
    """A line of text with its baseline at `y` in at most `room` px; `whole` is its tooltip if it does not say it all.

    `anchor` is where in the text `x` is: "start" (also None), "middle" or "end". None where nothing can be shown.
    """
    kept = cut(printable(text), room)
    if not kept:
        return None
    full = printable(text if whole is None else whole)
    tip = None if kept == full else el("title", full[:_LONGEST] + (_MORE if len(full) > _LONGEST else ""))
    return el("text", tip, kept, x=x, y=y, text_anchor=anchor, class_=class_)


def widest(texts: Iterable[str], most: float) -> float:
    """The room (px) that a column of texts needs, at most `most`."""
    return min(most, max((width(printable(text)) for text in texts), default=0.0))


def wrap(text: str, room: float, most: int) -> list[str]:
    """`text` in at most `most` lines of `room` px, broken at spaces, after hyphens and inside of too long words.

    The last line holds all the rest, so it may be longer.
    """
    lines = [""]
    for piece in _PIECE.findall(printable(text)):
        if width(lines[-1] + piece) <= room or not lines[-1]:
            lines[-1] += piece
        elif len(lines) < most:
            lines.append(piece.lstrip())
        else:
            lines[-1] += piece
        while width(lines[-1]) > room and len(lines) < most:
            kept = max(1, len(cut(lines[-1], room + width(_MORE))) - 1)
            lines[-1:] = [lines[-1][:kept], lines[-1][kept:]]
    return lines


def notes(texts: Iterable[str], y: float, room: float) -> tuple[list[Element | None], float]:
    """Faint lines of text, the first with its baseline at `y` (px), folded to `room` px; and the place of the next."""
    lines = [line for text in texts if text for line in wrap(text, room, 4)]
    return [words(line, 0, y + LINE * at, room, None, "faint") for at, line in enumerate(lines)], y + LINE * len(lines)


def plain(value: float) -> str:
    """A value in four significant digits."""
    return f"{value:.4g}"


def shown(value: float | None, show: Show) -> str:
    """A value as the reader sees it, with a true minus sign; a dash for one that is missing or not finite."""
    return NOTHING if value is None or not math.isfinite(value) else minus(show(value))


def minus(text: str) -> str:
    """A number's text with true minus signs."""
    return text.replace("-", "−")
