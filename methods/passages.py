"""Passages in the context: whole documents or chunks of them, as they are found, shown and ranked."""

from __future__ import annotations

import random
from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field

from bench.core.citation import numbered
from bench.core.hashing import derive_seed
from bench.core.item import Example, Item, Passage
from bench.core.method import Context, Evidence, Pool
from bench.core.prompt import Block, Prompt
from bench.core.search import Questions, Search
from bench.core.spans import RANKING_DEPTH, Gold, Span, covering, document_of

_DEEPER = 4  # times as deep, where chunks of too few documents were found


@dataclass(frozen=True, kw_only=True)
class Passages(Context):
    """Passages for each item: retrieved, gold or random."""

    documents: tuple[Passage, ...]
    corpus: tuple[Passage, ...]  # what is found: the documents, or their chunks
    unit: str = ""  # what the size of chunks was counted in; "": documents are not cut
    prompt: Prompt
    top_k: int
    index: Search | None = None
    first: Search | None = None  # the index without its second stage
    neighbours: int = 0  # passages shown before and after each that is found
    gold: Mapping[str, tuple[Gold, ...]] = field(default_factory=dict)
    random_seed: tuple[object, ...] | None = None

    def find(self, items: Sequence[Item]) -> list[Evidence]:
        if self.index is None:
            return [self._evidence(ranked) for ranked in self._given(items)]
        return [self._near(hits) for hits in self._searched(self.index, items)]

    def first_stage(self, items: Sequence[Item]) -> list[tuple[str, ...]] | None:
        return None if self.first is None else self.rankings(self.first, items)

    def rankings(self, index: Search, items: Sequence[Item]) -> list[tuple[str, ...]]:
        """The ids that an index over the same passages finds, without neighbours."""
        return [tuple(self.corpus[i].id for i in hits) for hits in self._searched(index, items)]

    def questions(self, examples: Sequence[Example], exact: bool = False) -> Questions:
        """Examples that have gold, with the positions of what holds it.

        `exact`: without documents that are cut into several chunks, as it is unknown which of these holds the answer.
        """
        places: dict[str, list[int]] = defaultdict(list)
        for i, passage in enumerate(self.corpus):
            places[document_of(passage.place)].append(i)
        found = [(self.prompt.query(e), tuple(self._positions(e.gold, places, exact))) for e in examples]
        texts, gold = zip(*(pair for pair in found if pair[1]), strict=True) if any(g for _, g in found) else ((), ())
        return Questions(tuple(texts), tuple(gold))

    def _positions(self, gold: Sequence[Gold], places: Mapping[str, list[int]], exact: bool) -> Iterator[int]:
        for place in gold:
            own = places[document_of(place)]
            if isinstance(place, Span):
                yield from (own[i] for i in covering([self.corpus[i].place for i in own], place))
            elif len(own) == 1 or not exact:
                yield from own

    def pool(self) -> Pool | None:
        if self.index is None or self.neighbours or self.cites:
            return None
        blocks = tuple(Block("passage", passage.id, self.prompt.passage(passage)) for passage in self.corpus)
        return Pool(self.index, tuple(map(self.prompt.document, self.corpus)), blocks, self.top_k)

    @property
    def counts(self) -> Mapping[str, float]:
        if not self.unit:
            return {}
        return {"documents": len(self.documents), "chunks": len(self.corpus), f"chunks_by_{self.unit}": 1}

    def _searched(self, index: Search, items: Sequence[Item]) -> list[list[int]]:
        """Positions, as deep as is shown and scored: of chunks until they are of `RANKING_DEPTH` documents."""
        queries = [self.prompt.query(item) for item in items]
        depth = least = max(self.top_k, RANKING_DEPTH)
        rankings = index.search(queries, depth)
        if not self.unit:
            return rankings
        short = list(range(len(queries)))
        while short := [
            i for i in short if len(rankings[i]) == depth < len(self.corpus) and not self._suffices(rankings[i], least)
        ]:
            depth *= _DEEPER
            for i, ranking in zip(short, index.search([queries[i] for i in short], depth), strict=True):
                rankings[i] = ranking
        return [ranking[: self._suffices(ranking, least) or None] for ranking in rankings]

    def _suffices(self, ranking: Sequence[int], least: int) -> int:
        """How many chunks are of as many documents as are scored, and at least `least`; 0 where all are too few."""
        seen: set[str] = set()
        for count, i in enumerate(ranking, start=1):
            seen.add(document_of(self.corpus[i].place))
            if count >= least and len(seen) >= min(RANKING_DEPTH, len(self.documents)):
                return count
        return 0

    def _given(self, items: Sequence[Item]) -> list[list[Passage]]:
        if self.random_seed is not None:
            return [self._draw(item) for item in items]
        whole = {passage.id: passage for passage in self.documents}
        chunks: dict[str, list[Passage]] = defaultdict(list)
        for chunk in self.corpus:
            chunks[document_of(chunk.place)].append(chunk)
        held = (self._holding(self.gold.get(item.id, ()), whole, chunks) for item in items)
        return [list(dict.fromkeys(passages)) for passages in held]

    def _holding(
        self, gold: Sequence[Gold], whole: Mapping[str, Passage], chunks: Mapping[str, Sequence[Passage]]
    ) -> Iterator[Passage]:
        """The documents that are gold; of spans the chunks that hold them, or the documents where they are not cut."""
        for place in gold:
            if isinstance(place, Span) and self.unit:
                near = chunks[place.document]
                yield from (near[i] for i in covering([chunk.place for chunk in near], place))
            else:
                yield whole[document_of(place)]

    def _draw(self, item: Item) -> list[Passage]:
        assert self.random_seed is not None
        rng = random.Random(derive_seed("random passages", *self.random_seed, item.id))
        return rng.sample(self.corpus, min(self.top_k, len(self.corpus)))

    def _near(self, hits: Sequence[int]) -> Evidence:
        """Each hit with its neighbours, of chunks those of its document, in the order of the corpus, each shown once.

        The ranking has neighbours behind their hit, so that each passage that is shown counts.
        """
        shown: dict[int, None] = {}  # in the order of the ranking
        blocks: list[Block] = []
        for hit in hits:
            if len(blocks) == self.top_k:
                break
            if hit not in shown:
                around = range(max(0, hit - self.neighbours), min(len(self.corpus), hit + self.neighbours + 1))
                group = [i for i in around if i not in shown and self._beside(i, hit)]
                shown |= dict.fromkeys([hit, *group])
                text = "".join(self.prompt.passage(self.corpus[i]) for i in group)
                blocks.append(Block("passage", self.corpus[hit].id, self._shown(len(blocks) + 1, text)))
        ranking = dict.fromkeys([*shown, *hits])
        return Evidence(tuple(blocks), tuple(self.corpus[i].id for i in ranking))

    def _beside(self, i: int, hit: int) -> bool:
        """Whether passage `i` may stand beside a hit: chunks of another document do not."""
        return not self.unit or document_of(self.corpus[i].place) == document_of(self.corpus[hit].place)

    def _evidence(self, ranked: Sequence[Passage]) -> Evidence:
        shown = enumerate(ranked[: self.top_k], start=1)
        blocks = (Block("passage", p.id, self._shown(rank, self.prompt.passage(p))) for rank, p in shown)
        return Evidence(tuple(blocks), tuple(p.id for p in ranked))

    def _shown(self, rank: int, text: str) -> str:
        return numbered(rank, text) if self.cites else text
