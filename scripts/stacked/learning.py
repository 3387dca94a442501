"""Training: from a plain loop to `bench.training.trainer.train`.

Every way takes the same number of steps, of the same size, with the same rate, schedule and clipping; and from the
second on the same batches, so that their losses are equal up to rounding. A step's loss is the sum over its answer
tokens divided by those of an average step, as in `bench.training.trainer`: other batches then weigh an
example no differently.
"""

from __future__ import annotations

import random
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor
from transformers import get_scheduler

from bench.training.arguments import Setting
from bench.training.batches import IGNORED, LengthGroups, Pair, Pairs, collate
from bench.training.loss import on, summed_loss
from bench.training.trainer import train
from scripts.stacked.plain import Technique


@dataclass
class Shuffled:
    """A loop as one would write it: batches at random, the library's own loss over all positions, AdamW's defaults."""

    model: Any
    pairs: Sequence[Pair]
    setting: Setting

    def train(self) -> Any:
        """Take the steps; returns the trained model."""
        model, options = self.model, self.setting.options
        steps = options.max_steps or 1
        optimizer = self.optimizer([weight for weight in model.parameters() if weight.requires_grad])
        schedule = get_scheduler(options.schedule, optimizer, int(options.warmup * steps), steps)
        rows = Pairs(self.pairs).rows
        average = options.batch_size * sum(row["answer"] for row in rows) / len(rows)
        batches = self.batches(rows)
        model.train()
        for _ in range(steps):
            for rows_at_once in self.pieces(next(batches)):
                (self.loss(rows_at_once) / average).backward()
            if options.max_grad_norm:
                torch.nn.utils.clip_grad_norm_(model.parameters(), options.max_grad_norm)
            optimizer.step()
            schedule.step()
            optimizer.zero_grad()
        return model.eval()

    def optimizer(self, weights: list[Any]) -> torch.optim.Optimizer:
        """AdamW; told nothing of how to update, torch takes all weights in one call on a GPU and a loop on a CPU."""
        options = self.setting.options
        return torch.optim.AdamW(
            weights, self.setting.rate, betas=(0.9, options.beta2), weight_decay=options.weight_decay, **self.kind()
        )

    def kind(self) -> dict[str, Any]:
        """What torch is told of how to update."""
        return {}

    def batches(self, rows: Sequence[dict[str, Any]]) -> Iterator[list[dict[str, Any]]]:
        """Batches without an end, epoch after epoch."""
        while True:
            order = self.order([len(row["input_ids"]) for row in rows])
            for i in range(0, len(order), self.setting.options.batch_size):
                yield [rows[row] for row in order[i : i + self.setting.options.batch_size]]

    def order(self, lengths: Sequence[int]) -> list[int]:
        """The rows of an epoch."""
        self.drawn = getattr(self, "drawn", random.Random(self.setting.seed))
        return self.drawn.sample(range(len(lengths)), len(lengths))

    def pieces(self, batch: list[dict[str, Any]]) -> list[list[dict[str, Any]]]:
        """The rows of a step in the parts whose gradients are added up."""
        return [batch]

    def loss(self, rows: list[dict[str, Any]]) -> Tensor:
        """Cross-entropy summed over the answer tokens, out of the mean that transformers gives for labels."""
        width = max(len(row["input_ids"]) for row in rows)
        ids, mask, labels = (torch.full((len(rows), width), value) for value in (self.setting.pad, 0, IGNORED))
        for own, seen, label, row in zip(ids, mask, labels, rows, strict=True):
            tokens = torch.tensor(row["input_ids"])
            own[-len(tokens) :], seen[-len(tokens) :] = tokens, 1
            label[-row["answer"] :] = tokens[-row["answer"] :]
        batch = {"input_ids": ids, "attention_mask": mask, "labels": labels}
        mean: Tensor = self.model(**on(self.model.device, batch)).loss
        return mean * (labels != IGNORED).sum()


class ByLength(Shuffled):
    """Batches of about equal length, at random."""

    def order(self, lengths: Sequence[int]) -> list[int]:
        options = self.setting.options
        self.groups = getattr(self, "groups", LengthGroups(lengths, options.batch_size, self.setting.seed))
        return list(self.groups)


class AnswerLogits(ByLength):
    """The language-model head on answers alone."""

    def loss(self, rows: list[dict[str, Any]]) -> Tensor:
        return summed_loss(self.model, on(self.model.device, collate(rows, self.setting.pad)))


class Fused(AnswerLogits):
    """AdamW in one kernel."""

    def kind(self) -> dict[str, Any]:
        return {"fused": True}


class InParts(Fused):
    """Micro-batches in a token budget."""

    def pieces(self, batch: list[dict[str, Any]]) -> list[list[dict[str, Any]]]:
        size = self.setting.micro_batch
        return [batch[i : i + size] for i in range(0, len(batch), size)]


class Ours(InParts):
    """`bench.training.trainer.train`."""

    def train(self) -> Any:
        return train(lambda: self.model, self.pairs, [], self.setting, lambda done, of: None)[0]


SAME, OTHER_BATCHES = 0.01, 0.1  # nats for each answer token, after training on the same batches and on others
TECHNIQUES = (
    Technique("plain loop: shuffled, all logits, AdamW's default", Shuffled, OTHER_BATCHES),
    Technique("+ batches by length", ByLength, SAME),
    Technique("+ head on answers only", AnswerLogits, SAME),
    Technique("+ fused AdamW", Fused, SAME),
    Technique("+ micro-batches in a token budget", InParts, SAME),
    Technique("+ rows in one line behind what they share = bench.training.trainer.train", Ours, SAME, ours=True),
    Technique("+ freed memory kept", Ours, SAME, keeps=True),
    Technique("+ products by oneDNN, as in the process of a cell", Ours, SAME, keeps=True, quick=True),
    Technique("+ dtype: bfloat16 (gives other numbers)", Ours, None, keeps=True),
)
