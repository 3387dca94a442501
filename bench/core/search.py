"""Search over the texts of a task, as context parts are handed it by the harness."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Protocol, runtime_checkable

if TYPE_CHECKING:
    from bench.core.method import Options

NONE = "none"  # in place of a cross-encoder
# retrievers whose sentence encoder is fine-tuned first, and the index that is built with it
TUNED: Mapping[str, str] = {"tuned": "dense", "tuned-hybrid": "hybrid"}


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


@dataclass(frozen=True, slots=True)
class Questions:
    """Questions as they are searched for, each with the positions of the documents that hold its answer."""

    texts: tuple[str, ...]
    gold: tuple[tuple[int, ...], ...]


class TunedIndexer(Protocol):
    """Builds a `Search` with a sentence encoder that it fine-tunes first; handed to methods by the harness.

    The encoder learns from `train`; `validation` chooses its options and the epoch that is kept.
    """

    def __call__(
        self, retriever: str, documents: Sequence[str], train: Questions, validation: Questions, settings: Options
    ) -> Search: ...


def no_tuning(
    retriever: str, documents: Sequence[str], train: Questions, validation: Questions, settings: Options
) -> Search:
    """The tuned indexer of whoever searches nothing."""
    raise AssertionError("no encoder is at hand")


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
