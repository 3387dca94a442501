"""A retriever of another distribution, searched like an index of ours: checked, timed, its money counted."""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence

from bench.core.errors import CellError
from bench.core.item import Passage
from bench.core.outside import OutsideIndex, connect
from bench.core.quoting import shown
from bench.retrieval.lexical import check_depth


class OutsideSearch:
    """What `bench.core.outside.connect` gives, as a `Search`. A ranking may be shorter than it was asked for."""

    def __init__(self, name: str, passages: Sequence[Passage]) -> None:
        self._name = name
        self._places = {passage.id: place for place, passage in enumerate(passages)}
        self._index: OutsideIndex = connect(name, passages)
        self._before = self._money()
        self._queries, self._seconds = 0, 0.0

    def search(self, queries: Sequence[str], depth: int) -> list[list[int]]:
        """At most `depth` positions for each query, best first.

        Raises CellError where the retriever fails, or gives something other than that.
        """
        check_depth(depth)
        start = time.perf_counter()
        try:
            found = [list(ranking) for ranking in self._index.search(queries, depth)]
        except Exception as error:  # whatever its own code or a network raises
            first = (str(error).splitlines() or [""])[0]
            raise CellError(f"retriever {self._name}: {type(error).__name__}: {first}") from error
        self._seconds += time.perf_counter() - start
        self._queries += len(queries)
        if len(found) != len(queries):
            raise CellError(f"retriever {self._name}: {len(found)} rankings of {len(queries)} queries")
        return [self._positions(ranking, depth) for ranking in found]

    @property
    def nbytes(self) -> int:
        """None here: its index is elsewhere."""
        return 0

    @property
    def counts(self) -> Mapping[str, float]:
        """Passages; seconds and money of a query, in the mean."""
        queries = max(1, self._queries)
        money = (self._money() - self._before) / queries
        return {"documents": len(self._places), "seconds_per_query": self._seconds / queries, "money_per_query": money}

    def _money(self) -> float:
        return float(getattr(self._index, "money", 0.0))

    def _positions(self, ranking: Sequence[str], depth: int) -> list[int]:
        for key in ranking:
            if key not in self._places:
                raise CellError(f"retriever {self._name}: {shown(str(key))} is the id of no passage")
        if len(set(ranking)) < len(ranking) or len(ranking) > depth:
            raise CellError(f"retriever {self._name}: a passage twice, or more than the {depth} that were asked for")
        return [self._places[key] for key in ranking]
