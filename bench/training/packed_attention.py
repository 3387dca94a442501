"""Attention of rows that stand in one line, behind a beginning that they share.

A row sees the beginning and itself, not its neighbours. What works on each token alone (nearly all of a model) goes
over the whole line at once; here the line is cut into its rows. transformers hands the layout on from the model's call
to its attention.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from functools import lru_cache
from typing import Any
from weakref import WeakKeyDictionary

import torch
from torch import Tensor
from transformers import AttentionInterface
from transformers.integrations.sdpa_attention import sdpa_attention_forward

from bench.training.batches import Layout

NAME = "adaptbench_line"
_before: WeakKeyDictionary[Any, str] = WeakKeyDictionary()  # the attention that a model has elsewhere


def attend(
    module: Any, query: Tensor, key: Tensor, value: Tensor, attention_mask: Any, *, layout: Layout, **kwargs: Any
) -> tuple[Tensor, None]:
    """Attention over a line: queries, keys and values [1, heads, tokens, size] to [1, tokens, heads, size].

    There can be more keys and values than queries: those in front, of virtual tokens, are seen by all.
    """
    ahead = key.shape[2] - query.shape[2]
    found, start, longest = [], 0, max(*layout.own, layout.shared if ahead else 0)
    shared = ahead + layout.shared
    for before, own in ((ahead, layout.shared), *((shared, own) for own in layout.own), (0, layout.filler)):
        if not own:
            continue
        row, after = slice(start, start + own), slice(ahead + start, ahead + start + own)
        keys, values = (
            torch.cat([of[:, :, :before], of[:, :, after]], 2) if before else of[:, :, after] for of in (key, value)
        )
        mask = _mask(before, longest, query.dtype, query.device)[..., :own, : before + own] if before else None
        part, _ = sdpa_attention_forward(module, query[:, :, row], keys, values, mask, **kwargs)
        found.append(part)
        start += own
    return torch.cat(found, 1), None


@lru_cache(maxsize=1)  # of the batch at hand, for all its layers; a shorter row's is the corner of the longest's
def _mask(before: int, own: int, dtype: torch.dtype, device: torch.device) -> Tensor:
    """What a row must not see of [beginning, row], to be added to the scores: [1, 1, own, before + own]."""
    later = torch.ones(own, before + own, dtype=torch.bool, device=device).triu(before + 1)
    return torch.zeros(1, 1, own, before + own, dtype=dtype, device=device).masked_fill(later, torch.finfo(dtype).min)


@contextmanager
def packed_attention(model: Any) -> Iterator[None]:
    """While it lasts, the model reads lines, and nothing else: every call has a `layout`."""
    inner = _inner(model)
    before = inner.config._attn_implementation
    if before != NAME:
        _before[inner] = before
    inner.set_attn_implementation(NAME)
    try:
        yield
    finally:
        inner.set_attn_implementation(before)


@contextmanager
def plain_attention(model: Any) -> Iterator[None]:
    """While it lasts, within `packed_attention` or not, the model reads prompts as it does when it answers."""
    inner = _inner(model)
    packed = inner.config._attn_implementation == NAME
    if packed:
        inner.set_attn_implementation(_before[inner])
    try:
        yield
    finally:
        if packed:
            inner.set_attn_implementation(NAME)


def _inner(model: Any) -> Any:
    return model.get_base_model() if hasattr(model, "get_base_model") else model


AttentionInterface.register(NAME, attend)
