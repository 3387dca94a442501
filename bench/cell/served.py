"""What is particular to the cell of a served model: how it is reached and read, and what its answers took."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np

from bench.adapt.served import ServedSession
from bench.adapt.session import Limits
from bench.cell.job import Job
from bench.core.errors import NotApplicableError
from bench.core.measured import TAIL_ITEMS, Latency, ServedBy, Serving
from bench.core.method import Material
from bench.core.record import Prediction
from bench.core.task import Task
from bench.engine.predictor import ModelPredictor, question
from bench.meters.phases import Meter
from bench.model.base import without_model
from bench.served.backend import ServedBackend
from bench.served.client import Client
from bench.served.kept_answers import KeptAnswers
from bench.served.ladder import climb, context_length
from bench.served.predictor import ServedPredictor, unsteady
from tasks.loader.splits import sample

Progress = Callable[[str, int, int], None]


def serve(job: Job, task: Task, meter: Meter) -> ServedBackend:
    """The endpoint of a job's model, and how it is read for `task`.

    Raises:
        EndpointError: it cannot be reached, or answers in no way that can be read.
        NotApplicableError: the task asks for the likelihood of a text.
    """
    spec = job.resolved.served_at
    assert spec is not None
    if task.kind == "prose":
        raise NotApplicableError(f"a served model gives no likelihood of a text (task {task.name})")
    folder = Path(job.answers) if job.answers else Path(job.out)
    kept = KeptAnswers(folder / f"{spec.digest[:16]}.jsonl")
    client = Client(spec, kept, lambda: meter.current or "load")
    with meter.phase("load"):
        choices = max((len(example.choices) for example in task.test), default=0) if task.kind == "choice" else 0
        return ServedBackend(client, climb(client, job.resolved.reader, choices))


def session_with(
    job: Job, backend: ServedBackend, task: Task, material: Material, meter: Meter, progress: Progress
) -> ServedSession:
    """The session of a served model."""
    return ServedSession(
        base=without_model(),
        task=task,
        material=material,
        limits=Limits(None, None, None, bf16=False),
        meter=meter,
        progress=progress,
        served=backend,
        context_length=context_length(backend.client),
        single_turn=job.resolved.chat_examples == "text",
    )


def observed(session: ServedSession, predictor: ModelPredictor, answers: Sequence[Prediction], task: Task) -> ServedBy:
    """The endpoint as the record has it; a sample of the test is asked once more, to see how steady answers are."""
    assert isinstance(predictor, ServedPredictor)
    client, rung = session.served.client, session.served.rung
    spec = client.spec
    repeated = sample(task.test, spec.repeats, 0) if spec.repeats else ()
    first = {prediction.id: prediction for prediction in answers}
    with session.meter.phase("probe"):
        second = predictor.again().predict([question(example) for example in repeated])
    return ServedBy(
        base_url=spec.base_url,
        model=client.model,
        reader=rung.name,
        conversation=rung.chat,
        stays=spec.stays,
        at_once=rung.most,
        dropped=rung.dropped,
        used=dict(client.used),
        price=spec.price,
        repeated=len(second),
        changed=unsteady([first[prediction.id] for prediction in second], second),
    )


def latency(predictor: ModelPredictor, meter: Meter, items: int) -> dict[Serving, Latency]:
    """Seconds of the requests of an item, as the client saw them among the others that were open."""
    assert isinstance(predictor, ServedPredictor)
    if not predictor.took:
        return {}
    prompt_s = meter.phases["retrieve"].wall_s / items  # in the mean: all prompts are written at once
    p50, p95 = (float(value) + prompt_s for value in np.quantile(predictor.took, (0.5, 0.95)))
    tail = p95 if len(predictor.took) >= TAIL_ITEMS else None
    return {"served": Latency(p50, tail, prompt_s, len(predictor.took))}
