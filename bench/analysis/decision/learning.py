"""What learning curves say: from how many training items on a trained method is better than few-shot prompting."""

from __future__ import annotations

import math
from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass
from typing import Protocol, TypeVar

from bench.analysis.answers import Answers
from bench.analysis.comparison import Family
from methods.few_shot import FewShot

Sizes = Mapping[int | None, Answers]  # training items of a point of a curve (None: all) -> its answers


@dataclass(frozen=True, slots=True)
class Overtaking:
    """The fewest training items with which a trained method is better than few-shot; None: with none measured."""

    method: str
    other: str
    at: str | None
    sizes: tuple[str, ...]


def overtakings(family: Family) -> Iterable[Overtaking]:
    """From learning curves: trained methods against few-shot prompting with as many items."""
    trained = curves(one for one in family.answers if one.trained)
    prompted = curves(
        one for one in family.answers if not (one.trained or one.trained_elsewhere) and one.context == FewShot.name
    )
    better = {(one.a.label, one.b.label) for one in family.differences if one.differ}  # the better one first
    for method in sorted(trained):
        for other in sorted(prompted):
            own, others = trained[method], prompted[other]
            sizes = sorted(own.keys() & others.keys(), key=lambda size: math.inf if size is None else size)
            if len(sizes) < 2:
                continue
            ahead = [_words(size) for size in sizes if (own[size].label, others[size].label) in better]
            yield Overtaking(method, other, ahead[0] if ahead else None, tuple(map(_words, sizes)))


def curves(answers: Iterable[Answers]) -> dict[str, Sizes]:
    """The learning curve of each method; of one size where the suite asks for no other."""
    found: dict[str, dict[int | None, Answers]] = {}
    for one in answers:
        found.setdefault(one.suite_method or one.label, {})[one.curve_size] = one
    return dict(found)


class OnCurve(Protocol):
    """A method with so many training items, measured or not."""

    @property
    def label(self) -> str: ...

    @property
    def suite_method(self) -> str: ...

    @property
    def curve_size(self) -> int | None: ...


P = TypeVar("P", bound=OnCurve)


def at_full_size(answers: Collection[P]) -> tuple[P, ...]:
    """The methods that are to choose from: of a learning curve the point of all items, else that of the largest size.

    A method that was not measured with the largest size of the suite is left out: fewer items are no fair comparison.
    """
    with_all = {one.suite_method or one.label for one in answers if one.curve_size is None}
    largest = max((one.curve_size for one in answers if one.curve_size is not None), default=None)
    return tuple(
        one for one in answers if one.curve_size == (None if (one.suite_method or one.label) in with_all else largest)
    )


def _words(size: int | None) -> str:
    return "all" if size is None else str(size)
