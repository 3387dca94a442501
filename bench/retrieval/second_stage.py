"""The second stage of a search: the first passages of a ranking in another order, by a cross-encoder and by MMR."""

from __future__ import annotations

import shutil
import time
from collections.abc import Mapping, Sequence
from contextlib import nullcontext
from pathlib import Path
from typing import Protocol, runtime_checkable

import numpy as np
from numpy.typing import NDArray

from bench.core.errors import UsageError
from bench.core.search import Search, SecondStage
from bench.core.words import tokens_of
from bench.meters.phases import Meter
from bench.retrieval.lexical import check_depth
from bench.retrieval.reranker import Reranker


@runtime_checkable
class _Vectors(Protocol):
    def vectors(self, documents: Sequence[int]) -> NDArray[np.float32]: ...


@runtime_checkable
class _Written(Protocol):
    def write(self, folder: Path) -> dict[str, object]: ...


class TwoStageSearch:
    """A search whose first `stage.pool` documents are put into another order; those behind them stay as they were.

    An order is a function of the query and the documents alone, as that of the first stage is. `meter` is told under
    `rerank` what it takes while passages are retrieved for the test.
    """

    def __init__(
        self, first: Search, documents: Sequence[str], stage: SecondStage, reranker: Reranker | None, meter: Meter
    ) -> None:
        self.reranker, self.seconds = reranker, 0.0  # of second stages so far
        self._first, self._documents, self._stage, self._meter = first, documents, stage, meter

    def search(self, queries: Sequence[str], depth: int) -> list[list[int]]:
        """min(depth, n) document positions for each query, best first."""
        check_depth(depth)
        rankings = self._first.search(queries, max(depth, self._stage.pool))
        is_asked = self._meter.is_in("retrieve")
        with self._meter.aside("rerank") if is_asked else nullcontext():
            start = time.perf_counter()
            before = self.reranker.flops if self.reranker else None
            pools = [ranking[: self._stage.pool] for ranking in rankings]
            pools = self._reranked(queries, pools) if self.reranker else pools
            pools = [self._diverse(pool) for pool in pools] if self._stage.diversity < 1 else pools
            self.seconds += time.perf_counter() - start
        after = self.reranker.flops if self.reranker else None
        if is_asked and before is not None and after is not None:
            self._meter.multiplied("rerank", after - before)
        whole = zip(pools, rankings, strict=True)
        return [(pool + ranking[len(pool) :])[:depth] for pool, ranking in whole]

    def write(self, folder: Path) -> dict[str, object]:
        """Write the first stage and the cross-encoder into `folder`; what a search elsewhere needs to know of them.

        Raises:
            UsageError: the first stage cannot be written.
        """
        if not isinstance(self._first, _Written):
            raise UsageError("a second stage behind a retriever of another distribution cannot be exported")
        said, named = self._first.write(folder), None
        if self.reranker:
            left_out = shutil.ignore_patterns("*.py*", "__pycache__")
            shutil.copytree(self.reranker.folder, folder / "reranker", ignore=left_out)
            named = {"name": self.reranker.name, "digest": self.reranker.digest}
        stage = {"pool": self._stage.pool, "diversity": self._stage.diversity, "reranker": named}
        return {**said, "stage": stage}

    @property
    def nbytes(self) -> int:
        """Bytes of the first stage's index; a cross-encoder has none."""
        return self._first.nbytes

    @property
    def counts(self) -> Mapping[str, float]:
        """Those of the first stage, and pairs of query and document that are longer than the cross-encoder's input."""
        return {**self._first.counts, **({"pairs_cut": self.reranker.cut} if self.reranker else {})}

    def _reranked(self, queries: Sequence[str], pools: Sequence[Sequence[int]]) -> list[list[int]]:
        assert self.reranker is not None
        pairs = [(query, self._documents[i]) for query, pool in zip(queries, pools, strict=True) for i in pool]
        if not pairs:
            return [list(pool) for pool in pools]
        scores = np.split(self.reranker.scores(pairs), np.cumsum([len(pool) for pool in pools])[:-1])
        return [by_score(pool, own) for pool, own in zip(pools, scores, strict=True)]

    def _diverse(self, pool: Sequence[int]) -> list[int]:
        return [pool[i] for i in mmr(self._alike(pool), self._stage.diversity)]

    def _alike(self, pool: Sequence[int]) -> NDArray[np.float64]:
        """How alike the documents of a pool are: cosines of their vectors, else the words that they share; [n, n]."""
        if isinstance(self._first, _Vectors):
            vectors = self._first.vectors(pool)
            return np.asarray(vectors @ vectors.T, dtype=np.float64)
        words = [frozenset(tokens_of(self._documents[i])) for i in pool]
        return np.array([[jaccard(a, b) for b in words] for a in words])


def by_score(pool: Sequence[int], scores: NDArray[np.float32]) -> list[int]:
    """The documents by falling score; equal scores keep their order."""
    return [pool[i] for i in np.argsort(-scores, kind="stable")]


def jaccard(a: frozenset[str], b: frozenset[str]) -> float:
    """The share of the words of two texts that both have; 0 where neither has any."""
    return len(a & b) / len(a | b) if a | b else 0.0


def mmr(alike: NDArray[np.float64], relevance: float) -> list[int]:
    """The order of n ranked documents by maximal marginal relevance (Carbonell & Goldstein 1998, SIGIR).

    In each step the document with the highest λ·r − (1 − λ)·s is next, where s is the highest likeness to one that is
    there already and r falls evenly with the rank, from 1 for the first to 1/n for the last: scores of retrievers have
    no common scale. Of equal ones the first is taken; λ = 1 gives the order as it was.

    Args:
        alike: [n, n], in the order of the ranking.
        relevance: λ, in [0, 1].
    """
    count = len(alike)
    relevant = 1 - np.arange(count) / max(1, count)
    order: list[int] = []
    closest = np.zeros(count)
    for _ in range(count):
        values = relevance * relevant - (1 - relevance) * closest
        values[order] = -np.inf
        chosen = int(np.argmax(values))
        closest = np.maximum(closest, alike[chosen]) if order else alike[chosen].copy()
        order.append(chosen)
    return order
