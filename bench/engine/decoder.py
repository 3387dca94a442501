"""One pass of a causal language model, whatever its signature: token ids in, fp32 logits and a cache out."""

from __future__ import annotations

import inspect
from collections.abc import Sequence
from typing import Any

import torch
from torch import Tensor

from bench.engine.choice_tree import Ids
from bench.engine.kv_cache import LayerStates, copied, states_of
from bench.model.devices import tensor_on

_PREFIXES_KEPT = 2
_ARGUMENTS = frozenset({"attention_mask", "position_ids", "past_key_values", "use_cache", "logits_to_keep"})
_CACHES = ("past_key_values", "cache_params", "state")  # names of a cache, as argument and as output


class Decoder:
    """A transformers causal LM in eval mode. Rows are padded with `pad`: which id that is changes nothing."""

    def __init__(self, model: Any, pad: int) -> None:
        self.model = model
        inner = model.get_base_model() if hasattr(model, "get_base_model") else model
        named = frozenset(inspect.signature(inner.forward).parameters)
        self._accepted = named if "input_ids" in named else _ARGUMENTS  # a wrapper that names none hands all on
        self._cache_name = next((name for name in _CACHES if name in self._accepted), None)
        self.vocabulary: int = model.get_input_embeddings().weight.shape[0]
        self.pad = pad if 0 <= pad < self.vocabulary else 0  # a padding id may lie beyond the embeddings
        self.ready_masks = False  # padding is told by masks that no layer has to look into, see `ready_mask`
        self._prefixes: dict[tuple[int, ...], LayerStates] = {}

    def forward(
        self, ids: Tensor, keep: int | Tensor, *, cache: Any = None, use_cache: bool = False, **given: Tensor | None
    ) -> tuple[Tensor, Any]:
        """Logits [rows, kept columns, vocabulary] in fp32 of `ids` [rows, n], and the cache.

        `keep`: the last columns, or those of these numbers. Of `given` (attention mask, positions), what the model
        does not know is left out.
        """
        arguments = {**given, "logits_to_keep": keep, "use_cache": use_cache}
        if self._cache_name is not None:
            arguments[self._cache_name] = cache
        out = self.model(input_ids=ids, **{name: of for name, of in arguments.items() if name in self._accepted})
        logits = out.logits
        if isinstance(keep, int):
            logits = logits[:, -keep:]
        elif logits.shape[1] != len(keep):
            logits = logits[:, keep]
        return logits.float(), getattr(out, self._cache_name or "", None)

    def plain(self, ids: Ids) -> Tensor:
        """Logits [tokens, vocabulary] in fp32 of one text alone: no padding, no mask, no cache."""
        logits: Tensor = self.model(input_ids=torch.tensor([list(ids)], device=self.model.device)).logits
        return logits[0].float()

    def prefix_states(self, prefix: Ids) -> LayerStates:
        """Keys and values of a prefix, worked out once; of an empty one, none."""
        key = tuple(prefix)
        if key and key not in self._prefixes:
            _, cache = self.forward(tensor_on(self.model.device, [key]), 1, use_cache=True)
            while len(self._prefixes) >= _PREFIXES_KEPT:
                self._prefixes.pop(next(iter(self._prefixes)))
            self._prefixes[key] = states_of(cache)
        return self._prefixes.get(key, [])

    def forget(self) -> None:
        """Drop the prefixes that are kept."""
        self._prefixes.clear()

    def prefill(self, prefix: Ids, rows: Sequence[Ids], room: int = 0) -> tuple[Tensor, Any, Tensor]:
        """Logits at the end of `prefix` + row [rows, 1, vocabulary], the cache, and its mask [rows, tokens].

        Rows are padded on the left: all end in the same column. `room`: tokens that the cache is to hold beside.
        """
        device, width = self.model.device, max(map(len, rows))
        ids = tensor_on(device, [[self.pad] * (width - len(row)) + list(row) for row in rows])
        real = [[1] * len(prefix) + [0] * (width - len(row)) + [1] * len(row) for row in rows]
        mask = tensor_on(device, real)
        states = self.prefix_states(prefix)
        cache = copied(states, None, len(rows), width + room) if states else None
        return *self.step(ids, mask, cache), mask

    def step(self, ids: Tensor, mask: Tensor, cache: Any) -> tuple[Tensor, Any]:
        """Logits of the last column of `ids` [rows, n], which are the last n columns of `mask`, and the cache."""
        positions: Tensor | None = (mask.cumsum(1) - 1).clamp(min=0)[:, -ids.shape[1] :]
        seen: Tensor | None = mask
        if self.ready_masks:
            alone = len(mask) == 1  # nothing is padded
            seen = None if alone else ready_mask(mask, ids.shape[1], self.model.dtype)
            positions = None if alone and cache is None else positions
        return self.forward(ids, 1, cache=cache, use_cache=True, attention_mask=seen, position_ids=positions)

    def ends(self, prefix: Ids, rows: Sequence[Ids], keep: Sequence[int]) -> list[Tensor]:
        """Logits of the last `keep` tokens of each `prefix` + row: [keep, vocabulary] each.

        Rows are padded on the right, where no token of theirs sees it: columns are those of the row alone.
        """
        device, width = self.model.device, max(map(len, rows))
        ids = tensor_on(device, [[*row, *[self.pad] * (width - len(row))] for row in rows])
        kept = sorted({column for row, n in zip(rows, keep, strict=True) for column in range(len(row) - n, len(row))})
        states = self.prefix_states(prefix)
        cache = copied(states, None, len(rows), width) if states else None
        columns = tensor_on(device, kept)
        logits, _ = self.forward(ids, columns, cache=cache, use_cache=cache is not None)
        found = []
        for row, n, own in zip(rows, keep, logits, strict=True):
            last = kept.index(len(row) - 1) + 1  # its columns follow one another there, as they do in the row
            found.append(own[last - n : last])
        return found


def ready_mask(mask: Tensor, new: int, dtype: torch.dtype) -> Tensor:
    """What the last `new` columns of a mask [rows, tokens] see, to be added to scores: [rows, 1, new, tokens].

    Given a mask [rows, tokens], transformers asks at every pass whether anything is padded, and waits for the device.
    """
    columns = torch.arange(mask.shape[1], device=mask.device)
    seen = mask.bool()[:, None, :] & (columns <= columns[-new:, None])
    return torch.zeros(seen.shape, dtype=dtype, device=mask.device).masked_fill_(~seen, torch.finfo(dtype).min)[:, None]
