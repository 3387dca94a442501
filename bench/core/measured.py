"""What is measured of a cell besides its scores: latency, operations, sizes; and where it was measured."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from operator import add, sub
from typing import Annotated, Literal, TypeAlias

from pydantic import BeforeValidator

from bench.core.values import Amount, Count, Strict

Serving: TypeAlias = Literal["served", "uncached", "unmerged"]  # as it is served; without prefix cache; adapter apart
SideMeasure: TypeAlias = Literal["latency", "training_items", "flop_check"]  # what a suite can turn off
TAIL_ITEMS = 20  # items timed, below which there is no 95th percentile


@dataclass(frozen=True, slots=True)
class Latency(Strict):
    """Seconds for one item at batch size 1, from its fields to its answer."""

    p50: Amount  # median
    p95: Amount | None  # 95th percentile; None where fewer than 20 items were timed
    retrieval_p50: Amount  # of the median: finding and writing the prompt
    questions: Count | None = None  # items that were timed; None where the record does not say
    second_stage_p50: Amount | None = None  # of retrieval: the median of its second stage; None where there is none


@dataclass(frozen=True, slots=True)
class PairedHits(Strict):
    """Questions with gold passages, by which of two rankings finds one among its first k: with something, or without.

    That is the second stage, or the tuning of the encoder.
    """

    both: Count  # either way
    gained: Count  # with it alone
    lost: Count  # without it alone
    neither: Count  # in no way


@dataclass(frozen=True, slots=True)
class SecondStageWork(Strict):
    """What a second stage of retrieval is made of, and what it changed for the test items."""

    reranker: str = ""  # name of the cross-encoder; "" where there is none
    digest: str = ""  # sha256 of its weights
    parameters: Count = 0  # numbers that it holds
    load_s: Amount = 0.0  # that loading it took; counted in the phase `load`
    pairs: Count = 0  # of a question and a passage, scored in the cell
    first: Mapping[str, float] = field(default_factory=dict)  # the scores of `retrieval`, without the second stage
    hits: Mapping[str, PairedHits] = field(default_factory=dict)  # k -> questions


@dataclass(frozen=True, slots=True)
class Resumed(Strict):
    """What a cell that was stopped took over when it was run again; the phases hold what all of it took."""

    stops: Count  # attempts that were stopped and gone on with
    seconds: Amount  # of the phases' wall time: spent in attempts before on what was taken over
    trials: Count = 0  # of the search for options, that had ended
    step: Count | None = None  # after which the training went on; None where none was under way


@dataclass(frozen=True, slots=True)
class FlopCheck(Strict):
    """Floating-point operations of one real batch, found in two ways."""

    worked_out: Count  # from shapes and token counts
    counted: Count  # by torch


@dataclass(frozen=True, slots=True)
class Parameters(Strict):
    """Sizes of what a method needs; None where the record does not say."""

    total: Count  # parameters of the model that answers
    trained: Count  # of these: that were trained
    stored_bytes: Count | None = None  # of what was trained, in the precision it answers with
    index_bytes: Count | None = None  # of the retrieval index
    block_weights: Count | None = None  # weights of the blocks' matrices; null where no adapter stands beside them
    adapted_weights: Count | None = None  # of these: that an adapter stands beside
    unadapted: tuple[str, ...] = ()  # kinds of the others, such as mamba.out_proj, the largest first


@dataclass(frozen=True, slots=True)
class KeptWeights(Strict):
    """What was trained, as files beside the record; a run that keeps its winner's alone may have removed them since."""

    digest: str  # sha256 over the names and contents of the files
    stored_bytes: Count  # of the files


@dataclass(frozen=True, slots=True)
class Environment(Strict):
    """Versions and hardware; "" or null where the record does not say."""

    adaptbench: str = ""  # version
    python: str = ""  # version
    system: str = ""  # operating system, such as Linux
    machine: str = ""  # instruction set, such as x86_64
    packages: Mapping[str, str | None] = field(default_factory=dict)  # name -> version; null: not installed
    device: str = ""  # cpu or cuda
    device_name: str = ""  # model of the processor or GPU
    cuda: str = ""  # version that torch was built for; "" on a CPU, here and below
    driver: str = ""  # version of the GPU's driver
    products: str = ""  # what computes matrix products: oneDNN or torch
    bf16: str = ""  # on a CPU: why `dtype: auto` is bfloat16 there, or is not
    cpu_count: Count | None = None  # logical processors
    threads: Count | None = None  # of torch
    gpus: Count = 1  # that the cell had: one for each rank; on a CPU it has none, and this is 1
    cells_at_once: Count = 1  # measured on the machine at the same time, at most: they share its cores and memory
    boot: str | None = None  # tells a running machine from others, and from itself before it was started anew

    @property
    def platform(self) -> str:
        """Operating system and instruction set."""
        return f"{self.system} {self.machine}".strip()


@dataclass(frozen=True, slots=True)
class TokensUsed(Strict):
    """Tokens of requests to an endpoint, as it says."""

    requests: Count = 0  # each answered once, whether now or in an earlier cell of the run
    prompt: Count = 0  # tokens, those from the server's cache included
    cached: Count = 0  # of these: from the server's cache
    output: Count = 0  # tokens, thoughts included
    unmetered: Count = 0  # requests without a usage that can be right: their tokens are estimates from characters

    def __add__(self, other: TokensUsed) -> TokensUsed:
        return TokensUsed(*map(add, self.numbers, other.numbers))

    def __sub__(self, other: TokensUsed) -> TokensUsed:
        return TokensUsed(*map(sub, self.numbers, other.numbers))

    @property
    def numbers(self) -> tuple[int, ...]:
        """The fields, in their order."""
        return self.requests, self.prompt, self.cached, self.output, self.unmetered

    @property
    def tokens(self) -> int:
        """Of prompts and answers."""
        return self.prompt + self.output


@dataclass(frozen=True, slots=True)
class TokenPrices(Strict):
    """Money for a million tokens, in the currency of the suite's prices."""

    input: Amount  # of prompts
    output: Amount  # generated, thoughts included
    cached_input: Amount | None = None  # of the server's cache; null: as input
    date: Annotated[str, BeforeValidator(str)] = ""  # the day they were looked up: ISO 8601

    def money(self, used: TokensUsed) -> float:
        """What requests cost."""
        cached = self.input if self.cached_input is None else self.cached_input
        fresh = used.prompt - used.cached
        return (fresh * self.input + used.cached * cached + used.output * self.output) / 1e6


@dataclass(frozen=True, slots=True)
class TaughtBy(Strict):
    """The teacher whose answers a method learnt from, and what they took."""

    model: str  # as the suite names it
    digest: str  # of the model, or of the endpoint's settings
    unlabelled: bool  # its answers to items without labels joined the training items; else they took the labels' place
    items: Count  # that it was asked
    failures: Mapping[str, Count]  # typed reason -> items without an answer, which nothing was learnt from
    prompt_tokens: Count  # of all items
    output_tokens: Count  # of all items
    metric: str = ""  # the task's primary one; "" where no item has a label
    agreement: float | None = None  # its value of the answers against the labels, of the answered items that have one
    base_url: str = ""  # of an endpoint: its address, here and below
    reader: str = ""  # how choices were read
    stays: bool = True  # what it was asked left this machine for no other
    used: TokensUsed | None = None  # null for a model on this machine
    price: TokenPrices | None = None  # null where the suite gives none


@dataclass(frozen=True, slots=True)
class ServedBy(Strict):
    """The endpoint of a served model, and how its answers were read."""

    base_url: str  # its address, up to /v1
    model: str  # as its answers name it; "" where they name none
    reader: str  # decisions, systemone, echo, schema, generation
    conversation: bool  # prompts as turns; else as plain text
    stays: bool  # on this machine: what is asked leaves it for no other
    at_once: Count | None = None  # choices of one question; null: all
    dropped: tuple[str, ...] = ()  # better readers, and why they were not taken
    used: Mapping[str, TokensUsed] = field(default_factory=dict)  # by phase
    price: TokenPrices | None = None  # null where the suite gives none
    repeated: Count = 0  # items that were asked twice
    changed: Count = 0  # of these: answered otherwise the second time
