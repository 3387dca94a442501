"""Items: what a method may see of an example, an example with its answers, a passage of a corpus."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Item:
    """What a method may see of a question: never the answer."""

    id: str  # "<split>/<id in the file>": unique within the task
    fields: Mapping[str, str]
    choices: tuple[str, ...] = ()  # as shown to the model; empty for text tasks


@dataclass(frozen=True, slots=True)
class Example(Item):
    """An item with its answers; `references[0]` is the one that is trained on and shown as solved."""

    references: tuple[str, ...] = ()
    gold: tuple[str, ...] = ()  # ids of the passages that hold the answer
    group: str = ""  # what items belong together by, such as the document they are about; "" for none


@dataclass(frozen=True, slots=True)
class Passage:
    """One document of a corpus."""

    id: str
    text: str
    title: str = ""
