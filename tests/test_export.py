"""From a verdict to a folder that answers without adaptbench, and one clear line for what cannot be exported."""

from __future__ import annotations

import json
import shutil
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner

import bench.cli
import tasks
from bench.core.errors import UsageError
from bench.core.identity import MethodParts, PartSettings
from bench.core.record import Record
from bench.export import again, chosen, folder, serving_lines
from bench.store import pack, run_folder
from bench.store.run_folder import read_predictions, read_run
from tests.export_scripts import answers
from tests.gate.made import Made
from tests.gpu.test_loading import InThisProcess
from tests.small import measure, write_suite

QUIET = {"latency": "off", "training_items": "off", "flop_check": "off"}
SIMILAR: dict[str, Any] = {"few-shot": {"k": 2, "select": "similar", "retriever": "lexical", "label": "similar"}}
TRAINED: dict[str, Any] = {"learning_rate": 5e-3, "max_steps": 2}


@pytest.fixture(autouse=True)
def in_this_process(monkeypatch: pytest.MonkeyPatch) -> None:
    """Cells need no process of their own here: each would load torch anew."""
    for place in ("bench.runs.workers.executor", "bench.export.again.executor"):
        monkeypatch.setattr(place, lambda suite, cells_at_once: InThisProcess())


@pytest.fixture(scope="module")
def measured_once(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("measured")


@pytest.fixture
def kept(tmp_path: Path, task_folder: Path, tiny_model: Path, measured_once: Path) -> Path:
    """A run whose weights are kept: an adapter, and examples that are searched. Measured once for all tests."""
    if not any(measured_once.iterdir()):
        file = write_suite(tmp_path, tiny_model, methods=[{"lora": TRAINED}, SIMILAR], keep="all", measure=QUIET)
        measure(file, tmp_path / "run")
        shutil.copytree(tmp_path, measured_once, dirs_exist_ok=True)
    else:
        shutil.copytree(measured_once, tmp_path, dirs_exist_ok=True)
    return tmp_path / "run"


def exported(run: Path, method: str, out: Path, merged: bool = False, task: str = "paint") -> folder.Exported:
    found = chosen.find(run, task, None, method, None, None)
    return folder.export(found, out, merged, None, lambda *_: None)


def measured(run: Path, record: Record) -> list[str]:
    return [line["output"] for line in read_predictions(run, record.key)]


def test_an_export_answers_alone_and_comes_back_to_the_bit(kept: Path, tmp_path: Path, tiny_model: Path) -> None:
    labels = ("lora", "similar")
    made = [exported(kept, label, tmp_path / label) for label in labels]
    served = answers([(tmp_path / label, tasks.load(tmp_path / "paint")) for label in labels], tmp_path / "stubs")
    for one, answered in zip(made, served, strict=True):
        assert [each["answer"] for each in answered] == measured(kept, one.chosen.record)
        assert [each["id"] for each in answered] == [example.id for example in one.chosen.task.test]
    card = (tmp_path / "lora" / "README.md").read_text()
    record = made[0].chosen.record
    assert record.identity.model.digest in card
    assert "Accuracy" in card
    assert (tmp_path / "lora" / "adapter_config.json").is_file()
    assert not (tmp_path / "lora" / "retrieval.py").exists()

    back = write_suite(tmp_path, tiny_model, methods=[{"adapter": {"path": "lora"}}], measure=QUIET)
    measure(back, tmp_path / "again")
    [given] = read_run(tmp_path / "again").records
    assert given.status == "ok", given.failure
    lines = zip(
        *(read_predictions(run, r.key) for run, r in ((kept, record), (tmp_path / "again", given))), strict=True
    )
    assert all(old["scores"] == new["scores"] for old, new in lines)
    assert given.scores == record.scores


EVERY: dict[str, tuple[str, dict[str, Any]]] = {
    "zero-shot": ("zero-shot", {}),
    "fixed": ("few-shot", {"k": 3}),
    "similar": ("few-shot", {"k": 2, "select": "similar", "retriever": "lexical"}),
    "lora": ("lora", TRAINED),
    "full": ("full", {**TRAINED, "learning_rate": 1e-3}),
    "last-layers": ("last-layers", {**TRAINED, "learning_rate": 1e-3}),
    "scratch": ("scratch", {**TRAINED, "learning_rate": 1e-3}),
    "bitfit": ("bitfit", TRAINED),
    "prompt-tuning": ("prompt-tuning", TRAINED),
    "prefix-tuning": ("prefix-tuning", TRAINED),
    "qlora": ("qlora", TRAINED),
    "head": ("head", {"c": 1.0, "tasks": ["support-intents"]}),
    "rag": ("rag", {"top_k": 2, "retriever": "lexical", "tasks": ["product-sheets"]}),
    "hybrid": ("rag", {"top_k": 2, "retriever": "hybrid", "tasks": ["product-sheets"]}),
    "dora": ("dora", TRAINED),
    "rslora": ("rslora", TRAINED),
    "oft": ("oft", TRAINED),
    "miss": ("miss", TRAINED),
    "shira": ("shira", TRAINED),
    "ia3": ("ia3", TRAINED),
    "both": ("lora+rag", {**TRAINED, "top_k": 2, "retriever": "dense", "tasks": ["product-sheets"]}),
}


@pytest.mark.slow
@pytest.mark.timeout(900)
def test_every_kind_of_method_answers_alone_as_it_was_measured(tmp_path: Path, prompted: Path) -> None:
    """On mini: choices and texts, fixed and searched context, every form of weights, adapters merged too."""
    methods = [{method: {**options, "label": label}} for label, (method, options) in EVERY.items()]
    changes = {"tasks": ["support-intents", "product-sheets"], "limit": 6, "keep": "all", "measure": QUIET}
    file = write_suite(tmp_path, Path("mini"), methods=methods, embedder=str(prompted), **changes)
    measure(file, tmp_path / "run")
    run = read_run(tmp_path / "run")
    assert {record.status for record in run.records} == {"ok"}
    cases = [(record, False) for record in run.records]
    cases += [(record, True) for record in run.records if record.parts.weights.name in ("lora", "dora", "oft")]
    folders = []
    for number, (record, merged) in enumerate(cases):
        out = tmp_path / f"{number}"
        made = exported(run.path, record.method, out, merged, record.task)
        folders.append((out, made.chosen.task))
    served = answers(folders, tmp_path / "stubs")
    for (record, _), answered in zip(cases, served, strict=True):
        assert [each["answer"] for each in answered] == measured(run.path, record), record.name
    for label in ("prompt-tuning", "qlora"):
        with pytest.raises(UsageError, match=f"^{label} answers with an adapter beside the weights; leave out --merg"):
            exported(run.path, label, tmp_path / "merged", True, "support-intents")


@pytest.mark.parametrize(
    ("of_adapter", "said"),
    [
        ({}, "With vLLM and llama.cpp, after a conversion by its own scripts:"),
        ({"token_rows": True}, "vLLM and llama.cpp cannot serve the row of the token that ends an answer"),
        ({"kind": "DoRA", "token_rows": True}, "vLLM and llama.cpp cannot serve adapters of the kind DoRA: export"),
        ({"kind": "IA3", "rank": 0}, "vLLM and llama.cpp cannot serve adapters of the kind IA3: export"),
        ({"rank": 64, "rank_stabilised": True}, "llama.cpp cannot serve rank-stabilised scaling: export"),
        ({"rank": 600}, "vLLM cannot serve ranks above 512: export"),
    ],
)
def test_a_card_names_the_servers_that_take_an_adapter(of_adapter: dict[str, Any], said: str) -> None:
    adapter = {"kind": "LORA", "rank": 12, "rank_stabilised": False, "token_rows": False, **of_adapter}
    settings = {"weights": "adapter", "base": {"path": "a b", "kind": "causal"}, "dtype": "float32", "adapter": adapter}
    text = "\n".join(serving_lines.elsewhere(settings))
    assert said in text
    vllm, llama = "vllm serve 'a b' --enable-lora" in text, "convert_lora_to_gguf.py . --base 'a b'" in text
    left_out = said.partition(" cannot")[0] if "cannot" in said else ""
    assert (vllm, llama) == ("vLLM" not in left_out, "llama.cpp" not in left_out)
    assert ("--max-lora-rank 16 " in text) == (adapter["rank"] == 12 and vllm)


@pytest.mark.slow
def test_weights_that_were_not_kept_are_trained_again(tmp_path: Path, task_folder: Path, tiny_model: Path) -> None:
    file = write_suite(tmp_path, tiny_model, methods=[{"lora": TRAINED}], measure=QUIET)
    measure(file, tmp_path / "run")
    found = chosen.find(tmp_path / "run", "paint", None, "lora", None, None)
    with pytest.raises(UsageError, match="keeps no weights of lora with seed 0; train them again with --retrain-on tr"):
        folder.export(found, tmp_path / "out", False, None, lambda *_: None)
    made = folder.export(found, tmp_path / "out", False, "train", lambda *_: None)
    assert made.again is not None
    assert made.again.same_answers == 6
    assert made.again.record.scores == found.record.scores
    both = folder.export(found, tmp_path / "both", False, "train+validation", lambda *_: None)
    assert both.again is not None
    assert both.again.record.training is not None
    assert both.again.record.training.examples == 12 + 6
    assert "trained on the validation split too" in (tmp_path / "both" / "README.md").read_text()


def contest(path: Path, right: dict[str, int], **changes: Any) -> Path:
    made = Made(path)
    for label, count in right.items():
        made.cell(label, [1] * count + [0] * (60 - count), **changes)
    return made.done()


def refused(*arguments: object) -> str:
    ended = CliRunner().invoke(bench.cli.cli, ["export", *map(str, arguments)])
    assert isinstance(ended.exception, UsageError)
    assert "\n" not in str(ended.exception)
    return str(ended.exception)


def test_nothing_is_exported_that_is_not_chosen(tmp_path: Path) -> None:
    close = contest(tmp_path / "close", {"full": 32, "lora": 30, "head": 5})
    out = tmp_path / "out"
    said = refused(close, "--task", "mail", "--out", out)
    assert said == "mail is undecided: full leads, lora may be better; name one, such as --method full"
    assert refused(close, "--task", "male", "--out", out).startswith("unknown task of ")
    assert '(did you mean "lora"?)' in refused(close, "--task", "mail", "--method", "lorra", "--out", out)
    assert "there are: 0" in refused(close, "--task", "mail", "--method", "lora", "--seed", "3", "--out", out)
    assert 'unknown model of task mail: "n"' in refused(close, "--task", "mail", "--model", "n", "--out", out)
    parts = MethodParts(context=PartSettings("rag"), is_control=True)
    control = contest(tmp_path / "control", {"oracle": 60}, parts=parts)
    assert "is a control" in refused(control, "--task", "mail", "--method", "oracle", "--out", out)
    assert not out.exists()


def test_what_was_measured_has_to_be_there_still(kept: Path, tmp_path: Path, tiny_model: Path) -> None:
    out = tmp_path / "out"
    out.mkdir()
    (out / "file").touch()
    assert "is there already" in refused(kept, "--task", "paint", "--method", "lora", "--out", out)
    trains_nothing = refused(
        kept, "--task", "paint", "--method", "similar", "--retrain-on", "train", "--out", out / "x"
    )
    assert trains_nothing == "similar trains nothing; leave out --retrain-on"
    assert "nothing to merge" in refused(kept, "--task", "paint", "--method", "similar", "--merged", "--out", out / "x")
    other = tmp_path / "other"
    shutil.copytree(tiny_model, other)
    (other / "generation_config.json").write_text(json.dumps({"eos_token_id": 3}))
    said = refused(kept, "--task", "paint", "--method", "lora", "--base", other, "--out", out / "x")
    assert said.startswith("model tiny is not what was measured: its digest is ")
    test = tmp_path / "paint" / "test.jsonl"
    test.write_text(test.read_text().replace("red", "blue"))
    assert "task paint is not what was measured" in refused(
        kept, "--task", "paint", "--method", "lora", "--out", out / "x"
    )
    assert sorted(file.name for file in out.iterdir()) == ["file"]


def test_an_archive_is_exported_as_its_folder_is(kept: Path, tmp_path: Path) -> None:
    packed = pack.pack(kept, with_weights=True)
    shutil.rmtree(kept)
    (tmp_path / f".exporting-{packed.name}" / "left").mkdir(parents=True)  # by an earlier version that was killed
    arguments = ["export", str(packed), "--task", "paint", "--method", "lora", "--out", str(tmp_path / "out")]
    ended = CliRunner().invoke(bench.cli.cli, arguments, catch_exceptions=False)
    assert ended.exit_code == 0
    assert f"lora for paint on tiny, seed 0: {tmp_path / 'out'}" in ended.stdout
    assert (tmp_path / "out" / "adapter_model.safetensors").is_file()
    assert [place.name for place in tmp_path.glob(".exporting*")] == [f".exporting-{packed.name}"]


def test_it_is_trained_on_both_splits_for_as_long_as_was_best(kept: Path) -> None:
    found = chosen.find(kept, "paint", None, "lora", None, None)
    training = found.record.training
    assert training is not None
    best = replace(found, record=replace(found.record, training=replace(training, best_step=1, steps=2, epochs=1.0)))
    assert again.as_long(best) == {"max_steps": 1}
    assert run_folder.weights_folders(kept)
