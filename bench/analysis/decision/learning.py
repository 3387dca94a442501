"""What learning curves say: from how many training items on a trained method is better than few-shot prompting."""

from __future__ import annotations

import math
from collections.abc import Iterable
from dataclasses import dataclass

from bench.analysis.comparison import Family


@dataclass(frozen=True, slots=True)
class Overtaking:
    """The fewest training items with which a trained method is better than few-shot; None: with none measured."""

    method: str
    other: str
    at: str | None
    sizes: tuple[str, ...]


def overtakings(family: Family) -> Iterable[Overtaking]:
    """From learning curves: trained methods against few-shot prompting with as many items."""
    labels = [one.label for one in family.answers]
    trained = {method_of(one.label) for one in family.answers if one.trained}
    shots = {method_of(label) for label in labels if method_of(label).startswith("few-shot")}
    better = {(one.a.label, one.b.label) for one in family.differences if one.differ}  # the better one first
    for method in sorted(trained):
        for other in sorted(shots):
            sizes = [size for size in _sizes(labels) if {_named(method, size), _named(other, size)} <= set(labels)]
            if len(sizes) < 2:
                continue
            ahead = [_words(size) for size in sizes if (_named(method, size), _named(other, size)) in better]
            yield Overtaking(method, other, ahead[0] if ahead else None, tuple(map(_words, sizes)))


def size_of(label: str) -> int | None:
    """The training items of a point of a learning curve; None for all of them."""
    _, comma, rest = label.rpartition(", ")
    count = rest.removesuffix(" items")
    return int(count) if comma and count != rest and count.isdecimal() else None


def method_of(label: str) -> str:
    """The method of a point of a learning curve."""
    return label if size_of(label) is None else label.rpartition(", ")[0]


def _sizes(labels: Iterable[str]) -> list[int | None]:
    """Sizes in rising order, all of the items last."""
    found = {size_of(label) for label in labels}
    return sorted(found, key=lambda size: math.inf if size is None else size)


def _named(method: str, size: int | None) -> str:
    return method if size is None else f"{method}, {size} items"


def _words(size: int | None) -> str:
    return "all" if size is None else str(size)
