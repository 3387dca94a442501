"""The learners `frozen` and `given`: the weights stay as the part gives them, options are judged by the answers."""

from __future__ import annotations

from dataclasses import replace
from functools import partial
from typing import cast

from bench.adapt.learner import Adapted, Judgement, Observer, parameters
from bench.adapt.session import AdaptSession
from bench.core.method import Method
from bench.core.training import Judged, Options
from bench.engine.predictor import question
from bench.engine.prompts import Writer
from bench.meters.flop_check import of_answers
from bench.metrics import NAMES
from bench.metrics.scoring import score
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
        criterion = session.task.metrics[0]
        asked = sample(session.material.validation, TRIAL_ITEMS, 0)
        task = replace(session.task, test=asked)
        items = [question(example) for example in asked]
        model = session.answering(method)

        def judge(trial: int, trials: int, options: Options, method: Method) -> Judged:
            predictor = session.predictor(model, session.writer(method.context.build(session.material)))
            predictor = replace(predictor, progress=partial(_of_trial, session, trial, trials))
            prompts = predictor.writer.write(items)
            predictions = predictor.answer(items, prompts)
            multiplied = of_answers(predictor, prompts, predictions)
            if multiplied is not None:
                session.meter.multiplied("tune", multiplied)
            return Judged(options, score(task, predictions).scores[criterion].value)

        return Judgement(criterion, NAMES[criterion].higher_is_better, len(asked), judge)


class GivenLearner(FrozenLearner):
    """Answers with weights that were trained elsewhere: what they hold is counted, what they took is not known."""

    def adapt(self, method: Method, session: AdaptSession, writer: Writer, observer: Observer) -> Adapted:
        made = super().adapt(method, session, writer, observer)
        numbers, nbytes = cast(Given, method.weights).sizes()
        return replace(made, parameters=replace(made.parameters, trained=numbers, stored_bytes=nbytes))
