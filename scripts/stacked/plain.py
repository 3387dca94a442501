"""What the plain ways share: padded rows, one pass, copies of a cache by concatenation, batches by length."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any, TypeVar

import torch
from torch import Tensor
from transformers import DynamicCache

from bench.engine.kv_cache import LayerStates

Ids = Sequence[int]
T = TypeVar("T")


@dataclass(frozen=True)
class Technique:
    """A row of a table: what is new in it, how its work is made, and how far its answers may lie from adaptbench's.

    `make` is called with what the stack's module says. `within`: nats of a choice's score, logits by which two tokens
    tie, or nats for each answer token after training; None: it gives other numbers, and is not compared.
    """

    name: str
    make: Callable[..., Any]
    within: float | None
    ours: bool = False  # what adaptbench does, to which the other rows are compared
    keeps: bool = False  # whether memory that is freed stays with the process
    quick: bool = False  # whether products are by oneDNN where that pays (`bench.model.onednn_linear`)


@dataclass
class Limits:
    """What the plain ways are given: the model, its padding id, rows of a fixed batch, tokens of a budgeted one."""

    model: Any
    pad: int
    rows: int
    budget: int

    def progress(self, done: int) -> None:
        """Nothing is shown; a predictor puts its own here."""


def padded(rows: Sequence[Ids], pad: int, device: torch.device) -> tuple[Tensor, Tensor]:
    """Ids and mask [rows, tokens], padded on the left."""
    width = max(map(len, rows))
    ids = torch.tensor([[pad] * (width - len(row)) + list(row) for row in rows], device=device)
    mask = torch.tensor([[0] * (width - len(row)) + [1] * len(row) for row in rows], device=device)
    return ids, mask


def forward(model: Any, ids: Tensor, mask: Tensor, cache: Any = None, keep: int = 0) -> tuple[Tensor, Any]:
    """Logits in fp32 of the last `keep` columns (0: of all) [rows, keep, vocabulary], and the cache.

    `ids` are the last columns of `mask`; what stands before them is in `cache`.
    """
    positions = (mask.cumsum(1) - 1).clamp(min=0)[:, -ids.shape[1] :]
    out = model(input_ids=ids, attention_mask=mask, position_ids=positions, past_key_values=cache, logits_to_keep=keep)
    return out.logits.float(), out.past_key_values


def picked(states: LayerStates, rows: Tensor) -> DynamicCache:
    """A cache of these rows of the states, as transformers keeps it: new tokens are joined on by copying the old."""
    cache = DynamicCache()
    for layer, (keys, values) in enumerate(states):
        cache.update(keys[rows], values[rows], layer)
    return cache


def by_length(rows: Iterable[T], length: Callable[[T], int], budget: int) -> Iterator[list[T]]:
    """Batches of at most `budget` tokens with their padding (one row at least), longest first."""
    batch: list[T] = []
    for row in sorted(rows, key=length, reverse=True):
        if batch and (len(batch) + 1) * length(batch[0]) > budget:
            yield batch
            batch = []
        batch.append(row)
    if batch:
        yield batch


def sliced(rows: Sequence[T], size: int) -> Iterator[Sequence[T]]:
    """Batches of `size` in the order given."""
    return (rows[i : i + size] for i in range(0, len(rows), size))
