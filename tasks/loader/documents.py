"""A folder of documents: text, Markdown, HTML and PDF files. What cannot be read is named, the rest is kept.

A document's id is its path in the folder. HTML is read by beautifulsoup4, PDF by pypdf, and the encoding of a text that
is not UTF-8 is told by charset-normalizer: the packages of the extra `documents`, needed only where such a file is.
"""

from __future__ import annotations

import io
import logging
import os
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from bench.core.item import Passage
from bench.core.json_text import without_halves
from bench.core.quoting import listed, plain, shown
from tasks.loader.paths import is_outside
from tasks.loader.problems import Problems

_PLAIN, _HTML, _PDF = (".txt", ".md", ".markdown"), (".html", ".htm"), (".pdf",)
KINDS = (*_PLAIN, *_HTML, *_PDF)
_PACKAGES = {"bs4": "beautifulsoup4", "pypdf": "pypdf", "charset_normalizer": "charset-normalizer"}
_SILENT = ("script", "style", "noscript", "template", "head")
_BLOCKS = re.compile(
    "address|article|aside|blockquote|br|dd|details|div|dl|dt|fieldset|figcaption|figure|footer|form|h[1-6]|header|hr|li|"
    "main|nav|ol|p|pre|section|summary|table|td|th|tr|ul"
)
_NAMED = 5  # files of other kinds that a line names


@dataclass(frozen=True, slots=True)
class _Read:
    """A file's text."""

    text: str
    title: str = ""
    note: str = ""  # how it was read, where that was not as usual


class _Unreadable(Exception):
    """Why a file is left out."""


def read_folder(
    folder: Path, name: str, problems: Problems, most_mb: float, within: Sequence[str]
) -> tuple[list[Passage], list[str]]:
    """The documents of a folder, called `name` in messages, and a line for each file that is left out, or read oddly.

    A folder without one document, and a package that is missing, are problems. Links to folders are not followed, nor
    links out of the folders `within`.
    """
    found: list[Passage] = []
    notes: list[str] = []
    others: list[str] = []
    for path in _files(folder):
        key = path.relative_to(folder).as_posix()
        if path.suffix.lower() not in KINDS or path.is_dir():
            others.append(key)
            continue
        try:
            read = _read(path, most_mb, within)
        except _Unreadable as error:
            notes.append(plain(f"{name}/{key}: left out: {error}"))
            continue
        except ModuleNotFoundError as error:
            package = _PACKAGES.get((error.name or "").partition(".")[0])
            if package is None:
                raise
            problems.add(name, f"{shown(key)} needs the package {package}", 'pip install "adaptbench[documents]"')
            return [], []
        found.append(Passage(key, read.text, read.title))
        notes += [plain(f"{name}/{key}: {read.note}")] if read.note else []
    if others:
        more = f" and {len(others) - _NAMED} more" if len(others) > _NAMED else ""
        kinds = ", ".join(KINDS)
        notes.append(plain(f"{name}: left out as no {kinds}: {listed(others[:_NAMED])}{more}"))
    if not found:
        problems.add(name, f"no document in the folder ({len(notes)} left out)", f"put files there: {', '.join(KINDS)}")
    return found, notes


def _files(folder: Path) -> Iterator[Path]:
    """Every file below `folder`, and links to folders, in the order of their paths."""
    for root, folders, files in os.walk(folder):
        folders.sort()
        links = [name for name in folders if os.path.islink(os.path.join(root, name))]
        yield from (Path(root, name) for name in sorted([*files, *links]))


def _read(path: Path, most_mb: float, within: Sequence[str]) -> _Read:
    if is_outside(path, within):
        raise _Unreadable("a link that leads elsewhere; copy the file there, or allow it: --allow-outside FOLDER")
    try:
        size = path.stat().st_size
        if not path.is_file():  # a pipe or a device, which may never end
            raise _Unreadable("no plain file")
        if size > most_mb * 1e6:
            raise _Unreadable(f"{size / 1e6:.3g} MB, more than the {most_mb:g} MB that corpus.most_mb allows")
        data = path.read_bytes()
    except OSError as error:
        raise _Unreadable(error.strerror or type(error).__name__) from None
    kind = path.suffix.lower()
    read = _plain(data) if kind in _PLAIN else _html(data) if kind in _HTML else _pdf(data)
    if not read.text.strip():
        raise _Unreadable("no text in it" + ("; scanned pages need OCR" if kind in _PDF and data else ""))
    return read


def _plain(data: bytes) -> _Read:
    try:
        return _Read(data.decode("utf-8-sig"))
    except UnicodeDecodeError as error:
        from charset_normalizer import from_bytes

        best = from_bytes(data).best()
        if best is None:
            raise _Unreadable(f"not UTF-8 at byte {error.start}, and no other encoding fits") from None
        return _Read(str(best), note=f"not UTF-8 at byte {error.start}; read as {best.encoding}")


def _html(data: bytes) -> _Read:
    """The visible text: a line for each block, headings as Markdown has them."""
    from bs4 import BeautifulSoup
    from bs4.element import NavigableString
    from bs4.exceptions import ParserRejectedMarkup

    try:
        soup = BeautifulSoup(data, "html.parser")
    except ParserRejectedMarkup:
        raise _Unreadable("no HTML that can be read") from None
    title = " ".join(soup.title.get_text().split()) if soup.title else ""
    for element in soup.find_all(_SILENT):
        element.decompose()
    kept: set[int] = set()  # what stands in a <pre>, and keeps its spaces
    for block in soup.find_all("pre"):
        kept |= set() if id(block) in kept else {id(inner) for inner in block.descendants}
    for text in soup.find_all(string=True):
        if type(text) is NavigableString and id(text) not in kept:
            text.replace_with(re.sub(r"\s+", " ", text))
    for block in soup.find_all(_BLOCKS):
        if block.name[0] == "h" and block.name[1:].isdigit():
            block.insert(0, "#" * int(block.name[1:]) + " ")
        block.insert_before("\n")
        block.insert_after("\n")
    lines = (line.strip() for line in soup.get_text().split("\n"))
    encoding = (soup.original_encoding or "utf-8").lower()
    note = "" if encoding in ("utf-8", "ascii") else f"not UTF-8; read as {encoding}"
    return _Read("\n\n".join(line for line in lines if line), title, note)


def _pdf(data: bytes) -> _Read:
    """The text of the pages, a blank line between two."""
    if not data:
        return _Read("")
    from pypdf import PdfReader

    logger = logging.getLogger("pypdf")
    level = logger.level
    logger.setLevel(logging.CRITICAL)  # what it repairs; what it cannot is an error
    try:
        reader = PdfReader(io.BytesIO(data))
        if reader.is_encrypted and not reader.decrypt(""):
            raise _Unreadable("it needs a password")
        pages = [page.extract_text() for page in reader.pages]
    except _Unreadable:
        raise
    except Exception as error:  # a broken file can break the library anywhere
        reason = (str(error).strip() or type(error).__name__).splitlines()[0]
        raise _Unreadable(f"no PDF that can be read ({reason})") from None
    finally:
        logger.setLevel(level)
    return _Read(without_halves("\n\n".join(pages)))
