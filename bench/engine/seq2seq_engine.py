"""Inference with an encoder-decoder model: a question is encoded once, its choices or its answer come from the decoder.

Where a trial shows that it changes nothing, questions are padded on the right to stand in one batch, and what the
decoder keeps of a question (keys and values of its cross-attention) is worked out once and copied for every choice.
Results equal the plain computation of one question and one choice at a time.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property, partial
from typing import Any, NamedTuple
from weakref import WeakKeyDictionary

import torch
from torch import Tensor
from transformers import EncoderDecoderCache
from transformers.modeling_outputs import BaseModelOutput

from bench.engine.choice_tree import Ids
from bench.engine.kv_cache import copied, copyable, states_of
from bench.engine.scoring import Pair, rows_of_logits
from bench.engine.transformers_engine import Engine
from bench.engine.trial import Reading, Trial, Writing
from bench.engine.writing import Continuation
from bench.model.causal import trial_ids
from bench.model.devices import tensor_on
from bench.model.seq2seq import start_of

_CHOICE, _LONG, _SHORT, _BUDGET = 3, 24, 5, 2**20  # tokens of a trial

_readings: WeakKeyDictionary[Any, Reading] = WeakKeyDictionary()
_writings: WeakKeyDictionary[Any, Writing] = WeakKeyDictionary()


class Questions(NamedTuple):
    """Encoded questions."""

    states: Tensor  # [rows, tokens, width]
    mask: Tensor | None  # [rows, tokens]; None: nothing is padded

    def picked(self, rows: Tensor) -> Questions:
        """Those of these numbers."""
        return Questions(self.states[rows], None if self.mask is None else self.mask[rows])


class EncoderDecoder:
    """The passes of a transformers encoder-decoder model in eval mode. Rows are padded with `pad`, on the right."""

    def __init__(self, model: Any, pad: int) -> None:
        self.model, self.start = model, start_of(model)
        self.pad = pad if 0 <= pad < model.get_input_embeddings().weight.shape[0] else 0

    def encode(self, queries: Sequence[Ids]) -> Questions:
        """Read questions."""
        width = max(map(len, queries))
        padded = any(len(query) < width for query in queries)
        mask = self.rows([[1] * len(query) for query in queries], 0) if padded else None
        out = self.model.get_encoder()(input_ids=self.rows(queries, self.pad), attention_mask=mask)
        return Questions(out.last_hidden_state, mask)

    def decode(
        self, ids: Tensor, questions: Questions, cache: Any = None, *, keeps: bool = False
    ) -> tuple[Tensor, Any]:
        """Logits [rows, n, vocabulary] in fp32 of the decoder's `ids` [rows, n], and its cache where it `keeps` one."""
        out = self.model(
            encoder_outputs=BaseModelOutput(last_hidden_state=questions.states),
            attention_mask=questions.mask,
            decoder_input_ids=ids,
            past_key_values=cache,
            use_cache=keeps,
        )
        return out.logits.float(), out.past_key_values if keeps else None

    def begin(self, questions: Questions, *, keeps: bool = True) -> tuple[Tensor, Any]:
        """`decode` of the tokens that every answer starts from: the last column is before its first token."""
        return self.decode(self.rows([self.start] * len(questions.states), 0), questions, keeps=keeps)

    def rows(self, rows: Sequence[Ids], filler: int) -> Tensor:
        """Rows of ids, filled up on the right: [rows, tokens]."""
        width = max(map(len, rows))
        return tensor_on(self.model.device, [[*row, *[filler] * (width - len(row))] for row in rows])


def copied_both(cache: EncoderDecoderCache, rows: Tensor, room: int) -> EncoderDecoderCache:
    """A fresh cache of these rows, with room for the decoder's next tokens."""
    own, of_question = cache.self_attention_cache, cache.cross_attention_cache
    return EncoderDecoderCache(
        copied(states_of(own), rows, len(rows), room), copied(states_of(of_question), rows, len(rows), 0)
    )


def pair_scores(
    way: Reading, passes: EncoderDecoder, queries: Sequence[Ids], pairs: Sequence[Pair], tokens: int
) -> list[float]:
    """Summed log-likelihood of each (query, choice); `tokens`: of a pass at most."""
    questions = passes.encode(queries)
    caches = way is Reading.ENCODED
    logits, cache = passes.begin(questions, keeps=caches)
    device, vocabulary = logits.device, logits.shape[-1]
    rows, firsts = (
        tensor_on(device, list(of)) for of in zip(*((row, choice[0]) for row, choice in pairs), strict=True)
    )
    sums = logits[:, -1].log_softmax(-1)[rows, firsts]
    longer = sorted((n for n, (_, choice) in enumerate(pairs) if len(choice) > 1), key=lambda n: len(pairs[n][1]))
    longest = max((len(choice) for _, choice in pairs), default=1)
    width = questions.states.shape[1] + len(passes.start) + longest
    step = 1 if way is Reading.ALONE else max(1, min(tokens // width, rows_of_logits(tokens, longest, vocabulary)))
    for chunk in (longer[i : i + step] for i in range(0, len(longer), step)):
        picked, choices = rows[tensor_on(device, chunk)], [pairs[n][1] for n in chunk]
        begun = () if caches else passes.start
        ids = passes.rows([[*begun, *choice[:-1]] for choice in choices], passes.pad)
        own = copied_both(cache, picked, ids.shape[1]) if caches else None
        logits, _ = passes.decode(ids, questions.picked(picked), own, keeps=caches)
        reads = [(i, len(begun) + at, token) for i, choice in enumerate(choices) for at, token in enumerate(choice[1:])]
        row, place, token = tensor_on(device, reads).T
        sums.index_add_(0, tensor_on(device, chunk)[row], logits[row, place, token] - logits.logsumexp(-1)[row, place])
    return [float(value) for value in sums.tolist()]


class KeptAnswers:
    """Answers on the decoder's cache, from which rows that ended are taken out."""

    def __init__(self, passes: EncoderDecoder, queries: Sequence[Ids], room: int) -> None:
        self._passes, self._room, self._questions = passes, room, passes.encode(queries)
        self.logits, self._cache = passes.begin(self._questions)
        self.keep(list(range(len(queries))))

    def advance(self, tokens: Tensor) -> None:
        self._room -= 1
        self.logits, self._cache = self._passes.decode(tokens[:, None], self._questions, self._cache, keeps=True)

    def keep(self, rows: list[int]) -> bool:
        picked = tensor_on(self.logits.device, rows)
        self._cache = copied_both(self._cache, picked, self._room)
        self._questions, self.logits = self._questions.picked(picked), self.logits[picked]
        return True


class RereadAnswers:
    """Answers that the decoder reads again for each of their tokens."""

    logits: Tensor

    def __init__(self, passes: EncoderDecoder, queries: Sequence[Ids], room: int) -> None:
        self._passes, self._questions = passes, passes.encode(queries)
        self._ids = passes.rows([passes.start] * len(queries), 0)
        self._read()

    def advance(self, tokens: Tensor) -> None:
        self._ids = torch.cat([self._ids, tokens[:, None]], 1)
        self._read()

    def keep(self, rows: list[int]) -> bool:
        picked = tensor_on(self._ids.device, rows)
        self._questions, self._ids, self.logits = self._questions.picked(picked), self._ids[picked], self.logits[picked]
        return True

    def _read(self) -> None:
        self.logits = self._passes.decode(self._ids, self._questions)[0][:, -1:]


@dataclass
class Seq2SeqEngine(Engine):
    """An encoder-decoder model with its batching limits; see `Engine`."""

    @cached_property
    def passes(self) -> EncoderDecoder:
        """The model's passes."""
        return EncoderDecoder(self.model, self.pad)

    @cached_property
    @torch.inference_mode()
    def reading(self) -> Reading:
        if self.model not in _readings:
            _readings[self.model] = Seq2SeqTrial(self.passes).reading()
        return _readings[self.model]

    @cached_property
    @torch.inference_mode()
    def writing(self) -> Writing:
        if self.model not in _writings:
            _writings[self.model] = Seq2SeqTrial(self.passes).writing()
        return _writings[self.model]

    def forget(self) -> None:
        """Nothing is kept of earlier questions."""

    def _pair_scores(self, prefix: Ids, queries: Sequence[Ids], pairs: Sequence[Pair]) -> list[float]:
        return pair_scores(self.reading, self.passes, queries, pairs, self._tokens("score")) if pairs else []

    def _continuation(self, prefix: Ids, queries: Sequence[Ids], room: int) -> Continuation:
        return _continued(self.writing, self.passes, queries, room)

    def _ends(self, prefix: Ids, queries: Sequence[Ids]) -> Sequence[Tensor]:
        return list(self.passes.begin(self.passes.encode(queries), keeps=False)[0])


def _continued(way: Writing, passes: EncoderDecoder, queries: Sequence[Ids], room: int) -> Continuation:
    return (RereadAnswers if way is Writing.REREAD else KeptAnswers)(passes, queries, room)


class Seq2SeqTrial(Trial):
    """Two questions and two answers that begin alike; and what the model plainly says of them."""

    def __init__(self, passes: EncoderDecoder) -> None:
        self.passes, self.model, self.pad, self.reachable = passes, passes.model, passes.pad, False
        self.prefix: list[int] = []
        self.queries = [trial_ids(self.model, name, n) for name, n in (("query", _LONG), ("short query", _SHORT))]
        first, second = (trial_ids(self.model, name, _CHOICE) for name in ("choice", "other choice"))
        self.choices = [first, [first[0], *second[1:]]]

    def reading(self) -> Reading:
        """The first way of reading that agrees with plain scores."""
        plain = [sum(steps) for steps in self._plain.values()]
        pairs = [(row, self.choices[number]) for row, number in self._plain]
        for way in (*([Reading.ENCODED] if self._copyable() else []), Reading.ROWS):
            if self.agrees(partial(pair_scores, way, self.passes, self.queries, pairs, _BUDGET), plain):
                return way
        return Reading.ALONE

    def writing(self) -> Writing:
        """The first way of writing whose steps have the plain log-likelihoods."""
        written = partial(self._written, Writing.PICKED, [0, 1])
        return Writing.PICKED if self._copyable() and self.agrees(written, self._expected([0, 1])) else Writing.REREAD

    def _continued(self, way: Writing, rows: Sequence[int]) -> Continuation:
        return _continued(way, self.passes, [self.queries[row] for row in rows], _CHOICE)

    def _copyable(self) -> bool:
        _, cache = self.passes.begin(self.passes.encode(self.queries[1:]))
        both = (getattr(cache, name, None) for name in ("self_attention_cache", "cross_attention_cache"))
        return all(copyable(of) for of in both)

    def logits(self, context: Ids, choice: Ids) -> Tensor:
        given = torch.tensor([[*self.passes.start, *choice[:-1]]], device=self.model.device)
        logits: Tensor = self.model(
            input_ids=torch.tensor([list(context)], device=self.model.device), decoder_input_ids=given
        ).logits
        return logits[0].float()
