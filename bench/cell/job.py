"""What the process of a cell is told, as a file that repeats the cell."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal

from bench.core.identity import Identity
from bench.core.measured import SideMeasure
from bench.core.prompt_search import FoundPrompt
from bench.model.resolve import ResolvedModel

Message = dict[str, Any]


@dataclass(frozen=True)
class Job:
    """What a worker is told: everything, so that a job file repeats a cell."""

    key: str
    identity: Identity
    model: dict[str, Any]
    task: str
    limit: int | None
    train_size: int | None
    probes: list[str]
    probe_limit: int | None
    counterfactuals: int
    checkpoints: int
    adapter_scales: list[float]
    method: str
    options: dict[str, Any]
    trials: int
    chosen: dict[str, Any] | None  # of the options, on the suite's first seed; None: to be chosen here
    label: str
    suite_method: str  # `label` without the size of a learning curve's point
    seed: int
    embedder: str
    device: str
    batch_tokens: int | None
    train_tokens: int | None
    batch_size: int | None
    out: str
    micro_batch: int | Literal["auto", "width"] = "auto"  # rows that are trained on at once
    ranks: int = 1  # processes that share a training, on a device each
    turned_off: list[SideMeasure] = field(default_factory=list)  # not to be measured
    cells_at_once: int = 1  # on this machine, this one included
    times_tail: bool = False  # enough items are timed for a 95th percentile, however long that takes
    reflector: dict[str, Any] | None = None  # the model that writes instructions; None: the one that answers
    found: FoundPrompt | None = None  # of its context part, by an earlier search; None: to be searched for here
    keeps_weights: bool = False  # writes what was trained beside the record
    joins_validation: bool = False  # learns from the validation split too, which then judges nothing
    vectors: str | None = None  # where vectors of documents are kept; None: nowhere
    teacher: dict[str, Any] | None = None  # the model whose answers are learnt from; None: labels are
    unlabelled: str | None = None  # a file with the items that it answers; None: those of the training split
    taught: str | None = None  # where its answers are kept; None: nowhere
    unfinished: str | None = None  # where what is done so far outlives this process; None: nowhere
    answers: str | None = None  # where answers of endpoints are kept; None: in the cell's folder

    @property
    def resolved(self) -> ResolvedModel:
        """The model, in the precision that the key names: `auto` was settled before the run began."""
        auto = self.identity.surroundings.auto_dtype
        dtype = auto if auto and self.model["dtype"] == "auto" else self.model["dtype"]
        return ResolvedModel(**{**self.model, "folder": Path(self.model["folder"]), "dtype": dtype})
