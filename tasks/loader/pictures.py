"""The pictures of a task's rows: files beside the table, or bytes in a Parquet file.

A row's picture is looked at, not decoded: its bytes are hashed and its header read. `check` decodes every one.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from bench.core.picture import INSTALL, Picture, PictureError, pixels, read_file, size_of
from bench.core.quoting import shown
from tasks.loader.paths import OUTSIDE, REMEDY, is_outside
from tasks.loader.row import Row
from tasks.loader.rows import text_of

_FORM = "write a path beside the table, or bytes in a Parquet file"


def picture_of(row: Row, column: str, folder: Path, roots: Sequence[str], decoded: bool) -> Picture | None:
    """The picture in a row's `column`, whose paths are relative to `folder`; None, and a problem, where it is refused.

    Files lie in one of the folders `roots`. `decoded`: pixels are read too, so that damage behind the header is found.
    """
    place = row.converted(column, _place, _FORM)
    if place is None:
        return None
    name, data = place
    if not data and not name:
        row.complain(f"column {shown(column)} is empty", "fill it in or remove the row")
        return None
    path = None if data else folder / name
    if path and is_outside(path, roots):
        row.complain(f"picture {shown(name)} leads to a file {OUTSIDE}", REMEDY)
        return None
    try:
        held = read_file(path) if path else data
        pixels(held) if decoded else size_of(held)
    except ImportError:
        row.problems.add(row.file, "reading pictures needs Pillow", INSTALL)
        return None
    except PictureError as error:
        what = f"picture {shown(name)} {error.what}" if name else f"the picture {error.what}"
        row.complain(what, error.remedy)
        return None
    digest = hashlib.sha256(held).hexdigest()
    return Picture(name or f"{Path(row.file).name}:{row.number}", digest, path, b"" if path else held)


def _place(cell: Any) -> tuple[str, bytes]:
    """(file name, bytes) of a cell: a path, bytes, or both as `datasets` writes them; raises TypeError otherwise."""
    if isinstance(cell, bytes):
        return "", cell
    if isinstance(cell, Mapping) and cell.keys() <= {"bytes", "path"}:
        data = cell.get("bytes") or b""
        return (text_of(cell.get("path")) or "").strip(), data if isinstance(data, bytes) else b""
    return (text_of(cell) or "").strip(), b""
