"""What retrieval found for the test items, beside what it would have found without its second stage or tuning."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from bench.adapt.learner import Adapted
from bench.cell.tuned_encoder import TunedIndexes
from bench.core.item import Item
from bench.core.measured import SecondStageWork
from bench.core.method import Material
from bench.core.record import Prediction
from bench.core.search import TwoStages
from bench.core.spans import RANKING_DEPTH, Gold, place_of
from bench.core.task import Task
from bench.core.training import TunedRetriever
from bench.meters.phases import Meter
from bench.metrics.retrieval import paired_hits, retrieval_scores
from methods.passages import Passages


def second_stage(
    adapted: Adapted, items: Sequence[Item], predictions: Sequence[Prediction], task: Task, meter: Meter
) -> SecondStageWork | None:
    """What the second stage of retrieval is, and what it changed; None where there is none."""
    context = adapted.predictor.writer.context
    with meter.phase("count"):
        before = context.first_stage(items)
    if before is None:
        return None
    gold, after = [example.gold for example in task.test], [prediction.ranking for prediction in predictions]
    found = SecondStageWork()
    if any(gold):
        first, last = places(task, before), places(task, after)
        scores = retrieval_scores(first, gold, depth=RANKING_DEPTH)
        found = SecondStageWork(first=scores, hits=paired_hits(last, first, gold))
    index = getattr(context, "index", None)
    reranker = index.reranker if isinstance(index, TwoStages) else None
    if reranker is None:
        return found
    return replace(
        found, reranker=reranker.name, digest=reranker.digest, parameters=reranker.parameters,
        load_s=reranker.load_s, pairs=reranker.pairs,
    )  # fmt: skip


def tuned_retriever(
    adapted: Adapted, material: Material, items: Sequence[Item], task: Task, meter: Meter
) -> TunedRetriever | None:
    """How a retriever was tuned, and what that changed in its first stage; None where it was not."""
    context, made = adapted.predictor.writer.context, material.tuned_index
    if not isinstance(made, TunedIndexes) or made.told is None or not isinstance(context, Passages):
        return None
    gold, index = [example.gold for example in task.test], context.first or context.index
    if index is None or not any(gold):
        return made.told
    with meter.phase("count"):
        before, after = (places(task, context.rankings(each, items)) for each in (made.untuned(), index))
    scores = retrieval_scores(before, gold, depth=RANKING_DEPTH)
    return replace(made.told, untuned=scores, hits=paired_hits(after, before, gold))


def places(task: Task, rankings: Sequence[Sequence[str]]) -> list[list[Gold]]:
    """What the ids of rankings stand for."""
    documents = {passage.id for passage in task.corpus}
    return [[place_of(name, documents) for name in ranking] for ranking in rankings]
