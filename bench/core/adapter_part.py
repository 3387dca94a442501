"""A trained part whose update stands apart from the weights: what can be asked of it beside training."""

from __future__ import annotations

from contextlib import AbstractContextManager
from dataclasses import dataclass
from typing import Any, ClassVar, Protocol, runtime_checkable


@dataclass(frozen=True, slots=True)
class Reach:
    """How much of a model's blocks an adapter changes: numbers of entries of matrices."""

    adapted: int
    all: int
    left_out: tuple[str, ...] = ()  # kinds of matrices without an adapter, such as mamba.out_proj, the largest first


@runtime_checkable
class AdapterPart(Protocol):
    """A trained part whose update stands apart from the weights, at least until `finish`."""

    merges: bool  # it does so until `finish` merges it into them
    starts_as_base: ClassVar[bool]  # else probes are asked of what it starts from too

    def scaled(self, model: Any, factor: float) -> AbstractContextManager[None]:
        """While it lasts, `model` uses `factor` of what was trained."""

    def reach(self, model: Any) -> Reach | None:
        """How much of the blocks' matrices has an adapter, of the trained `model`; None: it adapts no matrix."""
