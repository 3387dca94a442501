"""Log-likelihoods of choices: as a tree on the cache of their query, or each as a row behind it."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor

from bench.engine.choice_tree import NARROWEST, Ids, PlacedTree, filled, place_trees, with_ancestors
from bench.engine.decoder import Decoder
from bench.engine.kv_cache import LayerStates, copied, states_of
from bench.model.devices import tensor_on

Pair = tuple[int, Ids]  # (number of the query, choice)
_LOGITS = 1024  # of a pass at most, for each token that a batch may have


def tree_scores(
    decoder: Decoder, prefix: Ids, queries: Sequence[Ids], pairs: Sequence[Pair], tokens: int
) -> list[float]:
    """A choice's first token from the query's own pass, its others on the query's cache.

    `tokens`: of a pass at most.
    """
    logits, cache, mask = decoder.prefill(prefix, queries)
    device, states = logits.device, states_of(cache)
    rows = tensor_on(device, [row for row, _ in pairs])
    firsts = tensor_on(device, [choice[0] for _, choice in pairs])
    sums = logits[:, -1].log_softmax(-1)[rows, firsts]
    placed = sorted(place_trees(pairs, max(NARROWEST, mask.shape[1] // 4)), key=lambda each: len(each.tree.tokens))
    broadest = max((len(each.tree.tokens) for each in placed), default=1)
    step = max(1, min(tokens // (mask.shape[1] + broadest), rows_of_logits(tokens, broadest, logits.shape[-1])))
    for chunk in (placed[i : i + step] for i in range(0, len(placed), step)):
        _add_rest(decoder, sums, chunk, states, mask)
    return [float(value) for value in sums.tolist()]


def row_scores(
    decoder: Decoder, prefix: Ids, queries: Sequence[Ids], pairs: Sequence[Pair], tokens: int
) -> list[float]:
    """Each (query, choice) pair as a row of its own behind the prefix; at most as many rows at once as queries.

    `tokens`: as in `tree_scores`.
    """
    sums: list[Tensor] = []
    vocabulary = decoder.vocabulary
    spread = max(map(len, queries)) - min(map(len, queries)) + max(len(choice) for _, choice in pairs)
    step = max(1, min(len(queries), rows_of_logits(tokens, spread, vocabulary)))
    for chunk in (pairs[i : i + step] for i in range(0, len(pairs), step)):
        rows = [[*queries[row], *choice[:-1]] for row, choice in chunk]
        kept = decoder.ends(prefix, rows, [len(choice) for _, choice in chunk])
        for logits, (_, choice) in zip(kept, chunk, strict=True):
            read = tensor_on(logits.device, choice)[:, None]
            sums.append(logits.log_softmax(-1).gather(1, read).sum())
    return [float(value) for value in torch.stack(sums).tolist()] if sums else []


def rows_of_logits(tokens: int, kept: int, vocabulary: int) -> int:
    """Rows with logits at `kept` places each that a pass may have: a large vocabulary must not fill the memory."""
    return 2 * tokens * _LOGITS // (kept * vocabulary)


def _add_rest(decoder: Decoder, sums: Tensor, placed: Sequence[PlacedTree], states: LayerStates, mask: Tensor) -> None:
    """Add to `sums` the log-likelihood of each choice's tokens after its first.

    A tree is one row: its tokens see their query and what leads to them, and start at the position after the query.
    So a query's cache is copied once for a tree, not once for a choice.
    """
    device, trees = mask.device, [each.tree for each in placed]
    width = max(len(tree.tokens) for tree in trees)
    given = tensor_on(device, [filled(tree.tokens, width) for tree in trees])
    depth = tensor_on(device, [filled(tree.depths, width) for tree in trees])
    above = tensor_on(device, [[*tree.parents, *range(len(tree.parents), width)] for tree in trees])
    rows = tensor_on(device, [each.row for each in placed])
    before = mask[rows].bool()[:, None, :].expand(-1, width, -1)
    seen = torch.cat([before, with_ancestors(above, max(max(tree.depths) for tree in trees))], 2)
    dtype = decoder.model.dtype
    hidden = torch.zeros(seen.shape, dtype=dtype, device=device).masked_fill_(~seen, torch.finfo(dtype).min)
    logits, _ = decoder.forward(
        given,
        width,
        cache=copied(states, rows, len(placed), width),
        use_cache=True,
        attention_mask=hidden[:, None],
        position_ids=mask[rows].sum(1, keepdim=True) + depth,
    )
    reads = [
        (i, read.place, read.token, each.first + read.choice)
        for i, each in enumerate(placed)
        for read in each.tree.reads
    ]
    row, place, token, pair = tensor_on(device, reads).T
    # a gather and a logsumexp rather than log_softmax: no second tensor of the vocabulary's size
    sums.index_add_(0, pair, logits[row, place, token] - logits.logsumexp(-1)[row, place])
