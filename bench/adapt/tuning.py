"""The search for a method's options: trials judged on the validation split, never on the test.

A method that trains is judged by the validation loss of a short training, one that does not by its score on validation
items. The choice is made on a suite's first seed and kept for the others.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from bench.adapt.linear_probe import Fitting, prepare
from bench.adapt.session import AdaptSession
from bench.config.search_space import Edge, at_edge, candidates, grid, settle
from bench.core.errors import CellError, DivergedError
from bench.core.method import Indexer, Method, Search
from bench.engine.predictor import question
from bench.meters.flop_check import of_answers
from bench.metrics import NAMES
from bench.metrics.scoring import score
from bench.training.batches import Pair
from bench.training.trainer import train
from methods.options import only
from tasks.loader.splits import TRIAL_ITEMS, sample

Options = Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class Judged:
    """What a trial came to. `value` is None where training diverged; `epochs` is None where nothing was trained."""

    options: Options
    value: float | None
    epochs: float | None = None


@dataclass(frozen=True, slots=True)
class Tuning:
    """A search for options: what was tried, by what it was judged, and what was chosen."""

    grid: Mapping[str, Sequence[Any]]
    trials: Sequence[Judged]
    chosen: Options
    criterion: str  # "validation loss", or the task's primary metric
    items: int  # of the validation split, that each trial was judged on
    at_edge: Mapping[str, Edge]  # numbers chosen at an end of their grid


Judge = Callable[[int, int, Options, Method], Judged]  # trial, of how many, its options, the method with them


def search(session: AdaptSession, method: Method, trials: int) -> Tuning:
    """Try at most `trials` of the options that `method` leaves open; of the best ones the first in their order wins.

    Raises:
        CellError: there is no validation split.
        DivergedError: no trial came to a value.
    """
    values, validation = grid(method), session.material.validation
    if not validation:
        listed = ", ".join(values)
        raise CellError(f"several values of {listed} need a validation split to choose on; give one value instead")
    session = replace(session, material=replace(session.material, index=_each_once(session.material.index)))
    if method.weights.trains:
        criterion, sign, asked, judge = "validation loss", 1, validation, _by_training(session)
    elif method.weights.classifies:
        criterion, sign, asked, judge = "validation loss", 1, validation, _by_fitting(session)
    else:
        criterion, asked = session.task.metrics[0], sample(validation, TRIAL_ITEMS, 0)
        sign = -1 if NAMES[criterion].higher_is_better else 1
        judge = _by_asking(replace(session, task=replace(session.task, test=asked)), method)
    tried = candidates(values, trials)
    judged = [judge(i, len(tried), options, settle(method, options)) for i, options in enumerate(tried)]
    ended = [(sign * one.value, i) for i, one in enumerate(judged) if one.value is not None]
    if not ended:
        raise DivergedError(f"training diverged at every trial of the grid {values}")
    chosen = judged[min(ended)[1]].options
    return Tuning(values, judged, chosen, criterion, len(asked), at_edge(values, chosen))


def _each_once(index: Indexer) -> Indexer:
    """Trials search the same documents: the index of the first is kept for the others, until the search ends."""
    kept: dict[tuple[str, tuple[str, ...]], Search] = {}

    def made(retriever: str, documents: Sequence[str]) -> Search:
        key = (retriever, tuple(documents))
        if key not in kept:
            kept[key] = index(retriever, documents)
        return kept[key]

    return made


def _by_training(session: AdaptSession) -> Judge:
    """A short training, and the lowest validation loss on its way."""
    kept: dict[str, tuple[Sequence[Pair], Sequence[Pair]]] = {}

    def judge(trial: int, trials: int, options: Options, method: Method) -> Judged:
        context = method.context.options.model_dump_json()
        if context not in kept:
            kept[context] = session.written(session.writer(method.context.build(session.material)))
        pairs, validation = kept[context]
        setting = replace(session.setting(method, pairs), share=method.weights.options.trial_share)

        def progress(done: int, steps: int) -> None:
            session.progress("tune", trial * steps + done, trials * steps)

        try:
            model, outcome = train(lambda: session.start(method, setting.seed), pairs, validation, setting, progress)
        except DivergedError:
            return Judged(options, None)
        session.multiplied("tune", model, validation, outcome, judged=1)
        return Judged(options, outcome.best_validation_loss, outcome.epochs)

    return judge


def _by_fitting(session: AdaptSession) -> Judge:
    """The validation loss of a classifier on what the base model makes of the prompts."""
    kept: dict[str, Fitting] = {}

    def judge(trial: int, trials: int, options: Options, method: Method) -> Judged:
        session.progress("tune", trial, trials)
        context = method.context.options.model_dump_json()
        if context not in kept:
            model = session.start(method, session.material.seed).to(session.base.dtype)
            kept[context] = prepare(session, model, session.writer(method.context.build(session.material)), "tune")
        fitting = kept[context]
        return Judged(options, fitting.losses(fitting.fit(only(method.weights.options.c)))["validation"])

    return judge


def _by_asking(session: AdaptSession, method: Method) -> Judge:
    """The score of the answers to the items of the task's test, which here are validation items."""
    model = session.start(method, session.material.seed).to(session.base.dtype)
    items = [question(example) for example in session.task.test]

    def judge(trial: int, trials: int, options: Options, method: Method) -> Judged:
        session.progress("tune", trial, trials)
        predictor = session.predictor(model, session.writer(method.context.build(session.material)))
        prompts = predictor.writer.write(items)
        predictions = predictor.answer(items, prompts)
        multiplied = of_answers(predictor, prompts, predictions)
        if multiplied is not None:
            session.meter.multiplied("tune", multiplied)
        return Judged(options, score(session.task, predictions).scores[session.task.metrics[0]].value)

    return judge
