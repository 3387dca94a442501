"""What earlier versions of adaptbench wrote, in the form of this one. The only place that reads structure out of names.

| file | version | what differed |
|---|---|---|
| run.json | 1 | entries had a name, and the size of a learning curve's point in their method's alone |
| record.json | 1 | {} for what was not measured; no `parts`, `train_size`, `system`; model settings beside the digest |
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

from bench.core.hashing import canonical, sha256
from bench.core.identity import Identity

_SIZED = re.compile(r"(?P<method>.*), (?P<size>\d+) items", re.DOTALL)  # a point of a learning curve
_EMPTY_IS_NONE = ("tuning", "training", "parameters")


def listing(content: dict[str, Any]) -> dict[str, Any]:
    """`run.json` as this version writes it."""
    if content.get("schema", 1) != 1:
        return content
    return {**content, "schema": 2, "cells": [_cell(entry) for entry in content["cells"]]}


def _cell(entry: dict[str, Any]) -> dict[str, Any]:
    kept = {name: value for name, value in entry.items() if name != "name"}
    sized = _SIZED.fullmatch(entry["method"])
    named = {"suite_method": sized["method"], "train_size": int(sized["size"])} if sized else {}
    return {"task_path": entry["task"], "suite_method": entry["method"], **kept, **named}


def record(content: dict[str, Any]) -> dict[str, Any]:
    """`record.json` as this version writes it."""
    if content["schema"] != 1:
        return content
    identity = content.get("identity", {})
    return {
        **{name: value for name, value in content.items() if value != {} or name not in _EMPTY_IS_NONE},
        **({"training": _training(content["training"])} if content.get("training") else {}),
        "train_size": identity.get("train_size"),
        "parts": _parts(_mapping(identity, "method")),
        "identity": _identity(identity),
        "questions": content.get("questions") or sha256(canonical(identity.get("task", {}))),
        "environment": _environment(content.get("environment", {})),
        "schema": 2,
    }


def _training(found: Mapping[str, Any]) -> dict[str, Any]:
    """Without `trials`, which were of the search; no seconds of steps where none were timed."""
    return {name: value for name, value in found.items() if name != "trials" and (name, value) != ("step_seconds", {})}


def _identity(found: Mapping[str, Any]) -> dict[str, Any]:
    """Settings of the model stood beside its digest; what was free text in the first versions is left out."""
    settings = dict(_mapping(found, "model"))
    kept = {name: value for name, value in found.items() if name in Identity.__dataclass_fields__}
    return {
        **kept,
        "method": _mapping(found, "method"),
        "model": {"digest": settings.pop("digest", ""), "settings": settings},
    }


def _mapping(found: Mapping[str, Any], name: str) -> Mapping[str, Any]:
    value = found.get(name)
    return value if isinstance(value, Mapping) else {}


def _parts(method: Mapping[str, Any]) -> dict[str, Any]:
    """The weights part stood first, then the context part."""
    if len(method) != 2:
        return {}
    weights, context = ({"name": name, "options": options} for name, options in method.items())
    control = context["options"].get("control", "none") != "none"
    searches = context["name"] == "rag" or "similar" in context["options"].get("select", "")
    return {"weights": weights, "context": context, "retrieves": searches and not control, "is_control": control}


def _environment(found: Mapping[str, Any]) -> dict[str, Any]:
    kept = {name: value for name, value in found.items() if name != "platform"}
    system, _, machine = found.get("platform", "").partition(" ")
    return {**kept, "system": system, "machine": machine}
