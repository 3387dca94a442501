"""What earlier versions of adaptbench wrote, in the form of this one. The only place that reads structure out of names.

| version | what differed |
|---|---|
| run.json 1 | entries had a name, and no field for the size of a learning curve's point |
"""

from __future__ import annotations

import re
from typing import Any

_SIZED = re.compile(r"(?P<method>.*), (?P<size>\d+) items", re.DOTALL)  # a point of a learning curve


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
