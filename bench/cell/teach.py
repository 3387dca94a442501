"""A teacher's answers as training items: asked once for a run, and learnt from as labels are.

The teacher is a model of any kind that answers without being trained, asked as the method `zero-shot` asks one. It is
shown the items that are to be learnt from and no item of the test. What its answers took is told to the meter again
where an earlier cell asked: a record says what its cell costs on its own.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

from pydantic import TypeAdapter, ValidationError

import methods
import tasks
from bench.adapt.adapt import adapt
from bench.adapt.ranking import with_one_rule
from bench.adapt.served import ServedSession
from bench.cell.job import Job
from bench.cell.setup import session_for
from bench.core.errors import CellError, UsageError
from bench.core.hashing import STAGE_VERSION, canonical, sha256
from bench.core.item import Example
from bench.core.measured import TaughtBy, TokensUsed
from bench.core.phases import TEACHING
from bench.core.record import Prediction
from bench.core.task import Task
from bench.engine.predictor import question
from bench.meters.phases import MeasuredWork, Meter, OnePhase
from bench.metrics.scoring import score
from bench.model.endpoint import EndpointSpec
from bench.model.memory import free_cached
from bench.store.json_files import read_json, write_json
from tasks.loader.digest import question_digest
from tasks.loader.unlabelled import read_unlabelled

NO_TEXT = "empty"  # an answer without a word
Progress = Callable[[str, int, int], None]


@dataclass(frozen=True)
class Lessons:
    """What a teacher answered, and what that took."""

    predictions: tuple[Prediction, ...]  # in the order of the items
    work: MeasuredWork
    reader: str = ""  # of an endpoint
    used: TokensUsed | None = None  # of an endpoint


_LESSONS = TypeAdapter(Lessons)


def taught(job: Job, task: Task, meter: Meter, progress: Progress) -> tuple[Task, TaughtBy | None]:
    """The task with what its teacher answered as training items, and what there is to say of it.

    Raises:
        CellError: the teacher answered no item.
        EndpointError, BudgetError: it cannot be asked.
    """
    if job.teacher is None:
        return task, None
    items = read_unlabelled(tasks.find(job.task), Path(job.unlabelled)) if job.unlabelled else _unseen(job, task)
    metrics = ("accuracy",) if task.kind == "choice" else task.metrics[:1]
    # to a teacher, what is to be learnt from is what is asked: the test is not there
    asked = replace(task, test=items, metrics=metrics)
    lessons = _kept(job, asked, meter, progress)
    answered = [
        (example, prediction)
        for example, prediction in zip(items, lessons.predictions, strict=True)
        if _failure(prediction) is None
    ]
    if not answered:
        raise CellError(f"the teacher {job.teacher['name']} answered none of {len(items)} items: {_reasons(lessons)}")
    examples = tuple(replace(item, references=(prediction.output.strip(),)) for item, prediction in answered)
    learnt = (*task.train, *examples) if job.unlabelled else examples
    return replace(task, train=learnt), _said(job, asked, lessons, answered)


def _unseen(job: Job, task: Task) -> tuple[Example, ...]:
    """The training items, without those that a published split has in the test too."""
    test = tasks.load(job.task).test if job.limit is not None else task.test
    shown = {task.prompt.ask(example) for example in test}
    return tuple(example for example in task.train if task.prompt.ask(example) not in shown)


def _kept(job: Job, asked: Task, meter: Meter, progress: Progress) -> Lessons:
    """The answers to the items of `asked`, from an earlier cell or from the teacher."""
    about = {
        "stage": STAGE_VERSION,
        "teacher": asdict(job.identity.teacher) if job.identity.teacher else {},
        "items": question_digest(asked),
        "validation": sorted(example.id for example in asked.validation) if asked.rules else [],
    }
    file = Path(job.taught or job.out) / f"{sha256(canonical(about))[:24]}.json"
    try:
        lessons = _LESSONS.validate_python(read_json(file))
        if [prediction.id for prediction in lessons.predictions] == [example.id for example in asked.test]:
            with meter.phase(TEACHING):
                meter.reuse(lessons.work)
            return lessons
    except (UsageError, ValidationError):
        pass  # not there yet, or damaged
    lessons = _ask(job, asked, meter, progress)
    if job.taught:
        file.parent.mkdir(parents=True, exist_ok=True)
        write_json(file, asdict(lessons))
    return lessons


def _ask(job: Job, asked: Task, meter: Meter, progress: Progress) -> Lessons:
    """The teacher's answers, as one phase of the cell."""
    settings, part, held = job.identity.teacher, OnePhase(meter, TEACHING), meter.held()
    assert job.teacher is not None
    assert settings is not None
    method = methods.create("zero-shot")
    of_teacher = replace(
        job, model=job.teacher, identity=replace(job.identity, surroundings=settings.surroundings), options={}
    )
    session = session_for(of_teacher, asked, method, part, progress)
    if session.task.rules:
        with part.phase("tune"):
            session = with_one_rule(session)
    predictor = adapt(method, session).predictor
    with part.phase("predict"):
        predictions = predictor.predict([question(example) for example in asked.test])
    reader, used = "", None
    if isinstance(session, ServedSession):
        reader, used = session.served.rung.name, session.served.client.used.get(TEACHING, TokensUsed())
    del session, predictor  # memory holds one model at a time
    free_cached()
    spent = meter.phases[TEACHING]
    peaks = (spent.peak_host_bytes, spent.peak_device_bytes, spent.peak_reserved_bytes)
    grown = tuple(max(0, peak - before) for peak, before in zip(peaks, held, strict=False) if peak is not None)
    return Lessons(tuple(map(_bare, predictions)), MeasuredWork(spent.wall_s, spent.joules, grown), reader, used)


def _bare(prediction: Prediction) -> Prediction:
    """An answer without what ranked it: all that is learnt from is the answer."""
    return replace(prediction, scores=(), order=(), ranking=())


def _failure(prediction: Prediction) -> str | None:
    return prediction.failure or (None if prediction.output.strip() else NO_TEXT)


def _reasons(lessons: Lessons) -> str:
    counted = Counter(filter(None, map(_failure, lessons.predictions)))
    return ", ".join(f"{reason} {count}" for reason, count in counted.most_common())


def _said(job: Job, asked: Task, lessons: Lessons, answered: Sequence[tuple[Example, Prediction]]) -> TaughtBy:
    """What the record has of the teacher."""
    assert job.teacher is not None
    endpoint = EndpointSpec.model_validate(job.teacher["endpoint"]) if job.teacher["endpoint"] else None
    of_endpoint: dict[str, Any] = {}
    if endpoint is not None:
        of_endpoint = {
            "base_url": endpoint.base_url, "reader": lessons.reader, "stays": endpoint.stays,
            "used": lessons.used, "price": endpoint.price,
        }  # fmt: skip
    labelled = [(example, prediction) for example, prediction in answered if example.references]
    metric = asked.metrics[0] if labelled else ""
    compared = replace(asked, test=tuple(example for example, _ in labelled))
    agreement = score(compared, [prediction for _, prediction in labelled]).scores[metric].value if labelled else None
    return TaughtBy(
        model=job.teacher["name"],
        digest=job.teacher["digest"],
        unlabelled=job.unlabelled is not None,
        items=len(lessons.predictions),
        failures=dict(Counter(filter(None, map(_failure, lessons.predictions)))),
        prompt_tokens=sum(prediction.prompt_tokens for prediction in lessons.predictions),
        output_tokens=sum(prediction.output_tokens for prediction in lessons.predictions),
        metric=metric,
        agreement=agreement,
        **of_endpoint,
    )
