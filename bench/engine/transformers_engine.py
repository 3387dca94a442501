"""Inference in two calls: `score` ranks choices by log-likelihood, `generate` writes greedy text.

The prefix that prompts share is computed once and its key-value cache handed to every batch; a question is computed
once and its cache shared by its choices, as are the tokens that choices begin with alike (`bench.engine.choice_tree`).
Logits are kept only where a choice or a next token stands, and are taken to fp32 before the softmax. Batches are
sized by a token budget, longest first, and halved when memory runs out.
Results equal the plain computation of one prompt at a time (tests/test_engine.py holds that computation).
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any, NamedTuple

import torch
from torch import Tensor

from bench.engine.choice_tree import NARROWEST, Ids, PlacedTree, filled, place_trees, with_ancestors
from bench.engine.kv_cache import LayerStates, copied, plain_cache, states_of
from bench.model.memory import halving

LOOK_EVERY = 8  # generated tokens between two looks at the text: each look copies from the device
_PREFIXES_KEPT = 2
_READ_PART = 2
_LOGITS = 1024  # of a pass at most, for each token that a batch may have


class _Row(NamedTuple):
    """One sequence of a batch, and the place of its result."""

    place: int
    ids: Ids


@dataclass
class Engine:
    """A causal language model with its batching limits.

    `model` is a transformers causal LM in eval mode. `batch_tokens` bounds rows × tokens of a batch that writes, half
    of it those of one that does not; `batch_size`, where given, bounds the rows as well. Neither changes a result.
    """

    model: Any
    pad: int
    stops: frozenset[int]
    batch_tokens: int
    batch_size: int | None = None
    progress: Callable[[int], None] = lambda done: None
    _prefixes: dict[tuple[int, ...], LayerStates] = field(default_factory=dict)

    @torch.inference_mode()
    def score(self, prefix: Ids, queries: Sequence[Ids], choices: Sequence[Sequence[Ids]]) -> list[list[float]]:
        """Log-likelihood in nats of each choice after `prefix + query`, for each query.

        Every query and every choice has at least one token. Returns one list for each query, in the order given, with
        one sum over the choice's tokens for each of its choices.
        """
        scores: list[list[float]] = [[] for _ in queries]
        prefix, rows = self._rows(prefix, queries)

        def work(batch: Sequence[_Row]) -> None:
            own = [choices[row.place] for row in batch]
            for row, result in zip(batch, self._score_batch(prefix, batch, own), strict=True):
                scores[row.place] = result
            self.progress(len(batch))

        longest = max((len(choice) for own in choices for choice in own), default=0)
        for batch in self._batches(rows, len(prefix) + longest, self._read_at_once):
            halving(batch, work)
        return scores

    @torch.inference_mode()
    def generate(
        self, prefix: Ids, queries: Sequence[Ids], cut: Callable[[list[int]], int | None], max_new_tokens: int
    ) -> list[list[int]]:
        """Greedy continuation of `prefix + query`, for each query, in the order given.

        A row ends at a stop id (kept as its last), where `cut(ids)` says to (the number of ids to keep, or None to go
        on; asked every `LOOK_EVERY` tokens and for that row alone), or after `max_new_tokens`.
        """
        texts: list[list[int]] = [[] for _ in queries]
        prefix, rows = self._rows(prefix, queries)

        def work(batch: Sequence[_Row]) -> None:
            for row, ids in zip(batch, self._generate_batch(prefix, batch, cut, max_new_tokens), strict=True):
                texts[row.place] = ids
            self.progress(len(batch))

        for batch in self._batches(rows, len(prefix) + max_new_tokens, self.batch_tokens):
            halving(batch, work)
        return texts

    @torch.inference_mode()
    def next_token(self, prefix: Ids, query: Ids) -> Tensor:
        """Natural logarithm of each token's probability after `prefix + query`, [vocabulary], in fp32."""
        prefix, [row] = self._rows(prefix, [query])
        logits, _, _ = self._prefill(prefix, [row.ids])
        return logits[0, -1].log_softmax(-1)

    @torch.inference_mode()
    def outputs(self, prefix: Ids, queries: Sequence[Ids]) -> Tensor:
        """What the model puts out at the end of `prefix + query`, for each query: [queries, outputs] in fp32.

        Logits; hidden states where the output matrix was taken out.
        """
        found: list[Tensor | None] = [None] * len(queries)
        prefix, rows = self._rows(prefix, queries)

        def work(batch: Sequence[_Row]) -> None:
            logits, _, _ = self._prefill(prefix, [row.ids for row in batch])
            for row, own in zip(batch, logits[:, -1], strict=True):
                found[row.place] = own
            self.progress(len(batch))

        for batch in self._batches(rows, len(prefix), self._read_at_once):
            halving(batch, work)
        return torch.stack([one for one in found if one is not None])

    def forget(self) -> None:
        """Drop what is kept of beginnings that prompts share; the next call works them out again."""
        self._prefixes.clear()

    @cached_property
    def shares(self) -> bool:
        """Whether the model's cache can be copied, expanded and picked from; if not, every row is a whole prompt."""
        return plain_cache(self.model)

    def _rows(self, prefix: Ids, queries: Sequence[Ids]) -> tuple[Ids, list[_Row]]:
        if self.shares:
            return prefix, [_Row(i, query) for i, query in enumerate(queries)]
        return (), [_Row(i, [*prefix, *query]) for i, query in enumerate(queries)]

    @property
    def _read_at_once(self) -> int:
        """Tokens of a pass that writes nothing: it gains less from many rows than one that writes token by token."""
        return self.batch_tokens // _READ_PART

    def _batches(self, rows: list[_Row], beside: int, tokens: int) -> Iterator[list[_Row]]:
        """Longest first, so that the first batch shows whether memory suffices; `beside`: tokens that join each row."""
        batch: list[_Row] = []
        for row in sorted(rows, key=lambda r: (-len(r.ids), r.place)):
            width = beside + len(batch[0].ids if batch else row.ids)
            if batch and ((len(batch) + 1) * width > tokens or len(batch) == self.batch_size):
                yield batch
                batch = []
            batch.append(row)
        if batch:
            yield batch

    def _prefix_states(self, prefix: Ids) -> LayerStates:
        key = tuple(prefix)
        if key and key not in self._prefixes:
            ids = torch.tensor([key], device=self.model.device)
            cache = self.model(input_ids=ids, use_cache=True, logits_to_keep=1).past_key_values
            while len(self._prefixes) >= _PREFIXES_KEPT:
                self._prefixes.pop(next(iter(self._prefixes)))
            self._prefixes[key] = states_of(cache)
        return self._prefixes.get(key, [])

    def _prefill(self, prefix: Ids, rows: Sequence[Ids], keep: int = 1, room: int = 0) -> tuple[Tensor, Any, Tensor]:
        """fp32 logits of the last `keep` positions [rows, keep, vocabulary], the cache, and its mask [rows, tokens].

        Rows are padded on the left: all end in the same column, and the same few positions of logits serve them all.
        `room`: tokens that the cache is to hold beside.
        """
        device, width = self.model.device, max(map(len, rows))
        ids = torch.tensor([[self.pad] * (width - len(row)) + list(row) for row in rows], device=device)
        real = [[1] * len(prefix) + [0] * (width - len(row)) + [1] * len(row) for row in rows]
        mask = torch.tensor(real, device=device)
        states = self._prefix_states(prefix)
        cache = copied(states, None, len(rows), width + room) if states else None
        logits, cache = self._forward(ids, mask, cache, keep)
        return logits, cache, mask

    def _forward(self, ids: Tensor, mask: Tensor, cache: Any, keep: int) -> tuple[Tensor, Any]:
        """One pass over `ids` [rows, n], the last n columns of `mask`; logits of the last `keep` columns in fp32."""
        positions = (mask.cumsum(1) - 1).clamp(min=0)[:, -ids.shape[1] :]
        out = self.model(
            input_ids=ids,
            attention_mask=mask,
            position_ids=positions,
            past_key_values=cache,
            use_cache=True,
            logits_to_keep=keep,
        )
        return out.logits.float(), out.past_key_values

    def _score_batch(self, prefix: Ids, batch: Sequence[_Row], choices: Sequence[Sequence[Ids]]) -> list[list[float]]:
        pairs = [(row, choice) for row, own in enumerate(choices) for choice in own]
        queries = [row.ids for row in batch]
        flat = iter((self._score_cached if self.shares else self._score_whole)(prefix, queries, pairs))
        return [[next(flat) for _ in own] for own in choices]

    def _rows_of_logits(self, kept: int, vocabulary: int) -> int:
        """Rows with logits at `kept` places each that a pass may have: a large vocabulary must not fill the memory."""
        return self.batch_tokens * _LOGITS // (kept * vocabulary)

    def _score_whole(self, prefix: Ids, queries: Sequence[Ids], pairs: Sequence[tuple[int, Ids]]) -> list[float]:
        """Each (query, choice) pair as a row of its own: for models whose cache cannot be expanded."""
        sums: list[float] = []
        step = max(1, len(queries))
        for chunk in (pairs[i : i + step] for i in range(0, len(pairs), step)):
            keep = max(len(choice) for _, choice in chunk)
            rows = [[*queries[row], *choice[:-1]] for row, choice in chunk]
            logits, _, _ = self._prefill(prefix, rows, keep)
            for own, (_, choice) in zip(logits, chunk, strict=True):
                steps = own[-len(choice) :].log_softmax(-1)
                sums.append(float(steps.gather(1, torch.tensor(choice, device=steps.device)[:, None]).sum()))
        return sums

    def _score_cached(self, prefix: Ids, queries: Sequence[Ids], pairs: Sequence[tuple[int, Ids]]) -> list[float]:
        """A choice's first token from the query's own pass, its others on the query's cache."""
        logits, cache, mask = self._prefill(prefix, queries)
        device, states = logits.device, states_of(cache)
        rows = torch.tensor([row for row, _ in pairs], device=device)
        firsts = torch.tensor([choice[0] for _, choice in pairs], device=device)
        sums = logits[:, -1].log_softmax(-1)[rows, firsts]
        laid = sorted(place_trees(pairs, max(NARROWEST, mask.shape[1] // 4)), key=lambda one: len(one.tree.tokens))
        broadest = max((len(one.tree.tokens) for one in laid), default=1)
        step = min(self._read_at_once // (mask.shape[1] + broadest), self._rows_of_logits(broadest, logits.shape[-1]))
        step = max(1, step)
        for chunk in (laid[i : i + step] for i in range(0, len(laid), step)):
            self._add_rest(sums, chunk, states, mask)
        return [float(value) for value in sums.tolist()]

    def _add_rest(self, sums: Tensor, laid: Sequence[PlacedTree], states: LayerStates, mask: Tensor) -> None:
        """Add to `sums` the log-likelihood of each choice's tokens after its first.

        A tree is one row: its tokens see their query and what leads to them, and start at the position after the query.
        So a query's cache is copied once for a tree, not once for a choice.
        """
        device, trees = mask.device, [one.tree for one in laid]
        width = max(len(tree.tokens) for tree in trees)
        given = torch.tensor([filled(tree.tokens, width) for tree in trees], device=device)
        depth = torch.tensor([filled(tree.depths, width) for tree in trees], device=device)
        above = torch.tensor([[*tree.parents, *range(len(tree.parents), width)] for tree in trees], device=device)
        rows = torch.tensor([one.row for one in laid], device=device)
        before = mask[rows].bool()[:, None, :].expand(-1, width, -1)
        seen = torch.cat([before, with_ancestors(above, max(max(tree.depths) for tree in trees))], 2)
        dtype = self.model.dtype
        hidden = torch.zeros(seen.shape, dtype=dtype, device=device).masked_fill_(~seen, torch.finfo(dtype).min)
        out = self.model(
            input_ids=given,
            attention_mask=hidden[:, None],
            position_ids=mask[rows].sum(1, keepdim=True) + depth,
            past_key_values=copied(states, rows, len(laid), width),
            use_cache=True,
            logits_to_keep=width,
        )
        logits = out.logits.float()
        reads = [
            (i, read.place, read.token, one.first + read.choice)
            for i, one in enumerate(laid)
            for read in one.tree.reads
        ]
        row, place, token, pair = torch.tensor(reads, device=device).T
        # a gather and a logsumexp rather than log_softmax: no second tensor of the vocabulary's size
        sums.index_add_(0, pair, logits[row, place, token] - logits.logsumexp(-1)[row, place])

    def _generate_batch(
        self, prefix: Ids, batch: Sequence[_Row], cut: Callable[[list[int]], int | None], max_new_tokens: int
    ) -> list[list[int]]:
        logits, cache, mask = self._prefill(prefix, [row.ids for row in batch], room=max_new_tokens)
        if self.shares and not prefix:
            cache = copied(states_of(cache), None, len(batch), max_new_tokens)
        texts: list[list[int]] = [[] for _ in batch]
        alive = list(range(len(batch)))  # which text each row of the tensors writes
        done: set[int] = set()
        unseen: list[Tensor] = []
        for step in range(1, max_new_tokens + 1):
            token = logits[:, -1].argmax(-1)
            unseen.append(token)
            if step % LOOK_EVERY == 0 or step == max_new_tokens:
                self._look(texts, alive, done, torch.stack(unseen, 1).tolist(), cut)
                unseen = []
                going = [i for i, text in enumerate(alive) if text not in done]
                if not going or step == max_new_tokens:
                    break
                if self.shares and len(going) < len(alive):
                    picked = torch.tensor(going, device=token.device)
                    cache = copied(states_of(cache), picked, len(going), max_new_tokens - step)
                    mask, token = mask[picked], token[picked]
                    alive = [alive[i] for i in going]
            mask = torch.cat([mask, mask.new_ones(len(mask), 1)], 1)
            logits, cache = self._forward(token[:, None], mask, cache, 1)
        return texts

    def _look(
        self,
        texts: list[list[int]],
        alive: Sequence[int],
        done: set[int],
        tokens: list[list[int]],
        cut: Callable[[list[int]], int | None],
    ) -> None:
        """Append new tokens row by row; close the rows that hold a stop id or that `cut` ends."""
        for text, new in zip(alive, tokens, strict=True):
            if text in done:
                continue
            end = next((i + 1 for i, token in enumerate(new) if token in self.stops), None)
            texts[text] += new[:end]
            kept = cut(texts[text])
            if kept is not None:
                del texts[text][kept:]
            if end is not None or kept is not None:
                done.add(text)
