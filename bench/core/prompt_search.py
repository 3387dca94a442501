"""The search for a prompt with the model: what a context part is handed for it, and what it came to.

Candidates are tried on training items and chosen on validation items. The test is not at hand.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Protocol

from bench.core.item import Example
from bench.core.measured import TokenPrices, TokensUsed
from bench.core.values import Count, Strict

if TYPE_CHECKING:
    from bench.core.method import Context


@dataclass(frozen=True, slots=True)
class TriedPrompt(Strict):
    """A candidate that was judged on the validation items."""

    instruction: str | None  # in place of the task's; null: the task's own
    examples: tuple[str, ...]  # ids of training items, in their order in the prompt
    value: float  # of the criterion
    answers: Count  # items that the search had asked until then


@dataclass(frozen=True, slots=True)
class FoundPrompt(Strict):
    """The prompt that a search chose."""

    instruction: str | None = None  # in place of the task's; null: the task's own
    examples: tuple[str, ...] = ()  # ids of training items, in their order in the prompt
    tried: tuple[TriedPrompt, ...] = ()  # in order, from what the search began with; empty where nothing was judged
    judged: Count = 0  # validation items that each of them was judged on
    package: str = ""  # that searched, with its version; "" for adaptbench itself

    @property
    def value(self) -> float | None:
        """The criterion of the chosen one; None where nothing was judged."""
        mine = (one.value for one in self.tried if (one.instruction, one.examples) == (self.instruction, self.examples))
        return next(mine, None)


@dataclass(frozen=True, slots=True)
class ReflectedBy(Strict):
    """The model that wrote instructions, where it is another than the one that answers."""

    model: str  # as the suite names it
    digest: str  # of the model, or of the endpoint's settings
    base_url: str = ""  # of an endpoint: its address, here and below
    stays: bool = True  # what it was asked left this machine for no other
    used: TokensUsed | None = None  # null for a model on this machine
    price: TokenPrices | None = None  # null where the suite gives none


@dataclass(frozen=True, slots=True)
class PromptSearch(Strict):
    """A search for a prompt: what it found, and what it took. Its time is that of the phase `tune`."""

    found: FoundPrompt  # the prompt that was chosen
    criterion: str  # the task's primary metric; "" where nothing was judged
    answers: Count  # items asked in all, training items included
    tokens: Count  # of their prompts and answers, and of reflections
    reflections: Count = 0  # instructions that a model was asked for
    reflector: ReflectedBy | None = None  # null: the model that answers, or none was needed


@dataclass(frozen=True, slots=True)
class Answered:
    """What the model answered to some items, and what that is worth."""

    outputs: tuple[str, ...]  # "" for an item without an answer
    merits: tuple[float, ...]  # of each item: 1 for a perfect answer, less for any other
    value: float  # of the criterion, over all of them
    merit: float  # the same, where more is better


class Asker(Protocol):
    """Asks the model for a context part. What that takes counts as tuning."""

    @property
    def validation(self) -> tuple[Example, ...]:
        """The validation items that candidates are judged on: those of every trial of options."""

    @property
    def trials(self) -> int:
        """How many combinations of options other methods try, each on the validation items."""

    @property
    def answers(self) -> int:
        """Items asked so far."""

    def answer(self, context: Context, examples: Sequence[Example]) -> Answered:
        """Ask the model some items of train or validation with the prompt of `context`."""

    def fitting(self, context: Context) -> int:
        """How many of the shared blocks of `context`, from the first on, fit beside the longest items known."""

    def reflect(self, text: str) -> str:
        """What the reflecting model writes to `text`; "" where it cannot."""
