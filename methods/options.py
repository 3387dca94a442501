"""What the options of several parts have in common: one value or a grid, how documents are cut, how to train."""

from __future__ import annotations

import math
from collections.abc import Collection, Mapping
from dataclasses import asdict
from typing import Annotated, Any, ClassVar, Literal, TypeVar

from pydantic import (
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    NonNegativeInt,
    PlainSerializer,
    ValidationError,
    field_validator,
    model_validator,
)
from pydantic_core import PydanticCustomError

from bench.core.errors import unknown
from bench.core.explain import explain
from bench.core.method import LearningCost, Options
from bench.core.outside import OWN, names
from bench.core.quoting import shown
from bench.core.search import NONE, TUNED
from bench.core.spans import Chunking, CutBy
from bench.core.task import Task

T = TypeVar("T")


def _several(value: object) -> object:
    return tuple(value) if isinstance(value, list | tuple) else (value,)


def _plain(values: tuple[T, ...]) -> T | list[T]:
    return values[0] if len(values) == 1 else list(values)


# One value, or several to choose from on validation; written down as a value where there is one.
Grid = Annotated[tuple[T, ...], BeforeValidator(_several), Field(min_length=1), PlainSerializer(_plain)]


# What chooses options and the epoch that is kept, on validation items: their loss, or the task's own metric.
Criterion = Literal["loss", "metric"]
CRITERION = "what chooses options, and the epoch of a training: validation loss, or the task's metric on validation"

_CHANGES = ("flip", "crop", "colour")


def _augment(value: object) -> object:
    """`none`, or the names of changes joined by `+`, in one order, from a list or from that form."""
    names = value.split("+") if isinstance(value, str) else value
    if names in (["none"], []):
        return "none"
    if not isinstance(names, list) or any(name not in _CHANGES for name in names) or len(set(names)) < len(names):
        raise ValueError(f"it must be none, or a list of {', '.join(_CHANGES)}, each once")
    return "+".join(name for name in _CHANGES if name in names)


# How pictures are changed while a model is trained on them.
Augment = Annotated[str, BeforeValidator(_augment)]


def changes_of(options: Any) -> tuple[str, ...]:
    """The changes of pictures that a part's options name."""
    names = getattr(options, "augment", "none")
    return () if names == "none" else tuple(names.split("+"))


# Between 0 and 1, the ends among them.
Share = Annotated[float, Field(ge=0, le=1)]


def _named(value: object) -> object:
    """A model is named by its folder or Hub id, also as `{model: …}`; null is none."""
    if isinstance(value, Mapping):
        if wrong := [str(key) for key in value if key != "model"]:
            raise ValueError(unknown("key", wrong[0], ["model"]))
        value = value.get("model")
    return NONE if value is None else value


# A model by its folder or Hub id, or "none".
ModelName = Annotated[str, BeforeValidator(_named), Field(min_length=1)]

# How an index is searched.
Retriever = Literal["auto", "dense", "lexical", "hybrid"]


def _retriever(value: object) -> object:
    allowed = (*OWN, *TUNED, *names())
    if value not in allowed:
        expected = ", ".join(f"'{name}'" for name in allowed)
        raise PydanticCustomError("literal_error", "Input should be {expected}", {"expected": expected})
    return value


AnyRetriever = Annotated[str, BeforeValidator(_retriever)]  # also one that another distribution brings

WHOLE = "whole"  # documents are not cut


class ChunkOptions(BaseModel):
    """How documents are cut."""

    model_config = ConfigDict(extra="forbid")

    by: CutBy = "tokens"
    size: int = Field(ge=8, description="tokens of a chunk at most, 8 or more", examples=["size: 200"])
    overlap: int = Field(0, ge=0, description="tokens that a chunk may share with the one before, 0 or more")

    @model_validator(mode="after")
    def _goes_on(self) -> ChunkOptions:
        if 2 * self.overlap > self.size:
            raise ValueError(f"overlap is {self.overlap}; at most half of size, {self.size // 2}, is allowed")
        return self


def _chunking(value: object) -> object:
    """`whole`, or a way to cut in its short form, from a mapping or from that form."""
    if value == WHOLE:
        return value
    if isinstance(value, str):
        try:
            value = asdict(Chunking.parse(value))
        except ValueError:
            raise ValueError(f"{shown(value)} is no way to cut documents; write whole, or {_CHUNK_EXAMPLE}") from None
    if not isinstance(value, Mapping):
        raise ValueError(f"it must be whole, or a mapping; write {_CHUNK_EXAMPLE}")
    try:
        options = ChunkOptions.model_validate(value)
    except ValidationError as error:
        raise ValueError(" and ".join(line.replace("; ", ", ") for line in explain(error, ChunkOptions))) from None
    return str(Chunking(options.by, options.size, options.overlap))


_CHUNK_EXAMPLE = "{by: tokens, size: 200, overlap: 20}"
Chunk = Annotated[str, BeforeValidator(_chunking)]


def only(values: tuple[T, ...]) -> T:
    """The value of an option that has been chosen; raises ValueError where several are left."""
    [value] = values
    return value


def without_labels(name: str, task: Task) -> str | None:
    """Why the part `name`, which learns the labels of a task, cannot work on it, or None."""
    if not task.train:
        return f"{name} needs a train split"
    if task.kind != "choice" or len({example.choices for example in task.train}) > 1:
        return f"{name} needs a choice task whose items all have the same choices"
    return None


def without_history(name: str, task: Task) -> str | None:
    """Why the part `name`, which reads histories of purchases, cannot work on a task, or None."""
    if task.history is None:
        return f"{name} needs a task that says where purchases stand: history in task.yaml"
    return None if task.train else f"{name} needs a train split"


class ContextOptions(Options):
    """Options of a context part. Left alone, those in `standard` have several values, to choose from on validation.

    Where one of them is set, the others take their standard value: who says k means that k and no search.
    """

    standard: ClassVar[Mapping[str, Any]] = {}

    @model_validator(mode="before")
    @classmethod
    def _settled(cls, given: dict[str, Any]) -> dict[str, Any]:
        return {**cls.standard, **given} if cls.standard.keys() & given.keys() else given

    def left_alone(self, name: str, others: Collection[str]) -> object:
        """As `Options.left_alone`: the standard value where one of `others` is set."""
        fields = type(self).model_fields
        is_set = any(getattr(self, other) != fields[other].default for other in others if other in self.standard)
        if is_set and name in self.standard:
            return getattr(type(self)(**{name: self.standard[name]}), name)
        return super().left_alone(name, others)


class EncoderTuning(Options):
    """How the sentence encoder of a retriever is fine-tuned."""

    learning_rate: Grid[Annotated[float, Field(gt=0, lt=1)]] = Field((2e-5, 5e-5), description="one rate or a grid")
    hard_negatives: Grid[NonNegativeInt] = Field(
        (2,), description="passages beside each gold one: those the encoder ranks highest before"
    )
    epochs: float = Field(3.0, gt=0, description="times that all questions are learnt from")
    batch_size: int = Field(32, gt=1, description="pairs of a step; passages of other pairs are negatives too")
    warmup: float = Field(0.1, ge=0, lt=1, description="share of the steps")
    trial_share: float = Field(0.34, gt=0, le=1, description="length of a trial, as a share of the training")


class TrainingOptions(Options):
    """What every part that trains can be told."""

    learning_rate: tuple[float, ...] = Field(
        min_length=1, description="one rate, or a grid to choose from on validation"
    )
    epochs: float = Field(3.0, gt=0, description="times that all training items are learnt from")
    max_steps: int | None = Field(None, gt=0, description="optimizer steps; overrides epochs")
    batch_size: int = Field(32, gt=0, description="examples for each optimizer step")
    weight_decay: float = Field(0.0, ge=0, description="of AdamW")
    warmup: float = Field(0.05, ge=0, lt=1, description="share of the steps")
    schedule: Literal["linear", "cosine", "constant_with_warmup"] = Field(
        "cosine", description="how the learning rate falls after its warm-up"
    )
    max_grad_norm: float | None = Field(1.0, gt=0, description="gradients are clipped to this norm; null: never")
    beta2: float = Field(0.999, gt=0, lt=1, description="AdamW's decay of squared gradients")
    patience: int | None = Field(None, gt=0, description="epochs without a better validation loss before stopping")
    trial_share: float = Field(
        0.25, gt=0, le=1, description="length of a trial of the grid, as a share of the training"
    )
    criterion: Criterion = Field("loss", description=CRITERION)
    augment: Augment = Field(
        "none", description="changes of pictures in training: none, or a list of flip, crop and colour"
    )

    def steps(self, examples: int, share: float = 1.0) -> int:
        """Optimizer steps of `share` of a training on so many examples, at least one."""
        whole = self.max_steps or math.ceil(self.epochs * math.ceil(examples / self.batch_size))
        return max(1, round(whole * share))

    def cost(self, examples: int, trials: int, bytes_per_weight: int = 4) -> LearningCost:
        """What training on so many examples takes, and before it so many shorter ones."""
        epochs = self.max_steps * self.batch_size / max(1, examples) if self.max_steps else self.epochs
        passes = epochs * (1 + trials * self.trial_share)
        answered = epochs + trials * max(1.0, epochs * self.trial_share) if self.criterion == "metric" else 0.0
        return LearningCost(trained=passes, judged=passes, answered=answered, bytes_per_weight=bytes_per_weight)

    @field_validator("learning_rate", mode="before")
    @classmethod
    def _one_or_many(cls, value: object) -> object:
        return _several(value)

    @field_validator("learning_rate")
    @classmethod
    def _positive(cls, value: tuple[float, ...]) -> tuple[float, ...]:
        if not all(0 < rate < 1 for rate in value):
            raise ValueError("every learning rate must lie between 0 and 1")
        return value
