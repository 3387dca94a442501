"""Finding passages: dense, lexical and hybrid search, and how good their rankings are.

Rankings are a function of the query and the documents alone: equal scores go to the document that
comes first, and neither the other queries of a call nor its depth changes an order.
"""

from __future__ import annotations

import hashlib
import shutil
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from bench.core.errors import UsageError, unknown
from bench.core.search import Search
from bench.retrieval.embedders import REMEDY, Embedder, find_embedder
from bench.retrieval.large_index import FLAT_UP_TO, SAMPLE, IndexStore, LargeIndex, write_index
from bench.retrieval.lexical import LexicalSearch, check_depth

__all__ = ["RETRIEVERS", "Embedder", "build", "find_embedder"]

RETRIEVERS = ("dense", "lexical", "hybrid")
_RRF_K = 60  # Cormack, Clarke & Büttcher 2009, section 2
_POOL = 1000  # how much of each ranking is fused: the depth of the TREC runs fused there
_AT_ONCE = 8192  # texts of a large index that are embedded at once
_FEW = 20  # questions, too few to measure a recall on
_FAISS_QUERIES = 16  # below the 20 at which faiss turns to BLAS, whose last bits follow the batch


def build(
    retriever: str, documents: Sequence[str], *, embedder: Embedder | None, questions: Sequence[str] = ()
) -> Search:
    """An index over `documents`; `retriever` is "dense", "lexical" or "hybrid".

    `search(queries, depth)` gives for each query min(depth, n) document positions, best first.
    `embedder` is needed by all but "lexical". Of `questions`, which are none of the test, some measure what an index of
    many vectors finds.

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
    dense = DenseSearch(documents, embedder, questions)
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
    """Inner-product search over embedded documents: exact (faiss `IndexFlatIP`) up to `FLAT_UP_TO` vectors.

    Of more, see `bench.retrieval.large_index`: where it searches a part of them, a ranking may be shorter than it was
    asked for.

    A document longer than the encoder's input is embedded in parts, and scores as its best part does (MaxP: Dai &
    Callan 2019, arXiv:1905.09217). A longer query is the mean of its parts. Equal scores go to the document that comes
    first.
    """

    def __init__(self, documents: Sequence[str], embedder: Embedder, questions: Sequence[str] = ()) -> None:
        parts = embedder.parts(list(documents))
        texts = [part for own in parts for part in own]
        self._embedder = embedder
        self._size = len(documents)
        self._in_parts = sum(len(own) > 1 for own in parts)
        self._most = max(map(len, parts))
        self._document = np.repeat(np.arange(self._size), [len(own) for own in parts])  # of each vector
        self._index: Any = self._flat(texts) if len(texts) <= FLAT_UP_TO else self._large(texts, questions)

    def _flat(self, texts: Sequence[str]) -> Any:
        import faiss

        vectors = _embed(self._embedder.encode_document, texts)
        index = faiss.IndexFlatIP(vectors.shape[1])
        index.add(vectors)
        return index

    def _large(self, texts: list[str], questions: Sequence[str]) -> LargeIndex:
        """The index of many vectors: one that is kept, or one that is made of texts embedded a block at a time."""
        embedder = getattr(self._embedder, "plain", self._embedder)
        self._store: IndexStore = getattr(self._embedder, "indexes", None) or IndexStore(None)
        asked = questions[:: max(1, len(questions) // SAMPLE)][:SAMPLE]
        name = hashlib.sha256(embedder.digest.encode())
        for text in (*texts, "", *asked):
            name.update(hashlib.sha256(text.encode("utf-8", "surrogatepass")).digest())

        def write(folder: Path) -> None:
            blocks = (texts[start : start + _AT_ONCE] for start in range(0, len(texts), _AT_ONCE))
            batches = (_embed(embedder.encode_document, block) for block in blocks)
            few = len(asked) < _FEW
            write_index(folder, len(texts), batches, lambda near: near if few else self._query_vectors(asked))

        return self._store.get(name.hexdigest(), write)

    def search(self, queries: Sequence[str], depth: int) -> list[list[int]]:
        """min(depth, n) document positions for each query, by falling similarity."""
        check_depth(depth)
        if not queries:
            return []
        vectors = self._query_vectors(queries)
        chunks = (vectors[start : start + _FAISS_QUERIES] for start in range(0, len(queries), _FAISS_QUERIES))
        return [ranking for chunk in chunks for ranking in self._nearest(chunk, min(depth, self._size))]

    def write(self, folder: Path) -> dict[str, object]:
        """Write the vectors and the encoder into `folder`; what a search elsewhere needs to know of them.

        Raises:
            UsageError: the encoder is in no folder that could be copied.
        """
        import faiss

        if isinstance(self._index, LargeIndex):
            raise UsageError(f"an index of {self._index.ntotal:,} vectors is not copied; the most is {FLAT_UP_TO:,}")
        encoder = getattr(self._embedder, "folder", None)
        if encoder is None:
            raise UsageError(f"the sentence encoder {self._embedder.name} cannot be copied: it is no folder")
        faiss.write_index(self._index, str(folder / "index.faiss"))
        shutil.copytree(encoder, folder / "embedder", ignore=shutil.ignore_patterns("*.py*", "__pycache__"))
        owners = self._document.tolist() if self._in_parts else None
        said = {"name": self._embedder.name, "digest": self._embedder.digest}
        return {"retriever": "dense", "embedder": said, "owners": owners}

    @property
    def nbytes(self) -> int:
        """Bytes of the vectors, and of the lists that hold them again."""
        times = 1 if self._is_exact else 2
        return int(self._index.ntotal * self._index.d * 4 * times)

    @property
    def counts(self) -> Mapping[str, float]:
        """Documents, and those of them that are longer than the encoder's input; how many vectors are searched."""
        large = self._index.counts if isinstance(self._index, LargeIndex) else {}
        return {"documents": self._size, "documents_in_parts": self._in_parts, **large}

    @property
    def _is_exact(self) -> bool:
        return not isinstance(self._index, LargeIndex) or self._index.is_exact

    def vectors(self, documents: Sequence[int]) -> NDArray[np.float32]:
        """The vectors of documents by their positions, of one in parts that of its first: [n, d]."""
        first = np.searchsorted(self._document, np.asarray(documents, dtype=np.int64))
        found: NDArray[np.float32] = self._index.reconstruct_batch(first.astype(np.int64))
        return found

    def _query_vectors(self, queries: Sequence[str]) -> NDArray[np.float32]:
        parts = self._embedder.parts(list(queries))
        vectors = _embed(self._embedder.encode_query, [part for own in parts for part in own])
        if len(vectors) == len(queries):
            return vectors
        starts = np.cumsum([0, *(len(own) for own in parts[:-1])])
        means = np.add.reduceat(vectors, starts, axis=0)
        lengths = np.linalg.norm(means, axis=1, keepdims=True)
        return np.asarray(means / np.maximum(lengths, np.finfo(np.float32).tiny), dtype=np.float32)

    def _nearest(self, vectors: NDArray[np.float32], depth: int) -> list[list[int]]:
        """Ask for one vector more than `depth` documents can have, and for all where a tie goes beyond that."""
        total = int(self._index.ntotal)
        asked = min(depth * self._most + 1, total)
        scores, positions = self._index.search(vectors, asked)
        rankings = []
        for row, vector in enumerate(vectors):
            values, found = scores[row], positions[row]
            ranking, last = self._documents(values, found, depth)
            if asked < total and last <= values[-1] and self._is_exact:
                values, found = (array[0] for array in self._index.search(vector[None], total))
                ranking, _ = self._documents(values, found, depth)
            rankings.append(ranking)
        return rankings

    def _documents(self, values: NDArray[np.float32], found: NDArray[np.int64], depth: int) -> tuple[list[int], float]:
        """The first `depth` documents by their best vector, and the score of the last."""
        values, found = values[found >= 0], found[found >= 0]
        if not len(found):
            return [], -np.inf
        documents = self._document[found]
        order = np.lexsort((documents, -values))
        _, first = np.unique(documents[order], return_index=True)
        kept = order[np.sort(first)][:depth]
        return documents[kept].tolist(), float(values[kept[-1]])


class HybridSearch:
    """Reciprocal rank fusion of a dense and a lexical ranking, each to a depth of at least 1,000."""

    def __init__(self, dense: DenseSearch, lexical: LexicalSearch) -> None:
        self._dense = dense
        self._lexical = lexical

    def write(self, folder: Path) -> dict[str, object]:
        """What both write."""
        return {**self._lexical.write(folder), **self._dense.write(folder), "retriever": "hybrid"}

    def vectors(self, documents: Sequence[int]) -> NDArray[np.float32]:
        """Those of the dense index: [n, d]."""
        return self._dense.vectors(documents)

    @property
    def nbytes(self) -> int:
        """Bytes of both indexes."""
        return self._dense.nbytes + self._lexical.nbytes

    @property
    def counts(self) -> Mapping[str, float]:
        """Those of both indexes."""
        return {**self._dense.counts, **self._lexical.counts}

    def search(self, queries: Sequence[str], depth: int) -> list[list[int]]:
        """min(depth, n) document positions for each query, by falling fused score."""
        check_depth(depth)
        pool = max(depth, _POOL)
        both = zip(self._dense.search(queries, pool), self._lexical.matches(queries, pool), strict=True)
        return [fuse(rankings)[:depth] for rankings in both]
