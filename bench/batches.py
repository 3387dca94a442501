"""(prompt, answer) pairs as the batches of a training: their order, and their padding.

Sequences are padded on the left, so all answers end in the last column and the language-model head needs to run on
the last few positions alone.
"""

from __future__ import annotations

import random
from collections.abc import Iterator, Sequence
from typing import Any

import torch
from torch import Tensor
from torch.utils.data import Dataset, Sampler

from bench.nouns import derive_seed

IGNORED = -100  # label of a position that is not part of an answer (torch's cross_entropy convention)
Pair = tuple[Sequence[int], Sequence[int]]  # (prompt ids, answer ids)


class Pairs(Dataset[dict[str, Any]]):
    """(prompt, answer) pairs as the Trainer reads them."""

    def __init__(self, pairs: Sequence[Pair]) -> None:
        self.rows: list[dict[str, Any]] = [
            {"input_ids": [*prompt, *answer], "answer": len(answer)} for prompt, answer in pairs
        ]

    def __len__(self) -> int:
        return len(self.rows)

    def __getitem__(self, index: int) -> dict[str, Any]:
        return self.rows[index]


class LengthGroups(Sampler[int]):
    """Batches of rows of about equal length, in random order.

    Each epoch the rows are shuffled and cut into pools of `POOL` batches; a pool is sorted by length and cut into
    batches; then all batches are shuffled. (The Trainer's own grouping leaves each pool in falling order of length,
    so that every pool ends on its shortest texts; docs/decisions has what that costs.)
    """

    POOL = 16

    def __init__(self, lengths: Sequence[int], batch_size: int, seed: int) -> None:
        self.lengths = lengths
        self.batch_size = batch_size
        self.seed = seed
        self.epoch = 0

    def __len__(self) -> int:
        return len(self.lengths)

    def __iter__(self) -> Iterator[int]:
        rng = random.Random(derive_seed("order", self.seed, self.epoch))
        self.epoch += 1
        rows = rng.sample(range(len(self)), len(self))
        size = self.POOL * self.batch_size
        pools = (sorted(rows[i : i + size], key=lambda row: self.lengths[row]) for i in range(0, len(rows), size))
        batches = [pool[i : i + self.batch_size] for pool in pools for i in range(0, len(pool), self.batch_size)]
        whole = [batch for batch in batches if len(batch) == self.batch_size]
        rng.shuffle(whole)  # a short batch stays last: before others it would shift them all
        short = [row for batch in batches if len(batch) < self.batch_size for row in batch]
        return iter([row for batch in whole for row in batch] + short)


def micro_batch(batch_size: int, pairs: Sequence[Pair], tokens: int) -> int:
    """Rows of a micro-batch: the most that divide `batch_size` and hold `tokens` at most, all as long as the longest.

    A batch is cut into micro-batches of this size, whose gradients are added up: its size and its loss stay.
    """
    longest = max(len(prompt) + len(answer) for prompt, answer in pairs)
    fits = max(1, tokens // longest)
    return max(n for n in range(1, batch_size + 1) if batch_size % n == 0 and n <= fits)


def collate(rows: Sequence[dict[str, Any]], pad: int) -> dict[str, Tensor]:
    """Left-padded batch: ids, mask and positions [rows, tokens], labels of the last columns [rows, answer + 1]."""
    width = max(len(row["input_ids"]) for row in rows)
    keep = max(row["answer"] for row in rows) + 1
    ids = torch.full((len(rows), width), pad)
    mask = torch.zeros((len(rows), width), dtype=torch.long)
    labels = torch.full((len(rows), keep), IGNORED)
    for i, row in enumerate(rows):
        tokens = torch.tensor(row["input_ids"])
        ids[i, -len(tokens) :] = tokens
        mask[i, -len(tokens) :] = 1
        labels[i, keep - row["answer"] :] = tokens[-row["answer"] :]
    positions = (mask.cumsum(1) - 1).clamp(min=0)
    return {"input_ids": ids, "attention_mask": mask, "position_ids": positions, "labels": labels}
