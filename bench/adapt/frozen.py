"""The learners `frozen` and `given`: the weights stay as the part gives them, options are judged by the answers."""

from __future__ import annotations

from dataclasses import replace
from functools import partial
from typing import cast

from bench.adapt.learner import Adapted, Judgement, Observer, parameters
from bench.adapt.session import AdaptSession
from bench.adapt.validation import ValidationItems, judgement_of
from bench.core.method import Method
from bench.core.training import Judged, Options
from bench.engine.prompts import Writer
from methods.given import Given
from tasks.loader.splits import TRIAL_ITEMS, sample


def _of_trial(session: AdaptSession, trial: int, trials: int, done: int, total: int) -> None:
    session.progress("tune", trial * total + done, trials * total)


class FrozenLearner:
    """Learns nothing: what differs between methods is the prompt."""

    def adapt(self, method: Method, session: AdaptSession, writer: Writer, observer: Observer) -> Adapted:
        with session.meter.phase("load"):
            model = session.answering(method)
        return Adapted(session.predictor(model, writer), None, parameters(session.size(model), 0, session))

    def judgement(self, method: Method, session: AdaptSession) -> Judgement:
        """The score of the answers to validation items."""
        items = ValidationItems(session, sample(session.material.validation, TRIAL_ITEMS, 0))
        model = session.answering(method)

        def judge(trial: int, trials: int, options: Options, method: Method) -> Judged:
            predictor = session.predictor(model, session.writer(method.context.build(session.material)))
            predictor = replace(predictor, progress=partial(_of_trial, session, trial, trials))
            before = items.tokens
            value = items.answered(predictor, items.written(predictor))
            return Judged(options, value, tokens=items.tokens - before)

        return judgement_of(session, items, judge)


class GivenLearner(FrozenLearner):
    """Answers with weights that were trained elsewhere: what they hold is counted, what they took is not known."""

    def adapt(self, method: Method, session: AdaptSession, writer: Writer, observer: Observer) -> Adapted:
        made = super().adapt(method, session, writer, observer)
        numbers, nbytes = cast(Given, method.weights).sizes()
        return replace(made, parameters=replace(made.parameters, trained=numbers, stored_bytes=nbytes))
