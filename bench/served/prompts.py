"""Prompts for an endpoint: text and turns, without a tokenizer.

What is too long is dropped as for other models, blocks of the item first; tokens are estimated from characters, and
only where the endpoint's limit is known. What it refuses all the same is an item that failed.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from bench.core.item import Item
from bench.core.method import Evidence
from bench.core.prompt import Block, Turn
from bench.engine.prompts import TOO_LONG, Encoded, Writer
from bench.engine.told_choices import answer_tokens
from bench.served.usage import CHARS_PER_TOKEN


@dataclass(frozen=True, slots=True)
class Asked(Encoded):
    """One prompt as text and as a conversation; it has no token ids."""

    turns: tuple[Turn, ...] = ()
    text: str = ""
    options: tuple[str, ...] = ()  # the item's choices as they follow the text
    context_share: float = 0.0  # of the prompt's characters: examples and passages

    @property
    def instruction(self) -> str:
        """What the conversation begins with; "" where nothing is instructed."""
        return self.turns[0].content if self.turns and self.turns[0].role == "system" else ""


@dataclass(frozen=True)
class TextWriter(Writer):
    """Writes prompts without a tokenizer. `context_length` is 0 where no limit is known."""

    single_turn: bool = False  # few-shot examples as text in one user turn

    def write(self, items: Sequence[Item]) -> list[Encoded]:
        return [
            self._asked(item, self.prompt.ask(item), evidence)
            for item, evidence in zip(items, self.context.find(items), strict=True)
        ]

    def write_bare(self, items: Sequence[Item]) -> list[Encoded]:
        return [self._asked(item, self.prompt.cue(), Evidence()) for item in items]

    def _asked(self, item: Item, question: str, evidence: Evidence) -> Asked:
        given = tuple(block for block in self.context.shared if block.source != item.id)
        shared, own = self._fitting(given, evidence.blocks, question, item)
        if shared is None:
            return Asked(item.id, (), (), failure=TOO_LONG, ranking=evidence.ranking)
        blocks = (*shared, *reversed(own))
        turns = self.prompt.single_turn if self.single_turn else self.prompt.turns
        text = self.prompt.text(blocks, question)
        left_out = [block.kind for block in evidence.blocks[len(own) :]]
        return Asked(
            item.id,
            (),
            (),
            examples_dropped=len(given) - len(shared) + left_out.count("example"),
            passages_dropped=left_out.count("passage"),
            ranking=evidence.ranking,
            turns=turns(blocks, question),
            text=text,
            options=tuple(self.prompt.answer(choice) for choice in item.choices),
            context_share=sum(len(block.written) for block in blocks) / max(1, len(text)),
        )

    def _fitting(
        self, shared: tuple[Block, ...], own: tuple[Block, ...], question: str, item: Item
    ) -> tuple[tuple[Block, ...] | None, tuple[Block, ...]]:
        """The blocks that there is room for; None where the item alone is too long."""
        budget = self.context.token_budget
        if budget is not None:
            own = _first(own, budget * CHARS_PER_TOKEN)
        if not self.context_length:
            return shared, own
        answer = answer_tokens(item.choices) if item.choices else self.reserve
        room = (self.context_length - answer) * CHARS_PER_TOKEN - len(self.prompt.text((), question))
        if room < 0:
            return None, ()
        shared = _first(shared, room)
        return shared, _first(own, room - sum(len(block.written) for block in shared))


def _first(blocks: tuple[Block, ...], characters: float) -> tuple[Block, ...]:
    """As many blocks, from the first on, as go into so many characters."""
    taken = 0
    for count, block in enumerate(blocks):
        taken += len(block.written)
        if taken > characters:
            return blocks[:count]
    return blocks
