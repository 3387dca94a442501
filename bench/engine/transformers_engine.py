"""Inference in two calls: `score` ranks choices by log-likelihood, `generate` writes greedy text.

Where a trial shows that it changes nothing (`bench.engine.trial`), the prefix that prompts share is computed once and
its key-value cache handed to every batch; a question is computed once and its cache shared by its choices, as are the
tokens that choices begin with alike (`bench.engine.choice_tree`). Else rows are whole prompts.
Logits are kept only where a choice or a next token stands, and are taken to fp32 before the softmax. Batches are
sized by a token budget, longest first, and halved when memory runs out.
Results equal the plain computation of one prompt at a time (tests/test_engine.py holds that computation).
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any, Literal, NamedTuple

import torch
from torch import Tensor

from bench.core.errors import NonFiniteError
from bench.engine.choice_tree import Ids
from bench.engine.decoder import Decoder
from bench.engine.scoring import Pair
from bench.engine.trial import CONTINUATIONS, Reading, Writing, reading_of, ready_masks_of, score_pairs, writing_of
from bench.engine.writing import Continuation
from bench.model.devices import tensor_on
from bench.model.memory import in_batches

LOOK_EVERY = 8  # generated tokens between two looks at the text: each look copies from the device
_READ_PART = 2
# tokens: rows as long as this are read alone on a CPU. Without padding, attention skips the half that a token does not
# see, which is then more than what products gain by several rows (decision 27)
LONG_ROW = 1000
_NOT_FINITE = -1  # stands for a token that was read off logits that are no numbers
Kind = Literal["score", "generate", "outputs"]


class _Row(NamedTuple):
    """One sequence of a batch, and the place of its result."""

    place: int
    ids: Ids


@dataclass
class Engine:
    """A causal language model with its batching limits.

    `model` is a transformers causal LM in eval mode. `batch_tokens` bounds rows × tokens of a batch that writes, half
    of it those of one that does not; `batch_size`, where given, bounds the rows as well. Neither changes a result.
    `held`: the most tokens of a batch that memory was found to hold, by what is done with it; engines of one cell
    share it.
    """

    model: Any
    pad: int
    stops: frozenset[int]
    batch_tokens: int
    batch_size: int | None = None
    progress: Callable[[int], None] = lambda done: None
    held: dict[str, int] = field(default_factory=dict)

    @torch.inference_mode()
    def score(self, prefix: Ids, queries: Sequence[Ids], choices: Sequence[Sequence[Ids]]) -> list[list[float]]:
        """Log-likelihood in nats of each choice after `prefix + query`, for each query.

        Every query and every choice has at least one token. Returns one list for each query, in the order given, with
        one sum over the choice's tokens for each of its choices.
        """
        scores: list[list[float]] = [[] for _ in queries]
        prefix, rows = self._rows(prefix, queries, self.reads_prefixes)

        def work(batch: Sequence[_Row]) -> None:
            own = [choices[row.place] for row in batch]
            for row, result in zip(batch, self._score_batch(prefix, batch, own), strict=True):
                scores[row.place] = result
            self.progress(len(batch))

        longest = max((len(choice) for own in choices for choice in own), default=0)
        self._in_batches("score", rows, len(prefix) + longest, work, self._read_rows)
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
        prefix, rows = self._rows(prefix, queries, self.writing is Writing.PICKED)

        def work(batch: Sequence[_Row]) -> None:
            for row, ids in zip(batch, self._generate_batch(prefix, batch, cut, max_new_tokens), strict=True):
                texts[row.place] = ids
            self.progress(len(batch))

        most = 1 if self.writing is Writing.REREAD and self.reading is Reading.ALONE else self.batch_size
        alike = self.writing is Writing.EQUAL
        self._in_batches("generate", rows, len(prefix) + max_new_tokens, work, most, alike)
        return texts

    @torch.inference_mode()
    def next_token(self, prefix: Ids, query: Ids) -> Tensor:
        """Natural logarithm of each token's probability after `prefix + query`, [vocabulary], in fp32."""
        return self.outputs(prefix, [query])[0].log_softmax(-1)

    @torch.inference_mode()
    def outputs(self, prefix: Ids, queries: Sequence[Ids]) -> Tensor:
        """What the model puts out at the end of `prefix + query`, for each query: [queries, outputs] in fp32.

        Logits; hidden states where the output matrix was taken out.
        """
        outputs: list[Tensor | None] = [None] * len(queries)
        prefix, rows = self._rows(prefix, queries, self.reads_prefixes)

        def work(batch: Sequence[_Row]) -> None:
            for row, end in zip(batch, self._ends(prefix, [row.ids for row in batch]), strict=True):
                outputs[row.place] = end[-1]
            self.progress(len(batch))

        self._in_batches("outputs", rows, len(prefix), work, self._read_rows)
        found = torch.stack([output for output in outputs if output is not None])
        if bool(found.isnan().any()):
            raise NonFiniteError()
        return found

    def forget(self) -> None:
        """Drop what is kept of beginnings that prompts share; the next call works them out again."""
        self.decoder.forget()

    @cached_property
    def decoder(self) -> Decoder:
        """The model's passes."""
        decoder = Decoder(self.model, self.pad)
        decoder.ready_masks = self.model.device.type != "cpu" and ready_masks_of(decoder)
        return decoder

    @cached_property
    def reading(self) -> Reading:
        """How prompts are read."""
        return reading_of(self.decoder)

    @cached_property
    def writing(self) -> Writing:
        """How texts are written."""
        return writing_of(self.decoder)

    def _pair_scores(self, prefix: Ids, queries: Sequence[Ids], pairs: Sequence[Pair]) -> list[float]:
        return score_pairs(self.reading, self.decoder, prefix, queries, pairs, self._tokens("score"))

    def _continuation(self, prefix: Ids, queries: Sequence[Ids], room: int) -> Continuation:
        return CONTINUATIONS[self.writing](self.decoder, prefix, queries, room)

    def _ends(self, prefix: Ids, queries: Sequence[Ids]) -> Sequence[Tensor]:
        """Logits [columns, vocabulary] of each query, of which the last is read."""
        if self.reading is Reading.TREE:
            return list(self.decoder.prefill(prefix, queries)[0])
        return self.decoder.ends(prefix, queries, [1] * len(queries))

    def _rows(self, prefix: Ids, queries: Sequence[Ids], shares: bool) -> tuple[Ids, list[_Row]]:
        if shares:
            return prefix, [_Row(i, query) for i, query in enumerate(queries)]
        return (), [_Row(i, [*prefix, *query]) for i, query in enumerate(queries)]

    @property
    def reads_prefixes(self) -> bool:
        """Whether a prefix is worked out once for all queries behind it."""
        return self.reading in (Reading.TREE, Reading.PREFIX)

    @property
    def _read_rows(self) -> int | None:
        return 1 if self.reading is Reading.ALONE else self.batch_size

    def _tokens(self, kind: Kind) -> int:
        """Of a pass at most: one that writes nothing gains less from many rows than one that writes token by token."""
        most = self.batch_tokens if kind == "generate" else self.batch_tokens // _READ_PART
        return min(most, self.held.get(kind, most))

    def _in_batches(
        self,
        kind: Kind,
        rows: list[_Row],
        beside: int,
        work: Callable[[Sequence[_Row]], None],
        most: int | None,
        alike: bool = False,
    ) -> None:
        """`work` on all rows, longest first, so that the first batch shows whether memory suffices.

        `beside`: tokens that join each row; `most`: rows of a batch; `alike`: all of them are equally long.
        """
        rows = sorted(rows, key=lambda row: (-len(row.ids), row.place))

        def size(start: int) -> int:
            length = len(rows[start].ids)
            at_once = min(max(1, self._tokens(kind) // max(1, beside + length)), most or len(rows))
            if kind != "generate" and length >= LONG_ROW and self.model.device.type == "cpu":
                at_once = 1
            batch = rows[start : start + at_once]
            return sum(len(row.ids) == length for row in batch) if alike else len(batch)

        def shrink(start: int, half: int) -> None:
            self.held[kind] = half * (beside + len(rows[start].ids))

        in_batches(rows, size, work, shrink)

    def _score_batch(self, prefix: Ids, batch: Sequence[_Row], choices: Sequence[Sequence[Ids]]) -> list[list[float]]:
        pairs = [(row, choice) for row, own in enumerate(choices) for choice in own]
        queries = [row.ids for row in batch]
        flat = self._pair_scores(prefix, queries, pairs)
        if not all(map(math.isfinite, flat)):
            raise NonFiniteError()
        scores = iter(flat)
        return [[next(scores) for _ in own] for own in choices]

    def _generate_batch(
        self, prefix: Ids, batch: Sequence[_Row], cut: Callable[[list[int]], int | None], max_new_tokens: int
    ) -> list[list[int]]:
        written = self._continuation(prefix, [row.ids for row in batch], max_new_tokens)
        texts: list[list[int]] = [[] for _ in batch]
        alive = list(range(len(batch)))  # which text each row of the tensors writes
        done: set[int] = set()
        unseen: list[Tensor] = []
        for step in range(1, max_new_tokens + 1):
            logit, token = written.logits[:, -1].max(-1)
            unseen.append(torch.where(logit.isfinite(), token, _NOT_FINITE))
            if step % LOOK_EVERY == 0 or step == max_new_tokens:
                self._look(texts, alive, done, torch.stack(unseen, 1).tolist(), cut)
                unseen = []
                going = [i for i, text in enumerate(alive) if text not in done]
                if not going or step == max_new_tokens:
                    break
                if len(going) < len(alive) and written.keep(going):
                    token, alive = token[tensor_on(token.device, going)], [alive[i] for i in going]
            written.advance(token)
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
        if any(_NOT_FINITE in new for new in tokens):
            raise NonFiniteError()
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
