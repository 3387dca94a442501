"""Finding passages: dense, lexical and hybrid search, and how good their rankings are.

Rankings are a function of the query and the documents alone: equal scores go to the document that
comes first, and neither the other queries of a call nor its depth changes an order.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from bench.core.errors import UsageError, unknown
from bench.retrieval.embedders import REMEDY, Embedder, find_embedder

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from bench.core.method import Search

__all__ = ["RETRIEVERS", "Embedder", "build", "find_embedder"]

RETRIEVERS = ("dense", "lexical", "hybrid")
_RRF_K = 60  # Cormack, Clarke & Büttcher 2009, section 2
_POOL = 1000  # how much of each ranking is fused: the depth of the TREC runs fused there
_FAISS_QUERIES = 16  # below the 20 at which faiss turns to BLAS, whose last bits follow the batch


def build(retriever: str, documents: Sequence[str], *, embedder: Embedder | None) -> Search:
    """An index over `documents`; `retriever` is "dense", "lexical" or "hybrid".

    `search(queries, depth)` gives for each query min(depth, n) document positions, best first.
    `embedder` is needed by all but "lexical".

    Raises UsageError for an unknown retriever, no documents, or no embedder where one is needed.
    """
    if retriever not in RETRIEVERS:
        raise UsageError(unknown("retriever", retriever, RETRIEVERS))
    if not documents:
        raise UsageError(f"retriever {retriever}: there are no documents to index")
    if retriever == "lexical":
        return LexicalSearch(documents)
    if embedder is None:
        raise UsageError(f"retriever {retriever} needs a sentence embedder and none was found; {REMEDY}")
    dense = DenseSearch(documents, embedder)
    return dense if retriever == "dense" else HybridSearch(dense, LexicalSearch(documents))


def fuse(rankings: Sequence[Sequence[int]], k: int = _RRF_K) -> list[int]:
    """Reciprocal rank fusion (Cormack et al. 2009): score = Σ 1 / (k + rank), ranks from 1.

    A document that a ranking lacks gets nothing from it; ties go to the lower position.
    """
    scores: dict[int, float] = {}
    for ranking in rankings:
        for rank, document in enumerate(ranking, start=1):
            scores[document] = scores.get(document, 0.0) + 1 / (k + rank)
    return sorted(scores, key=lambda document: (-scores[document], document))


def _check_depth(depth: int) -> None:
    if depth < 1:
        raise UsageError(f"search depth {depth}: it must be at least 1")


def one_each(given: Any, count: int) -> NDArray[np.float32]:
    """What an embedder gave for `count` texts, as [n, d] in fp32; ValueError unless it is a finite vector for each."""
    vectors: NDArray[np.float32] = np.ascontiguousarray(given, dtype=np.float32)
    if vectors.ndim != 2 or len(vectors) != count or not np.isfinite(vectors).all():
        raise ValueError(f"{count} texts were embedded as an array of shape {vectors.shape}, or as NaN")
    return vectors


def _embed(encode: Callable[[list[str]], Any], texts: Sequence[str]) -> NDArray[np.float32]:
    """A vector for each text; equal texts are encoded once and so tie exactly.

    Raises ValueError where the embedder gives something other than one finite vector for each text.
    """
    unique = {text: row for row, text in enumerate(dict.fromkeys(texts))}
    vectors = one_each(encode(list(unique)), len(unique))
    return vectors[[unique[text] for text in texts]]


class DenseSearch:
    """Exact inner-product search over embedded documents (faiss `IndexFlatIP`)."""

    def __init__(self, documents: Sequence[str], embedder: Embedder) -> None:
        import faiss

        vectors = _embed(embedder.encode_document, documents)
        self._embedder = embedder
        self._size = len(documents)
        self._index = faiss.IndexFlatIP(vectors.shape[1])
        self._index.add(vectors)

    def search(self, queries: Sequence[str], depth: int) -> list[list[int]]:
        """min(depth, n) document positions for each query, by falling similarity."""
        _check_depth(depth)
        if not queries:
            return []
        vectors = _embed(self._embedder.encode_query, queries)
        chunks = (vectors[start : start + _FAISS_QUERIES] for start in range(0, len(queries), _FAISS_QUERIES))
        return [ranking for chunk in chunks for ranking in self._nearest(chunk, min(depth, self._size))]

    @property
    def nbytes(self) -> int:
        """Bytes of the vectors."""
        return int(self._index.ntotal * self._index.d * 4)

    def _nearest(self, vectors: NDArray[np.float32], depth: int) -> list[list[int]]:
        """Ask for one more than wanted, and for all of a query whose last place is shared by a tie."""
        asked = min(depth + 1, self._size)
        scores, positions = self._index.search(vectors, asked)
        rankings = []
        for row, vector in enumerate(vectors):
            values, found = scores[row], positions[row]
            if depth < asked and values[depth - 1] == values[depth]:
                values, found = (array[0] for array in self._index.search(vector[None], self._size))
            rankings.append(found[np.lexsort((found, -values))][:depth].tolist())
        return rankings


class LexicalSearch:
    """BM25 (bm25s, Lucene's variant, k1 = 1.5, b = 0.75; Robertson et al. 1994, Lù 2024).

    Tokens are bm25s's own: lower-cased runs of two or more word characters, not stemmed. Stop words stay
    (its default drops 33 English ones): that is right for every language, and on PopQA hit@5 is 0.985 with
    them and 0.980 without. Text without such tokens matches nothing.
    """

    def __init__(self, documents: Sequence[str]) -> None:
        import bm25s

        tokens = self._tokens(documents)
        self._size = len(documents)
        self._index: Any = None
        if any(tokens):  # bm25s cannot index a corpus without one token
            self._index = bm25s.BM25(backend="numpy")
            self._index.index(tokens, show_progress=False)

    def search(self, queries: Sequence[str], depth: int) -> list[list[int]]:
        """min(depth, n) document positions: those that match by falling score, then the rest in order."""
        rankings = []
        for matched in self.matches(queries, depth):
            missing = min(depth, self._size) - len(matched)
            known = set(matched)
            rest = (position for position in range(self._size) if position not in known)
            rankings.append(matched + [next(rest) for _ in range(missing)])
        return rankings

    @property
    def nbytes(self) -> int:
        """Bytes of the arrays of scores, and of the vocabulary as text."""
        if self._index is None:
            return 0
        arrays = (value for value in self._index.scores.values() if isinstance(value, np.ndarray))
        return sum(array.nbytes for array in arrays) + sum(len(token.encode()) for token in self._index.vocab_dict)

    def matches(self, queries: Sequence[str], depth: int) -> list[list[int]]:
        """At most `depth` positions of documents that share a token with the query, best first."""
        _check_depth(depth)
        return [self._ranked(tokens, depth) for tokens in self._tokens(queries)]

    def _ranked(self, tokens: list[str], depth: int) -> list[int]:
        if self._index is None or not any(token in self._index.vocab_dict for token in tokens):
            return []
        scores = self._index.get_scores(tokens)
        kept = np.flatnonzero(scores > 0)
        if len(kept) > depth:
            threshold = np.partition(scores, len(scores) - depth)[len(scores) - depth]
            kept = np.flatnonzero(scores >= threshold)  # all that tie for the last place
        order = np.argsort(-scores[kept], kind="stable")
        ranking: list[int] = kept[order][:depth].tolist()
        return ranking

    @staticmethod
    def _tokens(texts: Sequence[str]) -> list[list[str]]:
        import bm25s

        found: list[list[str]] = bm25s.tokenize(list(texts), stopwords=None, return_ids=False, show_progress=False)
        return found


class HybridSearch:
    """Reciprocal rank fusion of a dense and a lexical ranking, each to a depth of at least 1,000."""

    def __init__(self, dense: DenseSearch, lexical: LexicalSearch) -> None:
        self._dense = dense
        self._lexical = lexical

    @property
    def nbytes(self) -> int:
        """Bytes of both indexes."""
        return self._dense.nbytes + self._lexical.nbytes

    def search(self, queries: Sequence[str], depth: int) -> list[list[int]]:
        """min(depth, n) document positions for each query, by falling fused score."""
        pool = max(depth, _POOL)
        _check_depth(depth)
        both = zip(self._dense.search(queries, pool), self._lexical.matches(queries, pool), strict=True)
        return [fuse(rankings)[:depth] for rankings in both]
