"""Records: what one cell measured, and a run of them. Imports no torch, so that readers stay fast."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal

from bench.core.phases import Phase, PhaseName
from bench.core.values import Strict

SCHEMA = 1  # of a record on disk; older ones are read by bench.store.upgrade


def cell_name(model: str, task: str, method: str, seed: int) -> str:
    """What people read of a cell."""
    return f"{model} · {task} · {method} · seed {seed}"


@dataclass(frozen=True, slots=True)
class CellRef(Strict):
    """Which cell a folder or a record is of: what the store needs to know of it, and what people read."""

    key: str  # sha256 over what decides the predictions
    model: str  # as reports name it
    task: str  # as reports name it
    method: str  # as reports name it
    seed: int
    is_base: bool = False  # the base model's answers to a probe
    task_path: str = ""  # bundled name or folder of the task, the latter as seen from the run
    suite_method: str = ""  # `method` without the size that tells the points of a learning curve apart
    train_size: int | None = None  # training items; None: all
    elsewhere: bool = False  # measured by another shard

    @property
    def name(self) -> str:
        """What people read: model, task, method and seed."""
        return cell_name(self.model, self.task, self.method, self.seed)

    @property
    def full_name(self) -> str:
        """The name, with what it is where it is no cell of a method."""
        return f"probe of the base model: {self.name}" if self.is_base else self.name

    @property
    def folder(self) -> str:
        """Name of the cell's folder in a run: readable, and unique by the key."""
        text = f"{self.task}.{self.model}.{self.method}.seed{self.seed}"
        return f"{re.sub(r'[^A-Za-z0-9.+=_-]+', '_', text)[:80]}-{self.key[:12]}"


@dataclass(frozen=True, slots=True)
class Prediction:
    """One answer to one item, with what it took."""

    id: str
    output: str = ""
    scores: tuple[float, ...] = ()  # log-likelihood of each choice, nats, fp32
    order: tuple[int, ...] = ()  # places of the choices, the best first, after the task's normalisation
    failure: str | None = None  # typed reason; the item stays in the denominator
    prompt_tokens: int = 0  # unpadded, context included
    context_tokens: int = 0  # of these: worked examples and passages
    output_tokens: int = 0
    examples_dropped: int = 0  # to fit the model's context
    passages_dropped: int = 0
    passages_truncated: int = 0
    ranking: tuple[str, ...] = ()  # ids retrieved, best first


@dataclass(frozen=True, slots=True)
class Score:
    """One metric over all test items; items that failed count as wrong."""

    value: float
    signature: str = ""  # how it was computed, e.g. sacrebleu's signature


@dataclass(frozen=True, slots=True)
class Failure:
    """Why a cell has no scores."""

    kind: str  # `kind` of the error class, see bench.core.errors
    message: str


Options = Mapping[str, Any]
Edge = Literal["lowest", "highest"]


@dataclass(frozen=True, slots=True)
class Judged:
    """What a trial came to. `value` is None where training diverged; `epochs` is None where nothing was trained."""

    options: Options
    value: float | None
    epochs: float | None = None


@dataclass(frozen=True, slots=True)
class Tuning:
    """A search for options: what was tried, by what it was judged, and what was chosen."""

    grid: Mapping[str, Sequence[Any]]
    trials: Sequence[Judged]
    chosen: Options
    criterion: str  # "validation loss", or the task's primary metric
    items: int  # of the validation split, that each trial was judged on
    at_edge: Mapping[str, Edge]  # numbers chosen at an end of their grid


@dataclass(frozen=True, slots=True)
class Record:
    """What one cell measured, and all that is needed to measure it again."""

    key: str  # sha256 over what decides the predictions
    model: str
    task: str
    method: str
    seed: int
    status: Literal["ok", "failed"]
    created: str  # ISO 8601, UTC
    failure: Failure | None = None
    kind: str = ""  # the task's kind
    questions: str = ""  # sha256 over prompt, decoding and test items; "" in older records
    scores: Mapping[str, Score] = field(default_factory=dict)  # the first is the primary one
    items: int = 0  # test items asked
    chance: float | None = None  # share of them that guessing gets right: mean of 1 / choices; None without choices
    item_failures: Mapping[str, int] = field(default_factory=dict)  # typed reason -> count
    dropped: Mapping[str, int] = field(default_factory=dict)  # to fit the model's context
    tokens: Mapping[str, int] = field(default_factory=dict)  # prompt, context, output; unpadded
    phases: Mapping[PhaseName, Phase] = field(default_factory=dict)
    tuning: Mapping[str, Any] = field(default_factory=dict)  # the search for its options, see Tuning
    training: Mapping[str, Any] = field(default_factory=dict)
    on_train: Mapping[str, Score] = field(default_factory=dict)  # of a trained method, asked what it was trained on
    retrieval: Mapping[str, float] = field(default_factory=dict)
    latency: Mapping[str, Mapping[str, float]] = field(
        default_factory=dict
    )  # way of serving -> bench.meters.latency.Latency
    flop_check: Mapping[str, Mapping[str, int]] = field(default_factory=dict)  # phase -> see bench.meters.flop_check
    parameters: Mapping[str, int] = field(default_factory=dict)  # total, trained; stored_bytes, index_bytes; of an
    # adapter block_weights and adapted_weights
    weights_changed: bool | None = None  # whether any weight differs from the base's; None where not looked at
    divergence: float | None = None  # of changed weights from the base on the task's prompts, see bench.cell.divergence
    probes: Mapping[str, Mapping[str, Score]] = field(default_factory=dict)  # of changed weights, by probe task
    counterfactual: Mapping[str, Mapping[str, bool]] = field(default_factory=dict)  # slot -> item -> answer changed?
    curve: list[dict[str, Any]] = field(default_factory=list)  # step, and scores on validation and probes by then
    scaled: list[dict[str, Any]] = field(default_factory=list)  # the same with a share of a LoRA update: scale, scores
    identity: Mapping[str, Any] = field(default_factory=dict)  # what the key is hashed from
    environment: Mapping[str, Any] = field(default_factory=dict)
    schema: int = SCHEMA

    @property
    def name(self) -> str:
        """What people read: model, task, method and seed."""
        return cell_name(self.model, self.task, self.method, self.seed)


@dataclass(frozen=True, slots=True)
class Run:
    """A directory of records, in the order of its suite."""

    path: Path
    suite: str
    records: tuple[Record, ...]
    missing: tuple[CellRef, ...] = ()  # cells of the suite without a record
    base: tuple[Record, ...] = ()  # the base models' answers to the probes
    prices: Mapping[str, Any] = field(default_factory=dict)  # what the suite says in place of bench/prices.yaml
    decide: Mapping[str, Any] = field(default_factory=dict)  # what its decision assumes and requires
    task_paths: Mapping[str, str] = field(default_factory=dict)  # task -> bundled name, or folder as seen from `path`
    shard: str = ""  # such as "1/3" where it is a part: cells of other parts are not missing
