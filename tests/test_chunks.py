"""Chunks of documents: where they are cut, what covers a span, and scores that mean the same for every size."""

from __future__ import annotations

import math
import re
from itertools import combinations, pairwise
from typing import get_args

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import methods
from bench.config.search_space import candidates, grid, settle
from bench.core.errors import UsageError
from bench.core.item import Example, Passage
from bench.core.method import Material
from bench.core.prompt import Prompt
from bench.core.search import Search
from bench.core.spans import Chunking, CutBy, Gold, Span, covering, document_of, place_of
from bench.metrics.retrieval import retrieval_scores
from bench.retrieval.chunks import cut, words
from bench.retrieval.index import build
from tests.toy import blind

PIECES = [
    "cat ",
    "Dog. ",
    "a",
    "Fish! ",
    "\n",
    "\n\n",
    "# Head\n",
    "## Sub\n",
    "東京。",
    "京",
    "(x) ",
    "1.5 ",
    "```\n",
    "  ",
    "\r\n",
]
texts = st.lists(st.sampled_from(PIECES), min_size=1, max_size=40).map("".join).filter(str.strip)
ways = st.builds(
    lambda by, size, share: Chunking(by, size, int(size * share)),
    st.sampled_from(get_args(CutBy)),
    st.integers(1, 12),
    st.floats(0, 0.5),
)


def characters(text: str) -> list[tuple[int, int]]:
    """A tokenizer whose tokens are the visible characters."""
    return [(at, at + 1) for at, sign in enumerate(text) if not sign.isspace()]


def told_nothing(text: str) -> None:
    return None


@pytest.mark.parametrize("offsets", [characters, told_nothing])
@given(texts=st.lists(texts, min_size=1, max_size=3), way=ways)
def test_a_chunk_is_what_stands_at_its_place_and_nothing_visible_is_lost(
    offsets: object, texts: list[str], way: Chunking
) -> None:
    documents = [Passage(f"d{i}", text) for i, text in enumerate(texts)]
    found = cut(documents, way, offsets)  # type: ignore[arg-type]
    kept: dict[str, set[int]] = {document.id: set() for document in documents}
    for chunk in found.passages:
        assert chunk.span is not None
        document = next(one for one in documents if one.id == chunk.span.document)
        assert document.text[chunk.span.start : chunk.span.end] == chunk.text == chunk.text.strip()
        assert place_of(chunk.id, {one.id for one in documents}) == chunk.span
        kept[document.id].update(range(chunk.span.start, chunk.span.end))
        count = len(characters(chunk.text)) if offsets is characters else len(words(chunk.text))
        assert count <= way.size
    for document in documents:
        visible = {at for at, sign in enumerate(document.text) if not sign.isspace()}
        assert visible <= kept[document.id]
    spans = [chunk.span for chunk in found.passages if chunk.span]
    assert len(set(spans)) == len(spans)
    for before, after in pairwise(spans):
        assert before.document < after.document or (before.start < after.start and before.end < after.end)


def chunk_texts(text: str, by: CutBy, size: int, overlap: int = 0) -> list[str]:
    return [chunk.text for chunk in cut([Passage("d", text)], Chunking(by, size, overlap), told_nothing).passages]


def test_words_are_not_cut_and_are_shared() -> None:
    assert chunk_texts("one two three four five", "tokens", 2) == ["one two", "three four", "five"]
    assert chunk_texts("one two three four five", "tokens", 3, 1) == ["one two three", "three four five"]
    assert chunk_texts("one (two) three.", "tokens", 1) == ["one", "(two)", "three."]


def test_sentences_are_kept_whole_where_they_fit() -> None:
    text = 'Dr. Ada Low came. She sat, e.g. on a chair! "Why?" asked Bo. 東京です。京都です。'
    assert chunk_texts(text, "sentences", 6) == [
        "Dr. Ada Low came.",
        "She sat, e.g. on a chair!",  # "a" and the letters of "e.g." are no words
        '"Why?" asked Bo.',
        "東京です。",
        "京都です。",
    ]
    assert chunk_texts("Aa bb. Cc dd. Ee ff.", "sentences", 4, 2) == ["Aa bb. Cc dd.", "Cc dd. Ee ff."]
    assert chunk_texts("Aa bb. Cc dd ee. Ff.", "sentences", 4, 2) == ["Aa bb.", "Cc dd ee. Ff."]  # no room to share
    assert chunk_texts("Aa bb cc dd ee ff. Gg.", "sentences", 3) == ["Aa bb cc", "dd ee ff.", "Gg."]


def test_headings_part_a_markdown_text() -> None:
    text = (
        "Intro here.\n\n# Fees\n\n## Cards\nCards are free.\n```\n# no heading\n```\n## Cash\nCash costs two.\n\n"
        "End\n===\nBye now.\n"
    )
    found = cut([Passage("d", text, "Manual")], Chunking("headings", 50, 0), told_nothing).passages
    assert [(chunk.title, chunk.text) for chunk in found] == [
        ("Manual", "Intro here."),
        ("Manual", "# Fees\n\n## Cards\nCards are free.\n```\n# no heading\n```"),
        ("Manual › Fees", "## Cash\nCash costs two."),
        ("Manual", "End\n===\nBye now."),
    ]
    small = cut([Passage("d", text)], Chunking("headings", 3, 0), told_nothing).passages
    assert ("Fees › Cash", "two.") in [(chunk.title, chunk.text) for chunk in small]


def test_a_document_that_is_called_as_a_chunk_is_refused() -> None:
    documents = [Passage("a", "one two"), Passage("a#0-3", "three")]
    with pytest.raises(UsageError, match="give it another id"):
        cut(documents, Chunking("tokens", 1, 0), told_nothing)


spans = st.builds(lambda d, a, n: Span(d, a, a + n), st.sampled_from("ab"), st.integers(0, 20), st.integers(1, 10))
places: st.SearchStrategy[Gold] = st.one_of(st.sampled_from(["a", "b", "c"]), spans)


def naive_rank(ranking: list[Gold], wanted: Gold) -> int | None:
    """By looking at every prefix of the ranking, character by character."""
    for k in range(1, len(ranking) + 1):
        if isinstance(wanted, str):
            if any(document_of(place) == wanted for place in ranking[:k]):
                return len({document_of(place) for place in ranking[:k]})
            continue
        held = [
            at
            for at in range(wanted.start, wanted.end)
            if any(
                place == wanted.document
                or (isinstance(place, Span) and place.document == wanted.document and place.start <= at < place.end)
                for place in ranking[:k]
            )
        ]
        if 2 * len(held) >= wanted.end - wanted.start:
            return k
    return None


@given(
    st.lists(places, max_size=12, unique=True),
    st.lists(places, min_size=1, max_size=4, unique=True),
    st.integers(1, 12),
)
def test_scores_by_span_are_those_of_a_naive_computation(ranking: list[Gold], gold: list[Gold], depth: int) -> None:
    found = [naive_rank(ranking, wanted) for wanted in gold]
    ranks = sorted(rank for rank in found if rank is not None and rank <= depth)
    scores = retrieval_scores([ranking], [gold], at=(1, 3, 5), depth=depth)
    for k in (1, 3, 5):
        within = sum(rank <= k for rank in ranks)
        assert scores[f"hit@{k}"] == float(within > 0)
        assert scores[f"recall@{k}"] == pytest.approx(within / len(gold))
    assert scores["mrr"] == pytest.approx(1 / ranks[0] if ranks else 0.0)
    gains = [1 / math.log2(max(rank, j) + 1) for j, rank in enumerate(ranks, start=1) if max(rank, j) <= 10]
    best = sum(1 / math.log2(j + 1) for j in range(1, len(gold) + 1))
    assert scores["ndcg@10"] == pytest.approx(sum(gains) / best)
    assert scores["ndcg@10"] <= 1 + 1e-12


def test_half_of_a_span_is_found_and_less_is_not() -> None:
    gold: list[list[Gold]] = [[Span("a", 10, 20)]]
    assert retrieval_scores([[Span("a", 0, 14), Span("a", 14, 15)]], gold, at=(1, 2))["hit@1"] == 0
    assert retrieval_scores([[Span("a", 0, 14), Span("a", 14, 15)]], gold, at=(1, 2))["hit@2"] == 1
    assert retrieval_scores([["b", "a"]], gold)["mrr"] == 0.5
    assert retrieval_scores([[Span("b", 0, 90), Span("b", 90, 99), Span("a", 0, 5)]], [["a"]])["mrr"] == 0.5


@given(st.lists(places, max_size=6), spans)
def test_what_covers_a_span_is_as_small_as_can_be(ranking: list[Gold], wanted: Span) -> None:
    def held(chosen: tuple[int, ...] | list[int]) -> set[int]:
        inside = set(range(wanted.start, wanted.end))
        parts = [ranking[i] for i in chosen if document_of(ranking[i]) == wanted.document]
        return {
            at for part in parts for at in (inside if isinstance(part, str) else inside & {*range(part[1], part[2])})
        }

    every = held(list(range(len(ranking))))
    chosen = covering(ranking, wanted)
    assert held(chosen) == every
    fewest = next(
        n for n in range(len(ranking) + 1) if any(held(c) == every for c in combinations(range(len(ranking)), n))
    )
    assert len(chosen) == fewest


LONG = "\n\n".join(
    f"# Box {i}\n" + " ".join(f"Filler {i} {j} says nothing." for j in range(12)) + f" In box b{i} lies stone {i}."
    for i in range(6)
)
PARTS = LONG.split("\n\n")
DOCUMENTS = tuple(Passage(f"d{i}", "\n\n".join(PARTS[2 * i : 2 * i + 2])) for i in range(3))


def question(i: int) -> Example:
    document = DOCUMENTS[i // 2]
    start = document.text.index(f"In box b{i} ")
    gold = Span(document.id, start, start + len(f"In box b{i} lies stone {i}."))
    return Example(f"test/{i}", {"box": f"b{i}"}, (), (f"stone {i}",), (gold,))


QUESTIONS = tuple(map(question, range(6)))


def material(with_gold: bool = False) -> Material:
    def index(retriever: str, documents: object) -> Search:
        return build("lexical", documents, embedder=None)  # type: ignore[arg-type]

    gold = {example.id: example.gold for example in QUESTIONS} if with_gold else {}
    prompt = Prompt("", "What is in box {box}?\nAnswer:")
    return Material("boxes", prompt, (), (), DOCUMENTS, 0, index, gold, chunk=lambda d, way: cut(d, way, told_nothing))


@pytest.mark.parametrize("size", [8, 20, 60])
@pytest.mark.parametrize("by", get_args(CutBy))
def test_rag_finds_the_chunk_that_holds_the_span(by: str, size: int) -> None:
    rag = methods.create("rag", {"top_k": 1, "retriever": "lexical", "chunk": {"by": by, "size": size}})
    context = rag.context.build(material())
    found = context.find(blind(QUESTIONS))
    rankings = [[place_of(name, {d.id for d in DOCUMENTS}) for name in evidence.ranking] for evidence in found]
    assert retrieval_scores(rankings, [example.gold for example in QUESTIONS])["hit@1"] == 1
    assert all(len({document_of(place) for place in ranking}) == 3 for ranking in rankings)  # enough to rank documents
    for example, evidence in zip(QUESTIONS, found, strict=True):
        assert [block.source for block in evidence.blocks] == [evidence.ranking[0]]
        assert example.references[0] in evidence.blocks[0].text
    assert context.counts["documents"] == 3
    assert context.counts["chunks"] == len(context.pool().texts)  # type: ignore[union-attr]
    assert context.counts["chunks_by_words"] == 1


def test_the_oracle_hands_the_chunks_of_the_span_and_whole_documents_where_nothing_is_cut() -> None:
    chunked = methods.create("rag", {"top_k": 9, "control": "oracle", "chunk": {"by": "tokens", "size": 8}})
    for example, evidence in zip(QUESTIONS, chunked.context.build(material(True)).find(blind(QUESTIONS)), strict=True):
        text = "".join(block.text for block in evidence.blocks)
        assert len(re.findall(r"\w\w+", text)) <= 2 * 8
        assert all(word in text for word in example.references[0].split())
    whole = methods.create("rag", {"top_k": 9, "control": "oracle"}).context.build(material(True))
    assert [evidence.ranking for evidence in whole.find(blind(QUESTIONS))] == [(f"d{i // 2}",) for i in range(6)]


def test_random_chunks_are_chunks() -> None:
    made = methods.create("rag", {"top_k": 2, "control": "random", "chunk": {"size": 8}})
    for evidence in made.context.build(material()).find(blind(QUESTIONS)):
        assert len(evidence.ranking) == 2
        assert all("#" in name for name in evidence.ranking)


def test_neighbours_of_a_chunk_are_of_its_document() -> None:
    options = {"top_k": 1, "retriever": "lexical", "neighbours": 99, "chunk": {"size": 8}}
    for example, evidence in zip(
        QUESTIONS, methods.create("rag", options).context.build(material()).find(blind(QUESTIONS)), strict=True
    ):
        (block,) = evidence.blocks
        assert [f"Box {i}" in block.text for i in range(6)] == [i // 2 == int(example.id[-1]) // 2 for i in range(6)]


def test_a_chunking_has_one_spelling() -> None:
    given_as = ({"size": 200, "overlap": 20}, {"by": "tokens", "size": 200, "overlap": 20}, "tokens 200/20")
    options = [methods.create("rag", {"chunk": chunk}).context.options for chunk in given_as]
    assert options[0] == options[1] == options[2]
    assert options[0].model_dump(mode="json")["chunk"] == "tokens 200/20"
    several = methods.create("rag", {"chunk": ["whole", {"by": "sentences", "size": 60}]}).context.options
    assert several.model_dump(mode="json")["chunk"] == ["whole", "sentences 60/0"]


def test_several_chunkings_are_tried_like_any_option() -> None:
    method = methods.create("rag", {"chunk": ["whole", {"size": 40}, {"by": "headings", "size": 40}]})
    values = grid(method)
    assert values == {"chunk": ("whole", "tokens 40/0", "headings 40/0")}  # one option is set: the others are settled
    tried = [settle(method, options).context.options for options in candidates(values, 3)]
    assert [(each.chunk, each.top_k) for each in tried] == [((chunk,), (3,)) for chunk in values["chunk"]]


@pytest.mark.parametrize(
    ("chunk", "line"),
    [
        ("token 200/20", 'option of method rag: chunk: "token 200/20" is no way to cut documents; write whole, or '),
        (
            200,
            "option of method rag: chunk: it must be whole, or a mapping; write {by: tokens, size: 200, overlap: 20}",
        ),
        ({"by": "tokens"}, "missing key"),
        ({"size": 200, "overlap": 120}, "overlap is 120, at most half of size, 100, is allowed"),
        ({"by": "words", "size": 200}, 'by is "words"'),
        ({"by": "tokens", "size": 2}, "size is 2"),
        ({"by": "tokens", "size": 200, "lap": 2}, 'unknown key "lap"'),
    ],
)
def test_a_wrong_chunking_is_one_line(chunk: object, line: str) -> None:
    with pytest.raises(UsageError) as caught:
        methods.create("rag", {"chunk": chunk})
    assert line in str(caught.value)
    assert "\n" not in str(caught.value)


@settings(max_examples=30)
@given(ways)
def test_a_chunking_is_read_as_it_is_written(way: Chunking) -> None:
    assert Chunking.parse(str(way)) == way
