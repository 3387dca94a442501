"""A cell measured from its job to its record: adapt, predict, score, and the evaluations beside the test."""

from __future__ import annotations

import shutil
from collections import Counter
from collections.abc import Sequence
from dataclasses import replace
from datetime import UTC, datetime
from functools import partial
from pathlib import Path
from statistics import fmean
from typing import Any

from bench.adapt.adapt import adapt
from bench.adapt.learner import Adapted, Observer
from bench.adapt.ranking import with_one_rule
from bench.adapt.served import ServedSession
from bench.adapt.session import AdaptSession
from bench.cell import served
from bench.cell.confidence import confidence
from bench.cell.job import Job
from bench.cell.reflect import reflector_of
from bench.cell.retrieved import places, second_stage, tuned_retriever
from bench.cell.setup import Progress, require_reachable, session_for, task_and_method
from bench.cell.side_evals import SideEvals, distance_from_base, leaves_weights, on_training_items, still_known
from bench.cell.teach import taught
from bench.config.search_space import SearchPlan
from bench.core.item import Item
from bench.core.measured import FlopCheck, ServedBy
from bench.core.method import Method, parts_of
from bench.core.phases import PhaseName
from bench.core.record import Prediction, Record, Scores
from bench.core.search import Search
from bench.core.spans import RANKING_DEPTH
from bench.core.task import Task
from bench.engine.backend import local
from bench.engine.predictor import question
from bench.engine.prompts import Encoded
from bench.meters.environment import describe
from bench.meters.flop_check import of_answers, of_prediction
from bench.meters.phases import Meter
from bench.metrics.retrieval import retrieval_scores
from bench.metrics.scoring import score
from bench.model.base import NoBase, PictureBase
from bench.model.devices import pick_device
from bench.model.fingerprint import FirstWeights
from bench.served.backend import ServedBackend
from bench.store import run_folder
from bench.training.checkpoints import CheckpointCallback
from tasks.loader.digest import question_digest


def measure(job: Job, progress: Progress) -> Record:
    """Adapt, predict, score: the whole of a cell. Writes predictions; returns the record."""
    meter = Meter(pick_device(job.device), lambda phase: progress(phase, 0, 0))
    task, method = task_and_method(job)
    task, lessons = taught(job, task, meter, progress)
    session = session_for(job, task, method, meter, progress)
    task = replace(task, metrics=session.task.metrics)  # those that can be had of how choices are read
    first = FirstWeights(session.base)
    moves = bool(job.probes) and not leaves_weights(method.weights)
    if moves:
        session = replace(session, base=first.watched())
    session = _ready(job, method, session)
    side_evals = SideEvals(job, task, session.base, meter, progress)
    adapted = _adapt(job, method, session, side_evals, moves)
    if not isinstance(session.base, NoBase):
        require_reachable(task, session.material, session.base.codec)  # not before: nothing is chosen by test labels
    items = [question(example) for example in task.test]
    prompts, predictions = _answered(adapted, items, side_evals, meter)
    if isinstance(session, ServedSession):
        side_evals.latency |= served.latency(adapted.predictor, meter, len(items))
    if job.counterfactuals and task.counterfactuals:
        side_evals.counterfactuals(adapted.predictor, job.counterfactuals)
    staged = second_stage(adapted, items, predictions, task, meter)
    retriever = tuned_retriever(adapted, session.material, items, task, meter)
    checks = _count(job, adapted, prompts, predictions, meter)
    with meter.phase("score"):
        scored = score(task, predictions)
    sure, below = confidence(adapted.predictor, task, items, predictions, meter)
    run_folder.write_predictions(
        Path(job.out), predictions, lambda i: {**scored.of(i), **({"confidence": sure[i]} if sure else {})}
    )
    on_train: Scores = {}
    if method.weights.learner.reads_train and "training_items" not in job.turned_off:
        with meter.phase("overfit"):
            on_train = on_training_items(adapted.predictor, task)
    changed, probes = _probed(job, moves, adapted, session, first) if job.probes else (None, {})
    if not isinstance(session, ServedSession):  # where every question is paid for, none is asked to time it
        side_evals.serve("served", adapted.predictor)  # within what the others have left of the budget
        if adapted.predictor.writer.context.shared and any(prompt.prefix for prompt in prompts):
            side_evals.serve("uncached", adapted.predictor, cached=False)
    return replace(
        _record(job, task, method, adapted, predictions, scored.scores, meter),
        taught=lessons,
        weights_changed=changed,
        divergence=None if changed is None else _distance(changed, adapted, side_evals),
        probes=probes,
        untrained=side_evals.untrained,
        on_train=on_train,
        counterfactual=side_evals.flips,
        curve=tuple(side_evals.curve),
        scaled=tuple(side_evals.scaled),
        latency=side_evals.latency,
        over_budget=tuple(side_evals.left_out),
        flop_check=checks,
        retriever=retriever,
        second_stage=staged,
        threshold=below,
        resumed=session.unfinished.resumed,
        served=_served(session, adapted, predictions, task),
    )


def _ready(job: Job, method: Method, session: AdaptSession) -> AdaptSession:
    """The session that the method is adapted with: one rule for choices, and all that it may learn from."""
    if session.reads_once(method):
        with session.meter.phase("load"):  # whatever asks for the base first
            session.untouched()
    if session.task.rules:
        with session.meter.phase("tune"):
            session = with_one_rule(session)
    return session.joined() if job.joins_validation else session


def _answered(
    adapted: Adapted, items: Sequence[Item], side_evals: SideEvals, meter: Meter
) -> tuple[Sequence[Encoded], list[Prediction]]:
    """The prompts of the test items, those that the base was asked where they are the same, and the answers."""
    prompts = side_evals.prompts
    if adapted.predictor.writer is not side_evals.writer:
        with meter.phase("retrieve"):
            prompts = adapted.predictor.writer.write(items)
    with meter.phase("predict"):
        return prompts, adapted.predictor.answer(items, prompts)


def _gpus(job: Job, meter: Meter) -> int:
    return job.ranks if meter.device.type == "cuda" else 1


def _served(session: AdaptSession, adapted: Adapted, predictions: Sequence[Prediction], task: Task) -> ServedBy | None:
    if not isinstance(session, ServedSession):
        return None
    return served.observed(session, adapted.predictor, predictions, task)


def _adapt(job: Job, method: Method, session: AdaptSession, side_evals: SideEvals, moves: bool) -> Adapted:
    own = Path(job.out) / "checkpoints"
    checkpoints, weights = session.unfinished.curve or own, Path(job.out) / run_folder.WEIGHTS
    tuning = job.identity.tuning  # None where no option is open
    sees = isinstance(session.base, PictureBase)  # whose base has no logits that labels could be compared with
    keeps = job.keeps_weights and method.weights.learner.reads_train
    if keeps:
        weights.mkdir()
    try:
        return adapt(
            method,
            session,
            plan=SearchPlan(job.trials, tuning.folds, tuning.budget) if tuning else None,
            chosen=job.chosen,
            reflector=partial(reflector_of, job, session.meter, side_evals.progress) if job.reflector else None,
            observer=Observer(
                side_evals.apart,
                CheckpointCallback(checkpoints, job.checkpoints) if job.checkpoints else None,
                side_evals.during,
                job.turned_off,
                weights if keeps else None,
                partial(side_evals.ask_base, session) if moves and not sees else lambda writer: None,
            ),
        )
    finally:
        shutil.rmtree(own, ignore_errors=True)
        if keeps and not any(weights.iterdir()):  # of a learner that has none to keep
            weights.rmdir()


def _count(
    job: Job, adapted: Adapted, prompts: Sequence[Encoded], predictions: Sequence[Prediction], meter: Meter
) -> dict[PhaseName, FlopCheck]:
    """Tell the meter what the answers multiplied; what was worked out beside what torch counted, by phase."""
    with meter.phase("count"):
        predicted = of_prediction(adapted.predictor, prompts) if "flop_check" not in job.turned_off else None
        checks: dict[PhaseName, FlopCheck | None] = {"train": adapted.flop_check, "predict": predicted}
        multiplied = of_answers(adapted.predictor, prompts, predictions)
        if multiplied is not None:
            meter.multiplied("predict", multiplied)
    return {phase: check for phase, check in checks.items() if check}


def _probed(
    job: Job, moves: bool, adapted: Adapted, session: AdaptSession, first: FirstWeights
) -> tuple[bool, dict[str, Scores]]:
    """See `still_known`; nothing is compared where a method answers with the weights as they were loaded."""
    if not moves:
        return False, {}
    adapted.release()
    with session.meter.phase("probe"):
        return still_known(job, local(adapted.predictor.backend), session, first.fingerprint)


def _distance(changed: bool, adapted: Adapted, side_evals: SideEvals) -> float | None:
    """How far the weights are from the base's."""
    if not changed:
        return 0.0
    with side_evals.meter.phase("probe"):
        return distance_from_base(local(adapted.predictor.backend), side_evals.before, side_evals.prompts)


def _ranked_by(adapted: Adapted) -> str:
    """What ranks choices: a reader, or a rule, and whether likelihoods are with the EOS token: lengths differ then."""
    predictor, backend = adapted.predictor, adapted.predictor.backend
    if isinstance(backend, ServedBackend):
        return predictor.task.normalise if backend.rung.name == "echo" else backend.rung.name
    if predictor.writes_choices:
        return "generation"
    ended = backend.is_local and predictor.writer.codec.answer_length is not None
    return f"{predictor.task.normalise}{', with the EOS token' if ended else ''}"


def _batch_limits(adapted: Adapted) -> dict[str, int]:
    """Tokens of a batch at most, and what memory was found to hold; none of a model that is not in this process."""
    backend = adapted.predictor.backend
    if not backend.is_local:
        return {}
    engine: Any = getattr(backend, "engine", backend)
    return {"batch_tokens": engine.batch_tokens, **{name: int(most) for name, most in engine.held.items()}}


def _record(
    job: Job,
    task: Task,
    method: Method,
    adapted: Adapted,
    predictions: Sequence[Prediction],
    scores: Scores,
    meter: Meter,
) -> Record:
    thinks = adapted.predictor.thinking_tokens > 0
    cut, thought = (("thinking_truncated",), ("thinking_tokens",)) if thinks else ((), ())
    gold = [example.gold for example in task.test]
    context = adapted.predictor.writer.context
    index: Search | None = getattr(context, "index", None)
    retrieval: dict[str, float] = {**index.counts, **context.counts} if index else {}
    if any(gold) and any(p.ranking for p in predictions):
        found = places(task, [p.ranking for p in predictions])
        retrieval |= retrieval_scores(found, gold, depth=RANKING_DEPTH)
    weights = Path(job.out) / run_folder.WEIGHTS
    return Record(
        key=job.key,
        model=job.resolved.name,
        task=task.name,
        method=job.label,
        seed=job.seed,
        suite_method=job.suite_method,
        train_size=job.train_size,
        parts=parts_of(method),
        status="ok",
        created=datetime.now(UTC).isoformat(timespec="seconds"),
        kind=task.kind,
        ranked_by=_ranked_by(adapted) if task.kind == "choice" else "",
        questions=question_digest(task),
        scores=scores,
        items=len(predictions),
        chance=fmean(1 / len(example.choices) for example in task.test) if task.kind == "choice" else None,
        item_failures=dict(Counter(p.failure for p in predictions if p.failure)),
        dropped={
            name: sum(getattr(p, name) for p in predictions)
            for name in ("examples_dropped", "passages_dropped", "passages_truncated", *cut)
        },
        tokens={
            name: sum(getattr(p, name) for p in predictions)
            for name in ("prompt_tokens", "context_tokens", "output_tokens", *thought)
        },
        phases=meter.phases,
        tuning=adapted.tuning,
        prompt_search=adapted.prompt_search,
        training=adapted.training,
        retrieval=retrieval,
        turned_off=tuple(job.turned_off),
        batch_limits=_batch_limits(adapted),
        parameters=replace(adapted.parameters, index_bytes=index.nbytes if index else 0),
        kept=run_folder.kept_weights(weights) if weights.is_dir() else None,
        identity=job.identity,
        environment=replace(describe(meter.device), cells_at_once=job.cells_at_once, gpus=_gpus(job, meter)),
    )
