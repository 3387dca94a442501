"""A document of mini's corpus: text in pieces, some of which are answers; and the banks it is drawn from."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path
from typing import Any, TypeVar

import yaml

T = TypeVar("T")

BANKS = Path(__file__).parents[1] / "banks"


@dataclass
class Document:
    """Pieces of text in order; `True` marks what the model should learn to write (answers, labels, statements)."""

    pieces: list[tuple[str, bool]] = field(default_factory=list)
    weight: float = 1.0  # of a token of an answer in the loss

    def given(self, text: str) -> Document:
        """Append text that stands there, such as a question or a passage."""
        if text:
            self.pieces.append((text, False))
        return self

    def answer(self, text: str) -> Document:
        """Append text to be learnt, with the space or line break in front of it."""
        if text:
            self.pieces.append((text, True))
        return self

    @property
    def text(self) -> str:
        """All pieces joined."""
        return "".join(text for text, _ in self.pieces)


def bank(name: str) -> Any:
    """The file `banks/<name>.yaml`, or of `<skill>_<part>` that part of `banks/<skill>.yaml`."""
    skill, _, part = name.partition("_")
    return _banks(skill)[name] if part else _banks(skill)


@cache
def _banks(file: str) -> Any:
    return yaml.load((BANKS / f"{file}.yaml").read_text(encoding="utf-8"), Loader=yaml.CSafeLoader)


def reserved(entries: Sequence[T], held_out: bool) -> Sequence[T]:
    """Every tenth entry of a bank where `held_out`, else all others; a bank of fewer than ten keeps all for both."""
    if len(entries) < 10:
        return entries
    return [entry for i, entry in enumerate(entries) if (i % 10 == 9) == held_out]
