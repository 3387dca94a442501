"""What training, and the search for a method's options, came to."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Literal, TypeAlias

from bench.core.measured import PairedHits
from bench.core.values import Amount, Count, OptionValue, Strict

Options: TypeAlias = Mapping[str, OptionValue]
Edge: TypeAlias = Literal["lowest", "highest"]
Curve: TypeAlias = tuple[tuple[int, float], ...]  # (step, value)


@dataclass(frozen=True, slots=True)
class BatchWork(Strict):
    """How much is computed of batches: padding is not in it."""

    tokens: Count = 0  # fed
    predicted: Count = 0  # answer tokens: those with logits
    beside: Count = 0  # pairs of a token with one of its own row, itself included

    def __add__(self, other: BatchWork) -> BatchWork:
        return BatchWork(self.tokens + other.tokens, self.predicted + other.predicted, self.beside + other.beside)


@dataclass(frozen=True, slots=True)
class RankCosts(Strict):
    """The processes that shared a training, each with a device of its own, or all on the CPU."""

    count: Count  # processes that shared the training
    host_bytes: Count  # resident set size, its highest, of the rank with the most
    host_bytes_in_all: Count  # the sum over ranks
    device_bytes: Count | None = None  # highest allocated, of the rank with the most; None without a device
    device_bytes_in_all: Count | None = None  # the sum over ranks

    @classmethod
    def of(cls, ranks: Sequence[RankCosts]) -> RankCosts:
        """The costs of all, from those of each."""
        host, device = [each.host_bytes for each in ranks], [each.device_bytes or 0 for each in ranks]
        beside = (max(device), sum(device)) if any(device) else (None, None)
        return cls(len(ranks), max(host), sum(host), *beside)


@dataclass(frozen=True, slots=True)
class Losses(Strict):
    """Loss of the weights that are kept, nats, on a sample of each split; None without validation."""

    train: float | None = None  # on training examples
    validation: float | None = None  # on validation examples
    gap: float | None = None  # validation less train: the overfitting measure

    @classmethod
    def of(cls, train: float | None, validation: float | None) -> Losses:
        """Both losses with their gap."""
        return cls(train, validation, None if train is None or validation is None else validation - train)


@dataclass(frozen=True, slots=True)
class StepSeconds(Strict):
    """Seconds of the parts of an optimizer step, means over some of the first steps."""

    steps: Count  # that were timed
    data: float  # getting the batch
    forward: float  # the model's outputs and the loss
    backward: float  # gradients
    optimizer: float  # the update
    other: float  # clipping, the schedule, the library's own work


@dataclass(frozen=True, slots=True)
class TriedShape(Strict):
    """A shape of micro-batches that was timed."""

    rows: Count  # at once
    packed: bool  # in one line, behind the beginning that they share
    times_as_fast: Amount  # as the shape by the rule for the model's width; 0: memory did not hold it


@dataclass(frozen=True, slots=True)
class ShapeTrial(Strict):
    """A timed trial of shapes before a training."""

    tried: tuple[TriedShape, ...]  # in the order they were timed; the first is the one by width
    wall_s: Amount  # 0 where the machine had made it before


@dataclass(frozen=True, slots=True)
class Training(Strict):
    """How a method learnt. Losses are nats for each answer token; None: it has no such thing."""

    rate: float | None = None  # learning rate
    steps: Count | None = None  # optimizer steps
    epochs: Amount | None = None  # passes over the examples
    tokens: Count = 0  # prompt and answer tokens seen, unpadded
    train_loss: Curve = ()  # (step, mean loss since the point before)
    validation_loss: Curve = ()  # (step, loss)
    best_validation_loss: float | None = None  # of the weights that are kept
    best_step: Count | None = None  # of the weights that are kept
    validation_s: Amount | None = None  # of the wall time of training: validation losses on its way
    micro_batch: Count | None = None  # examples computed at once
    checkpointing: bool = False  # activations were recomputed to save memory
    packed: bool = False  # rows in one line, behind the beginning that they share
    shape_trial: ShapeTrial | None = None  # of micro-batches; None: by the model's width, or as the suite says
    work: BatchWork | None = None  # what the batches took
    step_seconds: StepSeconds | None = None  # None for a short training
    loss: Losses = field(default_factory=Losses)  # train and validation loss, and their gap
    examples: Count = 0  # that were learnt from
    examples_too_long: Count = 0  # left out because they do not fit the model's context
    validation_metric: Curve = ()  # (step, score of the answers to validation items), where the epoch is chosen by it
    best_validation_metric: float | None = None  # of the weights that are kept
    ranks: RankCosts | None = None  # None: one process trained
    metric_s: Amount | None = None  # what those answers took; counted in the phase `tune`


@dataclass(frozen=True, slots=True)
class Judged(Strict):
    """What a trial came to."""

    options: Options  # that were tried
    value: float | None  # of the criterion; None where training diverged
    epochs: Amount | None = None  # None where nothing was trained
    loss: float | None = None  # on validation items, where the value is a score: it decides between equal ones
    tokens: Count = 0  # through the model, unpadded: trained on, judged, answered; of all folds
    rung: Count = 0  # of successive halving, from 1; 0: every trial has the same length


@dataclass(frozen=True, slots=True)
class TunedRetriever(Strict):
    """The sentence encoder of a retriever, fine-tuned on questions and their gold passages; phase `retriever`."""

    encoder: str  # name of what it was before
    digest: str  # sha256 of the weights that are kept
    pairs: Count  # of a question and a gold passage, learnt from
    parameters: Count  # numbers that were trained
    stored_bytes: Count  # of the weights that are kept
    training: Training  # its validation metric is MRR; step 0 is the encoder as it was
    tuning: Tuning | None = None  # the search for its options; null where there was nothing to choose
    untuned: Mapping[str, float] = field(default_factory=dict)  # the scores of `retrieval`, by the encoder as it was
    hits: Mapping[str, PairedHits] = field(default_factory=dict)  # k -> test questions, tuned and untuned


@dataclass(frozen=True, slots=True)
class Tuning(Strict):
    """A search for options: what was tried, by what it was judged, and what was chosen."""

    grid: Mapping[str, tuple[OptionValue, ...]]  # option -> its values
    trials: tuple[Judged, ...]  # in the order they were made
    chosen: Options  # the best trial's
    criterion: str  # "validation loss", or the task's primary metric
    items: Count  # of the validation split, that each trial was judged on
    at_edge: Mapping[str, Edge]  # numbers chosen at an end of their grid
    folds: Count = 0  # of train and validation together, each judged on once; 0: the validation split was
    budget: Amount | None = None  # of all trials, in trainings of the method; None: each is `trial_share` of one
