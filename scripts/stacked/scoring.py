"""Choices by log-likelihood: from one (question, choice) pair at a time to `Engine.score`.

Each class changes one thing of the class before it. All have the signature of `Engine.score`, and stand in its place
in the predictor.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any, NamedTuple

import torch
from torch import Tensor

from bench.engine.kv_cache import LayerStates, states_of
from bench.engine.transformers_engine import Engine
from scripts.stacked.plain import Ids, Limits, Technique, by_length, forward, padded, picked, sliced


class Pair(NamedTuple):
    """One choice behind one question."""

    question: int
    place: int
    prompt: Ids
    choice: Ids


class OneByOne(Limits):
    """Prompt and choice of each pair in a pass of its own, with the logits of every position."""

    @torch.inference_mode()
    def score(self, prefix: Ids, queries: Sequence[Ids], choices: Sequence[Sequence[Ids]]) -> list[list[float]]:
        """Log-likelihood in nats of each choice after `prefix + query`, as `Engine.score` gives it."""
        scores = [[0.0] * len(own) for own in choices]
        for pair, value in self.valued(prefix, queries, choices):
            scores[pair.question][pair.place] = value
        return scores

    def valued(
        self, prefix: Ids, queries: Sequence[Ids], choices: Sequence[Sequence[Ids]]
    ) -> Iterator[tuple[Pair, float]]:
        """Each pair with its log-likelihood, in any order."""
        pairs = [
            Pair(i, place, [*prefix, *query], choice)
            for i, (query, own) in enumerate(zip(queries, choices, strict=True))
            for place, choice in enumerate(own)
        ]
        for batch in self.batches(pairs):
            yield from zip(batch, self.sums(batch), strict=True)

    def batches(self, pairs: Sequence[Pair]) -> Iterator[Sequence[Pair]]:
        """The pairs of each pass."""
        return sliced(pairs, 1)

    def keep(self, batch: Sequence[Pair]) -> int:
        """The last columns whose logits are made; 0: all."""
        return 0

    def sums(self, batch: Sequence[Pair]) -> list[float]:
        """The log-likelihoods of a batch."""
        ids, mask = padded([[*pair.prompt, *pair.choice] for pair in batch], self.pad, self.model.device)
        logits, _ = forward(self.model, ids, mask, keep=self.keep(batch))
        logs = logits.log_softmax(-1)
        found = [
            own[-len(pair.choice) - 1 : -1].gather(1, ids[row, -len(pair.choice) :, None]).sum()
            for row, (own, pair) in enumerate(zip(logs, batch, strict=True))
        ]
        return [float(value) for value in torch.stack(found).tolist()]


class InBatches(OneByOne):
    """Batches of a fixed size, in the order given."""

    def batches(self, pairs: Sequence[Pair]) -> Iterator[Sequence[Pair]]:
        return sliced(pairs, self.rows)


class ByLength(InBatches):
    """Batches of about equal length within a budget of tokens."""

    def batches(self, pairs: Sequence[Pair]) -> Iterator[Sequence[Pair]]:
        return by_length(pairs, lambda pair: len(pair.prompt) + len(pair.choice), self.budget)


class ChoiceLogits(ByLength):
    """Logits of the last columns alone, where choices stand."""

    def keep(self, batch: Sequence[Pair]) -> int:
        return max(len(pair.choice) for pair in batch) + 1


class QuestionOnce(ChoiceLogits):
    """The question in one pass, and its choices on copies of its cache, one for each."""

    def valued(
        self, prefix: Ids, queries: Sequence[Ids], choices: Sequence[Sequence[Ids]]
    ) -> Iterator[tuple[Pair, float]]:
        longest = max(len(choice) for own in choices for choice in own)
        beside = len(prefix) + longest
        for batch in by_length(range(len(queries)), lambda i: beside + len(queries[i]), self.budget):
            logits, cache, mask = self.prefill(prefix, [queries[i] for i in batch])
            firsts, states = logits[:, -1].log_softmax(-1), states_of(cache)
            pairs = [
                (row, Pair(i, place, queries[i], choice))
                for row, i in enumerate(batch)
                for place, choice in enumerate(choices[i])
            ]
            for chunk in sliced(pairs, max(1, self.budget // (mask.shape[1] + longest))):
                rows = torch.tensor([row for row, _ in chunk], device=mask.device)
                given = [pair.choice for _, pair in chunk]
                sums = self.first(firsts, rows, given) + self.rest(states, mask, rows, given)
                yield from zip([pair for _, pair in chunk], sums.tolist(), strict=True)

    def prefill(self, prefix: Ids, queries: Sequence[Ids]) -> tuple[Tensor, Any, Tensor]:
        """fp32 logits at the end of each prompt, the cache and its mask."""
        ids, mask = padded([[*prefix, *query] for query in queries], self.pad, self.model.device)
        return *forward(self.model, ids, mask, keep=1), mask

    def first(self, logs: Tensor, rows: Tensor, choices: Sequence[Ids]) -> Tensor:
        """The log-likelihood of each choice's first token, from the question's own pass."""
        return logs[rows, torch.tensor([choice[0] for choice in choices], device=rows.device)]

    def rest(self, states: LayerStates, mask: Tensor, rows: Tensor, choices: Sequence[Ids]) -> Tensor:
        """The log-likelihood of each choice's tokens after its first, on a copy of its question's cache."""
        width = max(map(len, choices)) - 1
        if width == 0:
            return torch.zeros(len(choices), device=mask.device)
        filled = torch.tensor([[*choice, *[self.pad] * (width + 1 - len(choice))] for choice in choices])
        real = torch.tensor([[1] * (len(choice) - 1) + [0] * (width + 1 - len(choice)) for choice in choices])
        filled, real = filled.to(mask.device), real.to(mask.device)
        logits, _ = forward(self.model, filled[:, :-1], torch.cat([mask[rows], real], 1), picked(states, rows))
        steps = logits.log_softmax(-1).gather(2, filled[:, 1:, None])[..., 0]
        return (steps * real).sum(1)


class BeginningOnce(QuestionOnce):
    """The beginning that prompts share in one pass, and each question on a copy of its cache."""

    def valued(
        self, prefix: Ids, queries: Sequence[Ids], choices: Sequence[Sequence[Ids]]
    ) -> Iterator[tuple[Pair, float]]:
        self.begun = begun(self.model, prefix)
        return super().valued(prefix, queries, choices)

    def prefill(self, prefix: Ids, queries: Sequence[Ids]) -> tuple[Tensor, Any, Tensor]:
        return on_beginning(self.model, self.begun, padded(queries, self.pad, self.model.device))


def begun(model: Any, prefix: Ids) -> LayerStates:
    """The keys and values of a beginning; of an empty one, none."""
    if not prefix:
        return []
    ids = torch.tensor([list(prefix)], device=model.device)
    return states_of(forward(model, ids, torch.ones_like(ids), keep=1)[1])


def on_beginning(model: Any, states: LayerStates, rows: tuple[Tensor, Tensor]) -> tuple[Tensor, Any, Tensor]:
    """fp32 logits at the end of each row behind a beginning, the cache and its mask."""
    ids, mask = rows
    cache = picked(states, mask.new_zeros(len(mask))) if states else None
    length = states[0][0].shape[2] if states else 0
    mask = torch.cat([mask.new_ones(len(mask), length), mask], 1)
    return *forward(model, ids, mask, cache, keep=1), mask


def ours(model: Any, pad: int, rows: int, budget: int) -> Engine:
    """adaptbench's engine, which bounds its batches by tokens alone."""
    return Engine(model, pad, frozenset(), budget)


NEAR = 1e-3  # nats between two sums of log-likelihoods
TECHNIQUES = (
    Technique("one question and choice at a time, all logits", OneByOne, NEAR),
    Technique("+ batches in the order given", InBatches, NEAR),
    Technique("+ batches by length, in a token budget", ByLength, NEAR),
    Technique("+ logits only where a choice stands", ChoiceLogits, NEAR),
    Technique("+ question once for its choices", QuestionOnce, NEAR),
    Technique("+ shared beginning once", BeginningOnce, NEAR),
    Technique("+ choices side by side, as a tree = Engine.score", ours, NEAR, ours=True),
    Technique("+ freed memory kept", ours, NEAR, keeps=True),
    Technique("+ products by oneDNN, as in the process of a cell", ours, NEAR, keeps=True, quick=True),
)
