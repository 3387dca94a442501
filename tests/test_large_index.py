"""Indexes of many vectors: exact by blocks, approximate where that finds enough, kept by content."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
import torch
from numpy.typing import NDArray

from bench.core.errors import UsageError
from bench.meters.phases import Meter
from bench.retrieval import index as index_module
from bench.retrieval import large_index
from bench.retrieval.embedding_cache import CachedEmbedder
from bench.retrieval.index import DenseSearch, build
from bench.retrieval.large_index import IndexStore, LargeIndex, MappedVectors, write_index

Vectors = NDArray[np.float32]


def unit(vectors: NDArray[np.floating]) -> Vectors:
    return np.asarray(vectors / np.linalg.norm(vectors, axis=1, keepdims=True), dtype=np.float32)


def near_centres(count: int, seed: int) -> Vectors:
    """Vectors in tight groups: those of a group are each other's neighbours."""
    rng, centres = np.random.default_rng(seed), np.random.default_rng(9).standard_normal((40, 16))
    return unit(centres[rng.integers(0, 40, count)] + 0.1 * rng.standard_normal((count, 16)))


def even(count: int, seed: int) -> Vectors:
    return unit(np.random.default_rng(seed).standard_normal((count, 64)))


def made(folder: Path, vectors: Vectors, queries: Vectors) -> LargeIndex:
    def batches() -> Iterator[Vectors]:
        yield from np.array_split(vectors, 7)

    return IndexStore(folder).get(
        "a" * 64, lambda place: write_index(place, len(vectors), batches(), lambda near: queries)
    )


@pytest.fixture(autouse=True)
def small_blocks(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(large_index, "_BLOCK", 700)


def test_a_search_by_blocks_is_a_sort_of_all_products(tmp_path: Path) -> None:
    vectors = even(1500, 0)
    vectors[900] = vectors[3]  # ties go to the first
    np.save(tmp_path / "v.npy", vectors)
    queries = np.vstack([vectors[3:4], even(5, 1)])
    scores, positions = MappedVectors(tmp_path / "v.npy").search(queries, 20)
    for query, row, found in zip(queries, positions, scores, strict=True):
        products = (vectors.astype(np.float64) @ query.astype(np.float64)).round(5)
        order = sorted(range(1500), key=lambda i: (-products[i], i))[:20]
        assert products[row].tolist() == products[order].tolist()
        assert found == pytest.approx(products[order], abs=1e-5)
    assert positions[0, :2].tolist() == [3, 900]


def test_few_lists_are_searched_where_they_find_what_an_exact_search_does(tmp_path: Path) -> None:
    vectors, queries = near_centres(4000, 0), near_centres(50, 1)
    index = made(tmp_path, vectors, queries)
    assert not index.is_exact
    assert index.about.lists == 63  # the root of 4,000
    assert 4 <= index.about.searched <= 31
    found = index.search(queries, 10)[1]
    best = np.argsort(-(queries @ vectors.T), axis=1)[:, :10]
    recall = np.mean([len({*a} & {*b}) / 10 for a, b in zip(found.tolist(), best.tolist(), strict=True)])
    assert recall >= 0.99
    assert index.about.recall == pytest.approx(recall, abs=0.01)
    assert {file.name for file in next(tmp_path.glob("index-*")).iterdir()} == {
        "vectors.npy", "ivf.index", "ivf.lists", "index.json", "took.json",
    }  # fmt: skip


def test_where_lists_find_too_little_every_vector_is_compared(tmp_path: Path) -> None:
    vectors, queries = even(4000, 0), even(50, 1)
    index = made(tmp_path, vectors, queries)
    assert index.is_exact
    assert index.about.recall < 0.99
    assert index.counts == {"lists": 63, "lists_searched": 0, "index_recall@10": index.about.recall}
    best = np.argsort(-(queries @ vectors.T), axis=1)[:, :10]
    assert index.search(queries, 10)[1].tolist() == best.tolist()
    assert not list(tmp_path.glob("index-*/ivf.*"))


def test_a_folder_that_cannot_be_made_is_done_without(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("no folder")
    vectors, queries = near_centres(1000, 0), near_centres(20, 1)
    store = IndexStore(tmp_path / "file" / "below")
    index = store.get("a" * 64, lambda place: write_index(place, len(vectors), iter([vectors]), lambda near: queries))
    assert index.ntotal == 1000
    assert [file.name for file in tmp_path.iterdir()] == ["file"]


class Table:
    """An embedder whose texts are numbers of rows; counts what it embeds."""

    name, digest = "table", "d" * 64

    def __init__(self, vectors: Vectors) -> None:
        self.rows, self.embedded = vectors, 0

    def load(self) -> None: ...

    def parts(self, texts: list[str]) -> list[list[str]]:
        return [[text] for text in texts]

    def encode_query(self, texts: list[str]) -> Vectors:
        return self.rows[[int(text) for text in texts]]

    def encode_document(self, texts: list[str]) -> Vectors:
        self.embedded += len(texts)
        return self.rows[[int(text) for text in texts]]


@pytest.mark.parametrize("vectors", [near_centres(3000, 0), even(3000, 0)], ids=["near", "even"])
def test_a_large_dense_search_is_built_once_and_finds_what_a_small_one_does(
    vectors: Vectors, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    texts, questions = [str(i) for i in range(2900)], [str(i) for i in range(2900, 2960)]
    asked = [str(i) for i in range(2960, 3000)]
    exact = DenseSearch(texts, Table(vectors)).search(asked, 10)
    monkeypatch.setattr(index_module, "FLAT_UP_TO", 2000)
    table, counts = Table(vectors), []
    for _ in range(2):
        meter = Meter(torch.device("cpu"))
        with meter.phase("index"):
            search = build("dense", texts, embedder=CachedEmbedder(table, tmp_path, meter), questions=questions)
        counts.append((table.embedded, meter.phases["index"].reused_s > 0))
        found = search.search(asked, 10)
        hits = sum(len({*a} & {*b}) for a, b in zip(found, exact, strict=True))
        assert hits >= 0.97 * 400
        assert search.counts["documents"] == 2900
        assert search.counts["lists"] == 54
        assert search.counts["lists_searched"] or found == exact
        assert bool(search.counts["lists_searched"]) == (vectors.shape[1] == 16)  # those around centres
    assert counts == [(2900, False), (2900, True)]
    with pytest.raises(UsageError, match="an index of 2,900 vectors is not copied"):
        search.write(tmp_path)  # type: ignore[attr-defined]
    other = DenseSearch(texts[:-1], CachedEmbedder(table, tmp_path, Meter(torch.device("cpu"))), questions)
    assert other.counts["documents"] == 2899
    assert len(list(tmp_path.glob("*/index-*"))) == 2
