"""The learner `set fit`: a sentence encoder is trained on pairs of texts, a classifier then fitted on what it gives."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

from safetensors.torch import save_file

from bench.adapt.learner import Adapted, Judgement, Observer, parameters
from bench.adapt.linear_probe import CLASSIFIER, Fitting, prepare
from bench.adapt.session import AdaptSession
from bench.adapt.validation import items_to_answer, judgement_of
from bench.core.errors import CellError, DivergedError
from bench.core.hashing import derive_seed
from bench.core.method import Method
from bench.core.phases import PhaseName
from bench.core.training import Judged, Options, Training
from bench.core.weights_dtype import in_dtype
from bench.engine.prompts import Writer
from bench.meters import flops
from bench.model.budget import train_tokens
from bench.training.arguments import Setting
from bench.training.batches import divisor
from bench.training.contrast import draw_together, text_pairs
from methods.options import TrainingOptions, only


class SetFit:
    """Learns from pairs and then from labels; a trial of a rate trains on fewer pairs."""

    def adapt(self, method: Method, session: AdaptSession, writer: Writer, observer: Observer) -> Adapted:
        with session.meter.phase("train"):
            model, learnt = _drawn_together(method, session, writer, "train")
            model = in_dtype(model, session.base.dtype)
            fitting = prepare(session, model, writer, "train")
            layer = fitting.fit(only(method.weights.options.c))
        with session.meter.phase("overfit"):
            loss = fitting.losses(layer)
        if observer.weights:
            model.body.save_pretrained(str(observer.weights), create_model_card=False)
            save_file({"weight": layer.weight.detach(), "bias": layer.bias.detach()}, observer.weights / CLASSIFIER)
        training = replace(learnt, loss=loss, examples_too_long=fitting.train.skipped)
        predictor = fitting.predictor(layer)
        total = sum(p.numel() for p in model.parameters())
        return Adapted(predictor, training, parameters(total, total, session), release=fitting.release)

    def judgement(self, method: Method, session: AdaptSession) -> Judgement:
        """The loss, or the score, of a classifier on what a short training makes of the texts."""
        items = items_to_answer(method, session)
        # (rate, length) -> what classifiers are fitted on, None where training diverged, and the tokens it took
        fitted: dict[tuple[float, float], tuple[Fitting | None, int]] = {}

        def prepared(method: Method) -> tuple[Fitting | None, int]:
            writer = session.writer(method.context.build(session.material))
            try:
                model, learnt = _drawn_together(method, session, writer, "tune", method.weights.options.trial_share)
            except DivergedError:
                return None, 0
            fitting = prepare(session, in_dtype(model, session.base.dtype), writer, "tune")
            return fitting, learnt.tokens + fitting.tokens

        def judge(trial: int, trials: int, options: Options, method: Method) -> Judged:
            session.progress("tune", trial, trials)
            training = only(method.weights.options.learning_rate), method.weights.options.trial_share
            is_new = training not in fitted
            if is_new:
                fitted[training] = prepared(method)
            fitting, tokens = fitted[training]
            if fitting is None:
                return Judged(options, None)
            layer = fitting.fit(only(method.weights.options.c))
            return fitting.judged(options, layer, items, tokens if is_new else 0)

        return judgement_of(session, items, judge)


@dataclass(frozen=True)
class _Texts:
    """The training examples that fit, as texts, lengths in tokens and numbers of labels."""

    texts: Sequence[str]
    lengths: Sequence[int]
    labels: Sequence[int]


def _texts(session: AdaptSession, writer: Writer) -> _Texts:
    train = session.material.train
    kept = [
        (writer.prompt.ask(example), len(prompt.query), session.labels.index(example.references[0]))
        for prompt, example in zip(writer.write(train), train, strict=True)
        if prompt.failure is None
    ]
    if len({label for _, _, label in kept}) < 2:
        raise CellError("set-fit needs training examples of two labels at least")
    texts, lengths, labels = zip(*kept, strict=True)
    return _Texts(texts, lengths, labels)


def _drawn_together(
    method: Method, session: AdaptSession, writer: Writer, phase: PhaseName, share: float = 1.0
) -> tuple[Any, Training]:
    """The model trained on `share` of the pairs, which count in `phase`."""
    options, material = method.weights.options, session.material
    given = _texts(session, writer)
    seed = derive_seed("train", material.task, method.weights.name, material.seed)
    most = max(1, round(share * options.pairs(len(given.texts))))
    pairs = text_pairs(given.labels, options.rounds, most, seed)
    model, learnt = draw_together(
        lambda: session.start(method, seed, full_precision=True),
        given.texts,
        given.lengths,
        pairs,
        _setting(method, session, max(given.lengths), seed),
        lambda done, steps: session.progress(phase, done, steps),
    )
    shape = flops.shape_of(model)
    if shape is not None and learnt.work is not None:
        session.meter.multiplied(phase, flops.training(shape, learnt.work, learnt.checkpointing))
    return model, learnt


def _setting(method: Method, session: AdaptSession, longest: int, seed: int) -> Setting:
    options, limits, base = method.weights.options, session.limits, session.base
    state = method.weights.bytes_per_weight * base.parameters
    at_once = limits.train_tokens or train_tokens(session.meter.device, base.numbers, state)
    micro = divisor(options.batch_size, at_once // (2 * longest))
    rate = only(options.learning_rate)
    plain = TrainingOptions(
        learning_rate=rate, epochs=1, batch_size=options.batch_size, warmup=options.warmup, schedule="linear"
    )
    return Setting(plain, rate, seed, base.codec.pad, micro, limits.bf16, held=limits.held)
