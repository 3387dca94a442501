"""Citations in an answer: numbers in brackets, `[2]`, of the passages that its prompt shows in this way."""

from __future__ import annotations

import re

ASKED = "After the answer, cite the passages that it rests on by their numbers in brackets, such as [1]."
_GROUP = re.compile(r"\s*\[\s*(\d{1,4}(?:\s*[,;]\s*\d{1,4})*)\s*\]")


def numbered(number: int, passage: str) -> str:
    """A passage as it is shown to be cited, counted from 1."""
    return f"[{number}] {passage}"


def without_citations(text: str) -> tuple[str, tuple[int, ...]]:
    """An answer without its citations, and the numbers that it cites, each once, in their order."""
    cited = [int(number) for group in _GROUP.findall(text) for number in re.findall(r"\d+", group)]
    return _GROUP.sub("", text).strip(), tuple(dict.fromkeys(cited))
