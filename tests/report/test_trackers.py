"""Experiment trackers: what they are told by hand, and the real ones read back where they are installed."""

from __future__ import annotations

import importlib
import json
from collections.abc import Iterator
from dataclasses import replace
from importlib.util import find_spec
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest

from bench.core.errors import UsageError
from bench.core.identity import MethodParts, PartSettings
from bench.core.measured import Environment
from bench.core.missing_package import need
from bench.core.phases import Phase
from bench.core.record import CheckpointScores, Record, Run, Score
from bench.core.training import Losses, Training, Tuning
from bench.core.values import OptionValue
from bench.report import trackers
from bench.report.trackers import mlflow, trackio, wandb
from bench.report.trackers.entries import entries, key, text_of
from tests.report.test_report import HOSTILE, failed, record, run

CREATED = 1767225600  # 2026-01-01T00:00:00+00:00, when the records of these tests end


def trained() -> Record:
    score = {"accuracy": Score(0.25)}
    return record(
        "lora", 1, {"accuracy": 0.75, "macro_f1": 0.5},
        phases={"train": Phase(60.0, 1024), "predict": Phase(2.0, 4096)},
        tokens={"prompt_tokens": 400},
        training=Training(
            steps=20, train_loss=((10, 2.0), (20, 1.0)), validation_loss=((20, 1.5),), loss=Losses(gap=0.5),
            tokens=70, examples=9,
        ),
        curve=(CheckpointScores(10, score, {"facts": {"accuracy": Score(0.125)}}),),
        retrieval={"hit@1": 0.5},
        parts=MethodParts(PartSettings("lora", {"rank": 8, "learning_rate": (0.01,)}), PartSettings("zero-shot")),
        train_size=128,
        tuning=Tuning({}, (), {"dropout": 0.1}, "accuracy", 9, {}),
        environment=Environment(adaptbench="0.1.0", device="cpu", packages={"torch": "2", "peft": None}),
    )  # fmt: skip


def small() -> Run:
    base = record("base", 0, {"accuracy": 0.5}, task="facts")
    return replace(run(trained(), failed("full", 1)), base=(base,))


class TestEntries:
    def test_a_cell_by_hand(self) -> None:
        [found] = entries(run(trained()))
        assert (found.name, found.group) == ("m · mail · lora · seed 1", "m · mail · lora")
        assert found.params == {
            "model": "m", "task": "mail", "method": "lora", "seed": 1, "train_size": 128,
            "lora.rank": 8, "lora.learning_rate": 0.01, "chosen.dropout": 0.1,
        }  # fmt: skip
        assert found.metrics == {
            "score/accuracy": 0.75, "score/macro_f1": 0.5, "retrieval/hit_at_1": 0.5,
            "time/train": 60.0, "time/predict": 2.0, "memory/peak_host": 4096, "tokens/prompt_tokens": 40.0,
            "training/steps": 20, "training/loss.gap": 0.5, "training/tokens": 70, "training/examples": 9,
            "training/examples_too_long": 0, "items/asked": 10,
        }  # fmt: skip
        assert found.curves == {
            "curve/train_loss": ((10, 2.0), (20, 1.0)),
            "curve/validation_loss": ((20, 1.5),),
            "curve/validation.accuracy": ((10, 0.25),),
            "curve/facts.accuracy": ((10, 0.125),),
        }
        assert (found.ended, found.seconds, found.failed) == (CREATED, 62.0, False)
        assert found.tags["adaptbench.package.torch"] == "2"
        assert found.tags["adaptbench.version"] == "0.1.0"

    def test_a_failed_cell_says_why(self) -> None:
        [found] = entries(run(failed("full")))
        assert found.failed
        assert found.tags["adaptbench.failure"] == "diverged"
        assert "score/accuracy" not in found.metrics

    def test_the_base_models_answers_to_probes_come_last(self) -> None:
        assert [(e.role, e.group) for e in entries(small())] == [
            ("cell", "m · mail · lora"), ("cell", "m · mail · full"), ("base probe", "m · facts · base"),
        ]  # fmt: skip

    def test_what_is_no_number_is_left_out(self) -> None:
        [found] = entries(
            run(record(scores={"accuracy": float("nan")}, training=Training(train_loss=((1, float("nan")),))))
        )
        assert "score/accuracy" not in found.metrics
        assert found.curves == {}

    def test_a_record_without_its_time_is_refused(self) -> None:
        with pytest.raises(UsageError, match='"yesterday" is no time'):
            entries(run(replace(record(), created="yesterday")))

    @pytest.mark.parametrize(
        ("kind", "name", "expected"),
        [
            ("score", "rouge_l", "score/rouge_l"),
            ("retrieval", "ndcg@10", "retrieval/ndcg_at_10"),
            ("probe", "../../etc/passwd", "probe/_.._etc_passwd"),
            ("score", "..", "score/_"),
            ("score", "\x1b[31m\u202ered\n", "score/_31mred"),
            ("", "lora.rank", "lora.rank"),
        ],
    )
    def test_keys_are_safe(self, kind: str, name: str, expected: str) -> None:
        assert key(kind, name) == expected

    def test_long_keys_stay_apart(self) -> None:
        one, other = key("score", "x" * 300 + "a"), key("score", "x" * 300 + "b")
        assert one != other
        assert len(one) < 250

    def test_texts_are_short_and_on_one_line(self) -> None:
        assert text_of("a\nb\x1b") == "a b"
        assert text_of({"rank": [1, None]}) == '{"rank": [1, null]}'
        assert len(text_of("x" * 9000)) == 5000


class TestWithoutThePackage:
    @pytest.mark.parametrize(
        ("tracker", "module"), [(mlflow, "mlflow.tracking"), (wandb, "wandb"), (trackio, "trackio")]
    )
    def test_the_extra_is_named(
        self, tracker: ModuleType, module: str, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
    ) -> None:
        def absent(name: str) -> Any:
            raise ModuleNotFoundError(f"No module named {name!r}", name=name)

        monkeypatch.setattr(importlib, "import_module", absent)
        extra = module.partition(".")[0]
        with pytest.raises(UsageError) as error:
            tracker.log([run(record())], None, str(tmp_path))
        assert str(error.value) == f'the package {module} is missing; pip install "adaptbench[{extra}]"'

    def test_a_module_that_is_broken_inside_is_not_called_missing(self, monkeypatch: pytest.MonkeyPatch) -> None:
        def broken(name: str) -> Any:
            raise ImportError("cannot import name")

        monkeypatch.setattr(importlib, "import_module", broken)
        with pytest.raises(ImportError, match="cannot import name"):
            need("wandb", "wandb")


def test_variables_are_set_for_a_block_and_the_users_stay(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ADAPTBENCH_SET", "theirs")
    monkeypatch.delenv("ADAPTBENCH_UNSET", raising=False)
    import os

    with trackers.environment({"ADAPTBENCH_SET": "ours", "ADAPTBENCH_UNSET": "ours"}):
        assert (os.environ["ADAPTBENCH_SET"], os.environ["ADAPTBENCH_UNSET"]) == ("theirs", "ours")
    assert os.environ["ADAPTBENCH_SET"] == "theirs"
    assert "ADAPTBENCH_UNSET" not in os.environ


needs_mlflow = pytest.mark.skipif(
    not all(map(find_spec, ("mlflow", "sqlalchemy", "alembic"))), reason='needs pip install "adaptbench[mlflow]"'
)
needs_wandb = pytest.mark.skipif(not find_spec("wandb"), reason='needs pip install "adaptbench[wandb]"')


@pytest.fixture
def html(tmp_path: Path) -> Path:
    file = tmp_path / "report.html"
    file.write_text("<!doctype html><p>the report", encoding="utf-8")
    return file


@needs_mlflow
@pytest.mark.filterwarnings("ignore")
class TestMlflow:
    def test_what_was_logged_is_there(self, tmp_path: Path, html: Path) -> None:
        uri = f"sqlite:///{tmp_path / 'runs.db'}"
        said = mlflow.log([small()], html, uri)
        assert said.startswith(f"MLflow: 3 cells in adaptbench/trial at {uri}; look at them with the package mlflow:")
        client = importlib.import_module("mlflow.tracking").MlflowClient(uri)
        experiment = client.get_experiment_by_name("adaptbench/trial")
        found = {each.info.run_name: each for each in client.search_runs([experiment.experiment_id])}
        assert set(found) == {
            "trial", "m · mail · lora · seed 1", "m · mail · full · seed 1", "m · facts · base · seed 0",
        }  # fmt: skip
        cell, parent = found["m · mail · lora · seed 1"], found["trial"]
        assert cell.data.metrics["score/accuracy"] == 0.75
        assert cell.data.params["lora.learning_rate"] == "0.01"
        assert cell.data.tags["mlflow.parentRunId"] == parent.info.run_id
        assert (cell.info.start_time, cell.info.end_time) == ((CREATED - 62) * 1000, CREATED * 1000)
        history = client.get_metric_history(cell.info.run_id, "curve/train_loss")
        assert [(point.step, point.value) for point in history] == [(10, 2.0), (20, 1.0)]
        assert {name: each.info.status for name, each in found.items()} == {
            "trial": "FAILED", "m · mail · lora · seed 1": "FINISHED", "m · mail · full · seed 1": "FAILED",
            "m · facts · base · seed 0": "FINISHED",
        }  # fmt: skip
        [artefact] = client.list_artifacts(parent.info.run_id)
        assert artefact.path == "report.html"
        kept = Path(parent.info.artifact_uri) / "report.html"
        assert kept.read_bytes() == html.read_bytes()
        assert kept.is_relative_to(tmp_path)

    def test_a_password_is_not_said(self) -> None:
        assert mlflow._public("https://me:secret@host:5000/a@b") == "https://host:5000/a@b"

    def test_long_curves_and_hostile_names(self, tmp_path: Path) -> None:
        uri = f"sqlite:///{tmp_path / 'runs.db'}"
        curve = tuple((step, 1.0) for step in range(2500))
        many: dict[str, OptionValue] = {f"option{i}": i for i in range(150)}
        odd = record(
            HOSTILE,
            0,
            {HOSTILE: 0.5, "../..": 1.0},
            task=HOSTILE,
            training=Training(train_loss=curve),
            parts=MethodParts(PartSettings(HOSTILE, {HOSTILE: HOSTILE * 500}), PartSettings("lora", many)),
        )
        mlflow.log([replace(run(odd), suite=HOSTILE * 20)], None, uri)
        client = importlib.import_module("mlflow.tracking").MlflowClient(uri)
        place = [each.experiment_id for each in client.search_experiments() if each.name.startswith("adaptbench/")]
        [cell] = [each for each in client.search_runs(place) if "mlflow.parentRunId" in each.data.tags]
        assert len(client.get_metric_history(cell.info.run_id, "curve/train_loss")) == 2500
        assert cell.data.params["lora.option149"] == "149"
        assert not set(cell.info.run_name) & {"\x1b", "\u202e", "\n"}

    @pytest.mark.parametrize("destination", ["nowhere://x", "./mlruns"])
    def test_a_destination_it_does_not_take_is_one_line(
        self, destination: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.chdir(tmp_path)
        monkeypatch.delenv("MLFLOW_ALLOW_FILE_STORE", raising=False)
        with pytest.raises(UsageError, match="MLflow refused: ") as error:
            mlflow.log([run(record())], None, destination)
        assert "\n" not in str(error.value)

    def test_a_file_that_cannot_be_used(self, tmp_path: Path) -> None:
        (tmp_path / "text").write_text("no database" * 100)
        for path, says in (("text/runs.db", "refused"), ("text", "refused"), (".", "is a folder")):
            with pytest.raises(UsageError, match=says) as error:
                mlflow.log([run(record())], None, f"sqlite:///{tmp_path / path}")
            assert "\n" not in str(error.value)


def offline(folder: Path) -> Iterator[list[Any]]:
    """The records of every offline run below `folder`: a log in blocks of 32 KiB, each piece behind 7 bytes."""
    kind = importlib.import_module("wandb.proto.wandb_internal_pb2").Record
    for file in sorted(folder.glob("wandb/offline-run-*/*.wandb")):
        data, at, piece, found = file.read_bytes(), 7, b"", []
        while at + 7 <= len(data):
            left = 32768 - at % 32768
            if left < 7:  # too little for a piece
                at += left
                continue
            size, place = int.from_bytes(data[at + 4 : at + 6], "little"), data[at + 6]
            piece += data[at + 7 : at + 7 + size]
            at += 7 + size
            if place in (1, 4):  # a whole record, or its last piece
                found.append(kind.FromString(piece))
                piece = b""
        yield found


def of(found: list[Any], kind: str) -> list[Any]:
    return [getattr(each, kind) for each in found if each.WhichOneof("record_type") == kind]


@needs_wandb
class TestWandb:
    def test_what_was_logged_is_there(self, tmp_path: Path, html: Path) -> None:
        said = wandb.log([small()], html, str(tmp_path))
        assert said.startswith(f"W&B: 3 offline runs and one with the report in {tmp_path}/wandb; upload them with:")
        runs = {of(found, "run")[0].display_name: found for found in offline(tmp_path)}
        assert set(runs) == {
            "m · mail · lora · seed 1", "m · mail · full · seed 1", "m · facts · base · seed 0", "report: trial",
        }  # fmt: skip
        found = runs["m · mail · lora · seed 1"]
        begun = of(found, "run")[0]
        assert (begun.project, begun.run_group, begun.job_type) == ("adaptbench", "m · mail · lora", "cell")
        config = {each.key: json.loads(each.value_json) for each in begun.config.update}
        assert (config["lora.rank"], config["lora.learning_rate"]) == (8, 0.01)
        summary = {u.key or u.nested_key[0]: json.loads(u.value_json) for s in of(found, "summary") for u in s.update}
        assert (summary["score/accuracy"], summary["time/train"]) == (0.75, 60.0)
        steps = [{i.key or i.nested_key[0]: json.loads(i.value_json) for i in h.item} for h in of(found, "history")]
        assert [(s["_step"], s["curve/train_loss"]) for s in steps] == [(10, 2.0), (20, 1.0)]
        assert of(found, "exit")[0].exit_code == 0
        assert of(runs["m · mail · full · seed 1"], "exit")[0].exit_code == 1
        [artefact] = of(runs["report: trial"], "artifact")
        [file] = artefact.manifest.contents
        assert (artefact.name, artefact.type, file.path) == ("adaptbench-report", "report", "report.html")
        assert Path(file.local_path).read_bytes() == html.read_bytes()
        assert Path(file.local_path).is_relative_to(tmp_path / "wandb")

    def test_hostile_names(self, tmp_path: Path) -> None:
        odd = record(
            HOSTILE, 0, {HOSTILE: 0.5}, task=HOSTILE * 9, parts=MethodParts(PartSettings(HOSTILE, {"a": HOSTILE}))
        )
        wandb.log([replace(run(odd), suite=HOSTILE * 9)], None, str(tmp_path))
        [found] = offline(tmp_path)
        begun = of(found, "run")[0]
        assert not set(begun.display_name + begun.run_group + "".join(begun.tags)) & {"\x1b", "\u202e", "\n"}
        assert max(map(len, (begun.display_name, begun.run_group))) <= 128

    def test_a_folder_that_cannot_be_written(self, tmp_path: Path) -> None:
        (tmp_path / "file").write_text("")
        with pytest.raises(UsageError, match="cannot write to"):
            wandb.log([run(record())], None, str(tmp_path / "file"))


@pytest.mark.skipif(find_spec("trackio") is None, reason="Trackio is not installed")
def test_trackio_keeps_cells_with_their_curves(tmp_path: Path) -> None:
    learnt = Training(train_loss=((10, 2.0), (20, 1.0)))
    said = trackio.log([run(record(scores={"accuracy": 0.75}, training=learnt))], None, str(tmp_path / "kept"))
    assert said.startswith(f"Trackio: 1 cells in {tmp_path / 'kept'}")
    from trackio.sqlite_storage import SQLiteStorage

    [name] = SQLiteStorage.get_runs(trackio.PROJECT)
    rows = SQLiteStorage.get_logs(trackio.PROJECT, name)
    assert [row["score/accuracy"] for row in rows if "score/accuracy" in row] == [0.75]
    assert {row["step"]: row["curve/train_loss"] for row in rows if "curve/train_loss" in row} == {10: 2.0, 20: 1.0}
