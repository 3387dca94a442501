"""What a method is adapted with: a base model, a task's material, the device's limits and the meter."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import astuple, dataclass, field, replace
from functools import partial
from typing import Any, Literal, cast

import torch
from pydantic import TypeAdapter

from bench.core.item import Example
from bench.core.method import GRADIENT, Context, Material, Method
from bench.core.task import Task
from bench.core.unfinished import Unfinished
from bench.core.weights_dtype import in_dtype
from bench.engine.backend import LocalBackend
from bench.engine.decision_backend import DecisionBackend, RequestWriter
from bench.engine.encoder_backend import EncoderBackend
from bench.engine.encoder_prompts import EncoderWriter, PictureWriter
from bench.engine.predictor import ModelPredictor
from bench.engine.prompts import Writer
from bench.engine.seq2seq_engine import Seq2SeqEngine
from bench.engine.text_backend import TextBackend, TextWriter
from bench.engine.thinking import CLOSING_TOKENS
from bench.engine.transformers_backend import TransformersBackend
from bench.engine.transformers_engine import Engine
from bench.meters.phases import Meter, Taken
from bench.model.base import Base, EncoderBase, NoBase, PictureBase
from bench.model.budget import batch_tokens
from bench.model.decision import Decider, DecisionBase
from bench.model.precision import entries
from bench.model.resolve import ResolvedModel
from bench.model.seq2seq import is_seq2seq
from bench.model.shared_weights import SharedWeights
from bench.training.resume import Resume
from tasks.loader.splits import sample

TAKEN = TypeAdapter(Taken)


@dataclass(frozen=True)
class Ranks:
    """The processes that share each training of a cell, which read the model themselves."""

    count: int
    model: ResolvedModel


@dataclass(frozen=True)
class Limits:
    """What the device allows. None of it changes a result beyond rounding."""

    batch_tokens: int | None  # None, here and below: as the model and the device suggest
    train_tokens: int | None
    batch_size: int | None
    bf16: bool
    micro_batch: int | Literal["auto", "width"] = "width"  # rows that are trained on at once
    held: dict[str, int] = field(default_factory=dict)  # what memory was found to hold, by what is done with it


def reserve_of(task: Task) -> int:
    """Tokens of the context that are kept for a generated answer."""
    return task.max_new_tokens if task.kind == "text" else 0


def answers_shown(task: Task, material: Material) -> Iterator[str]:
    """The texts that say what an answer looks like: those to learn from, and what ends one."""
    yield from task.stop
    for example in (*material.train, *material.validation):
        yield from example.references


def with_head(base: EncoderBase, labels: int, seed: int, full_precision: bool) -> Any:
    """An encoder with a head for labels, drawn by the seed."""
    torch.manual_seed(seed)
    return base.classifier(labels, full_precision)


@dataclass(frozen=True)
class AdaptSession:
    """What adapting is done with: the same for every trial of a search and for the method that it chose.

    `task` gives the decoding; examples come from `material` alone. `thinking_tokens`: that the model may think before
    it writes an answer. `validation_items`: that losses are taken of; None: all.
    """

    base: Base
    task: Task
    material: Material
    limits: Limits
    meter: Meter
    progress: Callable[[str, int, int], None]
    thinking_tokens: int = 0
    validation_items: int | None = None
    writes_choices: bool = False  # a choice is the one that a written text names; else the likeliest
    weights: SharedWeights = field(default_factory=SharedWeights)  # of the base, as long as they are to be used again
    ranks: Ranks | None = None  # None: this process trains
    unfinished: Unfinished = field(default_factory=Unfinished)  # what an attempt before has done, and this one so far

    @property
    def validation(self) -> tuple[Example, ...]:
        """The validation examples that losses are taken of: a fixed sample, or all of them."""
        split, count = self.material.validation, self.validation_items
        return split if count is None else sample(split, count, 0)

    def joined(self) -> AdaptSession:
        """The session whose training examples are those of the validation split too, which then judges nothing."""
        both = (*self.material.train, *self.material.validation)
        return replace(self, material=replace(self.material, train=both, validation=()))

    @property
    def labels(self) -> tuple[str, ...]:
        """The choices that all items share; of any other task those of its first example."""
        return self.material.train[0].choices

    def resume(self, name: str) -> Resume:
        """Where a training of that name, which begins now, is kept; it is gone on with in a later attempt."""
        watch = self.meter.watch()
        return Resume(self.unfinished, name, lambda: TAKEN.dump_python(watch(), mode="json"), self.take_over)

    def take_over(self, taken: dict[str, Any]) -> float:
        """Count what an attempt before took, a JSON value of `TAKEN`; its seconds."""
        known = TAKEN.validate_python(taken)
        self.meter.take_over(known)
        return known.work.wall_s

    def writer(self, context: Context) -> Writer:
        """Writes the prompts of a context."""
        base, thinks, prompt = self.base, self.thinking_tokens > 0, context.worded(self.task.prompt)
        if isinstance(base, NoBase):
            return TextWriter(base.codec, prompt, context, 0, 0)
        if isinstance(base, DecisionBase):
            return RequestWriter(base.codec, prompt, context, base.context_length, 0, written=base.written)
        if isinstance(base, PictureBase):
            length, labels = base.context_length, self.labels
            return PictureWriter(base.codec, prompt, context, length, 0, labels=labels, store=base.store)
        if isinstance(base, EncoderBase):
            return EncoderWriter(base.codec, prompt, context, base.context_length, 0, labels=self.labels)
        reserve = reserve_of(self.task) + (self.thinking_tokens + CLOSING_TOKENS if thinks else 0)
        ranks = not self.writes_choices
        return Writer(base.codec, prompt, context, base.context_length, reserve, thinks, ranks)

    def backend(self, model: Any) -> LocalBackend:
        """Answers prompts with a model."""
        if isinstance(model, TextBackend):
            return cast(LocalBackend, model)
        if isinstance(model, Decider):
            return cast(LocalBackend, DecisionBackend(model))
        codec, limits = self.base.codec, self.limits
        tokens = limits.batch_tokens or batch_tokens(model)
        if isinstance(self.base, EncoderBase):
            return EncoderBackend(model.eval(), codec.pad, tokens, limits.batch_size, limits.held)
        kind = Seq2SeqEngine if is_seq2seq(model) else Engine
        engine = kind(model.eval(), codec.pad, codec.stops, tokens, limits.batch_size, held=limits.held)
        thinking = codec.chat.thinking if codec.chat and self.thinking_tokens else None
        shown = (*answers_shown(self.task, self.material), *(astuple(thinking) if thinking else ()))
        return TransformersBackend(engine, codec.decoder(shown))

    def predictor(self, model: Any, writer: Writer) -> ModelPredictor:
        """Answers items with a model and a context's prompts."""
        return ModelPredictor(
            self.backend(model),
            writer,
            self.task,
            lambda done, total: self.progress(self.meter.current or "predict", done, total),
            thinking_tokens=self.thinking_tokens,
            writes_choices=self.writes_choices,
        )

    def answering(self, method: Method) -> Any:
        """The model that a method whose weights stay as they are answers with."""
        model = self.start(method, self.material.seed)
        if method.weights.learner.moves_weights:
            self.weights.release()  # weights that are merged are let go one by one
        return in_dtype(method.weights.finish(model), self.base.dtype)

    def size(self, model: Any) -> int:
        """Parameters of a model."""
        return sum(map(entries, model.parameters()))

    def start(self, method: Method, seed: int, full_precision: bool = False) -> Any:
        """The model that the method's weights part learns or answers with, from the base as it was read."""
        heads = self.draws_head(method)
        key = (len(self.labels), seed) if heads else ()
        read = partial(self._with_head, *key) if heads else self.base.load
        return method.weights.start(self._read(key, read, full_precision, method.weights.shares_base), seed)

    def reads_once(self, method: Method) -> bool:
        """Whether all that the method does is done on the weights that `untouched` gives."""
        return method.weights.shares_base and not isinstance(self.base, NoBase) and not self.draws_head(method)

    def untouched(self) -> Any:
        """The base model, to be asked and not to be changed."""
        return self._read((), self.base.load, full_precision=False, shares=True)

    def draws_head(self, method: Method) -> bool:
        return isinstance(self.base, EncoderBase) and method.weights.learner == GRADIENT

    def _with_head(self, labels: int, seed: int, full_precision: bool) -> Any:
        return with_head(cast(EncoderBase, self.base), labels, seed, full_precision)

    def _read(self, key: tuple[int, ...], read: Callable[[bool], Any], full_precision: bool, shares: bool) -> Any:
        """A base model, by `key` what else it was made from: on weights that others read, or on weights of its own."""
        if not shares:
            self.weights.release()
            return read(full_precision)
        dtype = torch.float32 if full_precision else self.base.dtype
        return self.weights.use((*key, dtype), partial(read, full_precision))
