"""Hashing: seeds, digests and the one canonical JSON."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from pathlib import Path


def derive_seed(*parts: object) -> int:
    """A 63-bit seed hashed from `parts`: the same on every machine, in any order of work."""
    return int.from_bytes(hashlib.sha256("\x1f".join(map(str, parts)).encode()).digest()[:8], "big") >> 1


def canonical(value: object) -> str:
    """JSON with one spelling for each value: sorted keys, no spaces, no ASCII escapes."""
    return json.dumps(value, ensure_ascii=False, sort_keys=True, separators=(",", ":"))


def sha256_of(file: Path) -> str:
    """sha256 of a file's content, in hexadecimal."""
    with file.open("rb") as stream:
        return hashlib.file_digest(stream, "sha256").hexdigest()


def sha256_of_files(files: Mapping[str, Path]) -> str:
    """sha256 over names and contents of files, in the order of their names."""
    return sha256("".join(f"{name}\0{sha256_of(files[name])}\n" for name in sorted(files)))


def sha256(text: str) -> str:
    """The hexadecimal sha256 of `text` as UTF-8."""
    return hashlib.sha256(text.encode()).hexdigest()


STAGE_VERSION = 3  # raise it when the same settings would give other predictions than before
