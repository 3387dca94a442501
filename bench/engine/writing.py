"""Generation token by token, by what a model's cache can do."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol

import torch
from torch import Tensor

from bench.engine.choice_tree import Ids
from bench.engine.decoder import Decoder
from bench.engine.kv_cache import copied, states_of
from bench.model.devices import tensor_on


class Continuation(Protocol):
    """Texts that are written token by token."""

    logits: Tensor  # [rows, 1, vocabulary], after the last token of each row

    def advance(self, tokens: Tensor) -> None:
        """Append a token to each row, [rows]."""

    def keep(self, rows: list[int]) -> bool:
        """Go on with these rows alone; False where rows cannot be taken out."""


class PickedCache:
    """Rows behind a shared prefix, on a cache with reserved room, from which rows that ended are taken out."""

    def __init__(self, decoder: Decoder, prefix: Ids, rows: Sequence[Ids], room: int) -> None:
        self._decoder, self._room = decoder, room
        self.logits, cache, self._mask = decoder.prefill(prefix, rows, room)
        self._cache = cache if prefix else copied(states_of(cache), None, len(rows), room)

    def advance(self, tokens: Tensor) -> None:
        self._room -= 1
        self._mask = torch.cat([self._mask, self._mask.new_ones(len(self._mask), 1)], 1)
        self.logits, self._cache = self._decoder.step(tokens[:, None], self._mask, self._cache)

    def keep(self, rows: list[int]) -> bool:
        picked = tensor_on(self._mask.device, rows)
        self._cache = copied(states_of(self._cache), picked, len(rows), self._room)
        self._mask, self.logits = self._mask[picked], self.logits[picked]
        return True


class OwnCache(PickedCache):
    """Whole prompts on the cache that the model makes, whatever it is; every row stays to the end."""

    def __init__(self, decoder: Decoder, prefix: Ids, rows: Sequence[Ids], room: int) -> None:
        self._decoder, self._room = decoder, room
        self.logits, self._cache, self._mask = decoder.prefill((), [[*prefix, *row] for row in rows])

    def keep(self, rows: list[int]) -> bool:
        return False


class UnpaddedCache:
    """Whole prompts of equal length on the model's own cache, without a mask: for models that know none."""

    logits: Tensor

    def __init__(self, decoder: Decoder, prefix: Ids, rows: Sequence[Ids], room: int) -> None:
        self._decoder, self._cache = decoder, None
        self._read(tensor_on(decoder.model.device, [[*prefix, *row] for row in rows]))

    def advance(self, tokens: Tensor) -> None:
        self._read(tokens[:, None])

    def keep(self, rows: list[int]) -> bool:
        return False

    def _read(self, ids: Tensor) -> None:
        self.logits, self._cache = self._decoder.forward(ids, 1, cache=self._cache, use_cache=True)


class NoCache:
    """Every text is read again for each of its tokens: for models without a cache that can be relied on."""

    logits: Tensor

    def __init__(self, decoder: Decoder, prefix: Ids, rows: Sequence[Ids], room: int) -> None:
        self._decoder = decoder
        self._texts = [[*prefix, *row] for row in rows]
        self._read()

    def advance(self, tokens: Tensor) -> None:
        for text, token in zip(self._texts, tokens.tolist(), strict=True):
            text.append(token)
        self._read()

    def keep(self, rows: list[int]) -> bool:
        self._texts = [self._texts[row] for row in rows]
        self.logits = self.logits[rows]
        return True

    def _read(self) -> None:
        self.logits = torch.stack(self._decoder.ends((), self._texts, [1] * len(self._texts)))
