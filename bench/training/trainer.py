"""Training on answers: `transformers.Trainer` with the loss, and the language-model head, on answer tokens only.

The loss of a step is the sum over its answer tokens, however many micro-batches it was split into, divided by the
answer tokens of an average step: every answer token of an epoch counts the same. Dividing by the step's own tokens
would not do that: batches are grouped by length, so the tokens of short answers would weigh more, and the model would
learn to write shorter than its examples (decision 11). Where memory runs out the micro-batch is halved and the
step keeps its size.
"""

from __future__ import annotations

import math
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any, TypeVar

from torch import Tensor
from transformers import EarlyStoppingCallback, PrinterCallback, Trainer, TrainerCallback
from transformers.trainer_callback import ProgressCallback

from bench.core.errors import DivergedError, OutOfMemoryError
from bench.core.training import BatchWork, Training
from bench.model.memory import free_cached, is_out_of_memory
from bench.training.arguments import Setting, arguments
from bench.training.batches import Arrangement, LengthGroups, Pair, Pairs, collate, divisor
from bench.training.epochs import RANK, ScoredEpochs, Scorer, kept_epoch
from bench.training.loss import arranged, arrangement_of, mean_loss, pad_rows, summed_loss
from bench.training.resume import Keeper, Resume, give_back, in_shape_of
from bench.training.step_timer import StepTimer

T = TypeVar("T")
A = TypeVar("A", bound="AnswerTrainer")
Progress = Callable[[int, int], None]  # (steps done, steps in all)
_ROWS, _RECOMPUTED = "rows trained at once", "activations recomputed"  # names in `Setting.held`


class AnswerTrainer(Trainer):
    """Trainer with the loss on answers, and validation as the exact mean over answer tokens."""

    def __init__(
        self, *args: Any, validation: Sequence[Pair], setting: Setting, scorer: Scorer | None, **kwargs: Any
    ) -> None:
        super().__init__(*args, **kwargs)
        self.validation = validation
        self.setting = setting
        self.scored = ScoredEpochs(scorer) if scorer else None
        self.work = BatchWork()
        self.stopwatch = StepTimer(self.args.device)
        self.add_callback(self.stopwatch)
        self.loss_is_scaled_for_ga = True  # leave our normalisation as it is
        rows = self.train_dataset.rows  # type: ignore[union-attr]
        self.validation_s = 0.0
        self.step_tokens: float = setting.options.batch_size * sum(row["answer"] for row in rows) / len(rows)
        lengths = [len(row["input_ids"]) for row in rows]
        self.order = LengthGroups(lengths, setting.options.batch_size, setting.seed)

    def _get_train_sampler(self, train_dataset: Any = None) -> LengthGroups:
        return self.order

    def _load_from_checkpoint(self, resume_from_checkpoint: str, model: Any = None) -> None:
        give_back(self.model, Path(resume_from_checkpoint))

    def _load_rng_state(self, checkpoint: str | None) -> None:
        """Not here: `bench.training.resume.Keeper` does it before the step that the state was taken before."""

    def compute_loss(
        self, model: Any, inputs: dict[str, Any], return_outputs: bool = False, num_items_in_batch: Any = None
    ) -> Tensor:
        self.work += inputs["layout"].work
        with self.stopwatch.part("forward"):
            return summed_loss(model, inputs) / self.step_tokens

    def training_step(self, *args: Any, **kwargs: Any) -> Tensor:
        with self.stopwatch.part("forward and backward"):
            return super().training_step(*args, **kwargs)

    def get_batch_samples(self, *args: Any, **kwargs: Any) -> Any:
        self.stopwatch.begin(self.state.global_step + 1)
        with self.stopwatch.part("data"):
            return super().get_batch_samples(*args, **kwargs)

    def evaluate(self, *args: Any, **kwargs: Any) -> dict[str, float]:
        setting = self.setting
        rows = 2 * setting.micro_batch
        start = time.perf_counter()
        loss = mean_loss(self.model, self.validation, pad=setting.pad, rows=rows, bf16=setting.bf16)
        self.validation_s += time.perf_counter() - start
        metrics = {"eval_loss": loss}
        if self.scored:
            metrics |= self.scored.judge(self.model, loss)
        self.log(metrics)
        self.control = self.callback_handler.on_evaluate(self.args, self.state, self.control, metrics)
        return metrics


class Watch(TrainerCallback):
    """Reports progress, and stops a training whose loss is no longer a number."""

    def __init__(self, progress: Progress) -> None:
        self.progress = progress

    def on_step_end(self, args: Any, state: Any, control: Any, **kwargs: Any) -> None:
        self.progress(state.global_step, state.max_steps)

    def on_log(self, args: Any, state: Any, control: Any, logs: dict[str, float] | None = None, **kwargs: Any) -> None:
        for name in ("loss", "eval_loss", "grad_norm"):
            value = (logs or {}).get(name, 0.0)
            if not math.isfinite(value):
                raise DivergedError(f"{name} became {value} at step {state.global_step}; lower the learning rate")


def train(
    make: Callable[[], Any],
    pairs: Sequence[Pair],
    validation: Sequence[Pair],
    setting: Setting,
    progress: Progress,
    callbacks: Sequence[TrainerCallback] = (),
    scorer: Scorer | None = None,
    resume: Resume | None = None,
) -> tuple[Any, Training]:
    """Train the model that `make` gives on `pairs`; with `validation`, the best epoch's weights are kept.

    The best epoch has the lowest loss, or with `scorer` the best score, of equal scores the lowest loss, of all that
    are equal the first. `callbacks` are told of every step. With `resume` it goes on where it was stopped, if it was.

    Raises:
        DivergedError: a loss or gradient norm is not finite.
        OutOfMemoryError: one example at a time, with activation checkpointing, does not fit.
    """
    resume = resume.of(setting, pairs, validation) if resume and resume.unfinished.folder else None

    def once(tried: Setting) -> tuple[Any, Training]:
        return _train_once(make(), pairs, validation, tried, progress, callbacks, scorer, resume)

    return within_memory(setting, once)


def within_memory(setting: Setting, train_with: Callable[[Setting], T]) -> T:
    """What a training gives, with a smaller micro-batch each time that memory runs out.

    Raises:
        OutOfMemoryError: one example at a time, with activation checkpointing, does not fit.
    """
    setting = _within(setting)
    while True:
        try:
            return train_with(setting)
        except Exception as error:  # the library's own errors differ by device: is_out_of_memory tells
            if not is_out_of_memory(error):
                raise
            smaller = _smaller(setting)
            if smaller is None:
                raise OutOfMemoryError("training does not fit into memory even with one example at a time") from error
            setting = smaller
            setting.held.update({_ROWS: setting.micro_batch, _RECOMPUTED: setting.checkpointing})
        free_cached()


def _within(setting: Setting) -> Setting:
    """The setting within what an earlier training of the cell found that memory holds."""
    rows = divisor(setting.most_rows, min(setting.micro_batch, setting.held.get(_ROWS, setting.micro_batch)))
    return replace(
        setting, micro_batch=rows, checkpointing=setting.checkpointing or setting.held.get(_RECOMPUTED, 0) > 0
    )


def _smaller(setting: Setting) -> Setting | None:
    """The next thing to try after running out of memory: fewer rows at once, then recomputed activations."""
    if setting.micro_batch > 1:
        return replace(setting, micro_batch=divisor(setting.most_rows, setting.micro_batch // 2))
    return None if setting.checkpointing else replace(setting, checkpointing=True)


def _train_once(
    model: Any,
    pairs: Sequence[Pair],
    validation: Sequence[Pair],
    setting: Setting,
    progress: Progress,
    callbacks: Sequence[TrainerCallback],
    scorer: Scorer | None,
    resume: Resume | None,
) -> tuple[Any, Training]:
    found = resume.found() if resume else None
    if found:
        setting = in_shape_of(setting, found[1])
    model = prepared(model, setting)
    with trainer_for(AnswerTrainer, model, pairs, validation, setting, progress, callbacks, scorer) as trainer:
        if resume:
            trainer.add_callback(Keeper(trainer, resume, found))
        trainer.train(resume_from_checkpoint=str(found[0]) if found else None)
    model.eval()
    return model, outcome(trainer, pairs, setting, arrangement_of(model) is Arrangement.PACKED)


def prepared(model: Any, setting: Setting) -> Any:
    """A model as it is to be trained."""
    if setting.checkpointing:
        model.gradient_checkpointing_enable()
    if setting.padded:
        pad_rows(model)
    model.train()
    return model


@contextmanager
def trainer_for(
    kind: Callable[..., A],
    model: Any,
    pairs: Sequence[Pair],
    validation: Sequence[Pair],
    setting: Setting,
    progress: Progress,
    callbacks: Sequence[TrainerCallback],
    scorer: Scorer | None,
) -> Iterator[A]:
    """The trainer of a prepared model, which reads batches as they are arranged while this lasts."""
    patience = setting.options.patience
    stopping = [EarlyStoppingCallback(patience)] if validation and patience else []
    judged = (RANK if scorer else "eval_loss") if validation else None
    with tempfile.TemporaryDirectory(prefix="adaptbench-") as folder, arranged(model) as arrangement:
        trainer = kind(
            model=model,
            args=arguments(folder, len(pairs), judged, setting, model.device),
            train_dataset=Pairs(pairs),
            eval_dataset=Pairs(validation) if validation else None,
            data_collator=lambda rows: collate(rows, setting.pad, arrangement),
            callbacks=[Watch(progress), *stopping, *callbacks],
            validation=validation,
            setting=setting,
            scorer=scorer,
        )
        for unwanted in (PrinterCallback, ProgressCallback):
            trainer.remove_callback(unwanted)
        yield trainer


def outcome(trainer: AnswerTrainer, pairs: Sequence[Pair], setting: Setting, packs: bool) -> Training:
    """What a training that has ended came to."""
    state = trainer.state
    log = [entry for entry in state.log_history if "step" in entry]
    validation = tuple((int(e["step"]), float(e["eval_loss"])) for e in log if "eval_loss" in e)
    scores = tuple((int(e["step"]), float(e["eval_metric"])) for e in log if "eval_metric" in e)
    kept = kept_epoch(
        trainer.scored.scorer if trainer.scored else None,
        [loss for _, loss in validation],
        [score for _, score in scores],
    )
    best = None if kept is None else validation[kept]
    per_epoch = sum(len(prompt) + len(answer) for prompt, answer in pairs)
    return Training(
        rate=setting.rate,
        steps=state.global_step,
        epochs=float(state.epoch or 0),
        tokens=round(per_epoch * float(state.epoch or 0)),
        train_loss=tuple((int(e["step"]), float(e["loss"])) for e in log if "loss" in e),
        validation_loss=validation,
        best_validation_loss=best[1] if best else None,
        best_step=best[0] if best else None,
        validation_s=trainer.validation_s,
        micro_batch=min(setting.micro_batch, setting.options.batch_size),
        checkpointing=setting.checkpointing,
        packed=packs,
        work=trainer.work,
        step_seconds=trainer.stopwatch.means(),
        examples=len(pairs),
        validation_metric=scores,
        best_validation_metric=scores[kept][1] if scores and kept is not None else None,
        metric_s=trainer.scored.seconds if trainer.scored else None,
    )
