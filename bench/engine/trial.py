"""What a loaded model's computation may share between prompts, decided by trial against plain scores.

Plain is one whole text at a time, without mask, padding or cache. Ways of reading and of writing are tried from the
cheapest to the plainest, on two rows of unequal length, and the first that gives the plain log-likelihoods is taken.
No architecture is trusted by name: biases by column (ALiBi), windows that count columns, recurrent states and caches
of any kind show in the figures. A verdict is kept for as long as the model object lives.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from enum import StrEnum
from functools import cached_property, partial
from typing import Any
from weakref import WeakKeyDictionary

import torch
from torch import Tensor

from bench.core.errors import NonFiniteError
from bench.engine.choice_tree import Ids
from bench.engine.decoder import Decoder
from bench.engine.kv_cache import copyable
from bench.engine.scoring import row_scores, tree_scores
from bench.engine.writing import Continuation, NoCache, OwnCache, PickedCache, UnpaddedCache
from bench.model.causal import trial_ids
from bench.model.memory import is_out_of_memory


class Reading(StrEnum):
    """How prompts are read, the cheapest first."""

    TREE = "queries padded behind a shared prefix, their choices as a tree"
    ENCODED = "queries encoded once, padded; every choice a row on what the decoder keeps of its query"
    PREFIX = "every query and choice a row behind a shared prefix"
    ROWS = "every prompt and choice a row"
    ALONE = "one row at a time"


class Writing(StrEnum):
    """How texts are generated, the cheapest first."""

    PICKED = "queries padded behind a shared prefix; rows that ended leave"
    PADDED = "whole prompts, padded, on the model's own cache"
    EQUAL = "whole prompts of equal length, on the model's own cache"
    REREAD = "without a cache"


CONTINUATIONS: dict[Writing, Callable[[Decoder, Ids, Sequence[Ids], int], Continuation]] = {
    Writing.PICKED: PickedCache, Writing.PADDED: OwnCache, Writing.EQUAL: UnpaddedCache, Writing.REREAD: NoCache,
}  # fmt: skip
_PREFIX, _SHORT, _CHOICE = 12, 4, 3  # tokens of the trial's texts
_BUDGET = 2**20  # tokens of a trial's pass at most
_FURTHEST = 1024  # tokens: a window that is wider is not passed in a trial, so no cache is shared there
_WINDOWS = ("sliding_window", "window_size", "attention_window_size", "sliding_window_size", "attention_window",
            "local_attention", "attention_chunk_size")  # fmt: skip
# Rounding, as a share of a token's log-likelihood; and the most an error may be of what another context would change.
_ROUNDING = {torch.float16: 4e-3, torch.bfloat16: 3e-2}
_OF_EFFECT = {torch.float16: 0.1, torch.bfloat16: 0.2}

_readings: WeakKeyDictionary[Any, Reading] = WeakKeyDictionary()
_writings: WeakKeyDictionary[Any, Writing] = WeakKeyDictionary()
_ready_masks: WeakKeyDictionary[Any, bool] = WeakKeyDictionary()


@torch.inference_mode()
def reading_of(decoder: Decoder) -> Reading:
    """The cheapest way of reading that gives plain scores; raises NonFiniteError where those are no numbers."""
    if decoder.model not in _readings:
        _readings[decoder.model] = Trial(decoder).reading()
    return _readings[decoder.model]


@torch.inference_mode()
def writing_of(decoder: Decoder) -> Writing:
    """The cheapest way of writing whose steps have the plain log-likelihoods; raises as `reading_of`."""
    if decoder.model not in _writings:
        _writings[decoder.model] = Trial(decoder).writing()
    return _writings[decoder.model]


@torch.inference_mode()
def ready_masks_of(decoder: Decoder) -> bool:
    """Whether masks made here tell a model the same as those that it makes itself; raises as `reading_of`."""
    if decoder.model not in _ready_masks:
        _ready_masks[decoder.model] = Trial(decoder).takes_ready_masks()
    return _ready_masks[decoder.model]


def score_pairs(
    reading: Reading, decoder: Decoder, prefix: Ids, queries: Sequence[Ids], pairs: Sequence[tuple[int, Ids]],
    tokens: int,
) -> list[float]:  # fmt: skip
    """Summed log-likelihood of each (query, choice), read in a way; `tokens`: of a pass at most."""
    score = tree_scores if reading is Reading.TREE else row_scores
    return score(decoder, prefix, queries, pairs, tokens)


class Trial:
    """A prefix, a long and a short query, two choices that begin alike; and what the model plainly says of them."""

    def __init__(self, decoder: Decoder) -> None:
        self.decoder = Decoder(decoder.model, decoder.pad)  # whose prefixes are not those of the work
        self.decoder.ready_masks = decoder.ready_masks
        self.model, self.pad = decoder.model, self.decoder.pad
        model = decoder.model
        config = model.config.get_text_config()
        window = widest_window(config)
        self.reachable = window <= _FURTHEST
        most = getattr(config, "max_position_embeddings", None) or getattr(config, "n_positions", None) or math.inf
        gap = int(min(max(16, window if self.reachable else 0), most - _PREFIX - 2 * _SHORT - _CHOICE))
        self.prefix = trial_ids(model, "prefix", _PREFIX)
        self.queries = [trial_ids(model, "query", gap + 2 * _SHORT), trial_ids(model, "short query", _SHORT)]
        self.width = len(decoder.plain(self.queries[1])[0])
        first, second = (self._readable(trial_ids(model, name, _CHOICE)) for name in ("choice", "other choice"))
        self.choices = [first, [first[0], *second[1:]]]

    @property
    def texts(self) -> list[tuple[list[int], list[int]]]:
        """(prompt, choice) of one row for each query."""
        return [([*self.prefix, *query], choice) for query, choice in zip(self.queries, self.choices, strict=True)]

    def _readable(self, ids: list[int]) -> list[int]:
        return [token % self.width for token in ids]  # a classifier has few outputs

    @cached_property
    def _rounding(self) -> float:
        known = [abs(value) for steps in self._plain.values() for value in steps]
        return _ROUNDING.get(self.model.dtype, 4e-6) * max(1.0, sum(known) / len(known))

    @cached_property
    def _plain(self) -> dict[tuple[int, int], list[float]]:
        """Log-likelihood of each token of a choice after a query, by their numbers."""
        return {
            (row, number): self._steps([*self.prefix, *query], choice)
            for row, query in enumerate(self.queries)
            for number, choice in enumerate(self.choices)
        }

    @cached_property
    def _effect(self) -> float:
        """How much the order of a short context changes: root mean square over tokens, in nats."""
        context = [*self.prefix, *self.queries[1]]
        return _distance(self._steps(context[::-1], self.choices[0]), self._plain[1, 0])

    def _steps(self, context: Ids, choice: Ids) -> list[float]:
        logits = self.logits(context, choice)[-len(choice) :]
        if not bool(torch.isfinite(logits).any(-1).all()) or bool(torch.isnan(logits).any()):
            raise NonFiniteError()
        steps: list[float] = (
            logits.log_softmax(-1).gather(1, torch.tensor(choice, device=logits.device)[:, None])[:, 0].tolist()
        )
        return steps

    def logits(self, context: Ids, choice: Ids) -> Tensor:
        """Of one text alone, up to the last token of the choice: [columns, vocabulary]."""
        return self.decoder.plain([*context, *choice[:-1]])

    def reading(self) -> Reading:
        """The first way of reading that agrees with plain scores."""
        plain = [sum(steps) for steps in self._plain.values()]
        pairs = [(row, self.choices[number]) for row, number in self._plain]
        whole = [[*self.prefix, *query] for query in self.queries]
        shared = [Reading.TREE, Reading.PREFIX] if self._has_copyable_cache() else []
        for way in (*shared, Reading.ROWS):
            prefix, rows = ((), whole) if way is Reading.ROWS else (self.prefix, self.queries)
            if self.agrees(partial(score_pairs, way, self.decoder, prefix, rows, pairs, _BUDGET), plain):
                return way
        return Reading.ALONE

    def writing(self) -> Writing:
        """The first way of writing that agrees with plain scores."""
        shared = [Writing.PICKED] if self._has_copyable_cache() else []
        for way in (*shared, Writing.PADDED, Writing.EQUAL):
            batches = self._batches(way)
            if all(self.agrees(partial(self._written, way, rows), self._expected(rows)) for rows in batches):
                return way
        return Writing.REREAD

    def takes_ready_masks(self) -> bool:
        """Whether the steps of padded rows have the plain log-likelihoods with `ready_masks`."""
        self.decoder.ready_masks = True
        rows = [0, 1]
        written = partial(self._written, Writing.PADDED, rows)
        return self.reachable and self.agrees(written, self._expected(rows))

    def _batches(self, way: Writing) -> list[list[int]]:
        """Rows that are written together, by their query; the first leaves before the last token."""
        return [[0, 0], [1, 1]] if way is Writing.EQUAL else [[0, 1]]

    def _expected(self, rows: Sequence[int]) -> list[float]:
        first, last = (self._plain[row, 0] for row in rows)
        return [*first[:-1], *last]

    def _written(self, way: Writing, rows: Sequence[int]) -> list[float]:
        """Log-likelihoods of the first choice written after both rows, and of its last token after the second alone."""
        tokens = torch.tensor(self.choices[0], device=self.model.device)
        texts = self._continued(way, rows)
        seen = []
        for step, token in enumerate(tokens):
            seen.append(texts.logits[:, -1].log_softmax(-1)[:, token].tolist())
            if step == _CHOICE - 2 and texts.keep([1]):
                rows = rows[1:]
            if step < _CHOICE - 1:
                texts.advance(token.repeat(len(rows)))
        return [*(steps[0] for steps in seen[:-1]), *(steps[-1] for steps in seen)]

    def _continued(self, way: Writing, rows: Sequence[int]) -> Continuation:
        return CONTINUATIONS[way](self.decoder, self.prefix, [self.queries[row] for row in rows], _CHOICE)

    def _has_copyable_cache(self) -> bool:
        """Whether the ways that copy a cache are worth a trial."""
        if not self.reachable:
            return False
        ids = torch.tensor([self.queries[1]], device=self.decoder.model.device)
        return copyable(self.decoder.forward(ids, 1, use_cache=True)[1])

    def agrees(self, found: Callable[[], Sequence[float]], expected: Sequence[float]) -> bool:
        """Whether log-likelihoods of tokens, as a way gives them, are the plain ones but for rounding."""
        try:
            error = _distance(found(), expected)
        except Exception as problem:  # whatever an architecture does with what it does not know
            if is_out_of_memory(problem):
                raise
            return False
        return error < min(self._rounding, _OF_EFFECT.get(self.model.dtype, 2e-3) * self._effect)


def widest_window(config: Any) -> int:
    """Tokens that the widest window of a configuration reaches back; 0 without one."""
    layers = getattr(config, "layer_types", None)
    if layers and all(layer == "full_attention" for layer in layers):
        return 0
    found = [getattr(config, name, None) for name in _WINDOWS]
    return max((value for value in found if isinstance(value, int)), default=0)


def _distance(found: Sequence[float], expected: Sequence[float]) -> float:
    """Root mean square of the differences; infinite where one is no number."""
    squares = [(a - b) ** 2 for a, b in zip(found, expected, strict=True)]
    mean = sum(squares) / len(squares)
    return math.sqrt(mean) if math.isfinite(mean) else math.inf
