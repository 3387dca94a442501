"""The search for a method's options: trials judged on the validation split, never on the test.

The method's learner says how a trial is judged. The choice is made on a suite's first seed and kept for the others.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from bench.adapt.learner import Learner
from bench.adapt.session import AdaptSession
from bench.config.search_space import at_edge, candidates, grid, settle
from bench.core.errors import CellError, DivergedError
from bench.core.method import Indexer, Method, Search
from bench.core.training import Tuning


def search(learner: Learner, method: Method, session: AdaptSession, trials: int) -> Tuning:
    """Try at most `trials` of the options that `method` leaves open; of the best ones the first in their order wins.

    Raises:
        CellError: there is no validation split.
        DivergedError: no trial came to a value.
    """
    values = grid(method)
    if not session.material.validation:
        listed = ", ".join(values)
        raise CellError(f"several values of {listed} need a validation split to choose on; give one value instead")
    session = replace(session, material=replace(session.material, index=_each_once(session.material.index)))
    judgement = learner.judgement(method, session)
    tried = candidates(values, trials)
    judged = [judgement.judge(i, len(tried), options, settle(method, options)) for i, options in enumerate(tried)]
    sign = -1 if judgement.higher_is_better else 1
    ended = [(sign * trial.value, i) for i, trial in enumerate(judged) if trial.value is not None]
    if not ended:
        raise DivergedError(f"training diverged at every trial of the grid {values}")
    chosen = judged[min(ended)[1]].options
    return Tuning(values, tuple(judged), chosen, judgement.criterion, judgement.items, at_edge(values, chosen))


def _each_once(index: Indexer) -> Indexer:
    """Trials search the same documents: the index of the first is kept for the others, until the search ends."""
    kept: dict[tuple[str, tuple[str, ...]], Search] = {}

    def made(retriever: str, documents: Sequence[str]) -> Search:
        key = (retriever, tuple(documents))
        if key not in kept:
            kept[key] = index(retriever, documents)
        return kept[key]

    return made
