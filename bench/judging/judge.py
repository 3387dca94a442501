"""A run's answers judged by a model that agrees with people: the labels first, the answers only where it does.

What the judge was asked and what it said stays in `<run>/.judging/`, so that judging again asks nothing twice.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path

import tasks
from bench.core.errors import UsageError, unknown
from bench.core.names import as_name
from bench.core.record import Run
from bench.core.task import Task
from bench.judging.answers import Answers, answers_to
from bench.judging.asking import Display, Judge, ask
from bench.judging.calibration import calibrate, joined, preferred
from bench.judging.questions import Comparison, choices_of
from bench.store.archive import located
from bench.store.judged import REFERENCE, Judged, JudgedMethod
from tasks.loader.judgements import Judgement, read_judgements
from tasks.loader.manifest import read_spec
from tasks.loader.spec import Judging

WORK = ".judging"  # in a run: hidden, as it is no part of what is shown or packed
_UNSURE = 0.5  # neither better nor worse than what it is set against


def judge(run: Run, name: str, by: Judge, against: str, display: Display, limit: int | None = None) -> Judged:
    """What the judge says of every method's answers to the task `name`, or why it is refused.

    `against`: the method that answers are set against, or "reference"; without meaning where the task has grades.
    `limit`: items of the task at most, the first ones.

    Raises:
        UsageError: no such task or method, a packed run, or the task brings no labels of people.
        CellError: the judge could not be asked.
    """
    task, answers = answers_to(run, name)
    judging, judgements = _labels(run, name)
    others = _set_against(task, answers, against) if judging.form == "pairs" else {}
    folder = run.path / WORK / f"{as_name(name)}-{as_name(by.called)}"
    of_labels = [Comparison(each.question, each.answers) for each in judgements]
    said = ask(by, judging, of_labels, folder / "labels", display)
    judged = Judged(
        task=name,
        judge=by.called,
        digest=said.record.identity.model.digest,
        form=judging.form,
        criteria=judging.criteria,
        against=against if others else "",
        calibration=calibrate(judging, judgements, of_labels, said.answered),
        prompt_tokens=said.record.tokens.get("prompt_tokens", 0),
        seconds=said.record.wall_s("predict"),
    )
    if judged.calibration.refused:
        return judged
    compared = {
        each.record.key: _comparisons(task, each, others, limit) for each in answers if _is_judged(each, judged)
    }
    return _with_methods(judging, by, judged, answers, compared, folder / "answers", display)


def _is_judged(answers: Answers, judged: Judged) -> bool:
    return judged.form == "grades" or answers.record.method != judged.against


def _comparisons(task: Task, answers: Answers, others: Mapping[str, str], limit: int | None) -> list[Comparison]:
    return [
        Comparison(task.prompt.ask(item), (answers.texts[item.id], *filter(None, [others.get(item.id)])))
        for item in task.test[:limit]
    ]


def _with_methods(
    judging: Judging,
    by: Judge,
    judged: Judged,
    answers: Sequence[Answers],
    compared: Mapping[str, Sequence[Comparison]],
    folder: Path,
    display: Display,
) -> Judged:
    """The same with the judgements of every method; equal texts are a tie that nobody has to be asked about."""
    open_ = [each for some in compared.values() for each in some if not each.settled]
    answered: Mapping[str, str] = {}
    if open_:
        said = ask(by, judging, open_, folder, display)
        answered = said.answered
        judged = replace(
            judged,
            prompt_tokens=judged.prompt_tokens + said.record.tokens.get("prompt_tokens", 0),
            seconds=judged.seconds + said.record.wall_s("predict"),
        )
    rows = []
    for method in dict.fromkeys(each.method for each in answers):
        keys = tuple(a.record.key for a in answers if a.method == method and a.record.key in compared)
        if keys:
            values = [[_score(judging, each, answered) for each in compared[key]] for key in keys]
            rows.append(_judged_method(judging, method, keys, values))
    return replace(judged, methods=tuple(rows))


def _judged_method(
    judging: Judging, method: tuple[str, str], keys: tuple[str, ...], values: Sequence[Sequence[float | None]]
) -> JudgedMethod:
    """What was not judged stays in the denominator: as a tie, or with the worst grade."""
    instead = _UNSURE if judging.form == "pairs" else 0.0
    scores = tuple(tuple(instead if value is None else value for value in row) for row in values)
    return JudgedMethod(*method, keys, scores, sum(value is None for row in values for value in row))


def _score(judging: Judging, comparison: Comparison, answered: Mapping[str, str]) -> float | None:
    """From 0 to 1: of a pair 1 where the method's answer is preferred; of a grade its place on the scale."""
    if judging.form == "grades":
        grade, scale = answered.get(comparison.id), choices_of(judging)
        return None if grade is None else scale.index(grade) / (len(scale) - 1)
    if comparison.settled:
        return _UNSURE
    votes = preferred(comparison, answered)
    return None if votes is None else {0: 1.0, 1: 0.0}.get(joined(votes), _UNSURE)


def _labels(run: Run, task: str) -> tuple[Judging, tuple[Judgement, ...]]:
    """What people judged of a task's answers, and how they were told to."""
    written = run.task_paths.get(task, task)
    folder = tasks.find(written if written in tasks.available() else located(run.path, written))
    spec = read_spec(folder)
    if spec.judging is None:
        raise UsageError(
            f"task {task} brings no labels of people, so that nothing is known of a judge; "
            "add judging: {criteria: …, labels: …} to its task.yaml (docs/judging.md)"
        )
    return spec.judging, read_judgements(folder, spec, spec.judging)


def _set_against(task: Task, answers: Sequence[Answers], against: str) -> Mapping[str, str]:
    """The text of every item that answers are set against, of several seeds of a method that of the first."""
    if against == REFERENCE:
        return {example.id: example.references[0] for example in task.test}
    named = {each.record.method: each.texts for each in reversed(answers)}
    if against not in named:
        raise UsageError(unknown("method of the run:", against, [REFERENCE, *reversed(named)]))
    return {item: text or " " for item, text in named[against].items()}
