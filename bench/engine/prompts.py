"""Items to token ids within the model's context.

A prompt is: head, instruction, worked examples shared by all items | blocks found for this item (the best one
nearest to the question), the item, tail. What stands before the bar is the prefix, computed once. Where a prompt is
too long, blocks of the item go first, worst first, then shared examples, last first; the instruction and the item are
never cut, and everything dropped is counted.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from bench.core.item import Example, Item
from bench.core.method import Block, Context, Evidence
from bench.core.prompt import Prompt
from bench.model.tokenizer import Codec

TOO_LONG = "item_too_long"
_WORTH_SHOWING = 16  # a passage cut to fewer tokens than this says nothing

Ids = tuple[int, ...]


@dataclass(frozen=True, slots=True)
class Encoded:
    """One prompt in token ids, with what had to be left out of it."""

    id: str
    prefix: Ids
    query: Ids
    choices: tuple[Ids, ...] = ()
    failure: str | None = None
    context_tokens: int = 0
    examples_dropped: int = 0
    passages_dropped: int = 0
    passages_truncated: int = 0
    ranking: tuple[str, ...] = ()

    @property
    def prompt_tokens(self) -> int:
        return len(self.prefix) + len(self.query)


def by_prefix(prompts: Sequence[Encoded]) -> dict[Ids, list[int]]:
    """The places of the prompts that can be asked, by the beginning that they share."""
    groups: dict[Ids, list[int]] = {}
    for i, prompt in enumerate(prompts):
        if prompt.failure is None:
            groups.setdefault(prompt.prefix, []).append(i)
    return groups


@dataclass(frozen=True, slots=True)
class _Fit:
    """Pieces that fit, in the order of the prompt, and the counts of those that did not."""

    pieces: tuple[Ids, ...] = ()
    dropped_examples: int = 0
    dropped_passages: int = 0
    truncated: int = 0


@dataclass(frozen=True)
class Writer:
    """Writes prompts for one task and one built context.

    `context_length` is in tokens; `reserve` of them are kept for a generated answer.
    """

    codec: Codec
    prompt: Prompt
    context: Context
    context_length: int
    reserve: int

    def write(self, items: Sequence[Item]) -> list[Encoded]:
        """Prompts for `items`, in their order, each as it would be were it alone."""
        return [self._one(i, e, ()) for i, e in zip(items, self.context.find(items), strict=True)]

    def write_solved(self, examples: Sequence[Example]) -> list[tuple[Ids, Ids]]:
        """(prompt, answer) ids for training; examples that do not fit are left out.

        A training example never sees itself among its worked examples.
        """
        found = self.context.find(examples)
        pairs = [self._solved(x, e) for x, e in zip(examples, found, strict=True)]
        return [pair for pair in pairs if pair is not None]

    def _solved(self, example: Example, evidence: Evidence) -> tuple[Ids, Ids] | None:
        text = self.prompt.answer(example.references[0])
        answer = self.codec.answer(self.prompt.ask(example), text) + self.codec.end
        written = self._one(example, evidence, answer)
        return None if written.failure else (written.prefix + written.query, answer)

    def _one(self, item: Item, evidence: Evidence, answer: Ids) -> Encoded:
        """`answer` is the one to leave room for; empty: the item's choices, or `reserve`."""
        codec, question = self.codec, self.prompt.ask(item)
        choices = tuple(codec.answer(question, self.prompt.answer(c)) for c in item.choices)
        opening = codec.head + (codec.first(self.prompt.preamble()) if self.prompt.preamble() else ())
        alone = opening == codec.head and not self.context.shared and not evidence.blocks
        asked = (codec.first(question) if alone else codec.piece(question)) + codec.tail
        reserve = len(answer) or max(map(len, choices), default=self.reserve)
        room = self.context_length - len(opening) - len(asked) - reserve
        if room < 0:
            return Encoded(item.id, (), asked, choices, TOO_LONG, ranking=evidence.ranking)
        shared, left = self._fit_shared(item, room)
        budget = left if self.context.token_budget is None else min(left, self.context.token_budget)
        own = self._fit_own(evidence.blocks, budget)
        prefix = sum(shared.pieces, opening)
        query = sum(own.pieces, ()) + asked
        return Encoded(
            item.id,
            prefix,
            query,
            choices,
            context_tokens=sum(map(len, shared.pieces)) + sum(map(len, own.pieces)),
            examples_dropped=shared.dropped_examples + own.dropped_examples,
            passages_dropped=own.dropped_passages,
            passages_truncated=own.truncated,
            ranking=evidence.ranking,
        )

    def _fit_shared(self, item: Item, room: int) -> tuple[_Fit, int]:
        blocks = [b for b in self.context.shared if b.source != item.id]
        pieces: list[Ids] = []
        for block in blocks:
            ids = self.codec.piece(block.text)
            if len(ids) > room:
                break
            pieces.append(ids)
            room -= len(ids)
        return _Fit(tuple(pieces), dropped_examples=len(blocks) - len(pieces)), room

    def _fit_own(self, blocks: Sequence[Block], room: int) -> _Fit:
        """Best blocks first until the room is used; the passage at the edge is cut, an example is not."""
        pieces: list[Ids] = []
        truncated = 0
        for block in blocks:
            ids = self.codec.piece(block.text)
            if len(ids) > room:
                cut = self._cut(ids, room) if block.kind == "passage" else ()
                truncated = int(bool(cut))
                pieces += [cut] if cut else []
                break
            pieces.append(ids)
            room -= len(ids)
        left_out = [b.kind for b in blocks[len(pieces) :]]
        return _Fit(tuple(reversed(pieces)), left_out.count("example"), left_out.count("passage"), truncated)

    def _cut(self, ids: Ids, room: int) -> Ids:
        end = self.codec.piece("\n\n")
        return ids[: room - len(end)] + end if room >= _WORTH_SHOWING else ()
