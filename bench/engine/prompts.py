"""Items to token ids within the model's context.

A prompt is a text: instruction, few-shot examples that all items share | blocks found for this item (the best one
nearest to the question), the item; where the model has a chat template, it is a conversation of these. What stands
before the bar is the prefix, computed once. Where a prompt is too long, blocks of the item go first, worst first, then
shared examples, last first; the instruction and the item are never cut, and everything dropped is counted.
"""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from functools import cached_property

from bench.core.errors import CellError
from bench.core.item import Example, Item
from bench.core.method import Context, Evidence
from bench.core.prompt import Block, Prompt
from bench.engine.told_choices import answer_tokens
from bench.model.chat import alike
from bench.model.tokenizer import Codec, Ids, Opening

TOO_LONG = "item_too_long"
_WORTH_SHOWING = 16  # a passage cut to fewer tokens than this says nothing


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


@dataclass(frozen=True)
class Writer:
    """Writes prompts for one task and one built context.

    `context_length` is in tokens; `reserve` of them are kept for a generated answer. `thinks`: with a thought first.
    """

    codec: Codec
    prompt: Prompt
    context: Context
    context_length: int
    reserve: int
    thinks: bool = False
    ranks: bool = True  # choices are ranked behind a prompt; else they are written, like any text

    def write(self, items: Sequence[Item]) -> list[Encoded]:
        """Prompts for `items`, in their order, each as it would be were it alone.

        Raises:
            CellError: the items have choices, and the model's chat template leaves no place to rank them.
        """
        if self.ranks and self.codec.chat and self.codec.chat.unranked and any(item.choices for item in items):
            raise CellError(self.codec.chat.unranked)
        return [self._draft(i, e).encoded() for i, e in zip(items, self.context.find(items), strict=True)]

    def write_solved(self, examples: Sequence[Example]) -> list[tuple[Ids, Ids]]:
        """(prompt, answer) ids for training; examples that do not fit are left out.

        A training example never sees itself among its few-shot examples.
        """
        found = self.context.find(examples)
        drafts = [self._draft(x, e, x.references[0]) for x, e in zip(examples, found, strict=True)]
        return [draft.pair() for draft in drafts if draft.fits]

    def write_bare(self, items: Sequence[Item]) -> list[Encoded]:
        """The prompts of `items` without them: the instruction, the blocks that all share, and the cue."""
        made: dict[tuple[str, ...], Encoded] = {}
        for item in items:
            if item.choices not in made:
                made[item.choices] = self._draft(item, Evidence(), asked=self.prompt.cue()).encoded()
        return [made[item.choices] for item in items]

    def _draft(self, item: Item, evidence: Evidence, solution: str | None = None, asked: str | None = None) -> _Draft:
        """`solution`: the answer to leave room for; without one, the item's choices, or `reserve`."""
        shared = tuple(block for block in self.context.shared if block.source != item.id)
        question = self.prompt.ask(item) if asked is None else asked
        draft = _Draft(self, item, question, evidence, shared, evidence.blocks, solution)
        draft.fit(self.context.token_budget)
        return draft

    @cached_property
    def _openings(self) -> dict[tuple[Block, ...], Opening]:
        return {}

    def opening(self, shared: tuple[Block, ...]) -> Opening:
        """What all prompts with these shared blocks begin with."""
        if shared not in self._openings:
            self._openings[shared] = self.codec.opening(self.prompt, shared, thinks=self.thinks)
        return self._openings[shared]


@dataclass
class _Draft:
    """One prompt on its way: its blocks, best first, are dropped and cut until it fits."""

    writer: Writer
    item: Item
    question: str
    evidence: Evidence
    shared: tuple[Block, ...]
    own: tuple[Block, ...]
    solution: str | None
    fits: bool = True
    truncated: int = 0

    def __post_init__(self) -> None:
        self.shared_given, self.own_given = self.shared, self.own
        self.text, self.ids = self._written(self.shared, self.own)

    def fit(self, token_budget: int | None) -> None:
        """Drop blocks of the item first, worst first, then shared ones, last first; cut the passage at the edge."""
        room = self._room()
        if len(self.ids) <= room and (token_budget is None or not self.own):
            return
        if self._tokens((), ()) > room:
            self.fits = False
            self._set((), ())
            return
        shared = self.shared[: _most(len(self.shared), lambda n: self._tokens(self.shared[:n], ()) <= room)]
        taken = self._tokens(shared, ())
        budget = min(room - taken, room if token_budget is None else token_budget)
        count = _most(len(self.own), lambda n: self._tokens(shared, self.own[:n]) - taken <= budget)
        own = self.own[:count]
        if count < len(self.own) and self.own[count].kind == "passage":
            cut = self._cut(shared, own, self.own[count], taken + budget)
            self.truncated = len(cut)
            own += cut
        self._set(shared, own)

    def encoded(self) -> Encoded:
        """The prompt and the ids of its item's choices behind it."""
        ranking = self.evidence.ranking
        if not self.fits:
            return Encoded(self.item.id, (), self.ids, (), TOO_LONG, ranking=ranking)
        joined = [self._answer(choice) for choice in self._ranked]
        keep = min((n for n, _ in joined), default=len(self.ids))
        choices = tuple(self.ids[keep:n] + more for n, more in joined)
        opening = self.writer.opening(self.shared).ids
        begun = min(alike(opening, self.ids), keep - 1) if self.writer.codec.answer_length is None else 0
        left_out = [block.kind for block in self.own_given[len(self.own) :]]
        return Encoded(
            self.item.id,
            self.ids[:begun],
            self.ids[begun:keep],
            choices,
            context_tokens=len(self.ids) - len(self.writer.opening(()).ids) - self._bare,
            examples_dropped=len(self.shared_given) - len(self.shared) + left_out.count("example"),
            passages_dropped=left_out.count("passage"),
            passages_truncated=self.truncated,
            ranking=ranking,
        )

    def pair(self) -> tuple[Ids, Ids]:
        """The prompt and the answer that is trained on, with what closes it."""
        assert self.solution is not None
        keep, answer = self._answer(self.solution, closed=True)
        return self.ids[:keep], answer

    def _answer(self, text: str, *, closed: bool = False) -> tuple[int, Ids]:
        return self.writer.codec.answer(self.text, self.ids, self.writer.prompt, text, closed=closed)

    def _room(self) -> int:
        """Tokens that the prompt may have; none where the answer is too long for a text of its own."""
        whole, of_answer = self.writer.context_length, self.writer.codec.answer_length
        if of_answer is None:
            return whole - self._reserve()
        return whole if self._reserve() <= of_answer else 0

    def _reserve(self) -> int:
        """Tokens of the longest answer."""
        if self.solution is not None:
            return len(self._answer(self.solution, closed=True)[1])
        if self.item.choices and not self.writer.ranks:
            return answer_tokens(self.item.choices)
        return max((len(self._answer(choice)[1]) for choice in self._ranked), default=self.writer.reserve)

    @property
    def _ranked(self) -> tuple[str, ...]:
        return self.item.choices if self.writer.ranks else ()

    def _written(self, shared: Sequence[Block], own: Sequence[Block]) -> tuple[str, Ids]:
        writer = self.writer
        blocks = (*shared, *reversed(own))
        text = writer.codec.text(writer.prompt, blocks, self.question, thinks=writer.thinks)
        return text, writer.codec.encode_behind(writer.opening(tuple(shared)), text)

    def _set(self, shared: tuple[Block, ...], own: tuple[Block, ...]) -> None:
        self.shared, self.own = shared, own
        self.text, self.ids = self._written(shared, own)

    def _tokens(self, shared: tuple[Block, ...], own: tuple[Block, ...]) -> int:
        """Tokens of the prompt with these blocks, counted: what stands before a question can change how it is cut."""
        return len(self._written(shared, own)[1])

    @cached_property
    def _bare(self) -> int:
        """Tokens of the item, which are those behind the beginning where it has no blocks of its own."""
        shared = () if self.own else self.shared
        ids = self._written(shared, ())[1] if self.own else self.ids
        return len(ids) - len(self.writer.opening(shared).ids)

    def _cut(self, shared: tuple[Block, ...], own: tuple[Block, ...], passage: Block, size: int) -> tuple[Block, ...]:
        """As much of `passage` as leaves the prompt at `size` tokens; none where that says nothing."""
        text = passage.text.rstrip("\n")
        ends = self.writer.codec.boundaries(text)
        room = size - self._tokens(shared, own)
        kept = min(room, len(ends))
        while kept > 0 and room >= _WORTH_SHOWING:
            cut = replace(passage, text=text[: ends[kept - 1]] + "\n\n")
            over = self._tokens(shared, (*own, cut)) - size
            if over <= 0:
                return (cut,)
            kept -= over
        return ()


def _most(count: int, fits: Callable[[int], bool]) -> int:
    """The largest number up to `count` that fits, where less fits wherever more does, and 0 always."""
    if fits(count):
        return count
    return bisect_left(range(1, count), True, key=lambda n: not fits(n))
