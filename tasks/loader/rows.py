"""Tables from CSV, TSV, JSONL and Parquet files: one dict for each row, with row numbers to name.

Nothing is guessed: a file is UTF-8 (a byte order mark is allowed), its format is its ending's, and a
row that cannot be read is a problem that names file and row.
"""

from __future__ import annotations

import csv
import io
import json
import math
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal

from bench.core.errors import nearest
from tasks.loader.problems import Problems, listed, shown

FORMATS = (".csv", ".tsv", ".jsonl", ".parquet")
_LONGEST_CELL = 2**31 - 1  # csv's own limit, 128 KiB, is too small for documents


@dataclass(frozen=True, slots=True)
class Table:
    """Rows of one file. `numbers[i]` is the row's number in the file, from 1, for messages."""

    file: str  # as shown to the user
    columns: tuple[str, ...]
    rows: list[dict[str, Any]] = field(default_factory=list)
    numbers: list[int] = field(default_factory=list)

    def keep(self, rows: Iterable[tuple[int, dict[str, Any]]]) -> Table:
        """The same table with these (number, row) pairs only."""
        pairs = list(rows)
        return Table(self.file, self.columns, [row for _, row in pairs], [number for number, _ in pairs])


def text_of(value: Any) -> str | None:
    """A cell as text; None where it is missing, NaN or blank. Raises TypeError for a list or an object.

    True and False become `true` and `false`, as JSON and most CSV files write them.
    """
    if isinstance(value, str):
        if not value.isascii():
            _refuse_surrogates(value)
        return value if value.strip() else None
    if value is None or (isinstance(value, float) and math.isnan(value)):
        return None
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, (list, tuple, Mapping, bytes)):
        raise TypeError({bytes: "bytes", list: "a list", tuple: "a list"}.get(type(value), "an object"))
    return str(value)


def text_or_none(value: Any) -> str | None:
    """As `text_of`, with None for a list or an object too."""
    try:
        return text_of(value)
    except TypeError:
        return None


def list_of(value: Any) -> list[str]:
    """A cell as a list of texts: a list, or a JSON list written in a string. Raises TypeError otherwise."""
    if isinstance(value, str):
        try:
            value = json.loads(value)
        except ValueError:
            value = None
    if not isinstance(value, (list, tuple)):
        raise TypeError("no list")
    texts = [text_of(entry) for entry in value]
    if None in texts:
        raise TypeError("a list with an empty entry")
    return [text.strip() for text in texts if text is not None]


def read_table(
    path: Path, file: str, problems: Problems, delimiter: str | None = None, quotes: bool = True
) -> Table | None:
    """The table in `path`, called `file` in messages; None where it cannot be read at all."""
    ending = path.suffix.lower()
    if ending not in FORMATS:
        problems.add(file, f'"{ending}" is no known format', f"allowed: {', '.join(FORMATS)}")
        return None
    if not path.is_file():
        problems.add(file, "no such file" + _neighbour(path), "correct the path or put the file there")
        return None
    if ending == ".parquet":
        return _parquet(path, file, problems)
    text = decode(path.read_bytes(), file, problems)
    if text is None:
        return None
    if ending == ".jsonl":
        return _jsonl(text, file, problems)
    return _delimited(text, file, problems, delimiter or ("\t" if ending == ".tsv" else ","), quotes)


def decode(data: bytes, file: str, problems: Problems) -> str | None:
    """`data` as UTF-8 text without its byte order mark; a problem naming the first bad byte otherwise."""
    try:
        return data.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        offset = error.start + (3 if data.startswith(b"\xef\xbb\xbf") else 0)
        problems.add(file, f"not UTF-8 at byte {offset}", "save the file as UTF-8")
        return None


def _refuse_surrogates(text: str) -> None:
    try:
        text.encode()
    except UnicodeEncodeError:
        raise TypeError("half of a surrogate pair") from None


def _neighbour(path: Path) -> str:
    if not path.parent.is_dir():
        return f" (nor a folder {shown(str(path.parent))})"
    return nearest(path.name, (entry.name for entry in path.parent.iterdir()))


def _jsonl(text: str, file: str, problems: Problems) -> Table:
    columns: dict[str, None] = {}
    table = Table(file, ())
    for number, line in enumerate(text.split("\n"), start=1):  # not splitlines: U+2028 may stand in a string
        if not line.strip():
            continue
        try:
            row = json.loads(line)
        except (ValueError, RecursionError) as error:
            problems.add(file, f"not JSON ({error})", "write one JSON object on each line", number)
            continue
        if not isinstance(row, dict):
            problems.add(file, "not a JSON object", "write one JSON object on each line", number)
            continue
        columns.update(dict.fromkeys(row))
        table.rows.append(row)
        table.numbers.append(number)
    return Table(file, tuple(columns), table.rows, table.numbers)


def _delimited(text: str, file: str, problems: Problems, delimiter: str, quotes: bool) -> Table | None:
    quoting: Literal[0, 3] = csv.QUOTE_MINIMAL if quotes else csv.QUOTE_NONE
    before = csv.field_size_limit(_LONGEST_CELL)
    try:
        lines = csv.reader(io.StringIO(text, newline=""), delimiter=delimiter, quoting=quoting, strict=True)
        return _cells(_filled(lines, file, problems), file, problems)
    finally:
        csv.field_size_limit(before)


def _filled(lines: Iterator[list[str]], file: str, problems: Problems) -> Iterator[tuple[int, list[str]]]:
    """(number, cells) of each line that is not blank; the header is number 0."""
    number = 0
    while True:
        try:
            cells = next(lines)
        except StopIteration:
            return
        except csv.Error as error:
            remedy = "double the quotes inside a quoted cell, or set quotes: false"
            problems.add(file, f"quotes do not match ({error})", remedy, number or None)
            return
        if cells:
            yield number, cells
            number += 1


def _cells(lines: Iterator[tuple[int, list[str]]], file: str, problems: Problems) -> Table | None:
    _, header = next(lines, (0, []))
    if not header:
        problems.add(file, "no header line", "write the column names in the first line")
        return None
    twice = [name for name in dict.fromkeys(header) if header.count(name) > 1]
    if twice:
        problems.add(file, f"column {shown(twice[0])} stands twice in the header", "rename one of them")
        return None
    table = Table(file, tuple(header))
    for number, cells in lines:
        if len(cells) == len(header):
            table.rows.append(dict(zip(header, cells, strict=True)))
            table.numbers.append(number)
        else:
            what = f"{len(cells)} cells where the header has {len(header)}"
            problems.add(file, what, "put a cell that holds the delimiter in quotes", number)
    return table


def _parquet(path: Path, file: str, problems: Problems) -> Table | None:
    try:
        from pyarrow import ArrowException, parquet  # slow to import, and only some tasks need it
    except ImportError:
        problems.add(file, "reading Parquet needs pyarrow", "pip install pyarrow")
        return None
    try:
        rows: list[dict[str, Any]] = parquet.read_table(path).to_pylist()
        columns = tuple(parquet.read_schema(path).names)
    except (ArrowException, OSError) as error:
        problems.add(file, f"not a Parquet file ({str(error).splitlines()[0]})", "write the file again")
        return None
    return Table(file, columns, rows, list(range(1, len(rows) + 1)))


def missing_column(table: Table, name: str, why: str, problems: Problems) -> bool:
    """Whether `table` lacks column `name`, reported with the nearest one; `why` says who asked for it.

    An empty table lacks nothing: that it is empty is a problem of its own.
    """
    if name in table.columns or not table.rows:
        return False
    what = f"no column {shown(name)}{nearest(name, table.columns)}, which {why}"
    one_column = len(table.columns) == 1 and ";" in table.columns[0]
    remedy = "set the split's delimiter" if one_column else "correct one of them"
    problems.add(table.file, what, f"{remedy}; columns: {listed(table.columns)}")
    return True
