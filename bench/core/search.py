"""Search over the texts of a task, as context parts are handed it by the harness."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Protocol, runtime_checkable

NONE = "none"  # in place of a cross-encoder


class Search(Protocol):
    """An index over texts. `search` gives, for each query, document positions, best first."""

    @property
    def nbytes(self) -> int:
        """Bytes that the index takes, without the texts."""

    @property
    def counts(self) -> Mapping[str, float]:
        """Documents, those embedded in parts, queries without a match: what a record tells of the search."""

    def search(self, queries: Sequence[str], depth: int) -> list[list[int]]: ...


class Indexer(Protocol):
    """Builds a `Search`; handed to methods by the harness, which meters and configures it."""

    def __call__(self, retriever: str, documents: Sequence[str]) -> Search: ...


@dataclass(frozen=True, slots=True)
class SecondStage:
    """What is done with the first passages of a ranking before any of them is shown."""

    rerank: str = NONE  # the cross-encoder that orders them anew: a folder or a Hub id
    pool: int = 20  # how many of them
    diversity: float = 1.0  # lambda of MMR: the weight of relevance, the rest is that of being unlike those before

    @property
    def changes(self) -> bool:
        """Whether it can change an order."""
        return self.rerank != NONE or self.diversity < 1


class Refiner(Protocol):
    """Puts a second stage behind a search; handed to methods by the harness, which meters and configures it."""

    def __call__(self, search: Search, documents: Sequence[str], stage: SecondStage) -> Search: ...


def no_refiner(search: Search, documents: Sequence[str], stage: SecondStage) -> Search:
    """The refiner of whoever searches nothing."""
    raise AssertionError("no second stage is at hand")


@runtime_checkable
class TwoStages(Protocol):
    """What is told of a search with a second stage."""

    @property
    def reranker(self) -> Reranks | None:
        """The cross-encoder; None where there is none."""

    @property
    def seconds(self) -> float:
        """What second stages took so far."""


class Reranks(Protocol):
    """What is told of a cross-encoder."""

    name: str  # where it came from, for people
    digest: str  # sha256 of its weights
    load_s: float  # that loading it took
    pairs: int  # of a query and a document, scored so far

    @property
    def parameters(self) -> int:
        """Numbers that it holds."""
