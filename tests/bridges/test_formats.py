"""A run in the formats of other tools, read back by their own readers where these are installed."""

from __future__ import annotations

import hashlib
import json
import re
import uuid
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import yaml
from click.testing import CliRunner

import tasks
from bench.bridges import eval_results, every_eval_ever, inspect_log
from bench.cli import cli
from bench.core.errors import UsageError
from bench.core.record import Run
from bench.store.run_folder import read_run
from tests.history.made import made, right

BASELINE = Path(__file__).parents[2] / "baselines" / "mini.run.zip"
HOSTILE = "../<b>\x1b[31m model/\u202e"


@pytest.fixture
def run(tmp_path: Path) -> Run:
    """Two methods on 40 items: 30 and 20 correct answers."""
    return made(tmp_path, 1, {"full": right(30), "zero-shot": right(20)})


# Required keys by place, and allowed values, of every_eval_ever/schemas/eval.schema.json 0.3.0
# (github.com/evaleval/every_eval_ever).
REQUIRED = {
    "": ("schema_version", "evaluation_id", "retrieved_timestamp", "source_metadata", "model_info", "eval_library",
         "evaluation_results"),
    "source_metadata": ("source_type", "source_organization_name", "evaluator_relationship"),
    "eval_library": ("name", "version"),
    "model_info": ("name", "id", "additional_details"),
    "model_info.additional_details": ("deployment_type", "model_availability"),
    "evaluation_results.0": ("evaluation_name", "source_data", "metric_config", "score_details"),
    "evaluation_results.0.source_data": ("dataset_name", "source_type"),
    "evaluation_results.0.metric_config": ("lower_is_better",),
    "evaluation_results.0.score_details": ("score",),
}  # fmt: skip
ALLOWED = {
    "source_metadata.source_type": ("documentation", "evaluation_run"),
    "source_metadata.evaluator_relationship": ("first_party", "third_party", "collaborative", "other"),
    "model_info.additional_details.deployment_type": ("self_deployed", "externally_managed", "unknown"),
    "model_info.additional_details.model_availability": ("open_weights", "closed_weights", "unknown"),
    "evaluation_results.0.source_data.source_type": ("other",),
    "evaluation_results.0.metric_config.score_type": ("binary", "continuous", "levels"),
}
TOP = {*REQUIRED[""], "evaluation_timestamp", "detailed_evaluation_results"}  # it allows no others


def at(content: Any, place: str) -> Any:
    for name in place.split(".") if place else ():
        content = content[int(name) if name.isdigit() else name]
    return content


def details(content: Any) -> list[Mapping[str, Any]]:
    """Everything under `additional_details` and `details`, whose values have to be texts."""
    if isinstance(content, list):
        return [found for one in content for found in details(one)]
    if not isinstance(content, dict):
        return []
    own = [value for name, value in content.items() if name in ("additional_details", "details")]
    return own + [found for value in content.values() for found in details(value)]


def test_every_eval_ever_takes_what_is_written(run: Run, tmp_path: Path) -> None:
    files = every_eval_ever.write([run], tmp_path / "eee")
    assert len(files) == 2
    for file, right_of in zip(files, (30, 20), strict=True):
        content = json.loads(file.read_text())
        assert content.keys() <= TOP
        for place, names in REQUIRED.items():
            assert set(names) <= at(content, place).keys(), place
        for place, values in ALLOWED.items():
            assert at(content, place) in values
        for found in details(content):
            assert all(isinstance(value, str) for value in found.values())
        assert at(content, "evaluation_results.0.score_details.score") == right_of / 40
        assert at(content, "evaluation_results.0.metric_config.lower_is_better") is False
        assert int(content["retrieved_timestamp"]) == 1772366400  # 2026-03-01T12:00:00Z
        assert file.relative_to(tmp_path / "eee").parts[:-1] == ("data", "trial", "unknown", "m")
        assert uuid.UUID(file.stem).version == 4
    again = every_eval_ever.write([run], tmp_path / "again")
    assert [file.read_bytes() for file in again] == [file.read_bytes() for file in files]


# Required keys of every_eval_ever/schemas/instance_level_eval.schema.json 0.3.0.
OF_ITEMS = {
    "": ("schema_version", "evaluation_id", "model_id", "evaluation_name", "sample_id", "interaction_type", "input",
         "output", "answer_attribution", "evaluation"),
    "input": ("raw", "reference"),
    "output": ("raw",),
    "answer_attribution.0": ("turn_idx", "source", "extracted_value", "extraction_method", "is_terminal"),
    "evaluation": ("score", "is_correct"),
    "token_usage": ("input_tokens", "output_tokens", "total_tokens"),
}  # fmt: skip
BESIDE = {"evaluation_result_id", "sample_hash", "token_usage", "performance", "error", "metadata"}


def test_every_eval_ever_has_the_items_that_are_at_hand(tmp_path: Path) -> None:
    run = read_run(BASELINE)
    files = every_eval_ever.write([run], tmp_path)
    file, items = files[:2]
    content, text = json.loads(file.read_text()), items.read_bytes()
    link = content["detailed_evaluation_results"]
    assert (tmp_path / link["file_path"], link["format"]) == (items, "jsonl")
    assert re.fullmatch(r"data/[^/]+/[^/]+/[^/]+/[0-9a-f-]{36}_samples\.jsonl", link["file_path"])
    assert link["checksum"] == hashlib.sha256(text).hexdigest()
    lines = [json.loads(line) for line in text.decode().splitlines()]
    assert link["total_rows"] == len(lines)
    task = tasks.load(content["evaluation_results"][0]["evaluation_name"])
    examples = {example.id: example for example in task.test}
    results = {one["evaluation_result_id"]: one for one in content["evaluation_results"]}
    values: dict[str, list[float]] = {}
    for line in lines:
        for place, names in OF_ITEMS.items():
            assert set(names) <= at(line, place).keys(), place
        assert line.keys() <= {*OF_ITEMS[""], *BESIDE}
        assert (line["evaluation_id"], line["model_id"]) == (content["evaluation_id"], content["model_info"]["id"])
        example = examples[line["sample_id"]]
        assert line["input"]["raw"] == task.prompt.ask(example)
        asked = {"raw": line["input"]["raw"], "reference": list(example.references)}
        canonical = json.dumps(asked, sort_keys=True, separators=(",", ":"))
        assert line["sample_hash"] == hashlib.sha256(canonical.encode()).hexdigest()
        values.setdefault(line["evaluation_result_id"], []).append(line["evaluation"]["score"])
    for name, of_items in values.items():
        assert sum(of_items) / len(of_items) == pytest.approx(at(results[name], "score_details.score"))


def test_its_own_schema_takes_it(run: Run, tmp_path: Path) -> None:
    schemas = pytest.importorskip("every_eval_ever.schema", reason="needs every_eval_ever")
    import jsonschema

    own = every_eval_ever.write([run], tmp_path)
    with_items = every_eval_ever.write([read_run(BASELINE)], tmp_path)[:2]
    for line in with_items[1].read_text().splitlines():
        of_items = schemas.schema_json("instance_level_eval.schema.json")
        jsonschema.Draft7Validator(of_items).validate(json.loads(line))
    for file in (*own, with_items[0]):
        jsonschema.Draft7Validator(schemas.schema_json()).validate(json.loads(file.read_text()))


def test_names_of_a_run_stay_in_the_folder(tmp_path: Path) -> None:
    hostile = made(tmp_path, 1, {"zero-shot": right(1, 2)}, model=HOSTILE)
    [file] = every_eval_ever.write([hostile], tmp_path / "out" / "deep")
    assert file.resolve().is_relative_to((tmp_path / "out" / "deep").resolve())
    assert "\x1b" not in file.read_text()


def test_the_hub_reads_its_results(run: Run, tmp_path: Path) -> None:
    hub = pytest.importorskip("huggingface_hub")
    files = eval_results.write([run], tmp_path / "hub", {"mail": "acme/mail:teams"})
    assert [file.relative_to(tmp_path / "hub").as_posix() for file in files] == [
        f"m-{method}/.eval_results/adaptbench.yaml" for method in ("full", "zero-shot")
    ]
    [entry] = hub.parse_eval_result_entries(yaml.safe_load(files[0].read_text()))
    assert (entry.dataset_id, entry.task_id, entry.value, entry.date) == ("acme/mail", "teams", 0.75, "2026-03-01")
    assert entry.notes.startswith("full; accuracy of 40 items; seed 0; adaptbench")


def test_a_task_of_the_hub_is_known_by_its_own(run: Run, tmp_path: Path) -> None:
    hub = pytest.importorskip("huggingface_hub")
    spec = {"name": "mail", "kind": "choice", "template": "{text}", "answer": "team", "choices": ["a", "b"],
            "hub": {"dataset": "acme/mail", "config": "teams", "revision": "0" * 40,
                    "splits": {"test": "test"}}}  # fmt: skip
    (tmp_path / "task.yaml").write_text(yaml.safe_dump(spec))
    file, _ = eval_results.write([replace(run, task_paths={"mail": str(tmp_path)})], tmp_path / "hub", {})
    [entry] = hub.parse_eval_result_entries(yaml.safe_load(file.read_text()))
    assert (entry.dataset_id, entry.task_id, entry.dataset_revision) == ("acme/mail", "teams", "0" * 40)


@pytest.mark.parametrize(
    ("given", "says"),
    [({}, "no task of the run is read from the Hub (mail)"), ({"mial": "a/b"}, 'did you mean "mail"')],
)
def test_the_hub_ranks_no_task_that_it_does_not_have(
    given: dict[str, str], says: str, run: Run, tmp_path: Path
) -> None:
    with pytest.raises(UsageError) as refusal:
        eval_results.write([run], tmp_path, given)
    assert says in str(refusal.value)


def test_inspect_reads_its_logs(run: Run, tmp_path: Path) -> None:
    log = pytest.importorskip("inspect_ai.log", reason='needs Inspect (pip install "adaptbench[inspect]")')
    files = inspect_log.write([run], tmp_path / "logs")
    assert len(log.list_eval_logs(str(tmp_path / "logs"))) == 2
    for file, method, right_of in zip(files, ("full", "zero-shot"), (30, 20), strict=True):
        read = log.read_eval_log(str(file))
        assert (read.status, read.eval.task, read.eval.model) == ("success", "mail", "m")
        assert read.eval.task_args == {"method": method, "seed": 0}
        [scored] = [one for one in read.results.scores if one.name == "accuracy"]
        assert scored.metrics["mean"].value == right_of / 40
        assert sum(sample.scores["accuracy"].value for sample in read.samples) == right_of
        assert len({sample.id for sample in read.samples}) == 40


def test_inspect_shows_the_texts_of_items_that_are_at_hand(tmp_path: Path) -> None:
    log = pytest.importorskip("inspect_ai.log", reason='needs Inspect (pip install "adaptbench[inspect]")')
    [file, *_] = inspect_log.write([read_run(BASELINE)], tmp_path)
    read = log.read_eval_log(str(file))
    task = tasks.load(read.eval.task)
    examples = {example.id: example for example in task.test}
    sample = read.samples[0]
    assert sample.input == task.prompt.ask(examples[sample.id])
    assert sample.target == list(examples[sample.id].references)
    assert sample.output.completion == sample.messages[-1].text


def test_the_command_writes_them(run: Run, tmp_path: Path) -> None:
    pytest.importorskip("huggingface_hub")
    places = ["--every-eval-ever", str(tmp_path / "e"), "--eval-results", str(tmp_path / "h")]
    ended = CliRunner().invoke(cli, ["report", str(run.path), *places, "--hub-dataset", "mail=acme/mail"])
    assert ended.exit_code == 0, ended.output
    assert len(ended.output.splitlines()) == 4
    wrong = CliRunner().invoke(cli, ["report", str(run.path), "--eval-results", "x", "--hub-dataset", "mail"])
    assert "give TASK=OWNER/NAME" in str(wrong.exception)
    alone = CliRunner().invoke(cli, ["report", str(run.path), "--hub-dataset", "mail=acme/mail"])
    assert "--hub-dataset goes with --eval-results" in str(alone.exception)
