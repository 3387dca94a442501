"""Puts the first documents of a ranking into another order: by a cross-encoder, and by maximal marginal relevance."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np


class SecondStage:
    """The second stage of a retriever over `documents`; `alike` gives how alike documents are by their vectors."""

    def __init__(
        self, settings: dict[str, Any], folder: Path, documents: Sequence[str], alike: Any, tokens: Any
    ) -> None:
        self.pool: int = settings["pool"]
        self.relevance: float = settings["diversity"]
        self.documents, self.alike = documents, alike or self.shared_words(tokens)
        self.reranker: Any = None
        if settings["reranker"]:
            import torch
            from sentence_transformers import CrossEncoder

            self.reranker = CrossEncoder(
                str(folder / "reranker"), device="cpu", local_files_only=True, activation_fn=torch.nn.Identity(),
                model_kwargs={"dtype": torch.float32, "use_safetensors": True},
            )  # fmt: skip

    def ordered(self, query: str, ranking: list[int]) -> list[int]:
        """The ranking with its first `pool` documents in their new order."""
        pool, rest = ranking[: self.pool], ranking[self.pool :]
        if self.reranker and pool:
            pairs = [[query, self.documents[i]] for i in pool]
            scores = self.reranker.predict(pairs, batch_size=1, show_progress_bar=False)
            pool = [pool[i] for i in np.argsort(-scores, kind="stable")]
        if self.relevance < 1:
            pool = [pool[i] for i in mmr(self.alike(pool), self.relevance)]
        return pool + rest

    def shared_words(self, tokens: Callable[[str], list[str]] | None) -> Callable[[list[int]], Any]:
        """How alike documents are without vectors: the share of their words that both have."""

        def alike(pool: list[int]) -> Any:
            words = [frozenset(tokens(self.documents[i])) for i in pool] if tokens else []
            return np.array([[len(a & b) / len(a | b) if a | b else 0.0 for b in words] for a in words])

        return alike


def mmr(alike: Any, relevance: float) -> list[int]:
    """The order of ranked documents by maximal marginal relevance (Carbonell & Goldstein 1998)."""
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
