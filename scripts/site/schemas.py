"""The JSON Schemas (draft 2020-12) that are published with the documentation, all out of the types.

Those of files that people write (suites, tasks, policies, clusters) hold what may be written; an editor checks a file
by them. What they cannot say, such as whether a method exists, `adaptbench plan`, `check` and `gate --plan` say.
"""

from __future__ import annotations

from typing import Any

from pydantic import BaseModel
from pydantic.json_schema import GenerateJsonSchema, JsonSchemaValue

from bench.config.assumptions import Assumptions
from bench.config.prices import Prices
from bench.config.suite import Suite
from bench.core.record import SCHEMA, Record
from bench.executors.cluster import Cluster
from bench.gate.outputs import data as gate_data
from bench.gate.policy import Policy
from bench.report import data as report_data
from bench.report.json_schema import field_comments, schema_of
from tasks.loader.spec import TaskSpec

WRITTEN: dict[str, tuple[type[BaseModel], str]] = {
    "suite": (Suite, "A suite, which `adaptbench run` reads: models × tasks × methods × seeds."),
    "decide": (Assumptions, "`decide:` of a suite: what the decision assumes and requires."),
    "prices": (Prices, "`prices:` of a suite, over those of bench/config/prices.yaml."),
    "task": (TaskSpec, "A task.yaml."),
    "policy": (Policy, "A policy of `adaptbench gate`."),
    "cluster": (Cluster, "A cluster.yaml: what a cell gets on a cluster."),
}


def of_file(name: str) -> dict[str, Any]:
    """The schema of a file, or of a part of one, that people write."""
    kind, description = WRITTEN[name]
    found = kind.model_json_schema(mode="validation", schema_generator=_Schema)
    if name == "suite":  # by default called as its file
        found["required"].remove("name")
    if name == "prices":  # each replaces one of the default prices
        del found["required"]
    head = {"$schema": GenerateJsonSchema.schema_dialect, "$id": f"urn:adaptbench:{name}"}
    return {**head, **found, "title": f"adaptbench {name}", "description": description}


def record() -> dict[str, Any]:
    """The schema of a `record.json`."""
    said = "What one cell measured: `record.json` in its folder. A record of an older version is read in this form."
    return schema_of(Record, "record", SCHEMA, said)


def published() -> dict[str, dict[str, Any]]:
    """File name -> schema, of all that are published."""
    written = {f"{name}.json": of_file(name) for name in WRITTEN}
    return {
        **written,
        f"record-{SCHEMA}.json": record(),
        f"report-{report_data.SCHEMA}.json": report_data.schema(),
        f"gate-{gate_data.SCHEMA}.json": gate_data.schema(),
    }


class _Schema(GenerateJsonSchema):
    """Without titles that only repeat a key; the comment beside a field of a dataclass is its description."""

    def dataclass_schema(self, schema: Any) -> JsonSchemaValue:
        found = super().dataclass_schema(schema)
        said = field_comments(schema["cls"])
        for name, field in found["properties"].items():
            field.setdefault("description", said[name])
        return found

    def field_title_should_be_set(self, schema: Any) -> bool:
        return False
