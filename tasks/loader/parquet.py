"""Parquet files as tables: class numbers become their names, as the Hub's library reads them."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from bench.core.json_text import parse
from bench.core.quoting import clipped, plain
from tasks.loader.problems import Problems
from tasks.loader.rows import Table, repeated_column

_ALWAYS = 256 * 2**20  # bytes that any file may unfold to
_TIMES = 50  # times its own size that a larger file may
_AT_ONCE = 1024  # rows that are unfolded before they are counted
_ROW, _CELL = 128, 16  # bytes that a row and a value take beside what they hold, about
_METADATA = b"huggingface"  # where `datasets` keeps the features of a Parquet file, as JSON


def read_parquet(path: Path, file: str, problems: Problems) -> Table | None:
    """The table in `path`, called `file` in messages; None, and a problem, where it cannot be read."""
    try:
        from pyarrow import ArrowException, parquet  # slow to import, and only some tasks need it
    except ImportError:
        problems.add(file, "reading Parquet needs pyarrow", "pip install pyarrow")
        return None
    try:
        texts = _texts(parquet.read_metadata(path))
        with parquet.ParquetFile(path, read_dictionary=texts) as opened:
            schema = opened.schema_arrow
            if repeated_column(schema.names, file, problems):
                return None
            rows = _rows(opened, max(_ALWAYS, _TIMES * path.stat().st_size))
        if rows is None:
            what = f"far larger than it looks: its rows take more than {_TIMES} times the file's size"
            problems.add(file, what, "write the rows as JSONL if they are meant")
            return None
    except (
        ArrowException,
        OSError,
        ValueError,
        OverflowError,
    ) as error:  # the last of values that no Python type holds
        reason = (str(error).strip() or type(error).__name__).splitlines()[0]
        problems.add(file, plain(f"not a Parquet file ({clipped(reason, 200)})"), "write the file again")
        return None
    names = class_names(schema.metadata or {})
    rows = [with_class_names(row, names) for row in rows] if names else rows
    return Table(file, tuple(schema.names), rows, list(range(1, len(rows) + 1)))


def _texts(about: Any) -> list[str]:
    """The columns of texts or bytes; read as their distinct values, of which a page may repeat one for ever."""
    columns = (about.schema.column(place) for place in range(len(about.schema)))
    return [column.path for column in columns if column.physical_type == "BYTE_ARRAY" and "." not in column.path]


def _held(column: Any) -> int:
    """Bytes of a column when every value stands in full."""
    from pyarrow import compute, types

    if not types.is_dictionary(column.type):
        return int(column.nbytes)
    values = column.dictionary
    if not (types.is_string(values.type) or types.is_binary(values.type)):
        return int(values.nbytes) * max(1, len(column) // max(1, len(values)))
    return int(compute.sum(compute.take(compute.binary_length(values), column.indices)).as_py() or 0)


def _rows(opened: Any, most: int) -> list[dict[str, Any]] | None:
    """The rows of an open file; None as soon as they take more bytes than `most`, as a few written ones can unfold."""
    about = opened.metadata
    groups = (about.row_group(place) for place in range(about.num_row_groups))
    if sum(group.total_byte_size for group in groups) > most:
        return None
    rows: list[dict[str, Any]] = []
    held = 0
    for batch in opened.iter_batches(batch_size=_AT_ONCE):
        held += sum(map(_held, batch.columns)) + batch.num_rows * (_ROW + _CELL * batch.num_columns)
        if held > most:
            return None
        rows += batch.to_pylist()
    return rows


def class_names(metadata: dict[bytes, bytes]) -> dict[str, list[str]]:
    """Column -> names of its classes, from the schema's metadata; empty where there are none."""
    try:
        features = parse(metadata.get(_METADATA, b"{}"))["info"]["features"]
        classes = {name: f for name, f in features.items() if isinstance(f, dict) and f.get("_type") == "ClassLabel"}
        return {name: [str(label) for label in feature["names"]] for name, feature in classes.items()}
    except (ValueError, KeyError, TypeError, AttributeError):  # written by another program
        return {}


def with_class_names(row: dict[str, Any], names: dict[str, list[str]]) -> dict[str, Any]:
    """`row` with class numbers as names; -1, which the Hub writes for an unknown class, as missing."""
    return {column: _name(value, names[column]) if column in names else value for column, value in row.items()}


def _name(number: Any, labels: list[str]) -> str | None:
    return labels[number] if isinstance(number, int) and 0 <= number < len(labels) else None
