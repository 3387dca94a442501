"""Chunks: long documents cut by tokens, sentences or Markdown headings, each with its place in its document.

A chunk is as long as its size allows, and ends where a sentence or, failing that, a word does. No character but white
space is in no chunk.
"""

from __future__ import annotations

import re
from bisect import bisect_left, bisect_right
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from itertools import pairwise

from markdown_it import MarkdownIt

from bench.core.errors import UsageError
from bench.core.item import Passage
from bench.core.quoting import shown
from bench.core.spans import Chunking, Chunks, Span
from bench.core.words import IS_PAIRED, RUN

Offsets = list[tuple[int, int]]  # characters of each token, from and to
_ENDS_SENTENCE = re.compile(
    r"""(?<!\b[A-Z])(?<!\b(?:Mr|Ms|Dr|St|vs|cf|No))(?<!\b(?:Mrs|etc|e\.g|i\.e|Fig))  # an initial, an abbreviation
        [.!?…]+["'”’»)\]]*\s++(?![a-z])  # not before a small letter
        | [。！？]+["'”’」』）]*\s*
        | \n[^\S\n]*\n\s*""",
    re.VERBOSE,
)
_LINE = re.compile(r"\r\n|\r|\n")
_TITLES = " › "


def cut(documents: Sequence[Passage], chunking: Chunking, offsets: Callable[[str], Offsets | None]) -> Chunks:
    """The chunks of `documents`, in their order; sizes are in tokens, or in words where `offsets` tells no tokens.

    Under `headings`, a chunk's title is that of its document and the headings above it.

    Raises UsageError where a document has the id of another one's chunk.
    """
    tells = documents and offsets(documents[0].text) is not None
    chunks = [
        chunk
        for document in documents
        for chunk in _chunks(document, chunking, (offsets(document.text) or []) if tells else words(document.text))
    ]
    taken = {document.id for document in documents}.intersection(chunk.id for chunk in chunks)
    if taken:
        raise UsageError(f"document {shown(min(taken))} is called as a chunk of another one is; give it another id")
    return Chunks(tuple(chunks), "tokens" if tells else "words")


def words(text: str) -> Offsets:
    """Words of `text` as lexical search counts them; where a script puts no spaces between them, characters."""
    runs = ((match.start(), match.end(), bool(IS_PAIRED.match(match[0]))) for match in RUN.finditer(text))
    return [
        (at, at + 1 if paired else end)
        for start, end, paired in runs
        for at in (range(start, end) if paired else (start,))
    ]


@dataclass(frozen=True)
class _Section:
    """A part of a document that no chunk goes beyond."""

    start: int  # characters
    end: int
    above: tuple[str, ...] = ()  # headings that it stands under
    under: tuple[str, ...] = ()  # the same, and the one that it begins with


def _chunks(document: Passage, chunking: Chunking, tokens: Offsets) -> Iterator[Passage]:
    text = document.text
    sections = _sections(text) if chunking.by == "headings" else [_Section(0, len(text))]
    for section in sections:
        for number, (start, end) in enumerate(_spans(text, section, tokens, chunking)):
            headings = section.under if number else section.above
            title = _TITLES.join(filter(None, (document.title, *headings)))
            span = Span(document.id, start, end)
            yield Passage(span.chunk_id, text[start:end], title, span)


def _spans(text: str, section: _Section, tokens: Offsets, chunking: Chunking) -> Iterator[tuple[int, int]]:
    """Characters of each chunk of a section, from and to, without white space around it."""
    first = bisect_left(tokens, (section.start, section.start))
    last = bisect_left(tokens, (section.end, section.end))
    begins = [_begin(text, tokens, i) for i in range(first, last)]
    places = [section.start, *begins[1:], section.end]  # of the tokens, and the end
    if not begins:
        packed = [(0, len(places) - 1)]
    else:
        by_word = [i for i, at in enumerate(begins) if i == 0 or text[at - 1].isspace() or text[at].isspace()]
        levels = [by_word, range(len(begins))]
        if chunking.by != "tokens":
            ends = (match.end() for match in _ENDS_SENTENCE.finditer(text, section.start, section.end))
            levels.insert(0, sorted({bisect_left(begins, end) for end in ends} - {0, len(begins)}))
        packed = list(_packed(len(begins), chunking, levels))
    for start, end in packed:
        piece = text[places[start] : places[end]]
        left = places[start] + len(piece) - len(piece.lstrip())
        if piece.strip():
            yield left, left + len(piece.strip())


def _begin(text: str, tokens: Offsets, i: int) -> int:
    """Where the characters that belong to token `i` begin: behind the white space in front of it, if there is any."""
    at, before = tokens[i][0], tokens[i - 1][1] if i else 0
    signs = re.search(r"\S*$", text[before:at])
    return at if signs is None or signs.end() - signs.start() == at - before else before + signs.start()


def _packed(count: int, chunking: Chunking, levels: Sequence[Sequence[int]]) -> Iterator[tuple[int, int]]:
    """(first, behind the last) of the tokens of each chunk; `levels`: where one may end, the best places first."""
    start = end = 0
    while True:
        end, level = _end(start, end, count, chunking.size, levels)
        yield start, end
        if end == count:
            return
        again = _first_in(level, max(start + 1, end - chunking.overlap), end)
        start = end
        if again is not None:  # but not where sharing leaves no room for the next sentence
            _, level_if_shared = _end(again, end, count, chunking.size, levels)
            _, level_if_not = _end(end, end, count, chunking.size, levels)
            start = again if level_if_shared is level_if_not else end


def _end(start: int, beyond: int, count: int, size: int, levels: Sequence[Sequence[int]]) -> tuple[int, Sequence[int]]:
    """The last place behind `beyond` where a chunk from `start` may end, and the level that it is of."""
    most = start + size
    if most >= count:
        return count, levels[0]
    for level in levels:
        place = bisect_right(level, most) - 1
        if place >= 0 and level[place] > beyond:
            return level[place], level
    return most, levels[-1]


def _first_in(level: Sequence[int], start: int, end: int) -> int | None:
    place = bisect_left(level, start)
    return level[place] if place < len(level) and level[place] < end else None


def _sections(text: str) -> list[_Section]:
    """The sections of a Markdown text; a heading with nothing under it stands with the section behind it."""
    headings = _headings(text)
    if not headings:
        return [_Section(0, len(text))]
    ends = [*(start for start, *_ in headings[1:]), len(text)]
    sections = [_Section(0, headings[0][0])]
    path: dict[int, str] = {}
    begin: int | None = None
    above: tuple[str, ...] = ()
    for (start, behind, level, heading), end in zip(headings, ends, strict=True):
        path = {depth: name for depth, name in path.items() if depth < level}
        if begin is None:
            begin, above = start, tuple(path.values())
        path[level] = heading
        if text[behind:end].strip() or end == len(text):
            sections.append(_Section(begin, end, above, tuple(path.values())))
            begin = None
    return sections


def _headings(text: str) -> list[tuple[int, int, int, str]]:
    """Of each heading of a Markdown text: its first character, the one behind its lines, its level, its words."""
    lines = [0, *(match.end() for match in _LINE.finditer(text)), len(text)]
    return [
        (lines[token.map[0]], lines[min(token.map[1], len(lines) - 1)], int(token.tag[1:]), inline.content)
        for token, inline in pairwise(MarkdownIt("commonmark").parse(text))
        if token.type == "heading_open" and token.level == 0 and token.map
    ]
