"""(prompt, answer) pairs as the batches of a training: their order, and how they are laid out.

Where a model allows it (`bench.training.loss`), rows stand one after the other in one line, behind the beginning that
they share: nothing is padded, and the beginning is computed once for a batch, not once for a row. Otherwise they are
padded on the left, so all answers end in the last column and the language-model head needs to run on the last few
positions alone; or, where padding before a row changes its loss, on the right, where no token of the row sees it.
The last token of an answer is not fed: nothing comes after it.
"""

from __future__ import annotations

import random
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import Any

import torch
from torch.nn.utils.rnn import pad_sequence
from torch.utils.data import Dataset, Sampler

from bench.core.hashing import derive_seed
from bench.core.training import BatchWork

IGNORED = -100  # label of a position that is not part of an answer (torch's cross_entropy convention)
Pair = tuple[Sequence[int], Sequence[int]]  # (prompt ids, answer ids)


class Arrangement(StrEnum):
    """How the rows of a batch stand, the cheapest first."""

    PACKED = "in one line behind what they share"
    LEFT = "padded on the left"
    RIGHT = "padded on the right"
    LABELLED = "padded on the right, with one label for each row"  # of a classifier: its answer is no token
    APART = "prompts for the encoder and answers for the decoder, both padded on the right"


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
    so that every pool ends on its shortest texts; decision 10 has what that costs.)
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
    return divisor(batch_size, tokens // longest)


def divisor(batch_size: int, most: int) -> int:
    """The largest divisor of `batch_size` that is not above `most`; 1 at least."""
    return max(n for n in range(1, batch_size + 1) if batch_size % n == 0 and n <= max(1, most))


@dataclass(frozen=True, slots=True)
class Layout:
    """Where the rows of a batch stand, in tokens that are fed."""

    own: tuple[int, ...]  # of each row, after what is shared
    predicted: int  # answer tokens
    packed: bool = False
    shared: int = 0  # at the start of the line
    filler: int = 0  # at its end, for a round length

    @property
    def work(self) -> BatchWork:
        """What the batch takes."""
        tokens, shared = self.shared + sum(self.own), self.shared
        return BatchWork(tokens, self.predicted, shared**2 + sum(own * (shared + own) for own in self.own))


def laid_out(rows: Sequence[dict[str, Any]], packed: bool) -> Layout:
    """How rows of `Pairs` are laid out."""
    shared = _shared(rows) if packed else 0
    own = tuple(len(row["input_ids"]) - 1 - shared for row in rows)
    filler = _filler(shared + sum(own)) if packed else 0
    return Layout(own, sum(row["answer"] for row in rows), packed, shared, filler)


def _filler(tokens: int) -> int:
    """Tokens up to the next of few numbers, 16 to a doubling: for every new one, products are set up anew."""
    return -tokens % (1 << max(0, tokens.bit_length() - 5))


def collate(rows: Sequence[dict[str, Any]], pad: int, arrangement: Arrangement = Arrangement.LEFT) -> dict[str, Any]:
    """A batch of rows of `Pairs`, with its `layout`.

    Apart: the prompts' ids and mask [rows, tokens], and the answers as labels [rows, tokens of an answer].
    Padded: ids, mask and positions [rows, tokens] (on the right ids alone), labels [rows, columns] of the columns that
    predict an answer of any row. Labelled: ids and mask [rows, tokens], labels [rows]. Packed: ids and positions
    [1, tokens], labels [answer tokens, and a few ignored], and the places of the line that predict them.
    """
    if arrangement in _PADDED_BEHIND:
        return {"layout": laid_out(rows, packed=False), **_PADDED_BEHIND[arrangement](rows, pad)}
    layout = laid_out(rows, arrangement is Arrangement.PACKED)
    return {"layout": layout, **(_packed(rows, layout) if layout.packed else _padded(rows, pad))}


def _shared(rows: Sequence[dict[str, Any]]) -> int:
    """Tokens that all prompts begin with."""
    prompts = [row["input_ids"][: -row["answer"]] for row in rows]
    first, last = min(prompts), max(prompts)  # in order of their tokens: what these two share, all do
    alike = (a == b for a, b in zip(first, last, strict=False))
    return next((place for place, same in enumerate(alike) if not same), min(len(first), len(last)))


def _packed(rows: Sequence[dict[str, Any]], layout: Layout) -> dict[str, Any]:
    ids, labels, places = list(rows[0]["input_ids"][: layout.shared]), [], []
    positions = list(range(layout.shared))
    for row, own in zip(rows, layout.own, strict=True):
        # a prompt without tokens of its own ends where the shared beginning does
        behind = own - row["answer"] + 1
        places.append(len(ids) + behind - 1 if behind else layout.shared - 1)
        places += range(len(ids) + behind, len(ids) + own)
        ids += row["input_ids"][layout.shared : -1]
        positions += range(layout.shared, layout.shared + own)
        labels += row["input_ids"][-row["answer"] :]
    unread = _filler(len(labels))
    return {
        "input_ids": torch.tensor([ids + ids[:1] * layout.filler]),
        "position_ids": torch.tensor([positions + [0] * layout.filler]),
        "labels": torch.tensor(labels + [IGNORED] * unread),
        "logits_to_keep": torch.tensor(places + [0] * unread),
    }


def _padded(rows: Sequence[dict[str, Any]], pad: int) -> dict[str, Any]:
    """Padded on the left."""
    fed = [torch.tensor(row["input_ids"][:-1]) for row in rows]
    answers = [torch.tensor(row["input_ids"][-row["answer"] :]) for row in rows]
    mask = pad_sequence([torch.ones_like(ids) for ids in fed], batch_first=True, padding_side="left")
    labels = pad_sequence(answers, batch_first=True, padding_value=IGNORED, padding_side="left")
    return {
        "input_ids": pad_sequence(fed, batch_first=True, padding_value=pad, padding_side="left"),
        "attention_mask": mask,
        "position_ids": (mask.cumsum(1) - 1).clamp(min=0),
        "labels": labels,
        "logits_to_keep": labels.shape[1],
    }


def _padded_behind(rows: Sequence[dict[str, Any]], pad: int) -> dict[str, Any]:
    """Padded on the right."""
    fed, labels = [], []
    for row in rows:
        ids, before = row["input_ids"], len(row["input_ids"]) - 1 - row["answer"]
        fed.append(torch.tensor(ids[:-1]))
        labels.append(torch.tensor([IGNORED] * before + ids[before + 1 :]))
    first = min(len(row["input_ids"]) - 1 - row["answer"] for row in rows)  # column that predicts an answer
    columns = pad_sequence(labels, batch_first=True, padding_value=IGNORED)[:, first:]
    return {
        "input_ids": pad_sequence(fed, batch_first=True, padding_value=pad),
        "labels": columns,
        "logits_to_keep": columns.shape[1],
    }


def _labelled(rows: Sequence[dict[str, Any]], pad: int) -> dict[str, Any]:
    """Ids and mask [rows, tokens], labels [rows]: the number of the label is what stands as the answer."""
    texts = [torch.tensor(row["input_ids"][:-1]) for row in rows]
    return {
        "input_ids": pad_sequence(texts, batch_first=True, padding_value=pad),
        "attention_mask": pad_sequence([torch.ones_like(ids) for ids in texts], batch_first=True),
        "labels": torch.tensor([row["input_ids"][-1] for row in rows]),
    }


def _padded_apart(rows: Sequence[dict[str, Any]], pad: int) -> dict[str, Any]:
    """Prompts and answers padded on the right."""
    prompts, answers = [], []
    for row in rows:
        before = len(row["input_ids"]) - row["answer"]
        prompts.append(torch.tensor(row["input_ids"][:before]))
        answers.append(torch.tensor(row["input_ids"][before:]))
    return {
        "input_ids": pad_sequence(prompts, batch_first=True, padding_value=pad),
        "attention_mask": pad_sequence([torch.ones_like(ids) for ids in prompts], batch_first=True),
        "labels": pad_sequence(answers, batch_first=True, padding_value=IGNORED),
    }


_PADDED_BEHIND = {
    Arrangement.RIGHT: _padded_behind,
    Arrangement.LABELLED: _labelled,
    Arrangement.APART: _padded_apart,
}
