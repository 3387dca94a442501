"""JSON Schemas (draft 2020-12) of what is written, out of its types: their fields, ranges and comments."""

from __future__ import annotations

import ast
import inspect
import re
from dataclasses import is_dataclass
from typing import Any

from pydantic import TypeAdapter
from pydantic.json_schema import GenerateJsonSchema, JsonSchemaValue


def schema_of(kind: type, name: str, version: int, description: str, *, finite: bool = True) -> dict[str, Any]:
    """The schema of a dataclass as JSON. Every field is there, and the comment beside it is its description.

    Args:
        finite: False: a number that is not finite is null.
    """
    generator = _Schema if finite else _SchemaWithoutNan
    found = TypeAdapter(kind).json_schema(mode="serialization", schema_generator=generator)
    head = {"$schema": GenerateJsonSchema.schema_dialect, "$id": f"urn:adaptbench:{name}:{version}"}
    return {**head, **found, "title": f"adaptbench {name}, version {version}", "description": description}


class _Schema(GenerateJsonSchema):
    def dataclass_schema(self, schema: Any) -> JsonSchemaValue:
        found = super().dataclass_schema(schema)
        said = field_comments(schema["cls"])
        for name, field in found["properties"].items():
            if name in said:
                field["description"] = said[name]
        return {**found, "additionalProperties": False}

    def field_is_required(self, field: Any, total: bool) -> bool:
        return True

    def field_title_should_be_set(self, schema: Any) -> bool:
        return False

    def default_schema(self, schema: Any) -> JsonSchemaValue:
        return self.generate_inner(schema["schema"])


class _SchemaWithoutNan(_Schema):
    def float_schema(self, schema: Any) -> JsonSchemaValue:
        return {**super().float_schema(schema), "type": ["number", "null"]}


def field_comments(kind: type) -> dict[str, str]:
    """Field -> the comment at the end of its line, of a dataclass and of those it extends."""
    found: dict[str, str] = {}
    for each in reversed([base for base in kind.__mro__ if is_dataclass(base)]):
        source = inspect.getsource(each)
        lines = source.splitlines()
        [definition] = ast.parse(source).body
        assert isinstance(definition, ast.ClassDef)
        for node in definition.body:
            if isinstance(node, ast.AnnAssign) and isinstance(node.target, ast.Name):
                after = lines[(node.end_lineno or node.lineno) - 1].encode()[node.end_col_offset :].decode()
                said = after.strip().removeprefix("# ")
                found[node.target.id] = re.sub(r"\bNone\b", "null", said)
    return found
