"""JSON objects in the files of a run."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from bench.core.atomic import write_atomically
from bench.core.errors import DamagedError
from bench.core.json_text import parse
from bench.store.archive import RunPath


def write_json(file: Path, content: object, synced: bool = True) -> None:
    """Write JSON whole or not at all; a number that is no number is an error, never `NaN` in a file."""
    write_atomically(file, as_json(content), synced)


def as_json(content: object) -> str:
    """JSON as the files of a run have it; ValueError for a number that is none."""
    return json.dumps(content, indent=1, ensure_ascii=False, allow_nan=False) + "\n"


def read_json(file: RunPath) -> dict[str, Any]:
    """The JSON object in a file; raises DamagedError where there is none."""
    try:
        content = parse(file.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise DamagedError(f"{file} cannot be read: {error}; remove it and run again") from None
    if not isinstance(content, dict):
        raise DamagedError(f"{file} does not hold a JSON object; remove it and run again")
    return content
