"""Context part `rag`: passages retrieved from the task's corpus (Lewis et al. 2020).

Retrieval from the training split is `few-shot: {select: similar}`. Two controls bound what retrieval can give:
`control: oracle` hands the gold passages, `control: random` hands passages drawn for each (task, seed, item).
"""

from __future__ import annotations

import random
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from statistics import fmean
from types import MappingProxyType
from typing import Literal

from pydantic import Field, PositiveInt

from bench.core.hashing import derive_seed
from bench.core.item import Item, Passage
from bench.core.method import Context, ContextCost, ContextPart, Evidence, Material, Pool
from bench.core.prompt import Block, Prompt
from bench.core.search import Search
from bench.core.task import Task
from methods.few_shot import SAMPLE
from methods.options import ContextOptions, Grid, Retriever, only

RANKING_DEPTH = 10  # kept for hit@k and MRR, whatever is shown to the model


@dataclass(frozen=True, kw_only=True)
class Passages(Context):
    """Passages for each item: retrieved, gold or random."""

    corpus: tuple[Passage, ...]
    prompt: Prompt
    top_k: int
    index: Search | None = None
    gold: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    random_seed: tuple[object, ...] | None = None

    def find(self, items: Sequence[Item]) -> list[Evidence]:
        return [self._evidence(ranked) for ranked in self._rank(items)]

    def pool(self) -> Pool | None:
        if self.index is None:
            return None
        blocks = tuple(Block("passage", passage.id, self.prompt.passage(passage)) for passage in self.corpus)
        return Pool(self.index, tuple(map(self.prompt.document, self.corpus)), blocks, self.top_k)

    def _rank(self, items: Sequence[Item]) -> list[list[Passage]]:
        if self.index is not None:
            queries = [self.prompt.query(item) for item in items]
            depth = max(self.top_k, RANKING_DEPTH)
            return [[self.corpus[i] for i in found] for found in self.index.search(queries, depth)]
        if self.random_seed is not None:
            return [self._draw(item) for item in items]
        by_id = {passage.id: passage for passage in self.corpus}
        return [[by_id[gold] for gold in self.gold.get(item.id, ())] for item in items]

    def _draw(self, item: Item) -> list[Passage]:
        assert self.random_seed is not None
        rng = random.Random(derive_seed("random passages", *self.random_seed, item.id))
        return rng.sample(self.corpus, min(self.top_k, len(self.corpus)))

    def _evidence(self, ranked: Sequence[Passage]) -> Evidence:
        blocks = (Block("passage", p.id, self.prompt.passage(p)) for p in ranked[: self.top_k])
        return Evidence(tuple(blocks), tuple(p.id for p in ranked))


class RagOptions(ContextOptions):
    standard = MappingProxyType({"top_k": 3, "retriever": "auto", "control": "none"})
    top_k: Grid[PositiveInt] = Field((1, 3, 5), description="passages shown to the model")
    retriever: Grid[Retriever] = Field(
        ("auto", "lexical"), description="auto: hybrid with a sentence embedder at hand, else lexical"
    )
    context_tokens: int | None = Field(None, gt=0, description="token budget for the passages of one item")
    control: Literal["none", "oracle", "random"] = "none"


class Rag(ContextPart):
    """Passages retrieved from the corpus."""

    name = "rag"
    Options = RagOptions
    options: RagOptions

    def __init__(self, options: RagOptions) -> None:
        super().__init__(options)
        self.uses_seed = options.control == "random"
        self.retrieves = options.control == "none"
        self.sees_gold = options.control == "oracle"
        self.is_control = options.control != "none"

    def requires(self, task: Task) -> str | None:
        if not task.corpus:
            return "rag needs a task with a corpus; `few-shot: {select: similar}` retrieves from the train split"
        if self.sees_gold and not any(example.gold for example in task.test):
            return "rag with control: oracle needs gold passage ids in the test split"
        return None

    def cost(self, task: Task) -> ContextCost:
        lengths = [len(passage.text) + len(passage.title) for passage in task.corpus[:SAMPLE]]
        return ContextCost(fmean(self.options.top_k) * fmean(lengths or [0.0]), self.options.context_tokens)

    def build(self, material: Material) -> Context:
        options = self.options
        bare = Passages(
            corpus=material.corpus,
            prompt=material.prompt,
            top_k=only(options.top_k),
            token_budget=options.context_tokens,
        )
        if options.control == "oracle":
            return replace(bare, gold=material.gold)
        if options.control == "random":
            return replace(bare, random_seed=(material.task, material.seed))
        documents = [material.prompt.document(passage) for passage in material.corpus]
        return replace(bare, index=material.index(only(options.retriever), documents))


PART = Rag
