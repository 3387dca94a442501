"""What ways to cut documents find: hits by span for each chunking, retriever and reranker, with intervals and cost.

    python scripts/chunk_sizes.py OUT.json --task manuals-qa --retriever lexical --chunk whole --chunk "sentences 60/0"

The best chunking by hit@3 on validation is named with its hits on test.
"""

from __future__ import annotations

import json
import time
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import click

import methods
import tasks
from bench.analysis.statistics.intervals import wilson
from bench.cell.setup import material_of
from bench.core.item import Example
from bench.core.spans import place_of
from bench.core.task import Task
from bench.engine.predictor import question
from bench.meters.phases import Meter
from bench.metrics.retrieval import rank_of

_DEPTHS = (1, 3, 10)


@click.command()
@click.argument("out", type=click.Path(path_type=Path))
@click.option("--task", "name", default="manuals-qa", show_default=True)
@click.option("--retriever", "retrievers", multiple=True, default=("lexical",))
@click.option("--chunk", "chunks", multiple=True, default=("whole",))
@click.option("--rerank", "rerankers", multiple=True, default=("none",), help="none, or a cross-encoder.")
@click.option("--pool", default=20, show_default=True, help="Passages that a reranker puts in order.")
@click.option("--limit", type=click.IntRange(1), help="Test questions, at most.")
@click.option("--embedder", default="auto", show_default=True, help="As in a suite.")
@click.option("--device", default="cpu", show_default=True)
def main(
    out: Path, name: str, retrievers: tuple[str, ...], chunks: tuple[str, ...], rerankers: tuple[str, ...], pool: int,
    limit: int | None, embedder: str, device: str,
) -> None:  # fmt: skip
    """Search the validation and test questions of a task in every way, and write the figures to OUT."""
    task = tasks.load(name, limit)
    ways = [
        {"retriever": retriever, "chunk": chunk, "rerank": rerank}
        for chunk in chunks
        for retriever in retrievers
        for rerank in rerankers
    ]
    with TemporaryDirectory() as vectors:  # of a chunking: computed once for all that search them
        rows = [_row(task, way, pool, embedder, Path(vectors), device) for way in ways]
    if any(row["validation"]["questions"] for row in rows):
        max(rows, key=lambda row: row["validation"]["hit@3"][0])["chosen"] = True
    out.write_text(json.dumps({"task": name, "rows": rows}, indent=1) + "\n")


def _row(task: Task, way: dict[str, str], pool: int, embedder: str, vectors: Path, device: str) -> dict[str, Any]:
    import torch

    method = methods.create("rag", {**way, "pool": pool, "top_k": 3})
    meter = Meter(torch.device(device))
    material = material_of(task, method, 0, meter, lambda *_: None, embedder=embedder, vectors=vectors)
    with meter.phase("index"):
        context = method.context.build(material)
    row: dict[str, Any] = {**way, **dict(context.counts)}
    for split in ("validation", "test"):
        asked = [example for example in getattr(task, split) if example.gold]
        start = time.process_time()
        found = context.find([question(example) for example in asked]) if asked else []
        cpu_s = time.process_time() - start
        ranks = [_rank(task, example, evidence.ranking) for example, evidence in zip(asked, found, strict=True)]
        row[split] = {f"hit@{k}": _share(sum(rank <= k for rank in ranks), len(ranks)) for k in _DEPTHS}
        row[split] |= {"questions": len(asked), "cpu_ms_per_query": 1000 * cpu_s / max(1, len(asked))}
    row["characters_of_3"] = _shown(context, task)
    row["index_s"] = meter.phases["index"].wall_s
    print(json.dumps(row), flush=True)
    return row


def _rank(task: Task, example: Example, ranking: tuple[str, ...]) -> float:
    documents = {passage.id for passage in task.corpus}
    places = [place_of(name, documents) for name in ranking]
    return min(rank_of(places, wanted) for wanted in example.gold)


def _share(hits: int, count: int) -> list[float]:
    """The share, and the limits of its interval; of nothing, what says nothing."""
    if not count:
        return [0.0, 0.0, 1.0]
    interval = wilson(hits, count)
    return [hits / count, interval.low, interval.high]


def _shown(context: Any, task: Task) -> float:
    """Characters of the three passages of a prompt, in the mean over some test questions."""
    found = context.find([question(example) for example in task.test[:50]])
    return sum(len(block.text) for evidence in found for block in evidence.blocks) / len(found)


if __name__ == "__main__":
    main()
