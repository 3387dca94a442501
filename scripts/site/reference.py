"""Reference pages out of the types: tables of keys from JSON Schemas, and the options of every method."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from typing import Any, TypeAlias

import methods
from bench.core.model_kind import DESCRIPTIONS, fits
from methods.options import TrainingOptions
from scripts.site import schemas

Node: TypeAlias = Mapping[str, Any]
_EXPLAINED = {  # file -> the page that explains its keys
    "suite": "../suite-format.md",
    "decide": "../suite-format.md#decisions",
    "prices": "../costs.md#money",
    "task": "../task-format.md",
    "policy": "../gate.md#policy",
    "cluster": "../scale.md#slurm",
}
_PLAIN = {"string": "text", "integer": "whole number", "number": "number", "boolean": "`true`, `false`", "null": "none"}
_BOUNDS = {
    "minimum": "from {}",
    "exclusiveMinimum": "more than {}",
    "maximum": "up to {}",
    "exclusiveMaximum": "less than {}",
    "maxLength": "up to {} characters",
}


def keys_page() -> str:
    """Every key of the files that people write."""
    said = "Made from the types that read these files. A key that is left out has its default."
    found = ["# Keys of every file", "", said]
    for name in _EXPLAINED:
        schema = schemas.of_file(name)
        found += [
            "",
            f"## {name.capitalize()}",
            "",
            f"{schema['description']} [Explanation]({_EXPLAINED[name]}), [JSON Schema](../schemas/{name}.json).",
            "",
        ]
        found += _tables(schema, name, with_default=True)
    return "\n".join(found) + "\n"


def records_page() -> str:
    """Every field of a record, and where the schemas of what is written are."""
    schema = schemas.record()
    found = [
        "# Records",
        "",
        f"{schema['description']} JSON Schemas:",
        "",
        *(f"- [{file}](../schemas/{file})" for file in schemas.published()),
        "",
        "## Record",
        "",
        *_tables(schema, "record", with_default=False),
    ]
    return "\n".join(found) + "\n"


def methods_page() -> str:
    """Every method with the models it is for, and the options of its parts with their defaults."""
    found = ["# Methods and options", "", "| method | what | models |", "|---|---|---|"]
    for name, description in methods.available().items():
        kinds = ", ".join(kind for kind in DESCRIPTIONS if fits(methods.create(name), kind))
        found.append(f"| `{name}` | {_cell(description)} | {kinds} |")
    common = {name: field.description for name, field in TrainingOptions.model_fields.items() if field.description}
    found += ["", "What each option means is said in [suites](../suite-format.md#methods-and-their-options).", ""]
    for name, part in methods.own().items():
        schema = part.Options.model_json_schema(mode="validation")
        for option in schema.get("properties", {}).keys() & common.keys():  # a part may set a default of its own alone
            schema["properties"][option].setdefault("description", common[option])
        if schema.get("properties"):
            found += ["", f"## {name}", "", *_tables(schema, name, with_default=True)]
    return "\n".join(found) + "\n"


def _tables(schema: Node, page: str, *, with_default: bool) -> Iterator[str]:
    definitions = schema.get("$defs", {})
    if "$ref" in schema:
        schema = definitions[schema["$ref"].rpartition("/")[2]]
    yield from _table(schema, definitions, page, with_default=with_default)
    for name, definition in definitions.items():
        if definition is not schema and "properties" in definition:
            said = (definition.get("description") or "").partition("\n\n")[0].replace("\n", " ").replace("None", "null")
            yield from ("", f"### {_title(page, name)}", "", said, "")
            yield from _table(definition, definitions, page, with_default=with_default)


def _title(page: str, name: str) -> str:
    return f"{page}: {name}"


def _table(schema: Node, definitions: Node, page: str, *, with_default: bool) -> Iterator[str]:
    yield "| key | type | default | meaning |" if with_default else "| field | type | meaning |"
    yield "|---|---|---|---|" if with_default else "|---|---|---|"
    for name, node in schema.get("properties", {}).items():
        default = f" {_default(schema, name, node)} |" if with_default else ""
        yield f"| `{name}` | {_cell(_words(node, definitions, page))} |{default} {_cell(node.get('description', ''))} |"


def _default(schema: Node, name: str, node: Node) -> str:
    if name in schema.get("required", ()):
        return "required"
    value = node.get("default")
    return "none" if value in (None, "", [], {}) or isinstance(value, dict) else f"`{_cell(json.dumps(value))}`"


def _words(node: Node, definitions: Node, page: str) -> str:
    """What may stand there, in words; a definition with keys of its own is a link to its table."""
    if "$ref" in node:
        name = node["$ref"].rpartition("/")[2]
        if "properties" not in definitions[name]:
            return _words(definitions[name], definitions, page)
        anchor = _title(page, name).replace(":", "").replace(" ", "-").lower()
        return f"[{name}](#{anchor})"
    several = node.get("anyOf") or node.get("oneOf")
    if several and {"boolean", "string", "array"} <= {each.get("type") for each in several}:
        return "any value"
    if several:
        return " or ".join(dict.fromkeys(_words(each, definitions, page) for each in several))
    if "enum" in node or "const" in node:
        values = node.get("enum", [node.get("const")])
        return ", ".join(
            f"`{value if isinstance(value, str) else json.dumps(value)}`" if value != "" else "empty"
            for value in values
        )
    if node.get("type") == "array":
        entries = node.get("items") or (node.get("prefixItems") or [{}])[0]
        return f"list of {_words(entries, definitions, page)}"
    if node.get("type") == "object":
        values = node.get("additionalProperties")
        return f"mapping to {_words(values, definitions, page)}" if isinstance(values, dict) and values else "mapping"
    types = node.get("type", [])
    plain = " or ".join(_PLAIN[each] for each in ([types] if isinstance(types, str) else types)) or "anything"
    bounds = ", ".join(text.format(node[key]) for key, text in _BOUNDS.items() if key in node)
    if node.get("minLength") == node.get("maxLength") == 1:
        return "one character"
    return f"{plain}, {bounds}" if bounds else plain


def _cell(text: str) -> str:
    return text.replace("\n", " ").replace("|", "\\|").replace("<", "&lt;")
