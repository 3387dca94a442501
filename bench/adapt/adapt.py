"""A method × a base model × a task's material → a predictor. The one place where the two parts of a method meet."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass, field, replace
from typing import Any

from bench.adapt import linear_probe
from bench.adapt.session import AdaptSession
from bench.adapt.tuning import Tuning, search
from bench.config.search_space import grid, settle
from bench.core.method import Method
from bench.engine.predictor import ModelPredictor
from bench.engine.prompts import Writer
from bench.meters.flop_check import of_training
from bench.training.batches import Pair
from bench.training.checkpoints import CheckpointCallback
from bench.training.loss import mean_loss
from bench.training.trainer import Setting, TrainingResult, train
from methods.options import only


@dataclass(frozen=True)
class Adapted:
    """An adapted model as a predictor, with what adapting it took."""

    predictor: ModelPredictor
    training: dict[str, Any]
    parameters: dict[str, int]
    flop_check: dict[str, int] | None  # of a training batch
    output: Any = None  # the base model's output matrix, where a classifier stands in its place
    tuning: Tuning | None = None  # None where there was nothing to choose, or it had been chosen


@dataclass(frozen=True)
class _Trained:
    """A model as its weights part leaves it, with what training it took."""

    model: Any
    parameters: int = 0  # that were trained
    report: dict[str, Any] = field(default_factory=dict)
    flop_check: dict[str, int] | None = None


def adapt(
    method: Method,
    session: AdaptSession,
    *,
    trials: int = 3,
    chosen: Mapping[str, Any] | None = None,
    unmerged: Callable[[ModelPredictor], None] = lambda predictor: None,
    curve: CheckpointCallback | None = None,
    look: Callable[[int, ModelPredictor], None] = lambda step, predictor: None,
) -> Adapted:
    """Adapt the workshop's base model by `method`.

    Options with several values are `chosen`, or else searched for in `trials` trials. `unmerged` may look at the
    predictor of a method that trains something beside the weights (LoRA), before that is merged into them. `look` is
    handed the predictor of each step that `curve` kept.

    Raises:
        CellError: the method cannot work here, training diverged, or memory ran out.
    """
    meter = session.meter
    found = None
    if chosen is not None:
        method = settle(method, chosen)
    elif grid(method):
        with meter.phase("tune"):
            found = search(session, method, trials)
        method = settle(method, found.chosen)
    with meter.phase("index"):
        writer = session.writer(method.context.build(session.material))
    if method.weights.trains:
        trained = _train(method, session, writer, curve)
        for step in curve.each(trained.model) if curve else ():
            look(step, session.predictor(trained.model, writer))
        if method.weights.merges:
            unmerged(session.predictor(trained.model, writer))
    elif method.weights.classifies:
        return replace(_fit(method, session, writer), tuning=found)
    else:
        with meter.phase("load"):
            trained = _Trained(session.start(method, session.material.seed))
    model = method.weights.finish(trained.model).to(session.base.dtype)
    total = sum(p.numel() for p in model.parameters())
    parameters = _parameters(total, trained.parameters, session)
    return Adapted(session.predictor(model, writer), trained.report, parameters, trained.flop_check, tuning=found)


def _train(method: Method, session: AdaptSession, writer: Writer, curve: CheckpointCallback | None) -> _Trained:
    meter = session.meter
    with meter.phase("prepare"):
        pairs, validation = session.written(writer)
    setting = session.setting(method, pairs)
    with meter.phase("train"):
        beside = [curve] if curve else []
        model, outcome = train(
            lambda: session.start(method, setting.seed),
            pairs,
            validation,
            setting,
            lambda done, steps: session.progress("train", done, steps),
            beside,
        )
    trainable = sum(p.numel() for p in model.parameters() if p.requires_grad)
    with meter.phase("overfit"):
        gap = _gap(model, pairs, validation, setting, outcome)
    with meter.phase("count"):
        session.multiplied("train", model, validation, outcome, judged=len(outcome.validation_loss))
        check = of_training(model, pairs, setting.pad, outcome.micro_batch, outcome.checkpointing)
    skipped = len(session.material.train) - len(pairs)
    return _Trained(model, trainable, _report(outcome, gap, len(pairs), skipped), check)


def _fit(method: Method, session: AdaptSession, writer: Writer) -> Adapted:
    """Fit a classifier on what the base model makes of the training prompts."""
    meter = session.meter
    with meter.phase("load"):
        model = session.start(method, session.material.seed).to(session.base.dtype)
    with meter.phase("train"):
        fitting = linear_probe.prepare(session, model, writer, "train")
        layer = fitting.fit(only(method.weights.options.c))
    with meter.phase("overfit"):
        loss = fitting.losses(layer)
    report = {
        "examples": len(fitting.train.labels),
        "examples_too_long": fitting.train.skipped,
        "tokens": sum(prompt.prompt_tokens for prompt in fitting.train.prompts),
        "loss": loss,
    }
    predictor = fitting.predictor(layer)
    total, trained = (sum(p.numel() for p in module.parameters()) for module in (model, layer))
    return Adapted(predictor, report, _parameters(total, trained, session), None, output=fitting.output)


def _parameters(total: int, trained: int, session: AdaptSession) -> dict[str, int]:
    """Counts, and the bytes that have to be kept of what was trained, in the precision it answers with."""
    return {"total": total, "trained": trained, "stored_bytes": trained * session.base.dtype.itemsize}


def _gap(
    model: Any, pairs: Sequence[Pair], validation: Sequence[Pair], setting: Setting, outcome: TrainingResult
) -> dict[str, float | None]:
    """Train and validation loss of the kept weights, on equally many examples: the overfitting measure."""
    on_validation = outcome.best_validation_loss  # the weights that are kept are those of this loss
    if on_validation is None:
        return {"train": None, "validation": None, "gap": None}
    step = max(1, len(pairs) // len(validation))
    sample = pairs[::step][: len(validation)]
    on_train = mean_loss(model, sample, pad=setting.pad, rows=2 * setting.micro_batch, bf16=setting.bf16)
    return {"train": on_train, "validation": on_validation, "gap": on_validation - on_train}


def _report(outcome: TrainingResult, gap: dict[str, float | None], examples: int, skipped: int) -> dict[str, Any]:
    return {
        **asdict(outcome),
        "loss": gap,
        "examples": examples,
        "examples_too_long": skipped,
    }
