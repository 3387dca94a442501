"""Records: what one cell measured, and a run of them. Imports no torch, so that readers stay fast."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal, TypeAlias

from bench.core.identity import Identity, MethodParts
from bench.core.measured import (
    Environment,
    FlopCheck,
    KeptWeights,
    Latency,
    Parameters,
    Resumed,
    SecondStageWork,
    ServedBy,
    Serving,
    SideMeasure,
    TaughtBy,
)
from bench.core.phases import Phase, PhaseName
from bench.core.prompt_search import PromptSearch
from bench.core.refusal import Threshold
from bench.core.training import Training, TunedRetriever, Tuning
from bench.core.values import Count, Strict

SCHEMA: Literal[2] = 2  # of a record on disk; older ones are read by bench.store.upgrade


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
    seed: int  # of everything random in the cell
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
    context_tokens: int = 0  # of these: few-shot examples and passages
    output_tokens: int = 0
    thinking_tokens: int = 0  # of these: thoughts, which are no part of the output
    thinking_truncated: int = 0  # 1 where a thought had come to no end within its budget
    examples_dropped: int = 0  # to fit the model's context
    passages_dropped: int = 0
    passages_truncated: int = 0
    ranking: tuple[str, ...] = ()  # ids retrieved, best first
    cited: tuple[int, ...] = ()  # numbers of the passages that the answer cites, which are no part of the output


@dataclass(frozen=True, slots=True)
class Score(Strict):
    """One metric over all test items; items that failed count as wrong."""

    value: float  # on the metric's own scale
    signature: str = ""  # how it was computed, e.g. sacrebleu's signature


@dataclass(frozen=True, slots=True)
class Failure(Strict):
    """Why a cell has no scores."""

    kind: str  # `kind` of the error class, see bench.core.errors
    message: str  # in a sentence


Scores: TypeAlias = Mapping[str, Score]  # metric -> score, the primary one first


@dataclass(frozen=True, slots=True)
class CheckpointScores(Strict):
    """What the weights of one step of a training scored."""

    step: Count  # optimizer steps so far
    validation: Scores  # on validation items; empty where the task has none
    probes: Mapping[str, Scores]  # by probe task


@dataclass(frozen=True, slots=True)
class ScaledScores(Strict):
    """What the base weights with a share of an adapter's update scored."""

    scale: float  # share of the update
    validation: Scores  # on validation items; empty where the task has none
    probes: Mapping[str, Scores]  # by probe task


# model or task -> name -> what models are known to have seen of the tasks, as suite and tasks say it
Contamination: TypeAlias = Mapping[Literal["model", "task"], Mapping[str, str]]


@dataclass(frozen=True, slots=True)
class Record(Strict):
    """What one cell measured, and all that is needed to measure it again."""

    key: str  # sha256 over the identity
    model: str  # as the suite names it
    task: str  # as the suite names it
    method: str  # as reports name it; of a point of a learning curve with its size
    seed: int  # of everything random in the cell
    status: Literal["ok", "failed"]  # failed: there are no scores, and `failure` says why
    created: str  # when the cell ended: ISO 8601, UTC
    failure: Failure | None = None  # why there are no scores; null where there are
    suite_method: str = ""  # as the suite names it: `method` without the size of a learning curve's point
    train_size: Count | None = None  # training items; null: all
    parts: MethodParts = field(default_factory=MethodParts)  # what the method is made of
    kind: Literal["choice", "text", "prose", ""] = ""  # the task's kind
    ranked_by: str = ""  # the rule that ranked choices, and whether with the EOS token; or a reader; "" for other kinds
    questions: str = ""  # sha256 over prompt, decoding and test items: equal where the same was asked
    scores: Scores = field(default_factory=dict)  # metric -> score over all test items; the first is the primary one
    items: Count = 0  # test items asked
    chance: float | None = None  # share of them that guessing gets right: mean of 1 / choices; null without choices
    item_failures: Mapping[str, Count] = field(default_factory=dict)  # typed reason -> items without an answer
    dropped: Mapping[str, Count] = field(default_factory=dict)  # examples and passages, to fit the model's context
    tokens: Mapping[str, Count] = field(default_factory=dict)  # prompt, context (of these), output; unpadded, all items
    phases: Mapping[PhaseName, Phase] = field(default_factory=dict)  # what each phase of the cell cost
    tuning: Tuning | None = None  # the search for its options; null where nothing was searched for in this cell
    prompt_search: PromptSearch | None = None  # the search for its prompt; null where its prompt is not searched for
    taught: TaughtBy | None = None  # whose answers it learnt from; null where it learnt from labels, or nothing
    training: Training | None = None  # how it learnt; null where it learns nothing from the training split
    on_train: Scores = field(default_factory=dict)  # of a method that learns, on items that it learnt from
    retrieval: Mapping[str, float] = field(default_factory=dict)  # hit@k, recall@k, mrr, ndcg@k; questions: how many
    retriever: TunedRetriever | None = None  # how its encoder was fine-tuned; null where it was not
    second_stage: SecondStageWork | None = None  # of retrieval; null where there is none
    threshold: Threshold | None = None  # of confidence, below which it refuses; null where a task has no refusals
    latency: Mapping[Serving, Latency] = field(default_factory=dict)  # way of serving -> seconds for one item
    flop_check: Mapping[PhaseName, FlopCheck] = field(default_factory=dict)  # phase -> one batch, counted in two ways
    parameters: Parameters | None = None  # sizes; null where nothing was measured
    kept: KeptWeights | None = None  # trained weights, where the suite keeps them; null where it does not
    weights_changed: bool | None = None  # whether any weight differs from the base's; null where not looked at
    divergence: float | None = None  # KL(adapted || base) in nats on the task's prompts; null where not looked at
    probes: Mapping[str, Scores] = field(default_factory=dict)  # probe -> scores of changed weights
    untrained: Mapping[str, Scores] = field(default_factory=dict)  # as `probes`, before training; of who starts changed
    counterfactual: Mapping[str, Mapping[str, bool]] = field(default_factory=dict)  # slot -> item -> answer changed?
    curve: tuple[CheckpointScores, ...] = ()  # scores at checkpoints of the training
    scaled: tuple[ScaledScores, ...] = ()  # scores at shares of an adapter's update
    turned_off: tuple[SideMeasure, ...] = ()  # what the suite asked not to measure
    batch_limits: Mapping[str, Count] = field(
        default_factory=dict
    )  # tokens of a batch, and what memory was found to hold
    over_budget: tuple[str, ...] = ()  # what was not measured because a quarter of the cell was spent
    served: ServedBy | None = None  # where a served model was asked, and what that took; null for others
    resumed: Resumed | None = None  # what was taken over from an attempt that was stopped; null where nothing was
    identity: Identity = field(default_factory=Identity)  # what the key is hashed from
    environment: Environment = field(default_factory=Environment)  # versions and hardware
    schema: Literal[2] = SCHEMA  # version of this format

    @property
    def name(self) -> str:
        """What people read: model, task, method and seed."""
        return cell_name(self.model, self.task, self.method, self.seed)

    @property
    def uses_seed(self) -> bool:
        """Whether another seed could have answered otherwise: something random is in its key, as far as it has one."""
        unknown = self.identity.stage == 0
        return self.identity.seed is not None or (unknown and self.training is not None)

    def wall_s(self, phase: PhaseName) -> float:
        """Wall time of a phase; that of training without the validation losses on its way."""
        aside = (self.training.validation_s or 0.0) if self.training and phase == "train" else 0.0
        return max(0.0, self.phases[phase].wall_s - aside)


@dataclass(frozen=True, slots=True)
class Run:
    """A directory of records, in the order of its suite."""

    path: Path
    suite: str
    records: tuple[Record, ...]
    missing: tuple[CellRef, ...] = ()  # cells of the suite without a record
    base: tuple[Record, ...] = ()  # the base models' answers to the probes
    prices: Mapping[str, object] = field(
        default_factory=dict
    )  # what the suite says in place of bench/config/prices.yaml
    decide: Mapping[str, object] = field(default_factory=dict)  # what its decision assumes and requires
    task_paths: Mapping[str, str] = field(default_factory=dict)  # task -> bundled name, or folder as seen from `path`
    shard: str = ""  # such as "1/3" where it is a part: cells of other parts are not missing
    left_out: tuple[str, ...] = ()  # sentences: methods without cells, as a model is of a kind that they are not for
    contamination: Contamination = field(default_factory=dict)
