"""The other models of a method in a suite.

Its teacher answers what it learns from, in place of labels or for items without any; its reflector writes instructions
for a prompt that is searched for.
"""

from __future__ import annotations

from typing import Any, TypeVar

from pydantic import Field, ValidationError

import methods
from bench.core.errors import UsageError
from bench.core.explain import explain
from bench.core.method import ContextPart
from bench.core.model_kind import DESCRIPTIONS, LANGUAGE_MODELS, fits
from bench.core.quoting import shown
from bench.model.resolve import ModelSpec, ResolvedModel

Spec = TypeVar("Spec", bound=ModelSpec)


class TeacherSpec(ModelSpec):
    """The `teacher` of one entry of a suite's `methods`: a model as in `models`, and what it answers."""

    unlabelled: str = Field(
        "",
        description="a file with items of the task and no answers, relative to the suite's file; its answers join the "
        "training items. Without it the training items are answered anew, in place of their labels",
    )


def read_teacher(value: object, method: str) -> TeacherSpec | None:
    """The teacher of a method's entry; None where it names none.

    Raises:
        UsageError: the value is wrong, or the method learns nothing from training items.
    """
    if value is None:
        return None
    weights, context = methods.classes(method)
    if not weights.learner.reads_train and context.reads_train is ContextPart.reads_train:
        raise UsageError(f"teacher of method {method}: it learns nothing from training items; leave teacher out")
    return _spec(TeacherSpec, value, f"teacher of method {method}")


def read_reflector(value: object, method: str) -> ModelSpec | None:
    """The reflector of a method's entry; None where it names none.

    Raises:
        UsageError: the value is wrong, or the method searches for no instruction.
    """
    if value is None:
        return None
    if not methods.classes(method)[1].reflects:
        raise UsageError(f"reflector of method {method}: it searches for no instruction; leave reflector out")
    return _spec(ModelSpec, value, f"reflector of method {method}")


def _spec(kind: type[Spec], value: object, where: str) -> Spec:
    given: Any = {"model": value} if isinstance(value, str) else value
    if not isinstance(given, dict):
        raise UsageError(f"{where} must be a model, or a mapping with model or endpoint; got {shown(value)}")
    if {"model", "path"} <= given.keys():
        raise UsageError(f"{where}: model and path are two names for one thing; leave path out")
    given = {"path" if key == "model" else key: each for key, each in given.items()}
    try:
        return kind.model_validate(given)
    except ValidationError as error:
        raise UsageError("\n".join(f"{where}: {line}" for line in explain(error, kind))) from None


def require_writes(reflector: ResolvedModel, label: str) -> None:
    """Refuse a reflector that writes no text; `label`: what reports call its method."""
    if reflector.kind not in LANGUAGE_MODELS:
        raise UsageError(
            f"{label}: the reflector {reflector.name} writes no text: it is {DESCRIPTIONS[reflector.kind]}"
        )


def require_answers(teacher: ResolvedModel, label: str) -> None:
    """Refuse a teacher that cannot answer without being trained; `label`: what reports call its method."""
    if not fits(methods.create("zero-shot"), teacher.kind):
        raise UsageError(f"{label}: the teacher {teacher.name} cannot answer before it is trained")
