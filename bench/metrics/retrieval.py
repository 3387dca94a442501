"""Scores of rankings against gold documents, or spans of them: recall@k, MRR, nDCG."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Collection, Sequence
from statistics import fmean

from bench.core.errors import UsageError
from bench.core.measured import PairedHits
from bench.core.spans import Gold, document_of, shared

AT = (1, 5, 10)  # how deep hits are looked for
FOUND = 0.5  # share of a span's characters that have to be retrieved


def retrieval_scores(
    rankings: Sequence[Sequence[Gold]],
    gold: Sequence[Sequence[Gold]],
    at: Sequence[int] = AT,
    depth: int | None = None,
) -> dict[str, float]:
    """How well `rankings` (documents or chunks, best first) find `gold` (documents or spans).

    Gold has the rank `rank_of`; beyond `depth` it counts as not found. Keys, as means over the items that have gold:
    "questions" (how many those are), "hit@k" (share with gold of rank k or better), "recall@k" (share of the gold with
    such a rank), "mrr" (1 / the best rank, 0 where nothing is found), "ndcg@10" (binary gains; Järvelin & Kekäläinen
    2002; of several spans that one chunk finds, the j-th counts at rank j at the best, so that 1 is the most there can
    be). Without any such item only "questions" is there. What is ranked twice counts where it is first.

    Raises UsageError where the two lists differ in length.
    """
    if len(rankings) != len(gold):
        raise UsageError(f"retrieval scores: {len(rankings)} rankings but {len(gold)} lists of gold ids")
    ranks = [_ranks(ranking, wanted, depth) for ranking, wanted in zip(rankings, gold, strict=True) if wanted]
    scores = {"questions": float(len(ranks))}
    if not ranks:
        return scores

    for k in at:
        recalls = [fmean([float(rank <= k) for rank in of_item]) for of_item in ranks]
        scores[f"hit@{k}"] = fmean([float(recall > 0) for recall in recalls])
        scores[f"recall@{k}"] = fmean(recalls)
    scores["mrr"] = fmean([1 / of_item[0] for of_item in ranks])
    scores["ndcg@10"] = fmean(map(_ndcg, ranks))
    return scores


def paired_hits(
    after: Sequence[Sequence[Gold]],
    before: Sequence[Sequence[Gold]],
    gold: Sequence[Sequence[Gold]],
    at: Sequence[int] = AT,
) -> dict[str, PairedHits]:
    """For each k how many questions have gold of rank k or better: in both rankings, in one of them, in neither.

    Items without gold are left out.
    """
    best = [
        (_ranks(a, wanted, None)[0], _ranks(b, wanted, None)[0])
        for a, b, wanted in zip(after, before, gold, strict=True)
        if wanted
    ]
    found = {}
    for k in at:
        counts = Counter((a <= k, b <= k) for a, b in best)
        found[str(k)] = PairedHits(counts[True, True], counts[True, False], counts[False, True], counts[False, False])
    return found


def _ranks(ranking: Sequence[Gold], wanted: Sequence[Gold], depth: int | None) -> list[float]:
    """The ranks of all that is wanted, the best first."""
    distinct = list(dict.fromkeys(ranking))
    ranks = (rank_of(distinct, place) for place in dict.fromkeys(wanted))
    return sorted(rank if depth is None or rank <= depth else math.inf for rank in ranks)


def rank_of(ranking: Sequence[Gold], wanted: Gold) -> float:
    """The rank, from 1, at which `ranking` has found a document or a span; infinite where it has not.

    A document ranks among documents, each of which stands where its first chunk does. A span is found at the first
    rank down to which half of its characters have been retrieved: rank k is then how many chunks have to be shown,
    whatever their size.
    """
    if isinstance(wanted, str):
        documents = dict.fromkeys(map(document_of, ranking))
        return next((rank for rank, document in enumerate(documents, start=1) if document == wanted), math.inf)
    held: set[int] = set()
    for rank, place in enumerate(ranking, start=1):
        held.update(range(*shared(place, wanted)))
        if len(held) >= FOUND * (wanted.end - wanted.start):
            return rank
    return math.inf


def reciprocal_rank(ranking: Sequence[object], wanted: Collection[object]) -> float:
    """1 / the rank of the first entry that is wanted, counted from 1; 0 where none is."""
    return next((1 / rank for rank, entry in enumerate(ranking, start=1) if entry in wanted), 0.0)


def _ndcg(ranks: Sequence[float], depth: int = 10) -> float:
    gains = [1 / math.log2(rank + 1) for rank in range(1, depth + 1)]
    places = (max(rank, place) for place, rank in enumerate(ranks, start=1))
    return math.fsum(gains[int(place) - 1] for place in places if place <= depth) / math.fsum(gains[: len(ranks)])
