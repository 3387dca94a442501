"""Context part `rag`: passages retrieved from the task's corpus (Lewis et al. 2020).

A second stage may put the first `pool` passages into another order before any is shown: `rerank` by a cross-encoder,
`diversity` by maximal marginal relevance. `neighbours` shows what stands before and after a passage too.

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

from pydantic import Field, NonNegativeInt, PositiveInt

from bench.core.hashing import derive_seed
from bench.core.item import Item, Passage
from bench.core.method import Context, ContextCost, ContextPart, Evidence, Material, Pool
from bench.core.prompt import Block, Prompt
from bench.core.search import NONE, Search, SecondStage
from bench.core.task import Task
from methods.few_shot import SAMPLE
from methods.options import ContextOptions, Grid, ModelName, Retriever, Share, only

RANKING_DEPTH = 10  # kept for hit@k and MRR, whatever is shown to the model


@dataclass(frozen=True, kw_only=True)
class Passages(Context):
    """Passages for each item: retrieved, gold or random."""

    corpus: tuple[Passage, ...]
    prompt: Prompt
    top_k: int
    index: Search | None = None
    first: Search | None = None  # the index without its second stage
    neighbours: int = 0  # passages shown before and after each that is found
    gold: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    random_seed: tuple[object, ...] | None = None

    def find(self, items: Sequence[Item]) -> list[Evidence]:
        if self.index is None:
            return [self._evidence(ranked) for ranked in self._given(items)]
        return [self._near(hits) for hits in self._searched(self.index, items)]

    def first_stage(self, items: Sequence[Item]) -> list[tuple[str, ...]] | None:
        if self.first is None:
            return None
        return [tuple(self.corpus[i].id for i in hits) for hits in self._searched(self.first, items)]

    def pool(self) -> Pool | None:
        if self.index is None or self.neighbours:
            return None
        blocks = tuple(Block("passage", passage.id, self.prompt.passage(passage)) for passage in self.corpus)
        return Pool(self.index, tuple(map(self.prompt.document, self.corpus)), blocks, self.top_k)

    def _searched(self, index: Search, items: Sequence[Item]) -> list[list[int]]:
        return index.search([self.prompt.query(item) for item in items], max(self.top_k, RANKING_DEPTH))

    def _given(self, items: Sequence[Item]) -> list[list[Passage]]:
        if self.random_seed is not None:
            return [self._draw(item) for item in items]
        by_id = {passage.id: passage for passage in self.corpus}
        return [[by_id[gold] for gold in self.gold.get(item.id, ())] for item in items]

    def _draw(self, item: Item) -> list[Passage]:
        assert self.random_seed is not None
        rng = random.Random(derive_seed("random passages", *self.random_seed, item.id))
        return rng.sample(self.corpus, min(self.top_k, len(self.corpus)))

    def _near(self, hits: Sequence[int]) -> Evidence:
        """Each hit with its neighbours, in the order of the corpus. A passage is shown once.

        The ranking has neighbours behind their hit, so that each passage that is shown counts.
        """
        shown: dict[int, None] = {}  # in the order of the ranking
        blocks: list[Block] = []
        for hit in hits:
            if len(blocks) == self.top_k:
                break
            if hit not in shown:
                around = range(max(0, hit - self.neighbours), min(len(self.corpus), hit + self.neighbours + 1))
                group = [i for i in around if i not in shown]
                shown |= dict.fromkeys([hit, *group])
                text = "".join(self.prompt.passage(self.corpus[i]) for i in group)
                blocks.append(Block("passage", self.corpus[hit].id, text))
        ranking = dict.fromkeys([*shown, *hits])
        return Evidence(tuple(blocks), tuple(self.corpus[i].id for i in ranking))

    def _evidence(self, ranked: Sequence[Passage]) -> Evidence:
        blocks = (Block("passage", p.id, self.prompt.passage(p)) for p in ranked[: self.top_k])
        return Evidence(tuple(blocks), tuple(p.id for p in ranked))


class RagOptions(ContextOptions):
    standard = MappingProxyType(
        {
            "top_k": 3,
            "retriever": "auto",
            "control": "none",
            "rerank": NONE,
            "pool": 20,
            "diversity": 1.0,
            "neighbours": 0,
        }
    )
    top_k: Grid[PositiveInt] = Field((1, 3, 5), description="passages shown to the model")
    retriever: Grid[Retriever] = Field(
        ("auto", "lexical"), description="auto: hybrid with a sentence embedder at hand, else lexical"
    )
    context_tokens: int | None = Field(None, gt=0, description="token budget for the passages of one item")
    control: Literal["none", "oracle", "random"] = "none"
    rerank: Grid[ModelName] = Field(
        (NONE,), description="none, or a cross-encoder (folder, Hub id) that orders the first passages anew"
    )
    pool: Grid[PositiveInt] = Field((20,), description="first passages that rerank and diversity put in order")
    diversity: Grid[Share] = Field((1.0,), description="lambda of MMR: 1 for relevance alone, less for unlike passages")
    neighbours: Grid[NonNegativeInt] = Field((0,), description="passages shown before and after each that is found")


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
        passages = fmean(self.options.top_k) * (1 + 2 * fmean(self.options.neighbours))
        return ContextCost(passages * fmean(lengths or [0.0]), self.options.context_tokens)

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
        index = first = material.index(only(options.retriever), documents)
        stage = SecondStage(only(options.rerank), only(options.pool), only(options.diversity))
        neighbours = only(options.neighbours)
        if stage.changes:
            index = material.refine(first, documents, stage)
        return replace(bare, index=index, first=first if stage.changes or neighbours else None, neighbours=neighbours)


PART = Rag
