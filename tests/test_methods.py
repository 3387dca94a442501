"""What each method does that no other does."""

from __future__ import annotations

import dataclasses
from collections import Counter
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from transformers import AutoModelForCausalLM, LlamaConfig, LlamaForCausalLM

import methods
from bench.core.errors import NotApplicableError, UsageError
from bench.core.item import Example
from bench.core.method import ContextPart, Material, WeightsPart
from bench.core.search import Search
from bench.retrieval.index import build
from methods.few_shot import stratified
from tests.toy import COLOURS, blind, choice_task, predictions, text_task


def index(retriever: str, documents: Sequence[str]) -> Search:
    return build("lexical", documents, embedder=None)


def material(task: object, seed: int = 0, **changes: object) -> Material:
    t = task if not isinstance(task, str) else None
    assert t is not None
    made = Material(t.name, t.prompt, t.train, t.validation, t.corpus, seed, index)  # type: ignore[attr-defined]
    return dataclasses.replace(made, **changes)  # type: ignore[arg-type]


def test_parts_are_found_by_themselves_and_options_do_not_clash() -> None:
    assert set(methods.available()) == {
        "zero-shot",
        "few-shot",
        "rag",
        "optimised",
        "lora",
        "full",
        "last-layers",
        "bitfit",
        "prompt-tuning",
        "prefix-tuning",
        "qlora",
        "set-fit",
        "tf-idf",
        "nearest-answer",
        "popularity",
        "matrix-factorisation",
        "head",
        "scratch",
        "adapter",
        "checkpoint",
        "dora",
        "ia3",
        "miss",
        "oft",
        "rslora",
        "shira",
    }
    weights = [part for part in methods.own().values() if issubclass(part, WeightsPart)]
    contexts = [part for part in methods.own().values() if issubclass(part, ContextPart)]
    for one in weights:
        for other in contexts:
            assert not methods.option_names(one) & methods.option_names(other)


@pytest.mark.parametrize(
    ("given", "canonical"), [("rag+lora", "lora+rag"), ("lora+zero-shot", "lora"), ("zero-shot", "zero-shot")]
)
def test_a_joined_name_has_one_spelling(given: str, canonical: str) -> None:
    assert methods.create(given).name == canonical


@pytest.mark.parametrize(
    ("name", "options", "words"),
    [
        ("few-shoot", {}, 'unknown method "few-shoot" (did you mean "few-shot"?)'),
        ("lora+full", {}, "joins two weights parts"),
        ("rag+few-shot", {}, "joins two context parts"),
        ("frozen", {}, 'unknown method "frozen"'),
        ("lora", {"rnk": 3}, '"rnk" (did you mean "rank"?)'),
        ("full", {"learning_rate": 2}, "between 0 and 1; got 2"),
        ("rag", {"retriever": "dens"}, 'retriever is "dens" (did you mean "dense"?); allowed: auto, dense'),
    ],
)
def test_a_wrong_name_or_option_is_one_line(name: str, options: dict[str, Any], words: str) -> None:
    with pytest.raises(UsageError) as caught:
        methods.create(name, options)
    assert words in str(caught.value)
    assert "\n" not in str(caught.value)


@given(k=st.integers(1, 30), counts=st.lists(st.integers(1, 9), min_size=1, max_size=5), seed=st.integers(0, 99))
def test_worked_examples_are_balanced_over_labels_and_fixed_by_the_seed(k: int, counts: list[int], seed: int) -> None:
    labels = [str(label) for label in range(len(counts))]
    examples = [
        Example(f"train/{label}-{i}", {}, tuple(labels), (label,))
        for label, count in zip(labels, counts, strict=True)
        for i in range(count)
    ]
    drawn = stratified(examples, k, "task", seed)
    assert drawn == stratified(examples[::-1], k, "task", seed)
    assert len({e.id for e in drawn}) == len(drawn) == min(k, len(examples))
    taken = Counter(e.references[0] for e in drawn)
    for label, count in zip(labels, counts, strict=True):
        if taken[label] < count:  # a label not used up has at most one example less than any other
            assert taken[label] >= max(taken.values()) - 1


def test_another_seed_draws_other_examples() -> None:
    train = choice_task(train=60).train
    assert stratified(train, 6, "t", 0) != stratified(train, 6, "t", 1)


def test_few_shot_shows_every_item_the_same_examples_with_their_answers() -> None:
    task = choice_task()
    context = methods.create("few-shot", {"k": 3}).context.build(material(task))
    assert len(context.shared) == 3
    assert {block.source.split("/")[0] for block in context.shared} == {"train"}
    assert sorted(block.written.split("Colour: ")[1].strip() for block in context.shared) == sorted(COLOURS)


def test_similar_examples_differ_by_item_and_never_hold_the_item_itself() -> None:
    task = choice_task()
    context = methods.create("few-shot", {"k": 2, "select": "similar"}).context.build(material(task))
    found = context.find(task.train)
    assert context.shared == ()
    for example, evidence in zip(task.train, found, strict=True):
        assert len(evidence.blocks) == 2
        assert example.id not in evidence.ranking
        # the nearest neighbour by words is one of the same colour
        nearest = next(e for e in task.train if e.id == evidence.ranking[0])
        assert nearest.fields["colour"] == example.fields["colour"]


def test_rag_finds_the_passage_that_names_the_box() -> None:
    task = text_task()
    context = methods.create("rag", {"top_k": 2}).context.build(material(task))
    for item, evidence in zip(task.test, context.find(blind(task.test)), strict=True):
        assert evidence.ranking[0] == item.gold[0]
        assert [block.source for block in evidence.blocks] == list(evidence.ranking[:2])
        assert len(evidence.ranking) > 2  # kept for hit@k beyond what is shown


def test_the_oracle_gets_gold_passages_and_only_a_control_does() -> None:
    task = text_task()
    oracle, plain = methods.create("rag", {"control": "oracle"}), methods.create("rag")
    assert (oracle.context.sees_gold, plain.context.sees_gold) == (True, False)
    gold = {e.id: e.gold for e in task.test}
    found = oracle.context.build(material(task, gold=gold)).find(blind(task.test))
    assert [e.ranking for e in found] == [e.gold for e in task.test]


def test_random_passages_depend_on_seed_and_item_alone() -> None:
    task = text_task()
    control = methods.create("rag", {"control": "random", "top_k": 3}).context
    items = blind(task.test)

    def rankings(order: list[int], seed: int) -> dict[str, tuple[str, ...]]:
        asked = [items[i] for i in order]
        found = control.build(material(task, seed=seed)).find(asked)
        return {item.id: evidence.ranking for item, evidence in zip(asked, found, strict=True)}

    forward, backward = rankings([0, 1, 2, 3], 0), rankings([3, 2, 1, 0], 0)
    assert forward == backward
    assert len(set(forward.values())) > 1
    assert rankings([0, 1, 2, 3], 1) != forward


@pytest.mark.parametrize(
    ("method", "options", "words"),
    [
        ("few-shot", {}, "needs a train split"),
        ("rag", {"control": "oracle"}, "needs a task with a corpus"),
        ("rag", {}, "needs a task with a corpus"),
    ],
)
def test_what_a_method_needs_is_said_before_anything_is_loaded(
    method: str, options: dict[str, Any], words: str
) -> None:
    bare = dataclasses.replace(choice_task(), train=())
    assert words in (methods.create(method, options).context.requires(bare) or "")


def test_lora_starts_as_the_base_model_and_trains_all_linear_layers(tiny_model: Path) -> None:
    base = AutoModelForCausalLM.from_pretrained(tiny_model).eval()
    ids = torch.tensor([[5, 6, 7, 8]])
    with torch.no_grad():
        before = base(ids).logits.clone()
        wrapped = methods.create("lora", {"rank": 3}).weights.start(base, 7).eval()
        torch.testing.assert_close(wrapped(ids).logits, before, rtol=0, atol=0)
    targets = {name.split(".")[-4] for name, _ in wrapped.named_parameters() if "lora_A" in name}
    assert targets == {"q_proj", "k_proj", "v_proj", "o_proj", "gate_proj", "up_proj", "down_proj"}
    rows_and_columns = 4 * 64 + 2 * (64 + 32) + 3 * (64 + 192)  # q, o; k, v; gate, up, down
    end_row = 64
    assert sum(p.numel() for p in wrapped.parameters() if p.requires_grad) == 3 * 2 * rows_and_columns + end_row


@pytest.mark.parametrize("tied", [True, False])
def test_lora_trains_the_row_of_the_end_token_alone_of_the_output(tied: bool) -> None:
    torch.manual_seed(0)
    config = LlamaConfig(
        vocab_size=50, hidden_size=32, num_hidden_layers=2, num_attention_heads=4, intermediate_size=48, eos_token_id=2,
        tie_word_embeddings=tied,
    )  # fmt: skip
    base = LlamaForCausalLM(config)
    before = base.lm_head.weight.detach().clone()
    part = methods.create("lora", {"rank": 2}).weights
    model = part.start(base, 0)
    ids = torch.randint(3, 50, (4, 9))
    ids[:, -1] = 2
    optimizer = torch.optim.SGD([p for p in model.parameters() if p.requires_grad], lr=1.0)
    torch.nn.functional.cross_entropy(model(input_ids=ids).logits[:, -2], ids[:, -1]).backward()
    optimizer.step()
    with torch.no_grad():
        beside = model.eval()(input_ids=ids).logits
        merged = part.finish(model)
        torch.testing.assert_close(merged(input_ids=ids).logits, beside, rtol=1e-4, atol=1e-5)
    moved = (merged.lm_head.weight - before).abs().sum(1)
    assert moved.nonzero().flatten().tolist() == [2]
    assert (merged.lm_head.weight is merged.model.embed_tokens.weight) is tied
    without = methods.create("lora", {"train_end_token": False}).weights.start(LlamaForCausalLM(config), 0)
    assert all("lora" in name for name, p in without.named_parameters() if p.requires_grad)


def test_last_layers_trains_the_top_and_nothing_below(tiny_model: Path) -> None:
    base = AutoModelForCausalLM.from_pretrained(tiny_model)
    count = base.config.num_hidden_layers
    model = methods.create("last-layers", {"layers": 1}).weights.start(base, 0)
    trained = {name for name, p in model.named_parameters() if p.requires_grad}
    assert {name.split(".")[2] for name in trained if "layers" in name} == {str(count - 1)}
    assert {name for name in trained if "layers" not in name} == {"model.norm.weight"}
    with pytest.raises(NotApplicableError, match=f"layers: 99, but the model has {count}"):
        methods.create("last-layers", {"layers": 99}).weights.start(base, 0)


def test_scratch_starts_elsewhere_and_by_its_seed(tiny_model: Path) -> None:
    base = AutoModelForCausalLM.from_pretrained(tiny_model)
    weights = methods.create("scratch").weights
    one, same, other = (weights.start(base, seed).lm_head.weight for seed in (1, 1, 2))
    assert torch.equal(one, same)
    assert not torch.equal(one, other)
    assert not torch.equal(one, base.lm_head.weight)


def test_training_on_the_task_beats_not_training(tiny_model: Path) -> None:
    task = choice_task(train=60, validation=9, test=30)
    options = {"learning_rate": 3e-3, "epochs": 12, "batch_size": 8}

    def accuracy(method: str, given: dict[str, Any]) -> float:
        found = predictions(task, method, given, tiny_model)
        return sum(p.output == e.references[0] for p, e in zip(found, task.test, strict=True)) / len(found)

    assert accuracy("full", options) >= 0.9 > accuracy("zero-shot", {})
