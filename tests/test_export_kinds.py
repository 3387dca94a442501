"""Exports of models that are no decoders, and of what needs no model: the same answers without adaptbench."""

from __future__ import annotations

import hashlib
import json
import shutil
from pathlib import Path
from typing import Any

import pytest

from bench.core.errors import UsageError
from bench.core.record import Run
from bench.export import chosen, folder
from bench.model import tiny_random
from bench.store.run_folder import find_predictions
from tests.export_scripts import answers
from tests.gpu.test_loading import InThisProcess
from tests.pictures import build_convolutional, build_transformer
from tests.served.scripted import Sent, completed, decides, echoes, said, serving
from tests.small import measure, write_suite
from tests.test_picture_models import write_pictures
from tests.test_recommending import write_shop
from tests.test_seq2seq import save

QUIET = {"latency": "off", "training_items": "off", "flop_check": "off"}
TRAINED: dict[str, Any] = {"learning_rate": 5e-3, "max_steps": 2}
COLOURS = ("red", "green", "blue")
START = {"t5": 0, "bart": 1}
TEXTS = {
    "name": "names", "kind": "text", "instruction": "Say it again.", "template": "{text}\nAgain:", "answer": "label",
    "splits": {"train": "train.jsonl", "validation": "validation.jsonl", "test": "test.jsonl"}, "max_new_tokens": 6,
}  # fmt: skip


@pytest.fixture(autouse=True)
def in_this_process(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("bench.runs.workers.executor", lambda suite, cells_at_once: InThisProcess())


def write_texts(tmp_path: Path) -> None:
    """The items of `paint` as a task of texts."""
    shutil.copytree(tmp_path / "paint", tmp_path / "names")
    (tmp_path / "names" / "task.yaml").write_text(json.dumps(TEXTS))


def answered_alone(run: Run, out: Path, merged: tuple[str, ...] = ()) -> list[Path]:
    """Export every cell and compare what predict.py answers with what was measured; returns the exports."""
    cases = [(record, False) for record in run.records]
    cases += [(record, True) for record in run.records if record.method in merged]
    made = []
    for number, (record, whole) in enumerate(cases):
        found = chosen.find(run.path, record.task, record.model, record.method, None, None)
        made.append((out / f"{number}", folder.export(found, out / f"{number}", whole, None, lambda *_: None)))
    served = answers([(place, export.chosen.task) for place, export in made], out / "stubs")
    for (record, _), answered in zip(cases, served, strict=True):
        file = find_predictions(run.path, record.key)
        assert file is not None
        lines = [json.loads(line) for line in file.read_text(encoding="utf-8").splitlines()]
        measured = [None if line["failure"] else line["output"] for line in lines]
        assert [each["answer"] for each in answered] == measured, record.name
    return [place for place, _ in made]


@pytest.mark.usefixtures("task_folder")
def test_what_needs_no_model_answers_alone(tmp_path: Path) -> None:
    write_texts(tmp_path)
    methods = [{"tf-idf": {"c": 10.0, "tasks": ["paint"]}}, "nearest-answer"]
    file = write_suite(
        tmp_path, Path("classical"), methods=methods, tasks=["paint", "names"], keep="all", measure=QUIET
    )
    _, _, run = measure(file, tmp_path / "run")
    assert {record.status for record in run.records} == {"ok"}
    words, nearest, _ = answered_alone(run, tmp_path)
    assert sorted(file.name for file in words.iterdir()) == [
        "README.md", "command_line.py", "export.json", "items.jsonl", "predict.py", "terms.json", "tf-idf.safetensors",
        "words.py",
    ]  # fmt: skip
    assert (nearest / "examples.jsonl").read_text().count("\n") == 12
    card = (words / "README.md").read_text()
    assert "pip install scikit-learn safetensors" in card
    assert "base model" not in card
    found = chosen.find(run.path, "paint", None, "tf-idf", None, None)
    with pytest.raises(UsageError, match="tf-idf adds nothing to a model's weights: there is nothing to merge"):
        folder.export(found, tmp_path / "x", True, None, lambda *_: None)


def test_what_recommends_answers_alone(tmp_path: Path) -> None:
    write_shop(tmp_path)
    methods = [{"popularity": {"counts": "answers"}}, {"matrix-factorisation": {"factors": 3}}]
    file = write_suite(tmp_path, Path("classical"), methods=methods, tasks=["shop"], keep="all", measure=QUIET)
    _, _, run = measure(file, tmp_path / "run")
    assert {record.status for record in run.records} == {"ok"}
    counts, factors = answered_alone(run, tmp_path)
    for place in (counts, factors):
        assert sorted(file.name for file in place.iterdir()) == [
            "README.md", "command_line.py", "export.json", "items.jsonl", "predict.py", "products.json", "purchases.py",
            "recommender.safetensors",
        ]  # fmt: skip
    assert "pip install numpy safetensors" in (factors / "README.md").read_text()


ENCODED: list[dict[str, Any]] = [
    {"lora": TRAINED},
    {"head": {"c": 1.0}},
    {"set-fit": {"rounds": 1, "learning_rate": 1e-3}},
    {"full": {**TRAINED, "learning_rate": 1e-3}},
    {"scratch": {**TRAINED, "learning_rate": 1e-3}},
]


@pytest.mark.slow
@pytest.mark.timeout(900)
@pytest.mark.usefixtures("task_folder")
def test_every_method_of_an_encoder_answers_alone(tmp_path: Path, prompted: Path) -> None:
    file = write_suite(tmp_path, prompted, methods=ENCODED, keep="all", measure=QUIET)
    _, _, run = measure(file, tmp_path / "run")
    assert {record.status for record in run.records} == {"ok"}
    places = answered_alone(run, tmp_path, merged=("lora",))
    assert (places[0] / "adapter_config.json").is_file()
    labels = json.loads((places[-1] / "config.json").read_text())["id2label"]
    assert labels == {"0": "blue", "1": "green", "2": "red"}


@pytest.mark.slow
@pytest.mark.timeout(900)
@pytest.mark.parametrize("family", ["t5", "bart"])
@pytest.mark.usefixtures("task_folder")
def test_every_method_of_an_encoder_decoder_model_answers_alone(tmp_path: Path, family: str) -> None:
    write_texts(tmp_path)
    (tmp_path / "model").mkdir()
    model = save(family, tmp_path / "model")
    penalty = {"repetition_penalty": 9.0}  # which a base may ask for, and was not measured with
    (model / "generation_config.json").write_text(json.dumps(penalty | {"decoder_start_token_id": START[family]}))
    methods = [
        {"few-shot": {"k": 2, "select": "similar", "retriever": "lexical"}}, {"lora": TRAINED},
        {"last-layers": {**TRAINED, "layers": 1, "tasks": ["paint"]}}, {"scratch": {**TRAINED, "tasks": ["paint"]}},
        {"full": {**TRAINED, "tasks": ["names"]}},
    ]  # fmt: skip
    file = write_suite(tmp_path, model, methods=methods, tasks=["paint", "names"], keep="all", measure=QUIET)
    _, _, run = measure(file, tmp_path / "run")
    assert {record.status for record in run.records} == {"ok"}
    answered_alone(run, tmp_path, merged=("lora",))


@pytest.mark.slow
@pytest.mark.timeout(900)
@pytest.mark.usefixtures("task_folder")
def test_choices_that_are_written_or_decided_are_the_same_alone(tmp_path: Path) -> None:
    write_texts(tmp_path)
    chat = tiny_random.build(tmp_path / "chat", chat_template=True)
    decides = Path(shutil.copytree(chat, tmp_path / "decides"))
    (decides / "decision.json").write_text(json.dumps({"temperature": {"choice": 2.5}}))
    (chat / "generation_config.json").write_text(json.dumps({"repetition_penalty": 9.0}))
    models = [{"path": str(chat), "reader": "generation"}, {"path": str(decides)}]
    file = write_suite(tmp_path, chat, models=models, methods=["zero-shot"], tasks=["paint", "names"], measure=QUIET)
    _, _, run = measure(file, tmp_path / "run")
    assert {(record.model, record.ranked_by, record.status) for record in run.records} == {
        ("chat", "generation", "ok"), ("chat", "", "ok"), ("decides", "none", "ok"),
    }  # fmt: skip
    answered_alone(run, tmp_path)


def replies(path: str, body: dict[str, Any], before: int) -> Sent:
    """An endpoint with every reader, whose answers depend on the whole prompt; it refuses one item."""
    if path == "/models":
        return Sent({"data": [{"id": "m"}]})
    if path == "/decisions":
        state = body["input"]
        return Sent(decides(body, lambda name, names: share(state + name, [state + each for each in names])))
    if path == "/completions":
        whole = body["prompt"] if isinstance(body["prompt"], str) else body["prompt"][0]
        return Sent(
            echoes(body, lambda token: -1 - digit(whole + token) / 10) if body.get("echo") else completed(whole)
        )
    told = json.dumps(body["messages"])
    if "response_format" in body:
        options = body["response_format"]["json_schema"]["schema"]["properties"]["answer"]["enum"]
        return Sent(said(json.dumps({"answer": options[digit(told) % len(options)]})))
    if "test thing 3" in told:
        return Sent(said(None, refusal="no"))
    return Sent(said(f"<think>well</think> It is {COLOURS[digit(told) % 3]}.\n\nOr red"))


def digit(text: str) -> int:
    return int(hashlib.sha256(text.encode()).hexdigest()[:4], 16)


def share(text: str, every: list[str]) -> float:
    return (1 + digit(text)) / sum(1 + digit(each) for each in every)


@pytest.mark.usefixtures("task_folder")
def test_a_served_model_is_asked_as_it_was(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Every reader, examples that are fixed and searched, choices and texts; the key comes from the environment."""
    write_texts(tmp_path)
    monkeypatch.setenv("FAR_KEY", "sk-far")
    similar = {"few-shot": {"k": 2, "select": "similar", "retriever": "lexical", "label": "similar"}}
    with serving(replies) as server:
        endpoint = {"base_url": server.url, "model": "m", "key_env": "FAR_KEY", "repeats": 0}
        models = [
            {"endpoint": {**endpoint, "extra": {"seed": 3}}, "name": "talks", "reader": "generation"},
            *({"endpoint": endpoint, "name": name, "reader": name} for name in ("decisions", "echo", "schema")),
        ]  # fmt: skip
        file = write_suite(
            tmp_path, tmp_path, models=models, methods=[similar], tasks=["paint", "names"], measure=QUIET, limit=5
        )
        _, _, run = measure(file, tmp_path / "run")
        assert {record.status for record in run.records} == {"ok"}
        first = len(server.asked)
        places = answered_alone(run, tmp_path)
    sent = [json.dumps([one.path, one.body], sort_keys=True) for one in server.asked]
    assert set(sent[first:]) <= set(sent[:first])
    assert {one.headers["Authorization"] for one in server.asked[first:]} == {"Bearer sk-far"}
    assert all("sk-far" not in file.read_text() for place in places for file in place.iterdir() if file.is_file())
    assert "curl" in (places[0] / "README.md").read_text()


@pytest.mark.slow
@pytest.mark.timeout(900)
@pytest.mark.parametrize("kind", ["transformer", "convolutional"])
def test_every_method_of_a_model_of_pictures_answers_alone(tmp_path: Path, kind: str) -> None:
    """Also with pictures at another size than the model's own, and with statistics of norms that were trained."""
    write_pictures(tmp_path, "paintings", 0)
    (tmp_path / "model").mkdir()
    model = {"transformer": build_transformer, "convolutional": build_convolutional}[kind](tmp_path / "model")
    methods = ["nearest-answer", {"head": {"c": 1.0}}, {"lora": TRAINED}, {"full": TRAINED}, {"scratch": TRAINED}]
    models = [{"path": str(model), "picture_size": 48}]
    file = write_suite(tmp_path, model, models=models, tasks=["paintings"], methods=methods, keep="all", measure=QUIET)
    _, _, run = measure(file, tmp_path / "run")
    assert {record.status for record in run.records} == {"ok"}
    nearest, *_ = answered_alone(run, tmp_path)
    assert "pip install torch transformers safetensors pillow\n" in (nearest / "README.md").read_text()
    assert (nearest / "picture.py").is_file()
