"""The published JSON Schemas: what adaptbench takes is valid, what it refuses is not, and every key is explained."""

from __future__ import annotations

import copy
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from jsonschema import Draft202012Validator

from bench.config import suite as suites
from bench.core.yaml_file import read_mapping
from bench.gate import policy
from bench.store.run_folder import read_run, write_record
from scripts.site import reference, schemas
from tests.site.pages import ROOT

PUBLISHED = schemas.published()


def written() -> Iterator[tuple[str, Path]]:
    """Files of each kind that stand in the repository."""
    yield from (("suite", file) for file in sorted(suites.BUNDLED.glob("*.yaml")))
    yield from (("task", file) for file in sorted((ROOT / "tasks").glob("*/task.yaml")))
    yield from (("policy", file) for file in (policy.DEFAULT, ROOT / ".ci" / "gate" / "policy.yaml"))


def valid(name: str, content: dict[str, Any]) -> bool:
    return bool(Draft202012Validator(PUBLISHED[f"{name}.json"]).is_valid(content))


@pytest.mark.parametrize(("kind", "file"), written())
def test_what_is_taken_is_valid_and_a_mistake_is_not(kind: str, file: Path) -> None:
    content = read_mapping(file, str(file), "a mapping")
    assert valid(kind, content)
    assert not valid(kind, {**content, "tsaks": []})
    changed = copy.deepcopy(content)
    changed[next(iter({"suite": ["models"], "task": ["kind"], "policy": ["quality"]}[kind]))] = 3
    assert not valid(kind, changed)


@pytest.mark.parametrize(
    ("kind", "content"),
    [
        ("suite", {"models": [{"path": "m", "dtype": "float32"}], "tasks": ["t"], "methods": ["zero-shot"]}),
        ("suite", {"models": ["m"], "tasks": ["t"], "methods": ["lora"], "measure": {"latency": "off"}}),
        ("task", {"name": "t", "kind": "choice", "image": "file", "answer": "a", "splits": {"test": "t.csv"}}),
        ("task", {"name": "t", "kind": "text", "template": "{q}", "answers": "a", "extract": {"regex": "x"},
                  "splits": {"test": {"path": "t.csv", "where": {"split": ["a", 2]}}}, "choices": {"yes": True}}),
        ("policy", {"quality": [{"margin": "2%", "detect": 0.05}]}),
        ("cluster", {"slurm": {"gpus": 1, "flags": {"qos": "long"}}}),
    ],
)  # fmt: skip
def test_short_forms_are_valid(kind: str, content: dict[str, Any]) -> None:
    assert valid(kind, content)


@pytest.mark.parametrize("name", PUBLISHED)
def test_each_is_a_schema_whose_every_key_is_explained(name: str) -> None:
    schema = PUBLISHED[name]
    Draft202012Validator.check_schema(schema)
    for node in (schema, *schema.get("$defs", {}).values()):
        assert all(field.get("description") for field in node.get("properties", {}).values()), node.get("title")


def test_a_record_on_disk_is_valid(tmp_path: Path) -> None:
    write_record(tmp_path, read_run(ROOT / "baselines" / "mini.run.zip").records[0])
    record = json.loads((tmp_path / "record.json").read_text(encoding="utf-8"))
    assert valid("record-2", record)
    assert not valid("record-2", {**record, "seed": "0"})


@pytest.mark.parametrize("page", [reference.keys_page, reference.records_page, reference.methods_page])
def test_tables_of_the_reference_are_whole(page: Any) -> None:
    """Each row has as many cells as its head, and each link within the page has its heading."""
    lines = page().splitlines()
    rows = [line.replace("\\|", "") for line in lines if line.startswith("|")]
    assert len(rows) > 50
    assert {row.count("|") for row in rows} <= {4, 5}
    headings = {line.lstrip("# ").replace(":", "").replace(" ", "-").lower() for line in lines if line.startswith("#")}
    targets = {part.split(")")[0] for line in lines for part in line.split("](#")[1:]}
    assert targets <= headings
