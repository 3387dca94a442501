"""Counterfactual pairs: an item in two forms that ought to get the same answer, such as with one name for another.

Garg et al. 2019 (arXiv:1809.10610) call a model fair in this sense where such a change never changes what it says.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from itertools import pairwise

from bench.core.item import Item

_HOLE = "{}"


@dataclass(frozen=True, slots=True)
class Slot:
    """One way to change an item. Either `swap` or `frame` is given."""

    name: str  # as the task names it
    columns: tuple[str, ...]  # of the item's fields, that are changed
    swap: tuple[tuple[str, ...], ...] = ()  # words that may stand for each other, in groups
    frame: tuple[str, ...] = ()  # two texts with {} where the column's own text goes

    def pair(self, item: Item) -> tuple[Item, Item] | None:
        """The item in two forms; None where it has nothing to swap."""
        if self.frame:
            first, second = (self._framed(item, text) for text in self.frame)
            return first, second
        for word, other in self._swaps(item):
            return item, self._with(item, {name: swapped(item.fields[name], word, other) for name in self.columns})
        return None

    def same(self, item: Item, one: str, other: str) -> bool:
        """Whether the answers to the item's two forms are the same, but for the words that were swapped."""
        if one == other:
            return True
        return any(swapped(one, word, instead) == other for word, instead in self._swaps(item))

    def _swaps(self, item: Item) -> Iterator[tuple[str, str]]:
        """The words of the item that can be swapped, each with what stands for it."""
        for group in self.swap:
            for word, other in pairwise((*group, group[0])):
                if any(swapped(item.fields[name], word, other) != item.fields[name] for name in self.columns):
                    yield word, other

    def _framed(self, item: Item, text: str) -> Item:
        return self._with(item, {name: text.replace(_HOLE, item.fields[name]) for name in self.columns})

    def _with(self, item: Item, changed: dict[str, str]) -> Item:
        return replace(item, fields={**item.fields, **changed})


def swapped(text: str, word: str, other: str) -> str:
    """`text` with the whole word `word` replaced everywhere, in lower case, capitalised or in capitals as it stood."""

    def in_case(match: re.Match[str]) -> str:
        found = match[0]
        if found.isupper() and len(found) > 1:
            return other.upper()
        return other[:1].upper() + other[1:] if found[:1].isupper() else other

    return re.sub(rf"(?<!\w){re.escape(word)}(?!\w)", in_case, text, flags=re.IGNORECASE)


def pairs(slot: Slot, items: Sequence[Item], limit: int) -> list[tuple[Item, Item]]:
    """The pairs of the first `limit` items that have one."""
    found = (slot.pair(item) for item in items)
    return [pair for pair in found if pair is not None][:limit]
