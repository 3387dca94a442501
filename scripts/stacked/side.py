"""One technique once, in a process of its own: seconds, peak memory, and what came out.

    python -m scripts.stacked.side '{"case": …, "technique": …, "model": …, …}'

Prints JSON. Imports, loading and writing prompts are not timed, nor is what a library does at its first call: a tiny
model goes the same way before.
"""

from __future__ import annotations

import json
import os
import sys
import tempfile
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import torch

import methods
from bench.adapt.gradient import setting_for, start
from bench.adapt.session import AdaptSession, Limits
from bench.core.errors import UsageError
from bench.core.method import Material
from bench.core.search import Search
from bench.core.task import Task
from bench.engine.predictor import ModelPredictor, question
from bench.engine.transformers_backend import TransformersBackend
from bench.engine.transformers_engine import Engine
from bench.engine.trial import Reading
from bench.meters.environment import describe
from bench.meters.phases import Meter
from bench.model import tiny_random
from bench.model.base import Base
from bench.model.budget import batch_tokens
from bench.model.load import load_base
from bench.model.memory import keep_freed
from bench.model.resolve import ModelSpec, resolve
from bench.training.loss import mean_loss
from scripts.peers import cases, sides
from scripts.stacked import learning, scoring, writing
from scripts.stacked.plain import Ids, Technique, forward

WARM = {"items": 2, "steps": 1}  # what the tiny model is asked
TECHNIQUES: dict[cases.Kind, tuple[Technique, ...]] = {
    "score": scoring.TECHNIQUES,
    "write": writing.TECHNIQUES,
    "train": learning.TECHNIQUES,
}


def main(asked: dict[str, Any]) -> dict[str, Any]:
    """Measure what `asked` says; returns seconds, bytes, answers and the environment.

    Raises:
        UsageError: the model's cache is not plain keys and values, and cannot be copied for choices and batches.
    """
    torch.set_num_threads(asked["threads"])
    os.environ["HF_HUB_OFFLINE"] = "1"
    case = cases.CASES[asked["case"]]
    technique = TECHNIQUES[case.kind][asked["technique"]]
    if technique.keeps:
        keep_freed()
    device = torch.device("cuda" if torch.cuda.is_available() else "cpu")
    go = trained if case.kind == "train" else answered
    base = loaded(cases.folder_of(asked["model"], Path(asked["cache"])), technique, device)
    with tempfile.TemporaryDirectory() as folder:
        go(case, technique, loaded(tiny_random.build(Path(folder) / "tiny"), technique, device), {**asked, **WARM})
    return {**go(case, technique, base, asked), "environment": describe(device)}


def loaded(folder: Path, technique: Technique, device: torch.device) -> Base:
    """The model of a row: in fp32, but where the row gives other numbers anyway."""
    dtype = "bfloat16" if technique.within is None else "float32"
    return load_base(resolve(ModelSpec(path=str(folder), dtype=dtype)), device, technique.quick)


def measured(work: Callable[[], Any]) -> tuple[Any, dict[str, Any]]:
    """What `work` gives, its seconds, those of all processors together (a busy machine adds none), and its bytes."""
    before = time.process_time()
    result, cost = sides.measured(work)
    return result, {**cost, "cpu_seconds": time.process_time() - before}


class Remembering:
    """An engine that remembers prompts and what it wrote behind them."""

    def __init__(self, engine: Any) -> None:
        self.engine = engine
        self.score = getattr(engine, "score", None)  # the plain ways do one or the other
        self.written: list[tuple[list[int], list[int]]] = []

    def generate(self, prefix: Ids, queries: Sequence[Ids], *given: Any) -> list[list[int]]:
        """What the engine writes."""
        texts: list[list[int]] = self.engine.generate(prefix, queries, *given)
        self.written += [([*prefix, *query], text) for query, text in zip(queries, texts, strict=True)]
        return texts


def answered(case: cases.Case, technique: Technique, base: Base, asked: dict[str, Any]) -> dict[str, Any]:
    """The questions of a case, answered by a technique; raises UsageError where its model cannot be asked."""
    task = case.task()
    writer = cases.writer(base, task, case.shots)
    items = [question(example) for example in task.test[: asked["items"]]]
    prompts = writer.write(items)
    engine = Remembering(_engine(case, technique, base, task, asked["batch"]))
    backend = TransformersBackend(engine, base.codec.decode)  # type: ignore[arg-type]
    predictor = ModelPredictor(backend, writer, task, lambda done, of: None)
    found, cost = measured(lambda: predictor.answer(items, prompts))
    if case.kind == "score":
        return {
            **cost,
            "answers": [list(one.order[:1]) for one in found],
            "scores": [list(one.scores) for one in found],
        }
    margins = [_margins(engine.engine.model, *each) for each in engine.written]
    return {**cost, "answers": [text for _, text in engine.written], "margins": margins}


def _engine(case: cases.Case, technique: Technique, base: Base, task: Task, batch: int) -> Any:
    model, codec = base.load(False).eval(), base.codec
    budget = batch_tokens(model)
    if Engine(model, codec.pad, codec.stops, budget).reading is not Reading.TREE:
        raise UsageError("the cache of this model cannot be shared: it cannot be copied for batches")
    written = (codec.stops, task.stop, codec.tokenizer) if case.kind == "write" else ()
    return technique.make(model, codec.pad, batch, budget, *written)


@torch.inference_mode()
def _margins(model: Any, prompt: Sequence[int], text: Sequence[int]) -> list[float]:
    """By how many logits each token of a text comes before the next likeliest."""
    ids = torch.tensor([[*prompt, *text]], device=model.device)
    logits, _ = forward(model, ids, torch.ones_like(ids), keep=len(text) + 1)
    best = logits[0, :-1].topk(2).values
    return [float(value) for value in (best[:, 0] - best[:, 1]).tolist()]


def trained(case: cases.Case, technique: Technique, base: Base, asked: dict[str, Any]) -> dict[str, Any]:
    """A model trained on the examples of a case, and the loss that it has on them afterwards."""
    task, device = case.task(), "cuda" if torch.cuda.is_available() else "cpu"
    grid = methods.create(case.weights, {}).weights.options.learning_rate
    rate = sorted(grid)[len(grid) // 2]  # the middle of what would be tried
    method = methods.create(case.weights, {"learning_rate": rate, "max_steps": asked["steps"]})
    limits = Limits(None, None, None, base.dtype == torch.bfloat16)
    material = Material(task.name, task.prompt, task.train, (), (), seed=0, index=_no_index)
    session = AdaptSession(base, task, material, limits, Meter(torch.device(device)), lambda phase, done, of: None)
    pairs = cases.writer(base, task, case.shots).write_solved(task.train[: asked["items"]])
    setting = setting_for(session, method, pairs)
    way = technique.make(start(session, method, 0), pairs, setting)
    model, cost = measured(way.train)
    loss = mean_loss(model, pairs, pad=base.codec.pad, rows=8)
    return {**cost, "loss": loss, "rows": setting.options.batch_size, "micro_batch": setting.micro_batch}


def _no_index(retriever: str, documents: Sequence[str]) -> Search:
    raise AssertionError("nothing is retrieved here")


if __name__ == "__main__":
    print("\n" + json.dumps(main(json.loads(sys.argv[1]))))
