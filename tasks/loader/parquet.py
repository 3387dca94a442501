"""Parquet files as tables: class numbers become their names, as the Hub's library reads them."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from tasks.loader.problems import Problems
from tasks.loader.rows import Table, repeated_column

_METADATA = b"huggingface"  # where `datasets` keeps the features of a Parquet file, as JSON


def read_parquet(path: Path, file: str, problems: Problems) -> Table | None:
    """The table in `path`, called `file` in messages; None, and a problem, where it cannot be read."""
    try:
        from pyarrow import ArrowException, parquet  # slow to import, and only some tasks need it
    except ImportError:
        problems.add(file, "reading Parquet needs pyarrow", "pip install pyarrow")
        return None
    try:
        schema = parquet.read_schema(path)
        if repeated_column(schema.names, file, problems):
            return None
        rows: list[dict[str, Any]] = parquet.read_table(path).to_pylist()
    except (ArrowException, OSError) as error:
        problems.add(file, f"not a Parquet file ({str(error).splitlines()[0]})", "write the file again")
        return None
    names = class_names(schema.metadata or {})
    rows = [with_class_names(row, names) for row in rows] if names else rows
    return Table(file, tuple(schema.names), rows, list(range(1, len(rows) + 1)))


def class_names(metadata: dict[bytes, bytes]) -> dict[str, list[str]]:
    """Column -> names of its classes, from the schema's metadata; empty where there are none."""
    try:
        features = json.loads(metadata.get(_METADATA, b"{}"))["info"]["features"]
        classes = {name: f for name, f in features.items() if isinstance(f, dict) and f.get("_type") == "ClassLabel"}
        return {name: [str(label) for label in feature["names"]] for name, feature in classes.items()}
    except (ValueError, KeyError, TypeError, AttributeError):  # written by another program
        return {}


def with_class_names(row: dict[str, Any], names: dict[str, list[str]]) -> dict[str, Any]:
    """`row` with class numbers as names; -1, which the Hub writes for an unknown class, as missing."""
    return {column: _name(value, names[column]) if column in names else value for column, value in row.items()}


def _name(number: Any, labels: list[str]) -> str | None:
    return labels[number] if isinstance(number, int) and 0 <= number < len(labels) else None
