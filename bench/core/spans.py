"""Spans: stretches of documents, which questions have as gold and into which documents are cut."""

from __future__ import annotations

import re
from collections.abc import Collection, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal, NamedTuple, Protocol, TypeAlias, get_args

if TYPE_CHECKING:
    from bench.core.item import Passage

CutBy: TypeAlias = Literal["tokens", "sentences", "headings"]
RANKING_DEPTH = 10  # of rankings that are recorded and scored, whatever is shown to a model
_CHUNK_ID = re.compile(r"(.*)#(\d+)-(\d+)", re.DOTALL)


class Span(NamedTuple):
    """Characters `start` up to `end` of a document's text, counted from 0."""

    document: str
    start: int
    end: int

    @property
    def chunk_id(self) -> str:
        """What a chunk that is this span is called."""
        return f"{self.document}#{self.start}-{self.end}"


Gold: TypeAlias = str | Span  # what holds an answer: a document, by its id, or a part of one


@dataclass(frozen=True, slots=True)
class Chunking:
    """How documents are cut into chunks; written `tokens 200/20`."""

    by: CutBy  # where a chunk may end
    size: int  # of a chunk at most: tokens of the sentence encoder, or words where there is none
    overlap: int  # of these, at most so many are also the end of the chunk before

    def __str__(self) -> str:
        return f"{self.by} {self.size}/{self.overlap}"

    @classmethod
    def parse(cls, text: str) -> Chunking:
        """What `str` gave; raises ValueError for another text."""
        for by in get_args(CutBy):
            if match := re.fullmatch(rf"{by} (\d+)/(\d+)", text, re.ASCII):
                return cls(by, int(match[1]), int(match[2]))
        raise ValueError(f"{text} is no chunking")


@dataclass(frozen=True, slots=True)
class Chunks:
    """Documents that were cut."""

    passages: tuple[Passage, ...]  # in the order of the documents and of their texts
    unit: Literal["tokens", "words"]  # what their size was counted in


class Chunker(Protocol):
    """Cuts documents; handed to methods by the harness, which knows the sentence encoder."""

    def __call__(self, documents: Sequence[Passage], chunking: Chunking) -> Chunks: ...


def no_chunks(documents: Sequence[Passage], chunking: Chunking) -> Chunks:
    """The chunker of whoever cuts nothing."""
    raise AssertionError("documents are not cut here")


def document_of(place: Gold) -> str:
    """The id of the document that a place is, or is a part of."""
    return place.document if isinstance(place, Span) else place


def place_of(name: str, documents: Collection[str]) -> Gold:
    """What a retrieved id stands for: one of the documents, or a chunk of one."""
    if name not in documents and (match := _CHUNK_ID.fullmatch(name)) and match[1] in documents:
        return Span(match[1], int(match[2]), int(match[3]))
    return name


def shared(place: Gold, wanted: Span) -> tuple[int, int]:
    """The characters of `wanted` that `place` holds, from and to; the same number twice where it holds none."""
    if document_of(place) != wanted.document:
        return wanted.start, wanted.start
    start, end = (place.start, place.end) if isinstance(place, Span) else (wanted.start, wanted.end)
    start, end = max(start, wanted.start), min(end, wanted.end)
    return (start, end) if start < end else (wanted.start, wanted.start)


def covering(places: Sequence[Gold], wanted: Span) -> list[int]:
    """Positions of as few `places` as hold together what any of them holds of `wanted`, in the order of its text."""
    parts = [(*shared(place, wanted), i) for i, place in enumerate(places)]
    chosen: list[int] = []
    reached = wanted.start
    while True:
        reaching = [(end, -i) for start, end, i in parts if start <= reached < end]
        if not reaching:  # nothing holds the next character: go on where something begins again
            later = [start for start, end, _ in parts if start > reached and start < end]
            if not later:
                return chosen
            reached = min(later)
            continue
        reached, place = max(reaching)
        chosen.append(-place)
