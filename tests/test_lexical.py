"""Lexical search where scripts put no spaces between words; queries that match nothing."""

from __future__ import annotations

import pytest

from bench.retrieval.lexical import LexicalSearch, tokens_of


@pytest.mark.parametrize(
    ("text", "tokens"),
    [
        ("The cat, a CAT!", ["the", "cat", "cat"]),
        ("東京都", ["東京", "京都"]),
        ("猫", ["猫"]),
        ("東京のiPhone15", ["東京", "京の", "iphone15"]),
        ("ภาษาไทย", ["ภา", "าษ", "ษา", "าไ", "ไท", "ทย"]),
        ("학교에서", ["학교", "교에", "에서"]),
        ("ＡＢＣ１２", ["abc12"]),  # full width
        ("cafe\u0301 crème", ["café", "crème"]),  # a combining accent is one letter with its base
        ("a b ! ,", []),
    ],
)
def test_tokens(text: str, tokens: list[str]) -> None:
    assert tokens_of(text) == tokens


def test_passages_that_share_words_come_first() -> None:
    documents = ["大阪は商人の町です。", "富士山は日本一高い山です。", "京都には寺が多い。"]
    search = LexicalSearch(documents)
    assert [ranking[0] for ranking in search.search(["日本で一番高い山は富士山ですか", "寺が多い町"], 2)] == [1, 2]
    assert search.counts == {"documents": 3, "queries_without_match": 0}


def test_queries_without_a_match_are_counted_once_each_and_keep_the_order_of_documents() -> None:
    search = LexicalSearch(["red apple", "green pear"])
    assert search.search(["blue", "blue", "pear"], 2) == [[0, 1], [0, 1], [1, 0]]
    assert search.search(["blue"], 1) == [[0]]
    assert search.counts["queries_without_match"] == 1


def test_equal_scores_go_to_the_document_that_comes_first() -> None:
    assert LexicalSearch(["pear", "apple", "apple", "pear"]).search(["apple"], 4) == [[1, 2, 0, 3]]
