"""The nouns of adaptbench, on one page; imports no torch, so that readers of records stay fast.

A *task* is examples with a prompt and an answer. A *method* is a pair: what it does to the weights × what it puts in
the context. One (model, task, method, seed) is a cell; what it measured is a *record*; a *run* is their directory.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

if TYPE_CHECKING:
    from bench.core.counterfactual import Slot
    from bench.core.prompt import Prompt
    from methods.parts import ContextPart, WeightsPart


@dataclass(frozen=True, slots=True)
class Item:
    """What a method may see of a question: never the answer."""

    id: str  # "<split>/<id in the file>": unique within the task
    fields: Mapping[str, str]
    choices: tuple[str, ...] = ()  # as shown to the model; empty for text tasks


@dataclass(frozen=True, slots=True)
class Example(Item):
    """An item with its answers; `references[0]` is the one that is trained on and shown as solved."""

    references: tuple[str, ...] = ()
    gold: tuple[str, ...] = ()  # ids of the passages that hold the answer
    group: str = ""  # what items belong together by, such as the document they are about; "" for none


@dataclass(frozen=True, slots=True)
class Passage:
    """One document of a corpus."""

    id: str
    text: str
    title: str = ""


@dataclass(frozen=True, slots=True)
class Task:
    """Examples in three splits, a prompt, metrics and, where it has one, a corpus."""

    name: str
    kind: Literal["choice", "text", "prose"]
    prompt: Prompt
    train: tuple[Example, ...]
    validation: tuple[Example, ...]
    test: tuple[Example, ...]
    corpus: tuple[Passage, ...] = ()
    metrics: tuple[str, ...] = ()  # the first is the primary one
    normalise: Literal["none", "tokens", "chars"] = "none"  # of a choice's log-likelihood
    stop: tuple[str, ...] = ("\n\n",)
    max_new_tokens: int = 64
    lowercase: bool = False  # compare text lower-cased
    counterfactuals: tuple[Slot, ...] = ()  # changes of an item that ought not to change its answer
    digest: str = ""  # sha256 over prompt, rows, corpus and decoding: what decides predictions


@dataclass(frozen=True, slots=True)
class Method:
    """A weights part × a context part."""

    name: str
    weights: WeightsPart
    context: ContextPart


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
class Phase:
    """What one phase of a cell cost (tune, train, index, predict, score)."""

    wall_s: float  # with the device synchronised at both ends
    peak_host_bytes: int  # resident set size of the process, its highest during the phase
    peak_device_bytes: int | None = None  # highest allocated during the phase; None without a device
    peak_reserved_bytes: int | None = None  # highest held by the allocator during the phase; None without a device
    joules: float | None = None  # by the hardware's counter; None where there is none that counts
    joules_missing: str = ""  # why there is none
    flops: int | None = (
        None  # worked out from shapes and tokens (bench.meters.flops); None where nothing was multiplied
    )
    reused_s: float = 0.0  # of wall_s: what an earlier cell spent on the vectors that were taken over from it


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
    item_failures: Mapping[str, int] = field(default_factory=dict)  # typed reason -> count
    dropped: Mapping[str, int] = field(default_factory=dict)  # to fit the model's context
    tokens: Mapping[str, int] = field(default_factory=dict)  # prompt, context, output; unpadded
    phases: Mapping[str, Phase] = field(default_factory=dict)
    tuning: Mapping[str, Any] = field(default_factory=dict)  # the search for its options, see bench.adapt.tuning.Tuning
    training: Mapping[str, Any] = field(default_factory=dict)
    on_train: Mapping[str, Score] = field(default_factory=dict)  # of a trained method, asked what it was trained on
    retrieval: Mapping[str, float] = field(default_factory=dict)
    latency: Mapping[str, Mapping[str, float]] = field(
        default_factory=dict
    )  # way of serving -> bench.meters.latency.Latency
    flop_check: Mapping[str, Mapping[str, int]] = field(default_factory=dict)  # phase -> see bench.meters.flop_check
    parameters: Mapping[str, int] = field(default_factory=dict)  # total, trained; stored_bytes, index_bytes
    weights_changed: bool | None = None  # whether any weight differs from the base's; None where not looked at
    divergence: float | None = None  # of changed weights from the base on the task's prompts, see bench.cell.divergence
    probes: Mapping[str, Mapping[str, Score]] = field(default_factory=dict)  # of changed weights, by probe task
    counterfactual: Mapping[str, Mapping[str, bool]] = field(default_factory=dict)  # slot -> item -> answer changed?
    curve: list[dict[str, Any]] = field(default_factory=list)  # step, and scores on validation and probes by then
    scaled: list[dict[str, Any]] = field(default_factory=list)  # the same with a share of a LoRA update: scale, scores
    identity: Mapping[str, Any] = field(default_factory=dict)  # what the key is hashed from
    environment: Mapping[str, Any] = field(default_factory=dict)
    schema: int = 1


@dataclass(frozen=True, slots=True)
class Run:
    """A directory of records, in the order of its suite."""

    path: Path
    suite: str
    records: tuple[Record, ...]
    missing: tuple[str, ...] = ()  # cells of the suite without a record
    base: tuple[Record, ...] = ()  # the base models' answers to the probes
    prices: Mapping[str, Any] = field(default_factory=dict)  # what the suite says in place of bench/prices.yaml
    decide: Mapping[str, Any] = field(default_factory=dict)  # what its decision assumes and requires
    task_paths: Mapping[str, str] = field(default_factory=dict)  # task -> bundled name, or folder as seen from `path`
    shard: str = ""  # such as "1/3" where it is a part: cells of other parts are not missing


def derive_seed(*parts: object) -> int:
    """A 63-bit seed hashed from `parts`: the same on every machine, in any order of work."""
    return int.from_bytes(hashlib.sha256("\x1f".join(map(str, parts)).encode()).digest()[:8], "big") >> 1
