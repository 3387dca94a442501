"""Search over the texts of a task, as context parts are handed it by the harness."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Protocol


class Search(Protocol):
    """An index over texts. `search` gives, for each query, document positions, best first."""

    @property
    def nbytes(self) -> int:
        """Bytes that the index takes, without the texts."""

    @property
    def counts(self) -> Mapping[str, int]:
        """Documents, those embedded in parts, queries without a match: what a record tells of the search."""

    def search(self, queries: Sequence[str], depth: int) -> list[list[int]]: ...


class Indexer(Protocol):
    """Builds a `Search`; handed to methods by the harness, which meters and configures it."""

    def __call__(self, retriever: str, documents: Sequence[str]) -> Search: ...
