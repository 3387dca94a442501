"""Context part `rag`: passages retrieved from the task's corpus (Lewis et al. 2020).

A second stage may put the first `pool` passages into another order before any is shown: `rerank` by a cross-encoder,
`diversity` by maximal marginal relevance. `neighbours` shows what stands before and after a passage too. Documents are
found whole, or cut into chunks by `chunk`.

`retriever: tuned` searches with a sentence encoder that is fine-tuned on questions and gold passages of the train split
(dense passage retrieval: Karpukhin et al. 2020, arXiv:2004.04906).

Retrieval from the training split is `few-shot: {select: similar}`. Two controls bound what retrieval can give:
`control: oracle` hands the gold passages, `control: random` hands passages drawn for each (task, seed, item).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from math import inf
from statistics import fmean
from types import MappingProxyType
from typing import Literal

from pydantic import Field, NonNegativeInt, PositiveInt

from bench.core.citation import ASKED
from bench.core.method import Context, ContextCost, ContextPart, Material
from bench.core.outside import OWN
from bench.core.search import NONE, TUNED, Search, SecondStage
from bench.core.spans import Chunking
from bench.core.task import Task
from bench.core.values import Switch
from methods.few_shot import SAMPLE
from methods.options import WHOLE, AnyRetriever, Chunk, ContextOptions, EncoderTuning, Grid, ModelName, Share, only
from methods.passages import Passages

_REFUSE = "Where no passage says it, answer exactly: {}."
_CHARACTERS = 5  # of a token or a word, about


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
            "chunk": WHOLE,
            "cite": "off",
            "refuse": "off",
        }
    )
    top_k: Grid[PositiveInt] = Field((1, 3, 5), description="passages shown to the model")
    retriever: Grid[AnyRetriever] = Field(
        ("auto", "lexical"), description="auto: hybrid with a sentence embedder at hand, else lexical"
    )
    context_tokens: int | None = Field(None, gt=0, description="token budget for the passages of one item")
    control: Literal["none", "oracle", "random"] = Field(
        "none", description="oracle: the gold passages are shown; random: passages drawn for each item"
    )
    rerank: Grid[ModelName] = Field(
        (NONE,), description="none, or a cross-encoder (folder, Hub id) that orders the first passages anew"
    )
    pool: Grid[PositiveInt] = Field((20,), description="first passages that rerank and diversity put in order")
    diversity: Grid[Share] = Field((1.0,), description="lambda of MMR: 1 for relevance alone, less for unlike passages")
    neighbours: Grid[NonNegativeInt] = Field((0,), description="passages shown before and after each that is found")
    chunk: Grid[Chunk] = Field((WHOLE,), description="whole, or how documents are cut: by, size and overlap")
    cite: Grid[Switch] = Field(("off",), description="on: passages have numbers, and answers are to cite them")
    refuse: Grid[Switch] = Field(("off",), description="on: the prompt says what to answer where no passage says it")
    tuned: EncoderTuning = Field(EncoderTuning(), description="how the encoder of a tuned retriever learns")


class Rag(ContextPart):
    """Passages retrieved from the corpus."""

    name = "rag"
    Options = RagOptions
    options: RagOptions

    def __init__(self, options: RagOptions) -> None:
        super().__init__(options)
        self.tunes_retriever = options.control == "none" and any(each in TUNED for each in options.retriever)
        self.uses_seed = options.control == "random" or self.tunes_retriever
        self.retrieves = options.control == "none"
        self.sees_gold = options.control == "oracle"
        self.is_control = options.control != "none"

    def requires(self, task: Task) -> str | None:
        if not task.corpus:
            return "rag needs a task with a corpus; `few-shot: {select: similar}` retrieves from the train split"
        if self.sees_gold and not any(example.gold for example in task.test):
            return "rag with control: oracle needs gold passage ids in the test split"
        if "on" in self.options.refuse and task.refusal is None:
            return "rag with refuse: on needs a task that says what a refusal is (refusal in its task.yaml)"
        if "on" in self.options.cite and task.kind != "text":
            return "rag with cite: on is for texts"
        if self.tunes_retriever and not any(example.gold for example in task.train):
            return "rag with a tuned retriever needs gold passage ids in the train split"
        return None

    def reads_train(self, task: Task) -> bool:
        return self.tunes_retriever

    def cost(self, task: Task) -> ContextCost:
        sizes = [len(passage.text) + len(passage.title) for passage in task.corpus[:SAMPLE]]
        most = [inf if each == WHOLE else _CHARACTERS * Chunking.parse(each).size for each in self.options.chunk]
        lengths = [min(size, characters) for size in sizes for characters in most]
        passages = fmean(self.options.top_k) * (1 + 2 * fmean(self.options.neighbours))
        return ContextCost(passages * fmean(lengths or [0.0]), self.options.context_tokens)

    def build(self, material: Material) -> Context:
        options, corpus, unit = self.options, material.corpus, ""
        if (chunk := only(options.chunk)) != WHOLE:
            chunks = material.chunk(material.corpus, Chunking.parse(chunk))
            corpus, unit = chunks.passages, chunks.unit
        bare = Passages(
            documents=material.corpus,
            corpus=corpus,
            unit=unit,
            prompt=material.prompt,
            top_k=only(options.top_k),
            token_budget=options.context_tokens,
            cites=only(options.cite) == "on",
            instruction=self._instruction(material),
        )
        if options.control == "oracle":
            return replace(bare, gold=material.gold)
        if options.control == "random":
            return replace(bare, random_seed=(material.task, material.seed))
        documents = [material.prompt.document(passage) for passage in corpus]
        index = first = self._first_stage(material, bare, documents)
        stage = SecondStage(only(options.rerank), only(options.pool), only(options.diversity))
        neighbours = only(options.neighbours)
        if stage.changes:
            index = material.refine(first, documents, stage)
        return replace(bare, index=index, first=first if stage.changes or neighbours else None, neighbours=neighbours)

    def _first_stage(self, material: Material, passages: Passages, documents: Sequence[str]) -> Search:
        name = only(self.options.retriever)
        if name in TUNED:
            train, judged = passages.questions(material.train, exact=True), passages.questions(material.validation)
            return material.tuned_index(TUNED[name], documents, train, judged, self.options.tuned)
        return material.index(name, documents) if name in OWN else material.connect(name, passages.corpus)

    def _instruction(self, material: Material) -> str | None:
        """The task's, with what is said of refusing and citing; None where nothing is."""
        said = [_REFUSE.format(material.refusal)] if only(self.options.refuse) == "on" else []
        said += [ASKED] if only(self.options.cite) == "on" else []
        return " ".join(filter(None, [material.prompt.instruction, *said])) if said else None


PART = Rag
