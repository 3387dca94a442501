"""Scores of rankings against gold passages: recall@k, MRR, nDCG."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Collection, Sequence
from statistics import fmean

from bench.core.errors import UsageError
from bench.core.measured import PairedHits

AT = (1, 5, 10)  # how deep hits are looked for


def retrieval_scores(
    rankings: Sequence[Sequence[str]], gold: Sequence[Sequence[str]], at: Sequence[int] = AT
) -> dict[str, float]:
    """How well `rankings` (ids, best first) find `gold` (ids), means over the items that have gold.

    Keys: "questions" (items with gold; the others are left out), "hit@k" (share with a gold id among
    the first k), "recall@k" (share of the gold ids among the first k), "mrr" (1 / rank of the first
    gold id anywhere in the ranking, else 0), "ndcg@10" (binary gains; Järvelin & Kekäläinen 2002).
    Without any such item only "questions" is there. An id that is ranked twice counts where it is first.

    Raises UsageError where the two lists differ in length.
    """
    if len(rankings) != len(gold):
        raise UsageError(f"retrieval scores: {len(rankings)} rankings but {len(gold)} lists of gold ids")
    pairs = [
        (list(dict.fromkeys(ranking)), set(wanted)) for ranking, wanted in zip(rankings, gold, strict=True) if wanted
    ]
    scores = {"questions": float(len(pairs))}
    if not pairs:
        return scores

    for k in at:
        recalls = [len(wanted.intersection(ranking[:k])) / len(wanted) for ranking, wanted in pairs]
        scores[f"hit@{k}"] = fmean([float(recall > 0) for recall in recalls])
        scores[f"recall@{k}"] = fmean(recalls)
    scores["mrr"] = fmean([reciprocal_rank(ranking, wanted) for ranking, wanted in pairs])
    scores["ndcg@10"] = fmean([_ndcg(ranking, wanted) for ranking, wanted in pairs])
    return scores


def paired_hits(
    after: Sequence[Sequence[str]],
    before: Sequence[Sequence[str]],
    gold: Sequence[Sequence[str]],
    at: Sequence[int] = AT,
) -> dict[str, PairedHits]:
    """For each k how many questions have a gold id among their first k: in both rankings, in one of them, in neither.

    Items without gold are left out.
    """
    rows = [(a, b, set(wanted)) for a, b, wanted in zip(after, before, gold, strict=True) if wanted]
    found = {}
    for k in at:
        counts = Counter((bool(wanted & {*a[:k]}), bool(wanted & {*b[:k]})) for a, b, wanted in rows)
        found[str(k)] = PairedHits(counts[True, True], counts[True, False], counts[False, True], counts[False, False])
    return found


def reciprocal_rank(ranking: Sequence[str], wanted: Collection[str]) -> float:
    """1 / the rank of the first entry that is wanted, counted from 1; 0 where none is."""
    return next((1 / rank for rank, entry in enumerate(ranking, start=1) if entry in wanted), 0.0)


def _ndcg(ranking: list[str], wanted: set[str], depth: int = 10) -> float:
    gains = [1 / math.log2(rank + 1) for rank in range(1, depth + 1)]
    found = (gain for gain, document in zip(gains, ranking, strict=False) if document in wanted)
    return math.fsum(found) / math.fsum(gains[: len(wanted)])
