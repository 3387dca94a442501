"""The tables that `init` is given: a file, or files of splits, with or without a header line."""

from __future__ import annotations

import re
from collections.abc import Collection, Sequence
from pathlib import Path
from string import ascii_lowercase
from typing import Any

from bench.authoring.column_names import USUAL_NAMES
from bench.core.errors import UsageError
from bench.core.quoting import quoted, shown
from tasks.loader.paths import is_outside, roots
from tasks.loader.problems import Problems
from tasks.loader.rows import FORMATS, Table, read_table, text_or_none

Row = dict[str, Any]
SPLIT_FILES = {"train": ("train",), "validation": ("validation", "valid", "val", "dev"), "test": ("test",)}
CORPUS_FILES = ("corpus", "documents", "docs", "passages")
_DELIMITED = (".csv", ".tsv")
_NUMBER = re.compile(r"[-+]?\d+([.,:/-]\d+)*%?")  # also a date or a time
_WORDS_OF_A_NAME = 4


def read_splits(files: dict[str, Path], header: Sequence[str], given: Collection[str]) -> dict[str, list[Row]]:
    """Split -> rows. `header` names the columns of tables without a header line; columns `given` by name prove one.

    Raises UsageError for a table whose first line looks like data, TaskError for a file that cannot be read.
    """
    problems = Problems()
    tables = {split: read_table(path, str(path), problems, header=header) for split, path in files.items()}
    problems.check()
    found = {split: table for split, table in tables.items() if table is not None}
    for split, table in found.items():
        if files[split].suffix.lower() not in _DELIMITED:
            if header:
                raise UsageError(f"{quoted(table.file)} names its own columns; --header is for CSV and TSV files")
        elif not header and not set(given) & set(table.columns):
            refuse_headerless(table, "--header")
    return {split: table.rows for split, table in found.items()}


def source_files(data: Path, test: Path | None) -> dict[str, Path]:
    """Split -> file, and "corpus" -> file where the folder `data` holds one; a single file is all train.

    Raises UsageError where there is none.
    """
    if data.is_dir():
        files = _split_files(data)
    elif not data.exists():
        raise UsageError(f'no such file or folder: "{data}"')
    else:
        files = {"train": data}
    return files if test is None else {**files, "test": test.expanduser()}


def _split_files(folder: Path) -> dict[str, Path]:
    inside = sorted(folder.iterdir())
    files = {path.name.lower(): path for path in inside if path.is_dir() and path.name.lower() in CORPUS_FILES}
    files |= {path.stem.lower(): path for path in inside if path.suffix.lower() in FORMATS}
    names = {**SPLIT_FILES, "corpus": CORPUS_FILES}
    found = {split: next((files[n] for n in known if n in files), None) for split, known in names.items()}
    if found["train"] is None:
        raise UsageError(f'no train file in "{folder}"; expected train{"/".join(FORMATS)}, or give one file')
    given = {split: path for split, path in found.items() if path is not None}
    for path in given.values():
        if is_outside(path, roots(folder)):
            what = f"{quoted(str(path))} is a link out of its folder"
            raise UsageError(f"{what}; copy the file there, or allow it: --allow-outside FOLDER")
    return given


def refuse_headerless(table: Table, option: str = "") -> None:
    """Raise UsageError where the first line looks like data, not like names of columns.

    A usual name that is no value of its own column tells a header. Otherwise a number, a sentence, or a cell that
    stands again below itself tells data. `option`: the option of the command that gives names.
    """
    values = {name: {(text_or_none(row.get(name)) or "").strip() for row in table.rows} for name in table.columns}
    fresh = [name for name in table.columns if name.strip() not in values[name]]
    if any(name.strip().lower() in USUAL_NAMES for name in fresh):
        return
    telling = next((name for name in table.columns if name not in fresh or _is_data(name.strip())), "")
    if telling.strip():
        example = ",".join(ascii_lowercase[: len(table.columns)])
        give = f"give the names of its columns with {option} {example}, or " if option else "give it "
        named = "; if these are names, name the columns with --question and --answer" if option else ""
        what = f"{quoted(table.file)} seems to have no header line: the first line holds {shown(telling)}"
        raise UsageError(f"{what}; {give}a first line of names{named}")


def _is_data(cell: str) -> bool:
    return bool(_NUMBER.fullmatch(cell)) or cell.endswith((".", "?", "!")) or len(cell.split()) > _WORDS_OF_A_NAME
