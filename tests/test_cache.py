"""The cache with room holds what transformers' own holds, and leaves alone what it was made from."""

from __future__ import annotations

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from transformers import DynamicCache

from bench.engine.kv_cache import LayerStates, copied, states_of


def drawn(rows: int, tokens: int, seed: int) -> tuple[torch.Tensor, torch.Tensor]:
    generator = torch.Generator().manual_seed(seed)
    keys, values = torch.randn(2, rows, 3, tokens, 4, generator=generator)
    return keys, values


@settings(max_examples=50, deadline=None)
@given(
    start=st.integers(1, 9),
    room=st.integers(0, 9),
    added=st.lists(st.integers(1, 5), max_size=5),
    rows=st.none() | st.lists(st.integers(0, 1), min_size=1, max_size=4),
)
def test_it_holds_what_joining_gives(start: int, room: int, added: list[int], rows: list[int] | None) -> None:
    states: LayerStates = [drawn(2, start, 1), drawn(2, start, 2)]
    before = [(keys.clone(), values.clone()) for keys, values in states]
    picked = None if rows is None else torch.tensor(rows)
    count = 2 if rows is None else len(rows)
    roomy = copied(states, picked, count, room)
    joined = DynamicCache([(k, v) if picked is None else (k[picked], v[picked]) for k, v in states])
    for step, tokens in enumerate(added):
        for layer in range(2):
            new = drawn(count, tokens, 10 * step + layer)
            for given_, expected in zip(roomy.update(*new, layer), joined.update(*new, layer), strict=True):
                assert torch.equal(given_, expected)
    assert roomy.get_seq_length() == start + sum(added)
    for one, other in zip(states_of(roomy), states_of(joined), strict=True):
        assert all(map(torch.equal, one, other))
    assert all(torch.equal(a, b) for x, y in zip(states, before, strict=True) for a, b in zip(x, y, strict=True))


@pytest.mark.parametrize("count", [1, 3])
def test_one_row_serves_all(count: int) -> None:
    states: LayerStates = [drawn(1, 4, 0)]
    cache = copied(states, None, count, 2)
    [(keys, _)] = states_of(cache)
    assert all(torch.equal(keys[row], states[0][0][0]) for row in range(count))
