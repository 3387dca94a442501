"""Finds what stands in an item's prompt: documents or worked examples, as the method was measured.

BM25 (bm25s) over words, exact search over vectors (faiss) of a sentence encoder, or both, fused by their ranks.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np

_POOL = 1000  # how much of each ranking is fused
_RRF_K = 60


class Retriever:
    """Searches the documents of a folder."""

    def __init__(self, settings: dict[str, Any], folder: Path) -> None:
        lines = (folder / "documents.jsonl").read_text(encoding="utf-8").split("\n")
        documents = [json.loads(line) for line in lines if line]
        self.blocks = [document["block"] for document in documents]
        self.settings, self.kind = settings, settings["retriever"]
        if self.kind != "dense":
            self.lexical = Lexical([document["indexed"] for document in documents], settings)
        if self.kind != "lexical":
            self.dense = Dense(settings, folder, len(documents))
        self.stage: Any = None
        if settings.get("stage"):
            from second_stage import SecondStage

            texts = [document["indexed"] for document in documents]
            alike = None if self.kind == "lexical" else self.dense.alike
            tokens = self.lexical.tokens if self.kind == "lexical" else None
            self.stage = SecondStage(settings["stage"], folder, texts, alike, tokens)

    def find(self, query: str) -> list[dict[str, str]]:
        """The blocks for a query, best first."""
        shown = self.settings["shown"]
        depth = max(shown, self.stage.pool) if self.stage else shown
        found = self.ranked(query, depth)[:depth]
        if self.stage:
            found = self.stage.ordered(query, found)
        return [self.blocks[i] for i in found[:shown]]

    def ranked(self, query: str, depth: int) -> list[int]:
        """At least `depth` documents where there are so many, best first."""
        if self.kind == "dense":
            return self.dense.search(query, depth)
        if self.kind == "lexical":
            found = self.lexical.matches(query, depth)
            return found + [i for i in range(len(self.blocks)) if i not in set(found)][: depth - len(found)]
        deeper = max(depth, _POOL)
        return fuse([self.dense.search(query, deeper), self.lexical.matches(query, deeper)])


def fuse(rankings: list[list[int]]) -> list[int]:
    """Reciprocal rank fusion (Cormack et al. 2009)."""
    scores: dict[int, float] = {}
    for ranking in rankings:
        for rank, document in enumerate(ranking, start=1):
            scores[document] = scores.get(document, 0.0) + 1 / (_RRF_K + rank)
    return sorted(scores, key=lambda document: (-scores[document], document))


class Lexical:
    """BM25 over lower-cased words, and over pairs of characters where a script puts no spaces between words."""

    def __init__(self, texts: list[str], settings: dict[str, Any]) -> None:
        import bm25s
        from words import Words

        self.tokens = Words(settings).of
        tokens = [self.tokens(text) for text in texts]
        self.index: Any = bm25s.BM25(backend="numpy") if any(tokens) else None
        if self.index:
            self.index.index(tokens, show_progress=False)

    def matches(self, query: str, depth: int) -> list[int]:
        """At most `depth` documents that share a token with the query, best first; ties in their order."""
        tokens = self.tokens(query)
        if self.index is None or not any(token in self.index.vocab_dict for token in tokens):
            return []
        scores = self.index.get_scores(tokens)
        kept = np.flatnonzero(scores > 0)
        found: list[int] = kept[np.argsort(-scores[kept], kind="stable")][:depth].tolist()
        return found


class Dense:
    """Exact inner-product search; a document in several parts scores as its best one does."""

    def __init__(self, settings: dict[str, Any], folder: Path, size: int) -> None:
        import faiss
        import torch
        from sentence_transformers import SentenceTransformer

        self.index = faiss.read_index(str(folder / "index.faiss"))
        self.owners = np.array(settings["owners"] or range(size))  # the document of each vector
        self.encoder = SentenceTransformer(
            str(folder / "embedder"), device="cpu", local_files_only=True, model_kwargs={"dtype": torch.float32}
        )

    def search(self, query: str, depth: int) -> list[int]:
        """At most `depth` documents, by falling similarity; ties in their order."""
        parts = self.parts(query)
        vectors = self.encoder.encode_query(parts, normalize_embeddings=True, show_progress_bar=False)
        mean = np.asarray(vectors, dtype=np.float32).sum(0, keepdims=True)
        vector = mean / np.linalg.norm(mean) if len(parts) > 1 else mean
        values, found = (array[0] for array in self.index.search(vector, self.index.ntotal))
        documents = self.owners[found]
        order = np.lexsort((documents, -values))
        _, first = np.unique(documents[order], return_index=True)
        ranking: list[int] = documents[order[np.sort(first)]][:depth].tolist()
        return ranking

    def alike(self, documents: list[int]) -> Any:
        """The cosines of documents, of one in several parts that of its first."""
        vectors = self.index.reconstruct_batch(np.searchsorted(self.owners, documents).astype(np.int64))
        return np.asarray(vectors @ vectors.T, dtype=np.float64)

    def parts(self, text: str) -> list[str]:
        """A text in overlapping parts that fit the encoder's input."""
        tokenizer: Any = getattr(self.encoder, "tokenizer", None)
        limit = self.encoder.max_seq_length
        if not limit or not getattr(tokenizer, "is_fast", False):
            return [text]
        prompts = [self.encoder.prompts.get(role) or "" for role in ("query", "document")]
        width = limit - max(len(tokenizer(prompt)["input_ids"]) for prompt in prompts) - 2
        encoded = tokenizer(text, add_special_tokens=False, return_offsets_mapping=True, truncation=False)
        offsets = encoded["offset_mapping"]
        if width <= 0 or len(offsets) <= width + 2:
            return [text]
        starts = range(0, len(offsets) - width // 8, width - width // 8)
        return [text[offsets[start][0] : offsets[min(start + width, len(offsets)) - 1][1]] for start in starts]
