"""A method × a base model × a task's material → a predictor. The one place where the two parts of a method meet."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import replace
from typing import Any

from bench.adapt.asking import Reflector, with_prompt
from bench.adapt.classical import NearestAnswer, TfIdf
from bench.adapt.frozen import FrozenLearner, GivenLearner
from bench.adapt.gradient import GradientLearner
from bench.adapt.learner import Adapted, Learner, Observer
from bench.adapt.linear_probe import LinearProbe
from bench.adapt.recommending import Recommending, by_counts, by_factors
from bench.adapt.session import AdaptSession
from bench.adapt.set_fit import SetFit
from bench.adapt.tuning import search
from bench.config.search_space import SearchPlan, grid, settle
from bench.core.errors import NotApplicableError, unknown
from bench.core.method import (
    FROZEN,
    GIVEN,
    GRADIENT,
    LINEAR_PROBE,
    MATRIX_FACTORISATION,
    NEAREST_ANSWER,
    POPULARITY,
    SET_FIT,
    TF_IDF,
    Method,
)
from bench.core.prompt_search import PromptSearch

LEARNERS: Mapping[str, Learner] = {
    FROZEN.name: FrozenLearner(),
    GIVEN.name: GivenLearner(),
    GRADIENT.name: GradientLearner(),
    LINEAR_PROBE.name: LinearProbe(),
    MATRIX_FACTORISATION.name: Recommending(by_factors),
    NEAREST_ANSWER.name: NearestAnswer(),
    POPULARITY.name: Recommending(by_counts),
    SET_FIT.name: SetFit(),
    TF_IDF.name: TfIdf(),
}


def adapt(
    method: Method,
    session: AdaptSession,
    *,
    plan: SearchPlan | None = None,
    chosen: Mapping[str, Any] | None = None,
    observer: Observer | None = None,
    reflector: Callable[[], Reflector] | None = None,
) -> Adapted:
    """Adapt the session's base model by `method`.

    A prompt that the context part looks for is found first. Options with several values are `chosen`, or else searched
    for by `plan`. `reflector` makes the model that writes instructions, where it is another than the one that answers.

    Raises:
        CellError: the method cannot work here, training diverged, or memory ran out.
    """
    learner = _learner(method)
    plan, tuning, prompt_search = plan or SearchPlan(), None, None
    if method.context.searches:  # before its weights are learnt: they learn from what is found
        session, prompt_search = _searched(method, session, plan.trials, reflector)
    if chosen is not None:
        method = settle(method, chosen)
    elif grid(method):
        with session.meter.phase("tune"):
            tuning = search(learner, method, session, plan)
        method = settle(method, tuning.chosen)
    with session.meter.phase("index"):
        writer = session.writer(method.context.build(session.material))
    observer = observer or Observer()
    observer.written(writer)
    return replace(learner.adapt(method, session, writer, observer), tuning=tuning, prompt_search=prompt_search)


def _searched(
    method: Method, session: AdaptSession, trials: int, reflector: Callable[[], Reflector] | None
) -> tuple[AdaptSession, PromptSearch | None]:
    """As `with_prompt`; the reflecting model is let go when the search ends."""
    reflecting = reflector() if reflector and session.material.found is None else None
    with session.meter.phase("tune"):
        return with_prompt(method, session, trials, reflecting)


def _learner(method: Method) -> Learner:
    name = method.weights.learner.name
    if name not in LEARNERS:  # of a part from another package
        raise NotApplicableError(unknown(f"learner of method {method.name}:", name, LEARNERS))
    return LEARNERS[name]
