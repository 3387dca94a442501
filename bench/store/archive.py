"""The files of a run, in its folder or in an archive of it: a zip that readers take as they take the folder.

An archive may come from anywhere, so its list of files is checked before any is read: plain files with plain relative
names, each once, compressed by deflate (whose output zipfile bounds), and not out of proportion to the archive.
"""

from __future__ import annotations

import errno
import os
import stat
import struct
import unicodedata
import zipfile
import zlib
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from functools import cached_property, lru_cache
from pathlib import Path, PurePosixPath
from typing import Protocol

from bench.core.atomic import replacing
from bench.core.errors import DamagedError, UsageError
from bench.core.quoting import clipped, plain

SUFFIX = ".run.zip"
_MOST_EXPANSION = 200  # times the archive's own size; real runs take 5 to 6 times
_ALWAYS_ALLOWED = 64 * 2**20  # bytes, of small archives
_LONGEST_NAME, _LONGEST_PART = 1024, 255  # bytes that file systems take
_END = struct.Struct("<10xH10x")  # the record at the end of a zip: its number of files (APPNOTE 6.3.10, 4.3.16)
_MANY = 2**16 - 1
_DAMAGE = (zipfile.BadZipFile, OSError, ValueError, EOFError, NotImplementedError, OverflowError, struct.error)


class RunPath(Protocol):
    """A file or folder of a run: a `Path`, or the same in an archive."""

    @property
    def name(self) -> str: ...
    def is_file(self) -> bool: ...
    def is_dir(self) -> bool: ...
    def is_symlink(self) -> bool: ...
    def iterdir(self) -> Iterator[RunPath]: ...
    def read_bytes(self) -> bytes: ...
    def read_text(self, encoding: str) -> str: ...
    def __truediv__(self, name: str, /) -> RunPath: ...


def files_of(run: Path) -> RunPath:
    """Where the files of the run at `run` are read: the folder itself, or the archive that is there.

    Raises:
        UsageError: a file that is no archive, or one that cannot be trusted.
    """
    if not run.is_file():
        return run
    status = run.stat()
    return ArchivePath(_opened(run, status.st_mtime_ns, status.st_size, status.st_ino), "")


def as_named(run: Path) -> Path:
    """The run that a user means by `run`: what is there, or else the archive of that name."""
    archive = Path(f"{run}{SUFFIX}")
    return archive if not run.exists() and archive.is_file() else run


def located(run: Path, place: str) -> str:
    """A path that is written as seen from a run's folder; from an archive as if it was the folder."""
    return os.path.normpath(run / place) if run.is_file() else str(run / place)


@lru_cache(maxsize=32)
def _opened(file: Path, *changed: int) -> Archive:
    """The archive, read once as long as its file is not `changed`."""
    return Archive(file)


class Archive:
    """An open archive whose list of files was checked."""

    def __init__(self, file: Path) -> None:
        self.file = file
        try:
            self._zip = zipfile.ZipFile(file)
        except _DAMAGE as error:
            raise UsageError(f"{file} is no archive of a run: {plain(clipped(str(error)))}") from None
        members = self._zip.infolist()
        if _counted(file) not in (len(members), _MANY):
            raise UsageError(f"{file} is no archive of a run: its list of files is damaged")
        self.members = _checked(file, members)

    @cached_property
    def folders(self) -> Mapping[str, tuple[str, ...]]:
        """Folder -> names directly within it; the run's own folder is ""."""
        found: dict[str, dict[str, None]] = {"": {}}
        for member in self.members:
            parts = member.split("/")
            for depth, name in enumerate(parts):
                found.setdefault("/".join(parts[:depth]), {})[name] = None
        return {folder: tuple(names) for folder, names in found.items()}

    def read(self, member: str) -> bytes:
        """The content of a file.

        Raises:
            FileNotFoundError: there is no such file.
            DamagedError: it is damaged.
        """
        info = self.members.get(member)
        if info is None:
            raise FileNotFoundError(errno.ENOENT, os.strerror(errno.ENOENT), f"{self.file}/{member}")
        try:
            with self._zip.open(info) as stream:
                # a size is given, so that no more is decompressed; and never 0, which would not ask for the checksum
                content = stream.read(info.file_size + 1)
        except (*_DAMAGE, zlib.error) as error:
            raise DamagedError(f"{self.file}/{member} is damaged: {plain(clipped(str(error)))}") from None
        if len(content) != info.file_size:
            raise DamagedError(f"{self.file}/{member} is damaged: it ends too early")
        return content


@dataclass(frozen=True, slots=True)
class ArchivePath:
    """A file or folder in an archive."""

    archive: Archive
    member: str  # its path in the archive; "" is the run's folder

    @property
    def name(self) -> str:
        return self.member.rpartition("/")[2] or self.archive.file.name

    def is_file(self) -> bool:
        return self.member in self.archive.members

    def is_dir(self) -> bool:
        return self.member in self.archive.folders

    def is_symlink(self) -> bool:
        return False  # an archive with links is refused

    def iterdir(self) -> Iterator[ArchivePath]:
        return (self / name for name in self.archive.folders.get(self.member, ()))

    def read_bytes(self) -> bytes:
        return self.archive.read(self.member)

    def read_text(self, encoding: str) -> str:
        return self.read_bytes().decode(encoding)

    def __truediv__(self, name: str) -> ArchivePath:
        return ArchivePath(self.archive, f"{self.member}/{name}" if self.member else name)

    def __str__(self) -> str:
        return f"{self.archive.file}/{self.member}" if self.member else str(self.archive.file)


def write(file: Path, members: Iterable[tuple[str, bytes]]) -> None:
    """Write an archive of `members` (path, content) whole or not at all; the same members give the same bytes.

    Raises:
        UsageError: members that no reader would take.
    """
    with replacing(file) as temporary:
        with zipfile.ZipFile(temporary, "w", zipfile.ZIP_DEFLATED, compresslevel=9) as archive:
            for name, content in members:
                info = zipfile.ZipInfo(name)  # of 1980, the first day that zip knows
                info.create_system, info.external_attr = 3, (stat.S_IFREG | 0o644) << 16
                info.compress_type = zipfile.ZIP_DEFLATED
                archive.writestr(info, content)
        Archive(temporary)


def _counted(file: Path) -> int:
    """How many files the end of an archive says it has, which zipfile does not ask for: `_MANY` stands for more.

    A damaged length in the list would swallow the files behind it.
    """
    with file.open("rb") as stream:
        stream.seek(-min(file.stat().st_size, _END.size + 2**16), os.SEEK_END)
        tail = stream.read()
    at = tail.rfind(b"PK\5\6")
    return int(_END.unpack_from(tail, at)[0]) if 0 <= at <= len(tail) - _END.size else 0


def _checked(file: Path, members: Iterable[zipfile.ZipInfo]) -> dict[str, zipfile.ZipInfo]:
    """Members by name, all fit to be read and to be unpacked."""
    found: dict[str, zipfile.ZipInfo] = {}
    for info in members:
        problem = "is there twice" if info.filename in found else _problem(info)
        if problem:
            raise UsageError(f"{file} is no archive of a run: {info.filename[:80]!r} {problem}")
        found[info.filename] = info
    above = {str(folder) for name in found for folder in PurePosixPath(name).parents}
    _refuse_alike(file, {*found, *above})
    both = next((name for name in found if name in above), None)
    if both is not None:
        raise UsageError(f"{file} is no archive of a run: {both[:80]!r} is a file and a folder")
    size = sum(info.file_size for info in found.values())
    if size > max(_ALWAYS_ALLOWED, _MOST_EXPANSION * file.stat().st_size):
        raise UsageError(f"{file} is no archive of a run: {size:,} bytes are more than so small an archive can hold")
    return found


def _refuse_alike(file: Path, paths: Iterable[str]) -> None:
    """Refuse files and folders that a disk which ignores case, or how accents are composed, would take for one."""
    seen: dict[str, str] = {}
    for path in sorted(paths):
        other = seen.setdefault(unicodedata.normalize("NFC", path).casefold(), path)
        if other != path:
            raise UsageError(
                f"{file} is no archive of a run: {other[:80]!r} and {path[:80]!r} are one file on some disks"
            )


def _problem(info: zipfile.ZipInfo) -> str | None:
    """What is wrong with a member on its own."""
    name, parts = info.filename, info.filename.split("/")
    if not name.isprintable() or "\\" in name or any(not part or part.startswith(".") for part in parts):
        return "is no plain relative path"
    encoded = name.encode(errors="replace")
    if len(encoded) > _LONGEST_NAME or any(len(part.encode(errors="replace")) > _LONGEST_PART for part in parts):
        return "is too long a name"
    if stat.S_IFMT(info.external_attr >> 16) not in (0, stat.S_IFREG):
        return "is no plain file"
    if info.flag_bits & 1:
        return "is encrypted"
    if info.compress_type not in (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED):
        return "is compressed by another method than deflate"
    return None
