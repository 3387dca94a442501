"""What a method file provides: a weights part or a context part, and what each is handed.

A part never imports torch at module level and never sees a task's test labels.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Annotated, Any, ClassVar, Literal, Protocol, TypeVar

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, PlainSerializer, field_validator, model_validator

from bench.core.nouns import Example, Item, Passage

if TYPE_CHECKING:
    from bench.core.nouns import Task
    from bench.core.prompt import Prompt


@dataclass(frozen=True, slots=True)
class Block:
    """A piece of a prompt that can be dropped whole: a worked example or a passage."""

    kind: Literal["example", "passage"]
    source: str  # id of the example or passage
    text: str  # rendered, with its trailing blank line


@dataclass(frozen=True, slots=True)
class Evidence:
    """What a context part found for one item: blocks, best first, and the full ranking of ids."""

    blocks: tuple[Block, ...] = ()
    ranking: tuple[str, ...] = ()


class Search(Protocol):
    """An index over texts. `search` gives, for each query, document positions, best first."""

    @property
    def nbytes(self) -> int:
        """Bytes that the index takes, without the texts."""

    def search(self, queries: Sequence[str], depth: int) -> list[list[int]]: ...


class Indexer(Protocol):
    """Builds a `Search`; handed to methods by the harness, which meters and configures it."""

    def __call__(self, retriever: str, documents: Sequence[str]) -> Search: ...


@dataclass(frozen=True, slots=True)
class Material:
    """All that a method is handed of a task. Test labels are not in it."""

    task: str
    prompt: Prompt
    train: tuple[Example, ...]
    validation: tuple[Example, ...]
    corpus: tuple[Passage, ...]
    seed: int
    index: Indexer
    gold: Mapping[str, tuple[str, ...]] = field(default_factory=dict)  # filled only for controls


class Context(Protocol):
    """A context part, built for one task: blocks shared by every item, and blocks for each item."""

    @property
    def shared(self) -> tuple[Block, ...]:
        """Blocks of every prompt; the last is dropped first where they do not all fit."""

    @property
    def token_budget(self) -> int | None:
        """Tokens for the blocks of one item; None: what the model's context leaves."""

    def find(self, items: Sequence[Item]) -> list[Evidence]: ...


class Options(BaseModel):
    """Options of a part, as a suite may set them. Unknown keys are errors."""

    model_config = ConfigDict(extra="forbid", frozen=True)


T = TypeVar("T")


def _several(value: object) -> object:
    return tuple(value) if isinstance(value, list | tuple) else (value,)


def _plain(values: tuple[T, ...]) -> T | list[T]:
    return values[0] if len(values) == 1 else list(values)


# One value, or several to choose from on validation; written down as a value where there is one.
Grid = Annotated[tuple[T, ...], BeforeValidator(_several), Field(min_length=1), PlainSerializer(_plain)]


def only(values: tuple[T, ...]) -> T:
    """The value of an option that has been chosen; raises ValueError where several are left."""
    [value] = values
    return value


class ContextOptions(Options):
    """Options of a context part. Left alone, those in `standard` have several values, to choose from on validation.

    Where one of them is set, the others take their standard value: who says k means that k and no search.
    """

    standard: ClassVar[Mapping[str, Any]] = {}

    @model_validator(mode="before")
    @classmethod
    def _settled(cls, given: dict[str, Any]) -> dict[str, Any]:
        return {**cls.standard, **given} if cls.standard.keys() & given.keys() else given


class TrainingOptions(Options):
    """What every part that trains can be told."""

    learning_rate: tuple[float, ...] = Field(
        min_length=1, description="one rate, or a grid to choose from on validation"
    )
    epochs: float = Field(3.0, gt=0)
    max_steps: int | None = Field(None, gt=0, description="optimizer steps; overrides epochs")
    batch_size: int = Field(32, gt=0, description="examples for each optimizer step")
    weight_decay: float = Field(0.0, ge=0)
    warmup: float = Field(0.05, ge=0, lt=1, description="share of the steps")
    schedule: Literal["linear", "cosine", "constant_with_warmup"] = "cosine"
    max_grad_norm: float | None = Field(1.0, gt=0, description="gradients are clipped to this norm; null: never")
    beta2: float = Field(0.999, gt=0, lt=1, description="AdamW's decay of squared gradients")
    patience: int | None = Field(None, gt=0, description="epochs without a better validation loss before stopping")
    trial_share: float = Field(
        0.25, gt=0, le=1, description="length of a trial of the grid, as a share of the training"
    )

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


class WeightsPart(Protocol):
    """What a method does to the weights."""

    name: ClassVar[str]
    trains: ClassVar[bool]  # moves weights by gradients
    classifies: ClassVar[bool]  # puts a classifier in the place of the output matrix
    full_precision: ClassVar[bool]  # trains the base weights: they are held in fp32 while it does
    merges: ClassVar[bool]  # what it trains stands beside the weights until `finish` merges it; it has `scaled` then
    Options: ClassVar[type[Options]]
    options: Any

    def requires(self, task: Task) -> str | None:
        """Why this part cannot work on `task`, or None."""

    def start(self, model: Any, seed: int) -> Any:
        """The `torch.nn.Module` to train, from the base model."""

    def finish(self, model: Any) -> Any:
        """The `torch.nn.Module` to predict with, from the trained one."""


def learns(part: WeightsPart) -> bool:
    """Whether a part learns from the training split, by gradients or by fitting a classifier."""
    return part.trains or part.classifies


def needs_train(name: str, task: Task) -> str | None:
    """What the part `name` says, which learns from the training split."""
    return None if task.train else f"{name} needs a train split"


class ContextPart(Protocol):
    """What a method puts in the context."""

    name: ClassVar[str]
    Options: ClassVar[type[Options]]
    options: Any
    uses_seed: bool
    retrieves: bool  # builds an index: its predictions depend on the sentence embedder
    sees_gold: bool  # a control: is handed the gold passage ids of the test items

    def requires(self, task: Task) -> str | None:
        """Why this part cannot work on `task`, or None."""

    def reads_train(self, task: Task) -> bool:
        """Whether what it puts in the context comes from the training split."""

    def build(self, material: Material) -> Context:
        """Draw examples, build indexes: all that is done once for a (task, seed)."""
