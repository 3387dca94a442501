"""Greedy text: from `model.generate` on one prompt at a time to `Engine.generate`.

Each class changes one thing of the class before it. All have the signature of `Engine.generate`, and stand in its
place in the predictor.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor

from bench.engine.kv_cache import LayerStates, states_of
from bench.engine.transformers_engine import LOOK_EVERY, Engine
from scripts.stacked.plain import Ids, Limits, Technique, by_length, forward, padded, picked, sliced
from scripts.stacked.scoring import begun, on_beginning

Cut = Callable[[list[int]], int | None]


@dataclass
class OneByOne(Limits):
    """`model.generate` on one prompt at a time, with its stop strings."""

    stops: frozenset[int]
    stop_strings: Sequence[str]
    tokenizer: Any

    @torch.inference_mode()
    def generate(self, prefix: Ids, queries: Sequence[Ids], cut: Cut, max_new_tokens: int) -> list[list[int]]:
        """Greedy continuation of `prefix + query`, as `Engine.generate` gives it."""
        texts: list[list[int]] = [[] for _ in queries]
        self.begin(prefix)
        for batch in self.batches(prefix, queries, max_new_tokens):
            found = self.written(prefix, [queries[i] for i in batch], cut, max_new_tokens)
            for i, ids in zip(batch, found, strict=True):
                texts[i] = self.ended(ids, cut)
        return texts

    def begin(self, prefix: Ids) -> None:
        """What is done once for all prompts: here nothing."""

    def batches(self, prefix: Ids, queries: Sequence[Ids], room: int) -> Iterator[Sequence[int]]:
        """The places of the prompts of each batch."""
        return sliced(range(len(queries)), 1)

    def written(self, prefix: Ids, queries: Sequence[Ids], cut: Cut, room: int) -> list[list[int]]:
        """The new ids of each row, with what came after its end."""
        return self.library([[*prefix, *query] for query in queries], room)

    def library(self, rows: Sequence[Ids], room: int) -> list[list[int]]:
        """What transformers' `generate` appends to rows padded on the left."""
        return self.appended(*padded(rows, self.pad, self.model.device), room)

    def appended(self, ids: Tensor, mask: Tensor, room: int, cache: Any = None) -> list[list[int]]:
        """What `generate` appends to ids of which `cache` may hold the first."""
        strings = {"stop_strings": list(self.stop_strings), "tokenizer": self.tokenizer} if self.stop_strings else {}
        out = self.model.generate(
            input_ids=ids,
            attention_mask=mask,
            past_key_values=cache,
            max_new_tokens=room,
            do_sample=False,
            eos_token_id=sorted(self.stops) or None,
            pad_token_id=self.pad,
            **strings,
        )
        new: list[list[int]] = out[:, ids.shape[1] :].tolist()
        return new

    def ended(self, ids: list[int], cut: Cut) -> list[int]:
        """Up to a stop id or the fewest ids with a stop string: a batch goes on until its last row has ended."""
        end = next((i + 1 for i, token in enumerate(ids) if token in self.stops), None)
        return ids[: cut(ids[:end]) or end]


class InBatches(OneByOne):
    """`model.generate` on batches of a fixed size, padded on the left, in the order given."""

    def batches(self, prefix: Ids, queries: Sequence[Ids], room: int) -> Iterator[Sequence[int]]:
        return sliced(range(len(queries)), self.rows)


class ByLength(InBatches):
    """Batches of about equal length within a budget of tokens."""

    def batches(self, prefix: Ids, queries: Sequence[Ids], room: int) -> Iterator[Sequence[int]]:
        return by_length(range(len(queries)), lambda i: len(prefix) + len(queries[i]) + room, self.budget)


class BeginningOnce(ByLength):
    """The beginning that prompts share in one pass, and every batch on copies of its cache."""

    states: LayerStates

    def begin(self, prefix: Ids) -> None:
        self.states = begun(self.model, prefix)

    def written(self, prefix: Ids, queries: Sequence[Ids], cut: Cut, room: int) -> list[list[int]]:
        ids, mask = padded(queries, self.pad, self.model.device)
        if not self.states:
            return self.appended(ids, mask, room)
        # the padding stands behind the beginning, where the cache ends
        before = torch.tensor([list(prefix)] * len(ids), device=ids.device)
        whole, seen = torch.cat([before, ids], 1), torch.cat([torch.ones_like(before), mask], 1)
        return self.appended(whole, seen, room, picked(self.states, mask.new_zeros(len(mask))))


class RowsLeave(BeginningOnce):
    """A loop of its own, which a row leaves when it has ended: looked for every few tokens, row by row."""

    def written(self, prefix: Ids, queries: Sequence[Ids], cut: Cut, room: int) -> list[list[int]]:
        logits, cache, mask = on_beginning(self.model, self.states, padded(queries, self.pad, self.model.device))
        texts: list[list[int]] = [[] for _ in queries]
        alive, unseen = list(range(len(queries))), []
        for step in range(1, room + 1):
            token = logits[:, -1].argmax(-1)
            unseen.append(token)
            if step % LOOK_EVERY == 0 or step == room:
                for text, new in zip(alive, torch.stack(unseen, 1).tolist(), strict=True):
                    texts[text] += new
                unseen = []
                going = [i for i, text in enumerate(alive) if not self.over(texts[text], cut)]
                if not going or step == room:
                    break
                if len(going) < len(alive):
                    rows = torch.tensor(going, device=token.device)
                    cache, mask, token = picked(states_of(cache), rows), mask[rows], token[rows]
                    alive = [alive[i] for i in going]
            mask = torch.cat([mask, mask.new_ones(len(mask), 1)], 1)
            logits, cache = forward(self.model, token[:, None], mask, cache, keep=1)
        return texts

    def over(self, ids: list[int], cut: Cut) -> bool:
        """Whether a text holds a stop id or a stop string."""
        return not self.stops.isdisjoint(ids[-LOOK_EVERY:]) or cut(ids) is not None


def ours(
    model: Any,
    pad: int,
    rows: int,
    budget: int,
    stops: frozenset[int],
    stop_strings: Sequence[str],
    tokenizer: Any,
) -> Engine:
    """adaptbench's engine, which bounds its batches by tokens alone and is told of stop strings by the predictor."""
    return Engine(model, pad, stops, budget)


TIE = 1e-3  # logits between two tokens of which rounding may choose either
TECHNIQUES = (
    Technique("model.generate, one prompt at a time", OneByOne, TIE),
    Technique("+ batches in the order given", InBatches, TIE),
    Technique("+ batches by length, in a token budget", ByLength, TIE),
    Technique("+ shared beginning once", BeginningOnce, TIE),
    Technique("+ own loop: rows that ended leave", RowsLeave, TIE),
    Technique("+ cache with room = Engine.generate", ours, TIE, ours=True),
    Technique("+ freed memory kept", ours, TIE, keeps=True),
    Technique("+ products by oneDNN, as in the process of a cell", ours, TIE, keeps=True, quick=True),
)
