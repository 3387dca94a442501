"""The search for a method's options: trials judged on validation items, never on the test.

The method's learner says how a trial is judged. The choice is made on a suite's first seed and kept for the others.
Where a plan has folds, train and validation are dealt out anew for the search; what is adapted with the choice learns
from the train split as ever. Where it has a budget, trials are short at first and the better half is tried for longer.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import partial
from statistics import fmean
from typing import Any

from pydantic import TypeAdapter

from bench.adapt.learner import Learner
from bench.adapt.session import TAKEN, AdaptSession
from bench.config.search_space import Rung, SearchPlan, at_edge, candidates, grid, rungs, settle
from bench.core.errors import CellError, DivergedError
from bench.core.hashing import canonical
from bench.core.method import Method
from bench.core.search import Indexer, Search
from bench.core.training import Judged, Options, Tuning
from tasks.loader.splits import folds

_JUDGED = TypeAdapter(Judged)
_OWN_LENGTH = 0  # of a rung whose trials are as long as the method makes them


@dataclass(frozen=True)
class _Basis:
    """What trials are judged by."""

    criterion: str
    higher_is_better: bool
    items: int

    def best_first(self, trials: Sequence[Judged]) -> list[Options]:
        """The options of trials with a value: by it, of equal values by the loss, of equal ones in order."""
        sign = -1 if self.higher_is_better else 1
        ended = [(sign * t.value, t.loss or 0.0, i) for i, t in enumerate(trials) if t.value is not None]
        return [trials[i].options for _, _, i in sorted(ended)]


def search(learner: Learner, method: Method, session: AdaptSession, plan: SearchPlan) -> Tuning:
    """Try some of the options that `method` leaves open, as `plan` says, and choose the best.

    Raises:
        CellError: there is nothing to choose on, or the budget is too small.
        DivergedError: no trial came to a value.
    """
    values = grid(method)
    tried = candidates(values, plan.trials)
    sessions = _judged_on(session, values, plan)
    steps = _steps(method, session, len(tried), len(sessions), plan)
    judged: list[Judged] = []
    best: list[Options] = []
    for number, rung in enumerate(steps):
        rest = [options for options in tried if not best or options in best[: rung.trials]]
        basis, trials = _judge(learner, method, sessions, rest, rung)
        judged += [replace(trial, rung=number + 1) for trial in trials] if rung.length else trials
        ended = basis.best_first(trials)
        if not ended:
            break
        best = ended
    if not best:
        raise DivergedError(f"training diverged at every trial of the grid {values}")
    budget = plan.budget if steps[0].length else None
    edges = at_edge(values, best[0])
    count = len(sessions) if plan.folds else 0
    return Tuning(values, tuple(judged), best[0], basis.criterion, basis.items, edges, count, budget)


def _judged_on(session: AdaptSession, values: Mapping[str, Any], plan: SearchPlan) -> list[AdaptSession]:
    """The sessions that every trial is judged in: the one there is, or one for each fold."""
    material = replace(session.material, index=_each_once(session.material.index))
    listed = ", ".join(values)
    if not plan.folds:
        if not material.validation:
            raise CellError(f"several values of {listed} need a validation split to choose on; give one value instead")
        return [replace(session, material=material)]
    dealt = folds((*material.train, *material.validation), plan.folds, material.prompt)
    if len(dealt) < 2:
        raise CellError(f"several values of {listed} need items to learn from and others to choose on; give one value")
    return [replace(session, material=replace(material, train=rest, validation=held)) for rest, held in dealt]


def _steps(method: Method, session: AdaptSession, trials: int, sessions: int, plan: SearchPlan) -> Sequence[Rung]:
    """How long trials are tried in turn; without a budget, or where a trial cannot be cut short, once."""
    whole = method.weights.length(len(session.material.train))
    if plan.budget is None or whole is None:
        return [Rung(trials, _OWN_LENGTH)]
    try:
        return rungs(trials, int(plan.budget * whole) // sessions, whole)
    except ValueError:
        least = trials * sessions / whole
        raise CellError(
            f"tuning_budget {plan.budget:g} has less than a step for each of {trials} trials"
            f"{f' in {sessions} folds' if plan.folds else ''}; the least is {least:.2g}"
        ) from None


def _judge(
    learner: Learner, method: Method, sessions: Sequence[AdaptSession], tried: Sequence[Options], rung: Rung
) -> tuple[_Basis, list[Judged]]:
    """What each trial comes to over all sessions."""
    bases, trials = [], []
    for place, session in enumerate(sessions):
        basis, of_session = _judge_in(learner, method, session, tried, rung, (place, len(sessions)))
        bases.append(basis)
        trials.append(of_session)
    items = [basis.items for basis in bases]
    return replace(bases[0], items=sum(items)), [_joined(each, items) for each in zip(*trials, strict=True)]


def _judge_in(
    learner: Learner,
    method: Method,
    session: AdaptSession,
    tried: Sequence[Options],
    rung: Rung,
    place: tuple[int, int],
) -> tuple[_Basis, list[Judged]]:
    """The trials in one session, which is the i-th of n (`place`)."""
    judgement = learner.judgement(method, session)
    share: dict[str, float] = {}
    if rung.length:
        share["trial_share"] = min(1.0, rung.length / (method.weights.length(len(session.material.train)) or 1))
    before, whole = place[0] * len(tried), place[1] * len(tried)
    trials = []
    for number, options in enumerate(tried, before):
        ask = partial(judgement.judge, number, whole, options, settle(method, {**options, **share}))
        trials.append(_once(session, canonical([number, whole, {**options, **share}]), ask))
    return _Basis(judgement.criterion, judgement.higher_is_better, judgement.items), trials


def _once(session: AdaptSession, name: str, judge: Callable[[], Judged]) -> Judged:
    """What a trial comes to; one that had ended when the cell was stopped is not made again."""
    known = session.unfinished.trial(name)
    if known is not None:
        session.unfinished.took_over(session.take_over(known["taken"]), trials=1)
        return _JUDGED.validate_python(known["judged"])
    watch = session.meter.watch()
    judged = judge()
    session.unfinished.ended(
        name, {"judged": _JUDGED.dump_python(judged, mode="json"), "taken": TAKEN.dump_python(watch(), mode="json")}
    )
    return judged


def _joined(folds: Sequence[Judged], items: Sequence[int]) -> Judged:
    """A trial over all folds: means over their items; no value where training diverged in one of them."""
    if len(folds) == 1:
        return folds[0]
    values, losses = [each.value for each in folds], [each.loss for each in folds]
    epochs = [each.epochs for each in folds if each.epochs is not None]
    return Judged(
        folds[0].options,
        _mean(values, items),
        fmean(epochs) if epochs else None,
        _mean(losses, items),
        sum(each.tokens for each in folds),
    )


def _mean(values: Sequence[float | None], weights: Sequence[int]) -> float | None:
    known = [value for value in values if value is not None]
    return fmean(known, weights) if len(known) == len(values) else None


def _each_once(index: Indexer) -> Indexer:
    """Trials search the same documents: the index of the first is kept for the others, until the search ends."""
    kept: dict[tuple[str, tuple[str, ...]], Search] = {}

    def made(retriever: str, documents: Sequence[str]) -> Search:
        key = (retriever, tuple(documents))
        if key not in kept:
            kept[key] = index(retriever, documents)
        return kept[key]

    return made
