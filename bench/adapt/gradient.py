"""The learner `gradient`: weights are moved by training on answers, options and epochs are judged on validation."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from functools import partial
from typing import Any, cast

import torch
from transformers import TrainerCallback

import methods
from bench.adapt.learner import Adapted, Judgement, Observer, once_for_each_context, parameters, training_sample
from bench.adapt.session import AdaptSession, with_head
from bench.adapt.untrained import require_base
from bench.adapt.validation import ValidationItems, items_to_answer, judgement_of
from bench.core.adapter_part import AdapterPart, Reach
from bench.core.errors import CellError, DivergedError, NotApplicableError
from bench.core.hashing import derive_seed
from bench.core.measured import FlopCheck
from bench.core.method import Method, TrainedPart
from bench.core.phases import PhaseName
from bench.core.training import Judged, Losses, Options, ShapeTrial, Training
from bench.core.weights_dtype import in_dtype
from bench.engine.prompts import Encoded, Writer
from bench.meters import flops
from bench.meters.flop_check import Checked, of_training
from bench.meters.optional import optional
from bench.model.base import EncoderBase, PictureBase
from bench.model.budget import train_tokens
from bench.model.devices import cpu, onednn_pays
from bench.model.load import load_base
from bench.model.memory import free_cached
from bench.model.resolve import ResolvedModel
from bench.training.arguments import Setting
from bench.training.batches import Pair, divisor, micro_batch
from bench.training.epochs import Scorer
from bench.training.loss import mean_loss, work_of
from bench.training.shapes import SHORTEST, fastest, shape_trial
from bench.training.trainer import Progress, train
from methods.options import changes_of, only


class GradientLearner:
    """Trains what the part leaves trainable: all weights, some of them, or an adapter."""

    def adapt(self, method: Method, session: AdaptSession, writer: Writer, observer: Observer) -> Adapted:
        meter, checkpoints = session.meter, observer.checkpoints
        part = cast(TrainedPart, method.weights)
        reach: Reach | None = None
        with meter.phase("prepare"):
            pairs, validation = _written(session, writer)
        setting = setting_for(session, method, pairs)
        tried: ShapeTrial | None = None
        if is_to_be_tried(session, setting, pairs):
            with meter.phase("shape"):
                setting, tried = in_fastest_shape(session, method, setting, pairs)
        items = items_to_answer(method, session)
        with meter.phase("train"):
            model, result = _trained(
                session,
                method,
                pairs,
                validation,
                setting,
                lambda done, steps: session.progress("train", done, steps),
                "train",
                scorer(items, session, writer) if items else None,
                [checkpoints] if checkpoints else [],
            )
        if result.metric_s is not None:
            meter.move("train", "tune", result.metric_s)
        trained = sum(p.numel() for p in model.parameters() if p.requires_grad)
        meter.side_s += result.validation_s or 0.0
        on_train: float | None = None
        if validation and "training_items" not in observer.turned_off:
            with meter.phase("overfit"):
                again = partial(_training_loss, model, pairs, setting, result)
                on_train = optional("the overfitting measure", again)
        flop_check: FlopCheck | None = None
        with meter.phase("count"):
            _count(session, part, "train", model, validation, result, judged=len(result.validation_loss))
            if part.plain_work and "flop_check" not in observer.turned_off:
                checked = Checked(setting.pad, result.micro_batch or 1, setting.bf16, result.checkpointing)
                flop_check = of_training(model, pairs, checked)
        for step in checkpoints.each(model) if checkpoints else ():
            observer.at_checkpoint(step, session.predictor(model, writer))
        if isinstance(part, AdapterPart):
            observer.apart(session.predictor(model, writer), partial(part.scaled, model), part)
            reach = part.reach(model)
        if observer.weights:
            part.keep(model, observer.weights, session.base.dtype)
        session.weights.release()  # weights that are merged are let go one by one
        model = in_dtype(part.finish(model), session.base.dtype)
        total = session.size(model)
        sizes = parameters(total, trained, session, part.bytes_of_place)
        if reach is not None:
            sizes = replace(sizes, block_weights=reach.all, adapted_weights=reach.adapted, unadapted=reach.left_out)
        skipped = len(session.material.train) - len(pairs)
        loss = Losses.of(on_train, result.best_validation_loss)
        training = replace(result, loss=loss, examples_too_long=skipped, shape_trial=tried)
        return Adapted(session.predictor(model, writer), training, sizes, flop_check)

    def judgement(self, method: Method, session: AdaptSession) -> Judgement:
        """The lowest validation loss on the way of a short training, or the score of the answers where that is best."""
        items = items_to_answer(method, session)

        def prepared(method: Method) -> tuple[Sequence[Pair], Sequence[Pair], Scorer | None]:
            writer = session.writer(method.context.build(session.material))
            return *_written(session, writer), scorer(items, session, writer) if items else None

        written = once_for_each_context(prepared)

        def judge(trial: int, trials: int, options: Options, method: Method) -> Judged:
            pairs, validation, by_answers = written(method)
            before = items.tokens if items else 0
            setting = replace(setting_for(session, method, pairs), share=method.weights.options.trial_share)
            if is_to_be_tried(session, setting, pairs):
                setting, tried = in_fastest_shape(session, method, setting, pairs)
                session.meter.side_s += tried.wall_s

            def progress(done: int, steps: int) -> None:
                session.progress("tune", trial * steps + done, trials * steps)

            try:
                name = f"trial {trial} of {trials}"
                model, result = _trained(session, method, pairs, validation, setting, progress, name, by_answers)
            except DivergedError:
                return Judged(options, None)
            _count(session, cast(TrainedPart, method.weights), "tune", model, validation, result, judged=1)
            tokens = result.tokens + len(result.validation_loss) * sum(len(p) + len(a) for p, a in validation)
            loss, score = result.best_validation_loss, result.best_validation_metric
            if items is None:
                return Judged(options, loss, result.epochs, tokens=tokens)
            return Judged(options, score, result.epochs, loss, tokens + items.tokens - before)

        return judgement_of(session, items, judge)


def _trained(
    session: AdaptSession,
    method: Method,
    pairs: Sequence[Pair],
    validation: Sequence[Pair],
    setting: Setting,
    progress: Progress,
    name: str,
    by_answers: Scorer | None,
    callbacks: Sequence[TrainerCallback] = (),
) -> tuple[Any, Training]:
    """A training by this process, or by several that share it."""
    begin = partial(start, session, method, setting.seed)
    if session.ranks is None:
        return train(begin, pairs, validation, setting, progress, callbacks, by_answers, session.resume(name))
    if isinstance(session.base, PictureBase):
        raise NotApplicableError("a model of pictures is trained by one process; leave engine.ranks out")
    from bench.training.ranks import train_on_ranks

    session.weights.release()  # the ranks need its memory
    free_cached()
    model = replace(session.ranks.model, dtype=str(session.base.dtype).removeprefix("torch."))
    options = {**method.weights.options.model_dump(mode="json"), **method.context.options.model_dump(mode="json")}
    labels = len(session.labels) if session.draws_head(method) else 0
    make = partial(start_in_rank, model, method.name, options, setting.seed, labels)
    return train_on_ranks(make, pairs, validation, setting, progress, session.meter.device, begin)


def start_in_rank(model: ResolvedModel, name: str, options: Mapping[str, Any], seed: int, labels: int) -> Any:
    """As `start`, in the process of a rank: on the host, from which the rank takes its part."""
    part = cast(TrainedPart, methods.create(name, options).weights)
    base = load_base(model, torch.device("cpu"))
    read = partial(with_head, cast(EncoderBase, base), labels, seed) if labels else base.load
    return part.start(read(part.full_precision), seed)


def start(session: AdaptSession, method: Method, seed: int) -> Any:
    """The model to train, from the base as it was read, in the precision that its part asks for."""
    part = cast(TrainedPart, method.weights)
    model = session.start(method, seed, part.full_precision)
    if part.starts_as_base:
        require_base(part.name, model)
    if changes := changes_of(part.options):
        from bench.model.pictures import change_pictures  # takes a second to import

        change_pictures(model, changes)
    return model


def scorer(items: ValidationItems, session: AdaptSession, writer: Writer) -> Scorer:
    """Scores the answers of a model that is being trained."""
    prompts: list[Encoded] = []

    def score(model: Any) -> float:
        predictor = replace(session.predictor(model, writer), progress=lambda done, total: None)
        if not prompts:
            prompts.extend(items.written(predictor))
        return items.answered(predictor, prompts)

    return Scorer(score, items.higher_is_better, lambda: items.tokens, items.had_read)


def _written(session: AdaptSession, writer: Writer) -> tuple[Sequence[Pair], Sequence[Pair]]:
    """The training and the validation examples in prompts; raises CellError where none fits."""
    pairs = writer.write_solved(session.material.train)
    if not pairs:
        raise CellError("no training example fits into the model's context")
    return pairs, writer.write_solved(session.validation)


def setting_for(session: AdaptSession, method: Method, pairs: Sequence[Pair]) -> Setting:
    """How a settled method is trained on examples written out."""
    options, limits, material = method.weights.options, session.limits, session.material
    state = method.weights.bytes_per_weight * session.base.parameters
    at_once = limits.train_tokens or train_tokens(session.meter.device, session.base.numbers, state)
    ranks = session.ranks.count if session.ranks else 1
    micro = micro_batch(options.batch_size // ranks, pairs, at_once)
    if isinstance(session.base, PictureBase) and limits.train_tokens is None:
        micro = options.batch_size  # rows of a batch are normalised together in many of these models
    if isinstance(limits.micro_batch, int):
        micro = divisor(options.batch_size // ranks, limits.micro_batch)
    seed = derive_seed("train", material.task, method.weights.name, material.seed)
    rate, pad = only(options.learning_rate), session.base.codec.pad
    return Setting(options, rate, seed, pad, micro, limits.bf16, ranks=ranks, held=limits.held)


def is_to_be_tried(session: AdaptSession, setting: Setting, pairs: Sequence[Pair]) -> bool:
    """Whether a trial of shapes pays: the suite pins none, and the training is long for the rows it has at once.

    Not on a GPU, where batches fill the free memory, nor where memory ran out. It does not depend on what is known of
    other trainings, so that a rerun decides alike.
    """
    limits = session.limits
    pinned = limits.micro_batch != "auto" or limits.train_tokens is not None
    rows = setting.options.steps(len(pairs), setting.share) * setting.options.batch_size
    pinned = pinned or isinstance(session.base, PictureBase)
    long = rows >= SHORTEST * setting.micro_batch and setting.options.batch_size > setting.micro_batch
    alone = setting.ranks == 1 and session.meter.device.type == "cpu"
    return alone and not pinned and long and not limits.held


def in_fastest_shape(
    session: AdaptSession, method: Method, setting: Setting, pairs: Sequence[Pair]
) -> tuple[Setting, ShapeTrial]:
    """The setting with the shape that a trial found, and the trial."""
    of = {
        "model": session.base.digest, "part": method.weights.name, "torch": torch.__version__,
        "processor": cpu("model name"), "threads": torch.get_num_threads(), "products": onednn_pays(),
    }  # fmt: skip
    tried = shape_trial(
        lambda: start(session, method, setting.seed), pairs, setting.micro_batch, setting.options.batch_size,
        setting.pad, setting.bf16, of,
    )  # fmt: skip
    shape = fastest(tried)
    return replace(setting, micro_batch=shape.rows, padded=not shape.packed), tried


def _count(
    session: AdaptSession, part: TrainedPart, phase: PhaseName, model: Any, validation: Sequence[Pair],
    result: Training, judged: int,
) -> None:  # fmt: skip
    """Tell the meter what a training multiplied, with `judged` passes over the validation examples."""
    shape = flops.shape_of(model) if part.plain_work else None
    if shape is None or result.work is None:
        return
    judging = work_of(validation, 2 * (result.micro_batch or 1), result.packed)
    once = flops.training(shape, result.work, result.checkpointing)
    session.meter.multiplied(phase, once + flops.judging(shape, judging) * judged)


def _training_loss(model: Any, pairs: Sequence[Pair], setting: Setting, result: Training) -> float:
    """The loss of the kept weights on a sample of what they learnt from."""
    count = training_sample(len(pairs))
    chosen = pairs[:: max(1, len(pairs) // count)][:count]
    rows = 2 * (result.micro_batch or 1)  # what the training found to fit
    return mean_loss(model, chosen, pad=setting.pad, rows=rows, bf16=setting.bf16)
