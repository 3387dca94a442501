"""Retrievers of other distributions: named in a suite, held to their contract, timed and paid for."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

import methods
from bench.analysis.costs import cost
from bench.cli import doctor_checks
from bench.config.prices import replaced
from bench.core import outside
from bench.core.errors import CellError, UsageError
from bench.core.item import Passage
from bench.core.method import Material
from bench.core.record import Record
from bench.retrieval.outside import OutsideSearch
from tests.installed import forget, install
from tests.small import cells_of, write_suite
from tests.toy import blind, text_task

SOURCE = """
class Shelf:
    def __init__(self, passages):
        self.texts = {passage.id: passage.title + " " + passage.text for passage in passages}
        self.money = 5.0

    def search(self, queries, depth):
        self.money += 0.25 * len(queries)
        shared = lambda key, query: len(set(query.lower().split()) & set(self.texts[key].lower().split()))
        return [sorted(self.texts, key=lambda key: (-shared(key, query), key))[:depth] for query in queries]

class Wrong(Shelf):
    def search(self, queries, depth):
        kind = queries[0]
        return {"unknown": [["nowhere"]], "twice": [["p0", "p0"]], "many": [list(self.texts)], "few": []}[kind]

class Failing(Shelf):
    def search(self, queries, depth):
        raise TimeoutError("no answer within 5 s")

def broken(passages):
    raise RuntimeError("no key")

def silent(passages):
    return 3
"""
NAMES = ("shelf", "wrong", "failing", "broken", "silent")
PASSAGES = tuple(Passage(f"p{i}", f"Box {i} holds stone{i}.", f"Box {i}") for i in range(9))


@pytest.fixture(autouse=True)
def site(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    folder = tmp_path / "site"
    folder.mkdir()
    monkeypatch.syspath_prepend(folder)
    points = {name: f"acme_search:{name if name in ('broken', 'silent') else name.title()}" for name in NAMES}
    forget()
    install(folder, "acme-search", {"acme_search.py": SOURCE}, {outside.GROUP: points | {"gone": "acme_search:Gone"}})
    forget()
    yield folder
    forget()


def test_a_search_is_checked_timed_and_paid() -> None:
    search = OutsideSearch("shelf", PASSAGES)
    assert search.search(["holds stone3.", "stone7."], 2) == [[3, 0], [7, 0]]
    assert search.counts["money_per_query"] == 0.25  # what it had spent before is not ours
    assert search.counts["seconds_per_query"] > 0
    assert search.counts["documents"] == 9


@pytest.mark.parametrize(
    ("name", "query", "line"),
    [
        ("wrong", "unknown", 'retriever wrong: "nowhere" is the id of no passage'),
        ("wrong", "twice", "retriever wrong: a passage twice, or more than the 3 that were asked for"),
        ("wrong", "many", "retriever wrong: a passage twice, or more than the 3 that were asked for"),
        ("wrong", "few", "retriever wrong: 0 rankings of 1 queries"),
        ("failing", "x", "retriever failing: TimeoutError: no answer within 5 s"),
    ],
)
def test_a_search_that_breaks_the_contract_is_one_line(name: str, query: str, line: str) -> None:
    with pytest.raises(CellError) as caught:
        OutsideSearch(name, PASSAGES).search([query], 3)
    assert str(caught.value) == line


@pytest.mark.parametrize(
    ("name", "line"),
    [
        ("broken", "adaptbench.retrievers broken = acme_search:broken: RuntimeError: no key"),
        ("silent", "it gives int, which has no search(queries, depth)"),
        ("gone", "AttributeError: module 'acme_search' has no attribute 'Gone'"),
    ],
)
def test_what_cannot_be_connected_is_one_line(name: str, line: str) -> None:
    with pytest.raises(UsageError) as caught:
        outside.connect(name, PASSAGES)
    assert line in str(caught.value)
    assert "\n" not in str(caught.value)


def test_rag_searches_with_it_and_its_version_is_part_of_the_key(tmp_path: Path) -> None:
    task = text_task()
    rag = methods.create("rag", {"top_k": 1, "retriever": "shelf"})
    material = Material(task.name, task.prompt, (), (), task.corpus, 0, None, connect=OutsideSearch)  # type: ignore[arg-type]
    found = rag.context.build(material).find(blind(task.test))
    assert [evidence.ranking[0] for evidence in found] == [example.gold[0] for example in task.test]
    with pytest.raises(UsageError, match=r'retriever is "shelve" \(did you mean "shelf"\?\); allowed: auto, dense'):
        methods.create("rag", {"retriever": "shelve"})
    suite = write_suite(tmp_path, Path("tiny-random"), tasks=["handbook-qa"], methods=[{"rag": {"retriever": "shelf"}}])
    _, (cell,) = cells_of(suite)
    assert cell.identity.origins == {"retriever shelf": "acme-search 1.0"}


def test_the_money_of_a_query_is_part_of_its_cost() -> None:
    record = Record("k", "m", "t", "rag", 0, "ok", "2026-01-01T00:00:00+00:00", items=4)
    paid = replace(record, retrieval={"money_per_query": 0.25})
    prices = replaced({}, "prices")
    before, after = cost(record, prices).thousand_queries, cost(paid, prices).thousand_queries
    assert before is not None
    assert after == pytest.approx(before + 250)


def test_doctor_names_those_that_cannot_be_used() -> None:
    found = {diagnosis.name: diagnosis for diagnosis in doctor_checks._plugins()}
    assert found["retrievers shelf"].detail == "acme-search 1.0"
    assert "has no attribute 'Gone'" in found["retrievers gone"].detail
