"""Models and data as they travel to a machine that may not see them: by path where it does, else by content.

What is sent is kept in a folder of the machine's cache, under the digest by which it was checked.
"""

from __future__ import annotations

import shutil
import tempfile
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import Any

from bench.core.errors import CellError
from bench.core.hashing import canonical, sha256, sha256_of_files
from bench.model.prepared import cache_folder

PIECE = 32 * 2**20  # bytes that are asked for at once
_NAMED = ("task", "probes", "unlabelled", "embedder", "options")  # keys of a job that may hold paths
Read = Callable[[str, int, int], bytes]  # a file of the driver's machine, from a byte on, so many


@dataclass(frozen=True, slots=True)
class Content:
    """A file or folder that a job names."""

    name: str  # as the job has it
    place: str  # the same, absolute
    digest: str
    files: tuple[tuple[str, int], ...]  # name in the folder, bytes; "" alone: it is a file itself


def contents(job: Mapping[str, Any]) -> list[Content]:
    """All files and folders that a job reads."""
    named = {job[side]["folder"] for side in ("model", "teacher", "reflector") if job.get(side)}
    named |= {text for key in _NAMED for text in _texts(job[key]) if "/" in text and Path(text).exists()}
    return [described(name) for name in sorted(named - {"", "."}) if Path(name).exists()]


def described(name: str) -> Content:
    """A file or folder by its digest, which is computed again where a file has changed."""
    place = Path(name).absolute()
    stats = tuple((each, (file.stat().st_size, file.stat().st_mtime_ns)) for each, file in _files(place).items())
    return Content(name, str(place), _digest(place, stats), tuple((each, size) for each, (size, _) in stats))


@lru_cache(maxsize=512)
def _digest(place: Path, stats: tuple[tuple[str, tuple[int, int]], ...]) -> str:
    return sha256_of_files(_files(place))


def here(content: Content, read: Read) -> Path:
    """Where this machine has the content: in its own place, or in the cache, into which it is read.

    Raises:
        CellError: what was read is not what it has to be.
    """
    place = Path(content.place)
    if _sizes(place) == content.files and _is(place, content.digest):
        return place
    kept = cache_folder() / "content" / content.digest / place.name
    if _sizes(kept) != content.files:
        _fetch(content, kept, read)
    return kept


def placed(job: Any, places: Mapping[str, str]) -> Any:
    """A job in which every text that names a content is its place on this machine."""
    if isinstance(job, dict):
        return {key: placed(value, places) for key, value in job.items()}
    if isinstance(job, list):
        return [placed(value, places) for value in job]
    return places.get(job, job) if isinstance(job, str) else job


def _fetch(content: Content, kept: Path, read: Read) -> None:
    """Read the content into a hidden folder, which takes the place of `kept`'s once its digest is right."""
    folder = kept.parent
    folder.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(prefix=".reading-", dir=folder.parent) as name:
        fresh = Path(name) / "fresh"
        target = fresh / kept.name
        for file, size in content.files:
            own = Path(target, file)
            own.parent.mkdir(parents=True, exist_ok=True)
            with own.open("wb") as stream:
                for offset in range(0, size, PIECE):
                    stream.write(read(str(Path(content.place, file)), offset, min(PIECE, size - offset)))
        if sha256_of_files(_files(target)) != content.digest:
            raise CellError(f"{content.name} changed while it was sent to another machine")
        shutil.rmtree(folder, ignore_errors=True)
        try:
            fresh.rename(folder)
        except OSError:
            if not folder.is_dir():  # else another cell of this machine was first
                raise


def _is(place: Path, digest: str) -> bool:
    """Whether a file or folder of this machine has that digest; remembered until one of its files changes."""
    stats = [[name, file.stat().st_size, file.stat().st_mtime_ns] for name, file in _files(place).items()]
    mark = cache_folder() / "checked" / sha256(canonical({"place": str(place), "files": stats, "digest": digest}))
    if mark.exists():
        return True
    if sha256_of_files(_files(place)) != digest:
        return False
    mark.parent.mkdir(parents=True, exist_ok=True)
    mark.touch()
    return True


def _sizes(place: Path) -> tuple[tuple[str, int], ...]:
    return tuple((name, file.stat().st_size) for name, file in _files(place).items()) if place.exists() else ()


def _files(place: Path) -> dict[str, Path]:
    """Its files by name, of a file itself by none."""
    if place.is_file():
        return {"": place}
    return {str(file.relative_to(place)): file for file in sorted(place.rglob("*")) if file.is_file()}


def _texts(value: Any) -> Iterator[str]:
    """All texts in a value of a job."""
    if isinstance(value, str):
        yield value
    elif isinstance(value, Mapping | list):
        for each in value.values() if isinstance(value, Mapping) else value:
            yield from _texts(each)
