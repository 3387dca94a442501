"""The second stage of retrieval: orders by hand, scores of pairs alone, what is told of it, what is refused."""

from __future__ import annotations

import json
import random
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
import yaml
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray

import methods
from bench.core.errors import UsageError
from bench.core.item import Item, Passage
from bench.core.measured import PairedHits
from bench.core.method import Context, Material
from bench.core.prompt import Prompt
from bench.core.search import Search, SecondStage
from bench.meters.phases import Meter
from bench.metrics.retrieval import paired_hits
from bench.report.tables import second_stage as tables
from bench.retrieval.embedders import find_embedder
from bench.retrieval.index import build as build_index
from bench.retrieval.reranker import Reranker, find_reranker
from bench.retrieval.second_stage import TwoStageSearch, jaccard, mmr
from tests import reranker as tiny
from tests.encoder import WORDS
from tests.export_scripts import script
from tests.small import cells_of, measure, write_suite
from tests.test_retrieval import Letters

METER = Meter(torch.device("cpu"))


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tiny.build(tmp_path_factory.mktemp("reranker") / "tiny")


class Fixed:
    """A first stage with one order for every query."""

    def __init__(self, count: int) -> None:
        self.count, self.depths = count, list[int]()

    nbytes = 7

    @property
    def counts(self) -> Mapping[str, float]:
        return {"documents": self.count}

    def search(self, queries: Sequence[str], depth: int) -> list[list[int]]:
        self.depths.append(depth)
        return [list(range(min(depth, self.count))) for _ in queries]


class Reversing(Reranker):
    """Scores a document by the number that it is: the last of a ranking comes first."""

    def load(self) -> None: ...

    def scores(self, pairs: Sequence[tuple[str, str]]) -> NDArray[np.float32]:
        self.pairs += len(pairs)
        return np.array([float(document) for _, document in pairs], dtype=np.float32)


def staged(first: Search, documents: Sequence[str], reranker: Reranker | None = None, **stage: Any) -> TwoStageSearch:
    return TwoStageSearch(first, documents, SecondStage(**stage), reranker, METER)


def test_a_reranker_that_reverses_turns_the_pool_around_and_nothing_behind_it() -> None:
    first = Fixed(8)
    search = staged(first, list(map(str, range(8))), Reversing(Path(), "reversing", ""), pool=5)
    assert search.search(["a", "b"], 8) == [[4, 3, 2, 1, 0, 5, 6, 7]] * 2
    assert search.search(["a"], 2) == [[4, 3]]
    assert first.depths == [8, 5]
    assert (search.nbytes, search.counts["documents"], search.reranker and search.reranker.pairs) == (7, 8, 15)
    assert search.search([], 3) == []


def test_mmr_by_hand() -> None:
    # relevance 1, 3/4, 1/2, 1/4; λ = 1/2. After 0: 1: 3/8 − 1/2 · 0.9 = −0.075; 2: 1/4 − 1/2 · 0.1 = 0.2;
    # 3: 1/8 − 0 = 0.125. After 2: 1: still −0.075; 3: 1/8 − 1/2 · 0.8 = −0.275. So 0, 2, 1, 3.
    alike = np.array([[1, 0.9, 0.1, 0.0], [0.9, 1, 0.2, 0.0], [0.1, 0.2, 1, 0.8], [0.0, 0.0, 0.8, 1]])
    assert mmr(alike, 0.5) == [0, 2, 1, 3]
    assert mmr(alike, 1.0) == [0, 1, 2, 3]
    # by likeness alone: 3 is not at all like 0; then 1 (0.9 like 0) and 2 (0.8 like 3): 2 is the less alike
    assert mmr(alike, 0.0) == [0, 3, 2, 1]


def naive_mmr(alike: NDArray[np.float64], relevance: float) -> list[int]:
    """The formula, a candidate at a time."""
    n, order = len(alike), list[int]()
    while len(order) < n:
        best: tuple[float, int] | None = None
        for i in range(n):
            if i not in order:
                value = relevance * (1 - i / n) - (1 - relevance) * max((alike[i][j] for j in order), default=0.0)
                if best is None or value > best[0]:
                    best = value, i
        assert best is not None
        order.append(best[1])
    return order


@given(st.integers(1, 8), st.sampled_from([0.0, 0.25, 0.5, 0.75, 1.0]), st.integers(0, 1000))
def test_mmr_is_its_formula(count: int, relevance: float, seed: int) -> None:
    half = np.random.default_rng(seed).integers(-8, 9, (count, count)) / 8
    alike = (half + half.T) / 2
    assert mmr(alike, relevance) == naive_mmr(alike, relevance)


def test_diversity_is_by_vectors_where_there_are_some_else_by_shared_words() -> None:
    documents = ["aab", "aab", "bbb", "ccc"]
    dense = build_index("dense", documents, embedder=Letters())
    assert dense.search(["aab"], 4) == [[0, 1, 2, 3]]
    # likeness to 0: 1: 1, 2: 1/sqrt 5, 3: 0; λ = 1/2: 1: 3/8 − 1/2, 2: 1/4 − 0.224 = 0.026, 3: 1/8 → 3, then 2, then 1
    assert staged(dense, documents, diversity=0.5).search(["aab"], 4) == [[0, 3, 2, 1]]
    words = ["tea cup", "tea cup", "tea fish", "zoo"]
    lexical = build_index("lexical", words, embedder=None)
    assert lexical.search(["tea cup"], 4) == [[0, 1, 2, 3]]
    # 1: 3/8 − 1/2 = −0.125; 2: 1/4 − 1/6 = 0.083; 3: 1/8. Then 2: 0.083 stays, 1: −0.125
    assert staged(lexical, words, diversity=0.5).search(["tea cup"], 4) == [[0, 3, 2, 1]]
    assert jaccard(frozenset({"a", "b"}), frozenset({"b", "c"})) == 1 / 3
    assert jaccard(frozenset(), frozenset()) == 0


def test_a_score_depends_on_the_pair_alone(folder: Path) -> None:
    rng = random.Random(0)
    pairs = [(" ".join(rng.choices(WORDS, k=rng.randint(1, 6))), " ".join(rng.choices(WORDS, k=rng.randint(1, 40))))
             for _ in range(40)]  # fmt: skip
    reranker = find_reranker(str(folder))
    together = reranker.scores(pairs)
    assert np.ptp(together) > 0.01
    mixed = rng.sample(range(len(pairs)), len(pairs))
    assert (reranker.scores([pairs[i] for i in mixed]) == together[mixed]).all()
    assert [float(reranker.scores([pair])[0]) for pair in pairs] == together.tolist()


def test_scores_are_those_of_transformers_and_work_is_counted_by_hand(folder: Path) -> None:
    from transformers import AutoModelForSequenceClassification, AutoTokenizer

    pairs = [("who wrote it", "tea cup"), ("fish", "red green blue fish tea cup who wrote it")]
    reranker = find_reranker(str(folder))
    found = reranker.scores(pairs)
    tokenizer = AutoTokenizer.from_pretrained(folder)
    model = AutoModelForSequenceClassification.from_pretrained(folder).eval()
    with torch.inference_mode():
        for pair, score in zip(pairs, found, strict=True):
            assert model(**tokenizer(*pair, return_tensors="pt")).logits.item() == pytest.approx(float(score), abs=1e-5)
    # 3 + 2 + 3 special tokens = 8, 1 + 9 + 3 = 13; a layer of 4 · 16² + 2 · 16 · 32 entries; pooler 16² and head 16
    tokens, beside = 8 + 13, 8**2 + 13**2
    assert reranker.flops == 2 * 2048 * tokens + 4 * 16 * beside + 2 * (16 * 16 + 16) * 2
    assert (reranker.pairs, reranker.cut, reranker.load_s > 0) == (2, 0, True)
    assert reranker.parameters == sum(p.numel() for p in model.parameters())
    reranker.scores([("fish", "tea " * 40)])
    assert reranker.cut == 1


def test_what_is_no_cross_encoder_is_refused_by_name(tmp_path: Path, prompted: Path) -> None:
    def refusal(reference: object) -> str:
        with pytest.raises(UsageError) as caught:
            find_reranker(str(reference)).load()
        assert "\n" not in str(caught.value)
        return str(caught.value)

    assert "there is no folder" in refusal(tmp_path / "none")
    assert "no cross-encoder: it has no head that scores pairs" in refusal(prompted)
    assert "no *.safetensors file" in refusal(tiny.build(tmp_path / "pickled", safe=False))
    assert "gives a pair 3 scores" in refusal(tiny.build(tmp_path / "three", scores=3))
    broken = tiny.build(tmp_path / "broken")
    (broken / "config.json").write_text("{")
    assert "is damaged" in refusal(broken)
    (broken / "config.json").write_text('{"architectures": 5}')
    assert "no cross-encoder" in refusal(broken)
    assert refusal("no-one/no-such-model").startswith('rerank "no-one/no-such-model" is neither a folder nor a model')


CORPUS = tuple(Passage(str(i), text) for i, text in enumerate(["fish", "tea cup", "red", "green tea", "blue", "who"]))
PROMPT = Prompt("Answer.", "{q}", passage_template="{text}")


def context(index: Search, refine: Any = None, **options: Any) -> Context:
    material = Material("t", PROMPT, (), (), CORPUS, 0, lambda retriever, documents: index)
    if refine:
        material = Material("t", PROMPT, (), (), CORPUS, 0, lambda retriever, documents: index, refine=refine)
    return methods.create("rag", options).context.build(material)


EXPORTED = [("lexical", 0.5, True), ("lexical", 0.4, False), ("dense", 0.5, False), ("hybrid", 0.7, True)]


@pytest.mark.parametrize(("retriever", "diversity", "reranks"), EXPORTED)
def test_an_export_orders_passages_as_they_were_measured(
    tmp_path: Path, folder: Path, prompted: Path, retriever: str, diversity: float, reranks: bool
) -> None:
    rng = random.Random(retriever)
    documents = [" ".join(rng.choices(WORDS, k=rng.randint(1, 9))) for _ in range(24)]
    first = build_index(retriever, documents, embedder=find_embedder(str(prompted)))
    reranker = find_reranker(str(folder)) if reranks else None
    search = staged(first, documents, reranker, pool=9, diversity=diversity)
    said = {**search.write(tmp_path), "shown": 12}
    lines = ({"indexed": text, "block": {"n": i}} for i, text in enumerate(documents))
    (tmp_path / "documents.jsonl").write_text("".join(json.dumps(line) + "\n" for line in lines))
    exported = script("retrieval").Retriever(said, tmp_path)
    for _ in range(6):
        query = " ".join(rng.choices(WORDS, k=3))
        assert [block["n"] for block in exported.find(query)] == search.search([query], 12)[0]
    assert (tmp_path / "reranker").is_dir() == reranks


def test_neighbours_stand_in_the_order_of_the_corpus_and_are_shown_once() -> None:
    class Hits(Fixed):
        def search(self, queries: Sequence[str], depth: int) -> list[list[int]]:
            return [[3, 4, 0, 5, 1, 2]]

    built = context(Hits(6), top_k=2, neighbours=1)
    [found] = built.find([Item("i", {"q": "tea"})])
    # 3 with 2 and 4; 4 is there; 0 with 1. Behind them what was found besides: 5
    assert [block.source for block in found.blocks] == ["3", "0"]
    assert found.blocks[0].text == "red\n\ngreen tea\n\nblue\n\n"
    assert found.blocks[1].text == "fish\n\ntea cup\n\n"
    assert found.ranking == ("3", "2", "4", "0", "1", "5")
    assert built.first_stage([Item("i", {"q": "tea"})]) == [("3", "4", "0", "5", "1", "2")]
    assert built.pool() is None
    plain = context(Hits(6), top_k=2)
    assert plain.find([Item("i", {"q": "tea"})])[0].ranking == ("3", "4", "0", "5", "1", "2")
    assert plain.first_stage([Item("i", {"q": "tea"})]) is None


def test_hits_are_paired_question_by_question() -> None:
    after = [["a", "b"], ["x", "y"], ["g", "h"], ["q"], ["z"]]
    before = [["b", "a"], ["y", "x"], ["h", "g"], ["q"], ["z"]]
    gold = [["a"], ["y"], ["n"], [], ["z"]]
    assert paired_hits(after, before, gold, (1, 2)) == {"1": PairedHits(1, 1, 1, 1), "2": PairedHits(3, 0, 0, 1)}


def test_the_change_has_newcombes_interval() -> None:
    # Newcombe 1998, Statistics in Medicine 17, 2635: 36 both, 12 and 2 one alone, 0 neither gives 0.0569 to 0.3404
    difference, interval = tables.change(PairedHits(36, 12, 2, 0))
    assert difference == 0.2
    assert (round(interval.low, 4), round(interval.high, 4)) == (0.0569, 0.3404)


def rows(folder: Path, count: int) -> None:
    """A text task of as many questions as passages, whose words tell them."""
    folder.mkdir()
    passages = [{"id": f"p{i}", "text": f"{WORDS[i % 9]} {WORDS[(i * 4 + 1) % 9]} cup {i}"} for i in range(count)]
    (folder / "corpus.jsonl").write_text("".join(json.dumps(row) + "\n" for row in passages))
    for split in ("train", "validation", "test"):
        lines = [{"id": f"{split}{i}", "q": f"{split} {WORDS[i % 9]} {i}", "a": WORDS[i % 9], "gold": [f"p{i}"]}
                 for i in range(count)]  # fmt: skip
        (folder / f"{split}.jsonl").write_text("".join(json.dumps(row) + "\n" for row in lines))
    spec = {
        "name": "find", "kind": "text", "instruction": "Answer.", "template": "{q}", "answer": "a", "gold": "gold",
        "corpus": "corpus.jsonl", "metrics": ["exact_match"], "max_new_tokens": 4,
        "splits": {s: f"{s}.jsonl" for s in ("train", "validation", "test")},
    }  # fmt: skip
    (folder / "task.yaml").write_text(yaml.safe_dump(spec))


def suite(folder: Path, model: Path, *asked: Any, **changes: Any) -> Path:
    return write_suite(folder, model, tasks=["find"], methods=list(asked), defaults={}, **changes)


def test_a_record_tells_the_second_stage_apart(tmp_path: Path, tiny_model: Path, folder: Path) -> None:
    rows(tmp_path / "find", 6)
    reranked = {
        "rag": {"top_k": 2, "retriever": "lexical", "rerank": {"model": str(folder)}, "pool": 4, "label": "two"}
    }
    plain = {"rag": {"top_k": 2, "retriever": "lexical"}}
    _, _, run = measure(suite(tmp_path, tiny_model, plain, reranked), tmp_path / "run")
    one, two = run.records
    assert (one.status, two.status) == ("ok", "ok"), two.failure
    assert one.second_stage is None
    assert "rerank" not in one.phases
    stage, phase = two.second_stage, two.phases["rerank"]
    assert stage is not None
    assert (stage.reranker, stage.digest) == (str(folder), find_reranker(str(folder)).digest)
    assert stage.first == {name: one.retrieval[name] for name in stage.first}
    hits = stage.hits["1"]
    assert (hits.both + hits.gained) / 6 == two.retrieval["hit@1"]
    assert (hits.both + hits.lost) / 6 == one.retrieval["hit@1"]
    assert phase.flops
    assert phase.wall_s > 0
    assert stage.parameters > 0
    assert stage.load_s > 0
    served = two.latency["served"]
    assert served.second_stage_p50 is not None
    assert 0 < served.second_stage_p50 < served.retrieval_p50
    assert one.latency["served"].second_stage_p50 is None
    found, spent = tables.tables(run, two.model)
    assert [row[2].text for row in found.rows] == ["1", "5", "10"]
    assert spent.rows[0][2].text == str(folder)


def test_the_weights_of_a_reranker_are_in_the_key_and_their_place_is_not(
    tmp_path: Path, tiny_model: Path, folder: Path
) -> None:
    rows(tmp_path / "find", 2)

    def key(*named: Any, **more: Any) -> str:
        asked = {"rag": {"top_k": 2, "retriever": "lexical", **({"rerank": list(named)} if named else {}), **more}}
        _, [cell] = cells_of(suite(tmp_path, tiny_model, asked))
        return cell.key

    near = tiny.build(tmp_path / "near")
    assert key("near") == key(str(near)) == key(str(folder))
    (near / "model.safetensors").write_bytes((near / "model.safetensors").read_bytes() + b" ")
    assert key("near") != key(str(folder))
    assert key("none", "near") != key("near") != key("near", "none")
    assert key() == key("none") == key(None) == key(pool=20, neighbours=0, diversity=1.0)
    assert len({key(), key(pool=30), key(neighbours=1), key(diversity=0.5)}) == 4


def test_a_second_stage_is_chosen_on_validation(tmp_path: Path, tiny_model: Path, folder: Path) -> None:
    rows(tmp_path / "find", 3)
    asked = {"rag": {"top_k": 1, "retriever": "lexical", "rerank": ["none", str(folder)], "diversity": [1.0, 0.5]}}
    _, _, run = measure(suite(tmp_path, tiny_model, asked, trials=4), tmp_path / "run")
    [record] = run.records
    assert record.status == "ok", record.failure
    assert record.tuning is not None
    assert record.tuning.grid == {"rerank": ("none", str(folder)), "diversity": (1.0, 0.5)}
    assert len(record.tuning.trials) == 4


@pytest.mark.parametrize(
    ("options", "said"),
    [
        ({"rerank": {"modell": "x"}}, 'rerank: unknown key "modell" (did you mean "model"?); allowed: model'),
        ({"rerank": [{"model": "x", "dtype": "b"}]}, 'rerank: unknown key "dtype"; allowed: model'),
        ({"pool": 0}, "pool is 0; it must be greater than 0"),
        ({"diversity": 1.5}, "diversity is 1.5; it must be less than or equal to 1"),
        ({"neighbours": -1}, "neighbours is -1; it must be greater than or equal to 0"),
        ({"rerankk": "x"}, '(did you mean "rerank"?)'),
    ],
)
def test_wrong_options_are_one_line(options: Mapping[str, Any], said: str) -> None:
    with pytest.raises(UsageError) as caught:
        methods.create("rag", options)
    assert said in str(caught.value)
    assert "\n" not in str(caught.value)


def test_one_option_settles_the_others() -> None:
    options = methods.create("rag", {"rerank": {"model": "a/b"}}).context.options
    assert (options.top_k, options.retriever, options.rerank, options.pool) == ((3,), ("auto",), ("a/b",), (20,))
