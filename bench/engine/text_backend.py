"""Items for what reads texts without a language model, and the back end that answers them."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

from bench.core.item import Item
from bench.core.nearest import text_of
from bench.engine.backend import Done, Written
from bench.engine.prompts import Encoded, Writer


@dataclass(frozen=True, slots=True)
class TextPrompt(Encoded):
    """An item as its text; a choice is the number of its label."""

    item: Item = field(default_factory=lambda: Item("", {}))

    @property
    def text(self) -> str:
        """What is read of it."""
        return text_of(self.item)

    @property
    def prompt_tokens(self) -> int:
        """Words."""
        return len(self.text.split())


@dataclass(frozen=True)
class TextWriter(Writer):
    """Writes items as what they show: no template, no instruction, nothing too long."""

    def write(self, items: Sequence[Item]) -> list[Encoded]:
        return [
            TextPrompt(item.id, (), (), tuple((row,) for row in range(len(item.choices))), item=item) for item in items
        ]


@dataclass(frozen=True)
class TextBackend:
    """Answers items by two functions: log-likelihoods of all choices [items, choices] in nats, and answers."""

    likelihoods: Callable[[Sequence[Item]], list[list[float]]]
    answers: Callable[[Sequence[Item]], list[str]]
    is_local: bool = False  # there are no weights of a model

    def score(self, prompts: Sequence[Encoded], done: Done) -> list[list[float]]:
        scores = self.likelihoods(_items_of(prompts))
        done(len(prompts))
        return scores

    def generate(
        self, prompts: Sequence[Encoded], stop: Sequence[str], max_new_tokens: int, done: Done
    ) -> list[Written]:
        """The answer as it stands in the training split, in words, whatever its length."""
        answers = self.answers(_items_of(prompts))
        done(len(prompts))
        return [Written(answer, max(1, len(answer.split()))) for answer in answers]

    def forget(self) -> None:
        """Nothing is kept."""

    def one_at_a_time(self) -> TextBackend:
        return self


def _items_of(prompts: Sequence[Encoded]) -> list[Item]:
    """The items of prompts that a `TextWriter` wrote."""
    return [prompt.item for prompt in prompts if isinstance(prompt, TextPrompt)]
