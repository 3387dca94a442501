"""The phases of a cell: their names, what they are grouped by, and what one of them cost."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal, TypeAlias

from bench.core.values import Amount, Count, Strict

PhaseName: TypeAlias = Literal[
    "teach",
    "tune",
    "retriever",
    "index",
    "load",
    "prepare",
    "shape",
    "train",
    "overfit",
    "retrieve",
    "rerank",
    "predict",
    "serve",
    "score",
    "count",
    "probe",
]
TEACHING: PhaseName = "teach"  # a teacher's answers to training items, again when labels change
SEARCH: tuple[PhaseName, ...] = ("tune",)  # choosing options, once for a task
PRODUCTION: tuple[PhaseName, ...] = (
    "retriever",
    "index",
    "prepare",
    "load",
    "train",
)  # for each version that is served
ANSWERING: tuple[PhaseName, ...] = ("retrieve", "rerank", "predict")
REFRESH: tuple[PhaseName, ...] = (
    "retriever",
    "index",
    "prepare",
    "train",
)  # done again when documents or labels change
# overhead: evaluations in addition to the test, and timing how a training is best laid out
SIDE: tuple[PhaseName, ...] = ("shape", "overfit", "serve", "count", "probe")


@dataclass(frozen=True, slots=True)
class Phase(Strict):
    """What one phase of a cell cost."""

    wall_s: Amount  # wall time in seconds, with the device synchronised at both ends
    peak_host_bytes: Count  # resident set size of the process, its highest during the phase
    peak_device_bytes: Count | None = None  # highest allocated during the phase; None without a device
    peak_reserved_bytes: Count | None = None  # highest held by the allocator during the phase; None without a device
    joules: Amount | None = None  # by the hardware's counter; None where there is none that counts
    joules_missing: str = ""  # why there is none
    flops: Count | None = None  # from shapes and token counts; None where nothing was multiplied or it is not known
    reused_s: Amount = 0.0  # of wall_s: what an earlier cell spent on the vectors that were taken over from it


def spent(phase: Phase) -> float:
    """Seconds that a phase took in this cell, without those of an earlier one that its cost counts."""
    return phase.wall_s - phase.reused_s
