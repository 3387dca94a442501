"""Search and its scores: hand-made corpora, hand-computed ranks, and invariants of every retriever."""

from __future__ import annotations

import math
import random
import re
from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from bench.core.errors import UsageError
from bench.metrics.retrieval import retrieval_scores
from bench.retrieval.embedders import _windows
from bench.retrieval.index import RETRIEVERS, build, fuse

LETTERS = "abcdefghijklmnopqrstuvwxyz"
texts = st.lists(st.sampled_from(["cat", "dog", "fish", "the", "tea", "zoo"]), max_size=6).map(" ".join)
corpora = st.lists(texts, min_size=1, max_size=12)
queries = st.lists(texts, min_size=1, max_size=5)


class Letters:
    """A stand-in embedder: counts of letters, L2-normalised; remembers what it was asked to encode."""

    name = "letters"
    digest = "0" * 64

    def __init__(self) -> None:
        self.asked: dict[str, list[str]] = {"query": [], "document": []}

    def load(self) -> None: ...

    def parts(self, texts: list[str]) -> list[list[str]]:
        return [[text] for text in texts]

    def encode_query(self, texts: list[str]) -> NDArray[np.float32]:
        self.asked["query"] += texts
        return self._encode(texts)

    def encode_document(self, texts: list[str]) -> NDArray[np.float32]:
        self.asked["document"] += texts
        return self._encode(texts)

    @staticmethod
    def _encode(texts: list[str]) -> NDArray[np.float32]:
        counts = np.array([[text.count(letter) for letter in LETTERS] for text in texts], dtype=np.float32)
        norms = np.linalg.norm(counts, axis=1, keepdims=True)
        vectors: NDArray[np.float32] = counts / np.maximum(norms, np.float32(1e-12))
        return vectors


def naive_bm25(query: str, documents: list[str], k1: float = 1.5, b: float = 0.75) -> list[float]:
    """BM25 as Lucene computes it, one document at a time."""
    tokens = [re.findall(r"\w\w+", text.lower()) for text in documents]
    average = sum(map(len, tokens)) / len(tokens)
    scores = []
    for document in tokens:
        score = 0.0
        for word in re.findall(r"\w\w+", query.lower()):
            holding = sum(word in other for other in tokens)
            frequency = document.count(word)
            if frequency:
                idf = math.log(1 + (len(tokens) - holding + 0.5) / (holding + 0.5))
                score += idf * frequency / (frequency + k1 * (1 - b + b * len(document) / average))
        scores.append(score)
    return scores


def test_lexical_finds_the_exact_word() -> None:
    documents = ["The capital of France is Paris.", "Bern is small.", "A parisian cafe", "paris paris"]
    search = build("lexical", documents, embedder=None)
    assert search.search(["Bern?", "PARIS", "cafe France"], 2) == [[1, 0], [3, 0], [2, 0]]


def test_lexical_fills_up_with_documents_that_do_not_match() -> None:
    search = build("lexical", ["cat", "dog", "fish"], embedder=None)
    assert search.search(["fish", "horse", "", "?"], 3) == [[2, 0, 1], [0, 1, 2], [0, 1, 2], [0, 1, 2]]


def test_lexical_survives_documents_without_words() -> None:
    assert build("lexical", ["", "!", "x"], embedder=None).search(["cat", "x"], 9) == [[0, 1, 2], [0, 1, 2]]


@settings(max_examples=60, deadline=None)
@given(corpora, texts)
def test_lexical_ranks_as_a_naive_bm25_does(documents: list[str], query: str) -> None:
    scores = naive_bm25(query, documents) if any(documents) else [0.0] * len(documents)
    [ranking] = build("lexical", documents, embedder=None).search([query], len(documents))
    ranked = [scores[position] for position in ranking]
    assert sorted(ranking) == list(range(len(documents)))
    assert all(better >= worse - 1e-6 for better, worse in pairwise(ranked))


def test_dense_ranks_by_cosine() -> None:
    # cosines with "aab" (2, 1): "b" 1/sqrt 5, "ab" 3/sqrt 10, "a" 2/sqrt 5, "c" 0
    search = build("dense", ["b", "ab", "a", "c"], embedder=Letters())
    assert search.search(["aab"], 4) == [[1, 2, 0, 3]]


def test_dense_encodes_queries_as_queries_and_documents_as_documents() -> None:
    embedder = Letters()
    build("dense", ["cat", "dog", "cat"], embedder=embedder).search(["fish", "tea", "fish"], 1)
    assert embedder.asked == {"document": ["cat", "dog"], "query": ["fish", "tea"]}  # each text once


@pytest.mark.parametrize("retriever", RETRIEVERS)
def test_ties_go_to_the_first_document_at_every_depth(retriever: str) -> None:
    documents = ["tea"] * 40 + ["tea cat"] + ["tea"] * 40
    search = build(retriever, documents, embedder=Letters())
    for depth in (1, 5, 40, 79):
        [ranking] = search.search(["tea"], depth)
        assert ranking == [*range(40), *range(41, 81)][:depth]


@pytest.mark.parametrize("retriever", RETRIEVERS)
def test_depth_beyond_the_corpus_gives_the_whole_corpus(retriever: str) -> None:
    search = build(retriever, ["cat", "dog", "tea"], embedder=Letters())
    assert search.search(["dog"], 100)[0][0] == 1
    assert sorted(search.search(["dog"], 100)[0]) == [0, 1, 2]
    assert search.search([], 5) == []


@settings(max_examples=30, deadline=None)
@given(corpora, queries, st.integers(1, 15), st.randoms(use_true_random=False))
def test_rankings_depend_on_the_query_alone(
    documents: list[str], asked: list[str], depth: int, order: random.Random
) -> None:
    for retriever in RETRIEVERS:
        search = build(retriever, documents, embedder=Letters())
        together = search.search(asked, depth)
        assert [search.search([query], depth)[0] for query in asked] == together
        shuffled = order.sample(range(len(asked)), len(asked))
        assert search.search([asked[i] for i in shuffled], depth) == [together[i] for i in shuffled]
        whole = search.search(asked, len(documents))
        assert [ranking[:depth] for ranking in whole] == together
        assert all(len(set(ranking)) == min(depth, len(documents)) for ranking in together)


def test_reciprocal_rank_fusion_by_hand() -> None:
    # 0: 1/61 + 1/62; 2: 1/63 + 1/61; 1: 1/62 alone
    assert fuse([[0, 1, 2], [2, 0]]) == [0, 2, 1]
    # 0 and 1 swap places: a tie, and 0 is first
    assert fuse([[1, 0], [0, 1]]) == [0, 1]
    # with k = 1, 0: 1/2; 1: 1/3 + 1/3 = 2/3
    assert fuse([[0, 1], [2, 1]], k=1) == [1, 0, 2]


def test_hybrid_fuses_both_rankings() -> None:
    # dense, by cosine with "tea": "eat" and "tea" tie, "tea eat zoo", "zoo"; lexical: "tea", "tea eat zoo"
    documents = ["zoo", "eat", "tea eat zoo", "tea"]
    search = build("hybrid", documents, embedder=Letters())
    # ranks: 3: dense 2, lexical 1; 2: dense 3, lexical 2; 1: dense 1; 0: dense 4
    assert search.search(["tea"], 4) == [[3, 2, 1, 0]]


def test_hybrid_gives_no_lexical_credit_to_documents_that_do_not_match() -> None:
    # No word of the query is in the corpus: the fused ranking is the dense one, whatever comes first.
    documents = ["zoo", "dog", "tea"]
    dense, hybrid = (build(name, documents, embedder=Letters()) for name in ("dense", "hybrid"))
    assert hybrid.search(["eat"], 3) == dense.search(["eat"], 3) == [[2, 0, 1]]


@pytest.mark.parametrize(
    ("retriever", "documents", "message"),
    [
        (
            "dens",
            ["a"],
            r'unknown retriever "dens" \(did you mean "dense"\?\); allowed: dense, hybrid, lexical',
        ),
        ("lexical", [], "retriever lexical: there are no documents to index"),
        (
            "dense",
            ["a"],
            "retriever dense needs a sentence embedder and none was found; set ADAPTBENCH_EMBEDDER",
        ),
        ("hybrid", ["a"], "retriever hybrid needs a sentence embedder"),
    ],
)
def test_impossible_indices_are_one_clear_line(retriever: str, documents: list[str], message: str) -> None:
    with pytest.raises(UsageError, match=message):
        build(retriever, documents, embedder=None)


@pytest.mark.parametrize("retriever", RETRIEVERS)
@pytest.mark.parametrize("depth", [0, -3])
def test_depth_must_be_positive(retriever: str, depth: int) -> None:
    search = build(retriever, ["cat"], embedder=Letters())
    with pytest.raises(UsageError, match=f"search depth {depth}: it must be at least 1"):
        search.search(["cat"], depth)


def test_an_embedder_that_gives_nonsense_is_found_out() -> None:
    class Broken(Letters):
        @staticmethod
        def _encode(texts: list[str]) -> NDArray[np.float32]:
            return np.full((len(texts), 3), np.nan, dtype=np.float32)

    with pytest.raises(ValueError, match="NaN"):
        build("dense", ["cat"], embedder=Broken())


def test_retrieval_scores_by_hand() -> None:
    rankings = [["a", "b", "c", "d"], ["x", "y", "g", "h"], ["p", "q"], ["z"]]
    gold = [["a", "c"], ["h"], ["r"], []]
    scores = retrieval_scores(rankings, gold, at=(1, 3, 5))
    assert scores["questions"] == 3  # the fourth has no gold passage and is left out
    assert scores["hit@1"] == pytest.approx(1 / 3)
    assert scores["hit@3"] == pytest.approx(1 / 3)
    assert scores["hit@5"] == pytest.approx(2 / 3)
    assert scores["recall@1"] == pytest.approx((1 / 2) / 3)
    assert scores["recall@3"] == pytest.approx(1 / 3)
    assert scores["recall@5"] == pytest.approx(2 / 3)
    assert scores["mrr"] == pytest.approx((1 + 1 / 4 + 0) / 3)
    # first: (1 + 1/log2 4) / (1 + 1/log2 3); second: 1/log2 5
    first = 1.5 / (1 + 1 / math.log2(3))
    assert scores["ndcg@10"] == pytest.approx((first + 1 / math.log2(5)) / 3)
    assert "hit@10" not in scores


def test_retrieval_scores_count_an_id_once() -> None:
    scores = retrieval_scores([["a", "a", "b"]], [["b", "b"]], at=(2,))
    assert scores == {"questions": 1.0, "hit@2": 1.0, "recall@2": 1.0, "mrr": 0.5} | {
        "ndcg@10": pytest.approx(1 / math.log2(3))
    }


def test_retrieval_scores_look_ten_deep_and_no_further_for_ndcg() -> None:
    ranking = [f"d{rank}" for rank in range(1, 31)]
    scores = retrieval_scores([ranking, ranking], [["d11"], ["d10"]])
    assert scores["ndcg@10"] == pytest.approx(1 / math.log2(11) / 2)
    assert scores["mrr"] == pytest.approx((1 / 11 + 1 / 10) / 2)
    perfect = retrieval_scores([ranking], [ranking[:12]])
    assert perfect["ndcg@10"] == pytest.approx(1.0)
    assert perfect["recall@10"] == pytest.approx(10 / 12)


def test_retrieval_scores_without_gold_claim_nothing() -> None:
    assert retrieval_scores([["a"]], [[]]) == {"questions": 0.0}
    with pytest.raises(UsageError, match="2 rankings but 1 lists of gold ids"):
        retrieval_scores([["a"], ["b"]], [["a"]])


class Halves(Letters):
    """Sees three words at a time, as an encoder with a short input does."""

    def parts(self, texts: list[str]) -> list[list[str]]:
        words = [text.split() for text in texts]
        return [[" ".join(own[i : i + 3]) for i in range(0, len(own), 3)] or [""] for own in words]


@given(corpora, queries, st.integers(1, 12))
def test_a_long_document_scores_as_its_best_part(documents: list[str], asked: list[str], depth: int) -> None:
    """Against every part of every document, one at a time; near ties may fall either way."""
    embedder = Halves()
    similarity = []
    for query in asked:
        vector = np.mean([embedder._encode([part])[0] for part in embedder.parts([query])[0]], axis=0)
        vector = vector / max(float(np.linalg.norm(vector)), 1e-12)
        parts = embedder.parts(documents)
        similarity.append([max(float(embedder._encode([part])[0] @ vector) for part in own) for own in parts])
    found = build("dense", documents, embedder=embedder).search(asked, depth)
    for scores, ranking in zip(similarity, found, strict=True):
        assert len(ranking) == len(set(ranking)) == min(depth, len(documents))
        best = sorted(scores, reverse=True)[: len(ranking)]
        assert [scores[position] for position in ranking] == pytest.approx(best, abs=1e-5)


def test_documents_in_parts_are_counted() -> None:
    index = build("hybrid", ["cat", "cat dog fish tea zoo", "dog"], embedder=Halves())
    index.search(["horse"], 1)
    assert index.counts == {"documents": 3, "documents_in_parts": 1, "queries_without_match": 1}


@given(st.integers(1, 60), st.integers(9, 30))
def test_windows_hold_every_token_within_the_width(tokens: int, width: int) -> None:
    words = [f"w{n}" for n in range(tokens)]
    text = " ".join(words)
    starts = [sum(len(word) + 1 for word in words[:n]) for n in range(tokens)]
    offsets = [(start, start + len(word)) for start, word in zip(starts, words, strict=True)]
    windows = [window.split() for window in _windows(text, offsets, width)]
    if tokens <= width + 2:
        assert windows == [words]
        return
    assert all(len(window) <= width for window in windows)
    assert {word for window in windows for word in window} == set(words)
    for before, after in pairwise(windows):
        assert before[-(width // 8) :] == after[: width // 8]
