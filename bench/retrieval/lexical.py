"""Lexical search: BM25 over words, and over pairs of characters where a script puts no spaces between words."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from bench.core.errors import UsageError
from bench.core.words import IS_PAIRED, RUN, tokens_of


def check_depth(depth: int) -> None:
    """Raise UsageError for a depth below 1."""
    if depth < 1:
        raise UsageError(f"search depth {depth}: it must be at least 1")


class LexicalSearch:
    """BM25 (bm25s, Lucene's variant, k1 = 1.5, b = 0.75; Robertson et al. 1994, Lù 2024) over `tokens_of`.

    Equal scores go to the document that comes first. Where a query shares no token with any document, the documents
    come in their order, and `counts` says for how many distinct queries that was so.
    """

    def __init__(self, documents: Sequence[str]) -> None:
        import bm25s

        tokens = [tokens_of(text) for text in documents]
        self._size = len(documents)
        self._unmatched: set[str] = set()
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

    def write(self, folder: Path) -> dict[str, object]:
        """What a search elsewhere needs beside the texts, from which the index is built again."""
        return {"retriever": "lexical", "run": RUN.pattern, "paired": IS_PAIRED.pattern}

    @property
    def nbytes(self) -> int:
        """Bytes of the arrays of scores, and of the vocabulary as text."""
        if self._index is None:
            return 0
        arrays = (value for value in self._index.scores.values() if isinstance(value, np.ndarray))
        return sum(array.nbytes for array in arrays) + sum(len(token.encode()) for token in self._index.vocab_dict)

    @property
    def counts(self) -> Mapping[str, float]:
        """Documents, and distinct queries that shared no token with any of them."""
        return {"documents": self._size, "queries_without_match": len(self._unmatched)}

    def matches(self, queries: Sequence[str], depth: int) -> list[list[int]]:
        """At most `depth` positions of documents that share a token with the query, best first."""
        check_depth(depth)
        rankings = [self._ranked(tokens_of(query), depth) for query in queries]
        self._unmatched.update(query for query, ranking in zip(queries, rankings, strict=True) if not ranking)
        return rankings

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
