"""Tables from CSV, TSV, JSONL and Parquet files: one dict for each row, with row numbers to name.

A file is UTF-8 (a byte order mark is allowed), its format is its ending's, and a row that cannot be read is a
problem that names file and row. The delimiter of a CSV file is the one that is given, or Excel's `sep=`, or the
comma; where a comma parts nothing, the sign that does.
"""

from __future__ import annotations

import csv
import io
import math
import re
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from decimal import Decimal
from itertools import chain, islice
from pathlib import Path
from typing import Any, Literal

from bench.core.errors import nearest
from bench.core.json_text import parse
from bench.core.quoting import listed, shown
from tasks.loader.problems import Problems

FORMATS = (".csv", ".tsv", ".jsonl", ".parquet")
_DELIMITERS = (",", ";", "\t", "|")
_LINES_LOOKED_AT = 20
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
        raise TypeError(_what(value))
    if isinstance(value, Decimal):
        return format(value, "f")  # 0.00000000, where str gives 0E-8
    return str(value)


def _what(value: Any) -> str:
    if isinstance(value, Mapping):
        return f"an object with the fields {listed(value)}"
    return "bytes" if isinstance(value, bytes) else "a list"


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
            value = parse(value)
        except ValueError:
            value = None
    if not isinstance(value, (list, tuple)):
        raise TypeError("no list")
    texts = [text_of(entry) for entry in value]
    if None in texts:
        raise TypeError("a list with an empty entry")
    return [text.strip() for text in texts if text is not None]


def read_table(
    path: Path,
    file: str,
    problems: Problems,
    delimiter: str | None = None,
    quotes: bool = True,
    header: Sequence[str] = (),
) -> Table | None:
    """The table in `path`, called `file` in messages; None where it cannot be read at all.

    `header` names the columns of a CSV or TSV file that has no header line.
    """
    ending = path.suffix.lower()
    if ending not in FORMATS:
        problems.add(file, f'"{ending}" is no known format', f"allowed: {', '.join(FORMATS)}")
        return None
    if not path.is_file():
        problems.add(file, "no such file" + _neighbour(path), "correct the path or put the file there")
        return None
    if ending == ".parquet":
        from tasks.loader.parquet import read_parquet

        table = read_parquet(path, file, problems)
        return flattened(table) if table else None
    text = decode(path.read_bytes(), file, problems)
    if text is None:
        return None
    if ending == ".jsonl":
        return flattened(_jsonl(text, file, problems))
    text, named = _excel_separator(text)
    delimiter = delimiter or named or ("\t" if ending == ".tsv" else _likely_delimiter(text))
    return _delimited(text, file, problems, delimiter, quotes, header)


def _excel_separator(text: str) -> tuple[str, str]:
    """(the text without its first line, the delimiter) where that line is Excel's `sep=;`; else (text, "")."""
    first, _, rest = text.partition("\n")
    found = re.fullmatch(r'"?sep=(.)"?\r?', first, re.IGNORECASE)
    return (rest, found[1]) if found else (text, "")


def _likely_delimiter(text: str) -> str:
    """The comma, or else the sign that parts the first lines into equally many cells where a comma parts nothing."""
    for sign in _DELIMITERS:
        try:
            lines = list(
                islice(csv.reader(io.StringIO(text, newline=""), delimiter=sign, strict=True), _LINES_LOOKED_AT)
            )
        except csv.Error:
            continue
        widths = {len(cells) for cells in lines if cells}
        if len(widths) == 1 and widths != {1}:
            return sign
        if sign == "," and lines and len(lines[0]) > 1:
            return sign  # the header is parted; that a row is not is named with its number
    return ","


def decode(data: bytes, file: str, problems: Problems) -> str | None:
    """`data` as UTF-8 text without its byte order mark; a problem naming the first bad byte otherwise."""
    try:
        return data.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        offset = error.start + (3 if data.startswith(b"\xef\xbb\xbf") else 0)
        how = " (in Excel: CSV UTF-8)" if file.lower().endswith(".csv") else ""
        problems.add(file, f"not UTF-8 at byte {offset}", f"save the file as UTF-8{how}")
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
            row = parse(line, _without_repeats)
        except ValueError as error:
            problems.add(file, f"not JSON ({error})", "write one JSON object on each line", number)
            continue
        if not isinstance(row, dict):
            problems.add(file, "not a JSON object", "write one JSON object on each line", number)
            continue
        columns.update(dict.fromkeys(row))
        table.rows.append(row)
        table.numbers.append(number)
    return Table(file, tuple(columns), table.rows, table.numbers)


def _without_repeats(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found = dict(pairs)
    if len(found) < len(pairs):
        twice = next(name for name, count in Counter(name for name, _ in pairs).items() if count > 1)
        raise ValueError(f"the key {shown(twice)} stands twice")
    return found


def _delimited(
    text: str, file: str, problems: Problems, delimiter: str, quotes: bool, header: Sequence[str]
) -> Table | None:
    quoting: Literal[0, 3] = csv.QUOTE_MINIMAL if quotes else csv.QUOTE_NONE
    before = csv.field_size_limit(_LONGEST_CELL)
    try:
        lines = csv.reader(io.StringIO(text, newline=""), delimiter=delimiter, quoting=quoting, strict=True)
        filled = _filled(lines, file, problems, first=1 if header else 0)
        return _cells(filled if not header else chain([(0, list(header))], filled), file, problems)
    finally:
        csv.field_size_limit(before)


def _filled(lines: Iterator[list[str]], file: str, problems: Problems, first: int) -> Iterator[tuple[int, list[str]]]:
    """(number, cells) of each line that is not blank, counted from `first`; a header is number 0."""
    number = first
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
    if repeated_column(header, file, problems):
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


def repeated_column(names: Sequence[str], file: str, problems: Problems) -> bool:
    """Whether two columns have one name, which is reported."""
    twice = [name for name, count in Counter(names).items() if count > 1]
    if twice:
        problems.add(file, f"column {shown(twice[0])} stands twice", "rename one of them")
    return bool(twice)


def flattened(table: Table) -> Table:
    """The table with a column `outer.inner` for each field of cells that are objects or lists of them: `answers.text`.

    Of a list of objects, the field is a list.
    """
    inner = {
        f"{column}.{key}": (column, key)
        for column in table.columns
        for row in table.rows
        for cell in objects_in(row.get(column))
        for key in cell
    }
    new = {name: place for name, place in inner.items() if name not in table.columns}
    if not new:
        return table
    for row in table.rows:
        row.update({name: _inner(row.get(column), key) for name, (column, key) in new.items()})
    return Table(table.file, (*table.columns, *new), table.rows, table.numbers)


def objects_in(cell: Any) -> Sequence[Mapping[str, Any]]:
    """The object that a cell is, or those of a list; none of any other cell."""
    cells = [cell] if isinstance(cell, Mapping) else cell if isinstance(cell, (list, tuple)) else []
    return cells if all(isinstance(entry, Mapping) for entry in cells) else []


def _inner(cell: Any, key: str) -> Any:
    values = [entry.get(key) for entry in objects_in(cell)]
    return values if isinstance(cell, (list, tuple)) else values[0] if values else None


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
