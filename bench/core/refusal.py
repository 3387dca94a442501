"""Refusing to answer: which texts say that a question has no answer, and how good answering and refusing is."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise

from bench.core.values import Count, Strict
from bench.core.words import tokens_of


@dataclass(frozen=True, slots=True)
class Refusal:
    """What a task calls a refusal. An item whose first reference is one has no answer."""

    answer: str  # what is right to say of a question without an answer
    also: tuple[str, ...] = ()  # what says the same

    def is_said(self, text: str) -> bool:
        """Whether a text refuses: it has the words of a refusal in their order, or it has no words."""
        words = f" {' '.join(tokens_of(text))} "
        return not words.strip() or any(f" {' '.join(tokens_of(each))} " in words for each in (self.answer, *self.also))


@dataclass(frozen=True, slots=True)
class Judged:
    """An item as it was answered."""

    answerable: bool
    refused: bool
    right: bool  # of an answerable one: what was said is right
    confidence: float | None = None  # of what was said, from 0 to 1; None where it is not known

    def handled(self, threshold: float = 0.0) -> bool:
        """Whether it is answered rightly, or rightly refused, if answers below a confidence are refused too."""
        refused = self.refused or (self.confidence is not None and self.confidence < threshold)
        return not self.answerable if refused else self.answerable and self.right


@dataclass(frozen=True, slots=True)
class Threshold(Strict):
    """Below which confidence answers are refused, as chosen on the validation split."""

    confidence: float  # 0: none is refused beyond those that the model refuses itself
    items: Count  # of the validation split
    handled: float  # share of them answered rightly or rightly refused, with the threshold
    before: float  # the same without it


def best_threshold(items: Sequence[Judged]) -> Threshold:
    """The threshold that handles most items rightly; of several the lowest, which refuses least.

    Raises ValueError for no items.
    """
    if not items:
        raise ValueError("no items to choose a threshold on")

    def share(threshold: float) -> float:
        return sum(item.handled(threshold) for item in items) / len(items)

    known = sorted({item.confidence for item in items if item.confidence is not None and not item.refused})
    between = [(low + high) / 2 for low, high in pairwise(known)]
    best = max([0.0, *between, *([1.0 + known[-1]] if known else [])], key=lambda one: (share(one), -one))
    return Threshold(best, len(items), share(best), share(0.0))
