"""A method × a base model × a task's material → a predictor. The one place where the two parts of a method meet."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass, field, replace
from typing import Any

import torch

from bench import flops
from bench.batches import Pair
from bench.curve import Snapshots
from bench.engine import Engine
from bench.errors import CellError, DivergedError
from bench.flop_check import of_training
from bench.meter import Meter
from bench.nouns import Method, Task, derive_seed
from bench.predict import ModelPredictor
from bench.prompting import Writer
from bench.tokens import Codec
from bench.training import Outcome, Progress, Setting, mean_loss, train
from methods.parts import Material

Trial = dict[str, float | None]  # learning_rate, validation_loss, epochs (None where it diverged)


@dataclass(frozen=True)
class Limits:
    """What the device allows. None of it changes a result beyond rounding."""

    batch_tokens: int
    train_tokens: int
    batch_size: int | None
    bf16: bool


@dataclass(frozen=True)
class Base:
    """A base model ready to be adapted: `load(full_precision)` gives a fresh copy each time."""

    load: Callable[[bool], Any]
    codec: Codec
    context_length: int
    dtype: torch.dtype  # of prediction, the same for every method


@dataclass(frozen=True)
class Adapted:
    """An adapted model as a predictor, with what adapting it took."""

    predictor: ModelPredictor
    training: dict[str, Any]
    parameters: dict[str, int]
    flop_check: dict[str, int] | None  # of a training batch


@dataclass(frozen=True)
class _Trained:
    """A model as its weights part leaves it, with what training it took."""

    model: Any
    parameters: int = 0  # that were trained
    report: dict[str, Any] = field(default_factory=dict)
    flop_check: dict[str, int] | None = None


def adapt(
    method: Method,
    base: Base,
    task: Task,
    material: Material,
    limits: Limits,
    meter: Meter,
    progress: Callable[[str, int, int], None],
    unmerged: Callable[[ModelPredictor], None] = lambda predictor: None,
    curve: Snapshots | None = None,
    look: Callable[[int, ModelPredictor], None] = lambda step, predictor: None,
) -> Adapted:
    """Adapt `base` by `method`. `task` gives the decoding; examples come from `material` alone.

    `unmerged` may look at the predictor of a method that trains something beside the weights (LoRA), before that is
    merged into them. `look` is handed the predictor of each step that `curve` kept.

    Raises:
        CellError: the method cannot work here, training diverged, or memory ran out.
    """
    with meter.phase("index"):
        context = method.context.build(material)
    reserve = task.max_new_tokens if task.kind == "text" else 0
    writer = Writer(base.codec, task.prompt, context, base.context_length, reserve)

    def predictor(model: Any) -> ModelPredictor:
        engine = Engine(model.eval(), base.codec.pad, base.codec.stops, limits.batch_tokens, limits.batch_size)
        return ModelPredictor(engine, writer, task, lambda done, all_: progress("predict", done, all_))

    if method.weights.trains:
        trained = _train(method, base, material, writer, limits, meter, progress, curve)
        for step in curve.each(trained.model) if curve else ():
            look(step, predictor(trained.model))
        if method.weights.merges:
            unmerged(predictor(trained.model))
    else:
        with meter.phase("load"):
            trained = _Trained(method.weights.start(base.load(False), material.seed))
    model = method.weights.finish(trained.model).to(base.dtype)
    total = sum(p.numel() for p in model.parameters())
    return Adapted(
        predictor(model), trained.report, {"total": total, "trained": trained.parameters}, trained.flop_check
    )


def _train(
    method: Method,
    base: Base,
    material: Material,
    writer: Writer,
    limits: Limits,
    meter: Meter,
    progress: Callable[[str, int, int], None],
    curve: Snapshots | None,
) -> _Trained:
    with meter.phase("prepare"):
        pairs, validation = writer.write_solved(material.train), writer.write_solved(material.validation)
    if not pairs:
        raise CellError("no training example fits into the model's context")
    seed = derive_seed("train", material.task, method.weights.name, material.seed)
    setting = _setting(method, pairs, base, limits, seed)

    def make() -> Any:
        model = base.load(method.weights.full_precision)
        return method.weights.start(model, seed)

    rates = method.weights.options.learning_rate
    rate, trials = rates[0], list[Trial]()
    if len(rates) > 1:
        with meter.phase("tune"):
            rate, trials = _choose_rate(rates, make, pairs, validation, setting, lambda d, n: progress("tune", d, n))
    with meter.phase("train"):
        chosen = replace(setting, rate=rate)
        beside = [curve] if curve else []
        model, outcome = train(make, pairs, validation, chosen, lambda d, n: progress("train", d, n), beside)
    trainable = sum(p.numel() for p in model.parameters() if p.requires_grad)
    with meter.phase("overfit"):
        gap = _gap(model, pairs, validation, chosen)
    with meter.phase("count"):
        _multiplied(meter, model, pairs, validation, outcome, trials)
        check = of_training(model, pairs, setting.pad, outcome.micro_batch, outcome.checkpointing)
    skipped = len(material.train) - len(pairs)
    return _Trained(model, trainable, _report(outcome, trials, gap, len(pairs), skipped), check)


def _multiplied(
    meter: Meter, model: Any, pairs: Sequence[Pair], validation: Sequence[Pair], outcome: Outcome, trials: list[Trial]
) -> None:
    """Tell the meter what training and the search for a rate multiplied; a trial that diverged is not known."""
    shape = flops.shape_of(model)
    if shape is None:
        return
    once, judged = flops.training(shape, pairs, outcome.checkpointing), flops.judging(shape, validation)
    meter.multiplied("train", round(once * outcome.epochs) + judged * len(outcome.validation_loss))
    for epochs in (trial["epochs"] for trial in trials):
        if epochs is not None:
            meter.multiplied("tune", round(once * epochs) + judged)


def _setting(method: Method, pairs: Sequence[Pair], base: Base, limits: Limits, seed: int) -> Setting:
    options = method.weights.options
    longest = max(len(prompt) + len(answer) for prompt, answer in pairs)
    fits = max(1, limits.train_tokens // longest)
    micro = max(n for n in range(1, options.batch_size + 1) if options.batch_size % n == 0 and n <= fits)
    return Setting(options, options.learning_rate[0], seed, base.codec.pad, micro, limits.bf16)


def _choose_rate(
    rates: Sequence[float],
    make: Callable[[], Any],
    pairs: Sequence[Pair],
    validation: Sequence[Pair],
    setting: Setting,
    progress: Progress,
) -> tuple[float, list[Trial]]:
    """The rate of the lowest validation loss after a short training each; a trial that diverges loses."""
    if not validation:
        raise CellError("a grid of learning rates needs a validation split to choose on; give one rate instead")
    trials: list[Trial] = []
    for i, rate in enumerate(rates):
        trial = replace(setting, rate=rate, share=setting.options.trial_share)

        def report(done: int, steps: int, before: int = i) -> None:
            progress(before * steps + done, len(rates) * steps)

        try:
            _, outcome = train(make, pairs, validation, trial, report)
            loss, epochs = outcome.best_validation_loss, outcome.epochs
        except DivergedError:
            loss, epochs = None, None
        trials.append({"learning_rate": rate, "validation_loss": loss, "epochs": epochs})
    ended = [(trial["validation_loss"], trial["learning_rate"]) for trial in trials]
    finite = [(loss, rate) for loss, rate in ended if loss is not None and rate is not None]
    if not finite:
        raise DivergedError(f"training diverged at every learning rate of the grid {list(rates)}")
    return min(finite)[1], trials


def _gap(model: Any, pairs: Sequence[Pair], validation: Sequence[Pair], setting: Setting) -> dict[str, float | None]:
    """Train and validation loss of the kept weights, on equally many examples: the overfitting measure."""
    if not validation:
        return {"train": None, "validation": None, "gap": None}
    step = max(1, len(pairs) // len(validation))
    sample = pairs[::step][: len(validation)]
    rows = 2 * setting.micro_batch
    on_train, on_validation = (
        mean_loss(model, p, pad=setting.pad, rows=rows, bf16=setting.bf16) for p in (sample, validation)
    )
    return {"train": on_train, "validation": on_validation, "gap": on_validation - on_train}


def _report(
    outcome: Outcome, trials: list[Trial], gap: dict[str, float | None], examples: int, skipped: int
) -> dict[str, Any]:
    return {
        **asdict(outcome),
        "trials": trials,
        "loss": gap,
        "examples": examples,
        "examples_too_long": skipped,
    }
