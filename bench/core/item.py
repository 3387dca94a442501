"""Items: what a method may see of an example, an example with its answers, a passage of a corpus."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from bench.core.picture import Picture
from bench.core.spans import Gold, Span


@dataclass(frozen=True, slots=True)
class Item:
    """What a method may see of a question: never the answer."""

    id: str  # "<split>/<id in the file>": unique within the task
    fields: Mapping[str, str]
    choices: tuple[str, ...] = ()  # as shown to the model; empty for text tasks
    picture: Picture | None = field(default=None, kw_only=True)  # its field holds the digest of the bytes


@dataclass(frozen=True, slots=True)
class Example(Item):
    """An item with its answers; `references[0]` is the one that is trained on and shown as solved."""

    references: tuple[str, ...] = ()
    gold: tuple[Gold, ...] = ()  # documents, or spans of them, that hold the answer
    group: str = ""  # what items belong together by, such as the document they are about; "" for none


@dataclass(frozen=True, slots=True)
class Passage:
    """A document of a corpus, or a chunk of one."""

    id: str
    text: str
    title: str = ""
    span: Span | None = None  # of the document that a chunk is cut from; None: a whole document

    @property
    def place(self) -> Gold:
        """What gold is compared with."""
        return self.span or self.id
