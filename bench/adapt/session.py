"""What a method is adapted with: a base model, a task's material, the device's limits and the meter."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

from bench.core.errors import CellError
from bench.core.hashing import derive_seed
from bench.core.method import Context, Material, Method
from bench.core.task import Task
from bench.engine.predictor import ModelPredictor
from bench.engine.prompts import Writer
from bench.engine.transformers_engine import Engine
from bench.meters import flops
from bench.meters.phases import Meter
from bench.model.base import Base
from bench.model.devices import train_tokens
from bench.training.batches import Pair, micro_batch
from bench.training.loss import work_of
from bench.training.trainer import Setting, TrainingResult
from methods.options import only


@dataclass(frozen=True)
class Limits:
    """What the device allows. None of it changes a result beyond rounding."""

    batch_tokens: int
    train_tokens: int | None  # None: as the model and the device suggest
    batch_size: int | None
    bf16: bool


@dataclass(frozen=True)
class AdaptSession:
    """What adapting is done with: the same for every trial of a search and for the method that it chose.

    `task` gives the decoding; examples come from `material` alone.
    """

    base: Base
    task: Task
    material: Material
    limits: Limits
    meter: Meter
    progress: Callable[[str, int, int], None]

    def writer(self, context: Context) -> Writer:
        """Writes the prompts of a context."""
        reserve = self.task.max_new_tokens if self.task.kind == "text" else 0
        return Writer(self.base.codec, self.task.prompt, context, self.base.context_length, reserve)

    def predictor(self, model: Any, writer: Writer) -> ModelPredictor:
        """Answers with a model and a context's prompts."""
        codec, limits = self.base.codec, self.limits
        engine = Engine(model.eval(), codec.pad, codec.stops, limits.batch_tokens, limits.batch_size)
        return ModelPredictor(engine, writer, self.task, lambda done, all_: self.progress("predict", done, all_))

    def start(self, method: Method, seed: int) -> Any:
        """The model that the method's weights part trains or answers with, from a fresh base."""
        return method.weights.start(self.base.load(method.weights.full_precision), seed)

    def setting(self, method: Method, pairs: Sequence[Pair]) -> Setting:
        """How a settled method is trained on examples written out."""
        options, limits = method.weights.options, self.limits
        at_once = limits.train_tokens or train_tokens(self.meter.device, self.base.numbers)
        micro = micro_batch(options.batch_size, pairs, at_once)
        seed = derive_seed("train", self.material.task, method.weights.name, self.material.seed)
        return Setting(options, only(options.learning_rate), seed, self.base.codec.pad, micro, limits.bf16)

    def written(self, writer: Writer) -> tuple[Sequence[Pair], Sequence[Pair]]:
        """The training and the validation examples in prompts; raises CellError where none fits."""
        pairs = writer.write_solved(self.material.train)
        if not pairs:
            raise CellError("no training example fits into the model's context")
        return pairs, writer.write_solved(self.material.validation)

    def multiplied(
        self,
        phase: str,
        model: Any,
        validation: Sequence[Pair],
        outcome: TrainingResult,
        judged: int,
    ) -> None:
        """Tell the meter what a training multiplied, with `judged` passes over the validation examples."""
        shape = flops.shape_of(model)
        if shape is None:
            return
        judging = work_of(validation, 2 * outcome.micro_batch, outcome.packed)
        once = flops.training(shape, outcome.work, outcome.checkpointing)
        self.meter.multiplied(phase, once + flops.judging(shape, judging) * judged)
