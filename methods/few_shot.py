"""Context part `few-shot`: k few-shot examples from the training split.

`select: stratified` draws them once for each (task, seed), balanced over the labels, so that every
item sees the same examples and their key-value cache is computed once (Brown et al. 2020, section 2).
`select: similar` takes, for each item, the training examples most like it (Liu et al. 2022, KATE), found as `rag` finds
passages.
`select: gain` adds one example after the other, of a few drawn ones the one with which the validation score rises most.
`k: fill` draws as many as the model's context holds (Agarwal et al. 2024, many-shot in-context learning).
"""

from __future__ import annotations

import random
from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass
from statistics import fmean
from types import MappingProxyType
from typing import Literal

from pydantic import Field, PositiveInt, model_validator

from bench.core.errors import CellError
from bench.core.hashing import derive_seed
from bench.core.item import Example, Item
from bench.core.method import Context, ContextCost, ContextPart, Evidence, Material, Pool
from bench.core.prompt import Block, Prompt
from bench.core.prompt_search import Asker, FoundPrompt, TriedPrompt
from bench.core.search import Search
from bench.core.task import Task
from methods.options import ContextOptions, Grid, Retriever, only

SAMPLE = 500  # pieces whose mean length is taken, to say what they cost


def example_block(example: Example, prompt: Prompt) -> Block:
    """A few-shot example as a piece of a prompt."""
    return Block("example", example.id, prompt.ask(example), prompt.answer(example.references[0]))


def mean_length(task: Task) -> float:
    """Characters of a few-shot example, in the mean of a sample."""
    return fmean([len(task.prompt.solved(example)) for example in task.train[:SAMPLE]] or [0.0])


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


def shown(found: FoundPrompt | None, material: Material, name: str) -> tuple[Block, ...]:
    """The examples that a search chose; of a training split that lacks some of them, the others.

    Raises:
        CellError: nothing has been searched.
    """
    if found is None:
        raise CellError(f"the prompt of {name} is found by a search with the model, which a run makes")
    by_id = {example.id: example for example in material.train}
    return tuple(example_block(by_id[each], material.prompt) for each in found.examples if each in by_id)


def filled(material: Material, asker: Asker) -> FoundPrompt:
    """As many examples as fit, labels still in turn."""
    count = len(material.train)
    while True:
        drawn = stratified(material.train, count, material.task, material.seed)
        fits = asker.fitting(Context(tuple(example_block(e, material.prompt) for e in drawn)))
        if fits >= count:
            return FoundPrompt(examples=tuple(example.id for example in drawn))
        count = fits


def by_gain(material: Material, asker: Asker, k: int, pool: int, most: int | None) -> FoundPrompt:
    """Greedy forward selection: up to `k` examples, each the best of `pool` that have waited longest.

    It ends where none of them raises the validation score, or where the next one would take more than `most` answers.
    """
    items, tried = asker.validation, list[TriedPrompt]()
    waiting = stratified(material.train, len(material.train), material.task, material.seed)
    chosen: list[Example] = []

    def merit(examples: Sequence[Example]) -> float:
        answered = asker.answer(Context(tuple(example_block(e, material.prompt) for e in examples)), items)
        tried.append(TriedPrompt(None, tuple(example.id for example in examples), answered.value, asker.answers))
        return answered.merit

    best = merit([])
    while len(chosen) < k and waiting:
        candidates, waiting = waiting[:pool], waiting[pool:]
        allowed = len(candidates) if most is None else (most - asker.answers) // len(items)
        merits = [merit([*chosen, candidate]) for candidate in candidates[:allowed]]
        if not merits or max(merits) <= best:
            break
        best = max(merits)
        chosen.append(candidates.pop(merits.index(best)))
        waiting += candidates
    return FoundPrompt(None, tuple(example.id for example in chosen), tuple(tried), len(items))


class FewShotOptions(ContextOptions):
    standard = MappingProxyType({"k": 8, "select": "stratified"})
    k: Grid[PositiveInt | Literal["fill"]] = Field(
        (4, 8, 16), description="few-shot examples; fill: as many as the context holds"
    )
    select: Grid[Literal["stratified", "similar", "gain"]] = Field(
        ("stratified", "similar"),
        description="stratified: drawn once, balanced over labels; similar: the nearest of each item; "
        "gain: one after the other, by the validation score",
    )
    retriever: Grid[Retriever] = Field(
        ("auto",), description="of similar ones; auto: hybrid with an encoder, else lexical"
    )
    pool: PositiveInt = Field(8, description="candidates for the next example of gain")
    max_evaluations: PositiveInt | None = Field(
        None, description="validation items that gain asks at most; null: until no candidate gains"
    )

    @property
    def numbers(self) -> tuple[int, ...]:
        """The values of `k` that are numbers."""
        return tuple(k for k in self.k if isinstance(k, int))

    @model_validator(mode="after")
    def _searches_alone(self) -> FewShotOptions:
        settled = len(self.k) == len(self.select) == 1
        if "gain" in self.select and not settled:
            raise ValueError("select: gain is a search of its own; give one value of k and of select")
        if "fill" in self.k and (not settled or self.select != ("stratified",)):
            raise ValueError("k: fill draws stratified examples; give one value of k, and select: stratified")
        return self


class FewShot(ContextPart):
    """k few-shot examples from the training split."""

    name = "few-shot"
    Options = FewShotOptions
    options: FewShotOptions

    def __init__(self, options: FewShotOptions) -> None:
        super().__init__(options)
        self.uses_seed = options.select != ("similar",)
        self.retrieves = "similar" in options.select
        self.gains, self.fills = "gain" in options.select, "fill" in options.k
        self.searches = self.gains or self.fills

    def requires(self, task: Task) -> str | None:
        if self.gains and not task.validation:
            return "few-shot with select: gain needs a validation split to choose examples on"
        return None if task.train else "few-shot needs a train split to draw its few-shot examples from"

    def reads_train(self, task: Task) -> bool:
        return True

    def cost(self, task: Task) -> ContextCost:
        shared = "similar" not in self.options.select
        count = fmean(self.options.numbers or [len(task.train)])
        return ContextCost(count * mean_length(task), shared=shared)

    def searched(self, examples: int, judged: int, trials: int) -> int:
        options = self.options
        if not self.gains:
            return 0
        steps = range(min(examples, only(options.numbers)))
        whole = judged * (1 + sum(min(options.pool, examples - step) for step in steps))
        return whole if options.max_evaluations is None else min(whole, options.max_evaluations)

    def search(self, material: Material, asker: Asker) -> FoundPrompt:
        if self.fills:
            return filled(material, asker)
        return by_gain(material, asker, only(self.options.numbers), self.options.pool, self.options.max_evaluations)

    def build(self, material: Material) -> Context:
        if self.searches:
            return Context(shown(material.found, material, self.name))
        k = only(self.options.numbers)
        if only(self.options.select) == "similar":
            index = material.index(
                only(self.options.retriever), [material.prompt.query(example) for example in material.train]
            )
            return SimilarExamples(train=material.train, prompt=material.prompt, index=index, k=k)
        drawn = stratified(material.train, k, material.task, material.seed)
        return Context(tuple(example_block(e, material.prompt) for e in drawn))


PART = FewShot
