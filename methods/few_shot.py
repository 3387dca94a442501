"""Context part `few-shot`: k few-shot examples from the training split.

`select: stratified` draws them once for each (task, seed), balanced over the labels, so that every
item sees the same examples and their key-value cache is computed once (Brown et al. 2020, section 2).
`select: similar` takes, for each item, the training examples most like it (Liu et al. 2022, KATE), found as `rag` finds
passages.
"""

from __future__ import annotations

import random
from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass
from statistics import fmean
from types import MappingProxyType
from typing import Literal

from pydantic import Field, PositiveInt

from bench.core.hashing import derive_seed
from bench.core.item import Example, Item
from bench.core.method import Context, ContextCost, ContextPart, Evidence, Material, Pool
from bench.core.prompt import Block, Prompt
from bench.core.search import Search
from bench.core.task import Task
from methods.options import ContextOptions, Grid, Retriever, only

SAMPLE = 500  # pieces whose mean length is taken, to say what they cost


def example_block(example: Example, prompt: Prompt) -> Block:
    """A few-shot example as a piece of a prompt."""
    return Block("example", example.id, prompt.ask(example), prompt.answer(example.references[0]))


def stratified(examples: Sequence[Example], k: int, *seed_parts: object) -> list[Example]:
    """`k` examples, labels in turn, in an order that depends on nothing but the seed and the ids.

    Labels are taken round-robin in a shuffled order, so that counts differ by at most one while
    labels last; text tasks (every answer its own "label") become a plain draw.
    """
    rng = random.Random(derive_seed("few-shot", *seed_parts))
    by_label: dict[str, list[Example]] = defaultdict(list)
    for example in sorted(examples, key=lambda e: e.id):
        by_label[example.references[0] if example.choices else ""].append(example)
    pools = [by_label[label] for label in sorted(by_label)]
    for pool in pools:
        rng.shuffle(pool)
    rng.shuffle(pools)
    turns = [pool[i] for i in range(max(map(len, pools), default=0)) for pool in pools if i < len(pool)]
    drawn = turns[:k]
    rng.shuffle(drawn)
    return drawn


@dataclass(frozen=True, kw_only=True)
class SimilarExamples(Context):
    """For each item the nearest training examples, never the item itself."""

    train: tuple[Example, ...]
    prompt: Prompt
    index: Search
    k: int

    def find(self, items: Sequence[Item]) -> list[Evidence]:
        # One more than needed: a training item that asks for context finds itself first.
        hits = self.index.search([self.prompt.query(item) for item in items], self.k + 1)
        return [self._evidence(item, found) for item, found in zip(items, hits, strict=True)]

    def pool(self) -> Pool:
        texts = tuple(self.prompt.query(example) for example in self.train)
        return Pool(self.index, texts, tuple(example_block(e, self.prompt) for e in self.train), self.k)

    def _evidence(self, item: Item, found: Sequence[int]) -> Evidence:
        near = [self.train[i] for i in found if self.train[i].id != item.id][: self.k]
        return Evidence(tuple(example_block(e, self.prompt) for e in near), tuple(e.id for e in near))


class FewShotOptions(ContextOptions):
    standard = MappingProxyType({"k": 8, "select": "stratified"})
    k: Grid[PositiveInt] = Field((4, 8, 16), description="few-shot examples")
    select: Grid[Literal["stratified", "similar"]] = ("stratified", "similar")
    retriever: Grid[Retriever] = Field(
        ("auto",), description="of similar ones; auto: hybrid with an encoder, else lexical"
    )


class FewShot(ContextPart):
    """k few-shot examples from the training split."""

    name = "few-shot"
    Options = FewShotOptions
    options: FewShotOptions

    def __init__(self, options: FewShotOptions) -> None:
        super().__init__(options)
        self.uses_seed = "stratified" in options.select
        self.retrieves = "similar" in options.select

    def requires(self, task: Task) -> str | None:
        return None if task.train else "few-shot needs a train split to draw its few-shot examples from"

    def reads_train(self, task: Task) -> bool:
        return True

    def cost(self, task: Task) -> ContextCost:
        shared = self.options.select == ("stratified",)
        lengths = [len(task.prompt.solved(example)) for example in task.train[:SAMPLE]]
        return ContextCost(fmean(self.options.k) * fmean(lengths or [0.0]), shared=shared)

    def build(self, material: Material) -> Context:
        k = only(self.options.k)
        if only(self.options.select) == "similar":
            index = material.index(
                only(self.options.retriever), [material.prompt.query(example) for example in material.train]
            )
            return SimilarExamples(train=material.train, prompt=material.prompt, index=index, k=k)
        drawn = stratified(material.train, k, material.task, material.seed)
        return Context(tuple(example_block(e, material.prompt) for e in drawn))


PART = FewShot
