"""What the key of a cell is hashed from. A setting that is added later and left alone changes no key.

`known_settings.json` lists every setting with its default. What stands there under "always" is part of every key; what
was added since the stage version was last raised stands under "added", and is part of a key only where it is set to
something else. A changed default would let one key mean two things, so it raises `STAGE_VERSION`. A test compares the
file with the code and says what to do; `python -m scripts.known_settings` writes it.
"""

from __future__ import annotations

import json
import math
from collections.abc import Collection, Mapping
from dataclasses import asdict, replace
from functools import cache
from pathlib import Path
from typing import Any

from pydantic import BaseModel

import methods
from bench.config.suite import Suite
from bench.core import outside
from bench.core.errors import UsageError
from bench.core.hashing import STAGE_VERSION
from bench.core.identity import Identity, ModelIdentity, Surroundings, TaskIdentity
from bench.core.method import Method, option_values
from bench.core.method import Options as PartOptions
from bench.core.task import Task
from bench.core.training import Options
from bench.model.chat import identity as chat_identity
from bench.model.resolve import ModelSpec, ResolvedModel
from bench.runs.given import reranker_digests

KNOWN = Path(__file__).with_name("known_settings.json")
SUITE, MODEL = "suite", "suite.models"  # groups of settings; the others are named as the parts are
# Settings that decide no prediction, or that stand in an identity in a way of their own.
ELSEWHERE: Mapping[str, Collection[str]] = {
    "adapter": ("path", "any_base"),
    "checkpoint": ("path",),
    "rag": ("rerank",),
    MODEL: ("path", "endpoint", "name", "revision", "digest", "kind", "contamination"),
    SUITE: (
        *(
            "name",
            "description",
            "models",
            "tasks",
            "methods",
            "defaults",
            "seeds",
            "limit",
            "train_sizes",
            "trials",
            "folds",
        ),
        *(
            "tuning_budget",
            "probes",
            "probe_limit",
            "counterfactuals",
            "checkpoints",
            "adapter_scales",
            "embedder",
            "engine",
        ),
        *("measure", "prices", "decide", "cell_timeout_s", "failed", "keep"),
    ),
}


def identity_of(
    suite: Suite,
    model: ResolvedModel,
    task: Task,
    limit: int | None,
    method: Method,
    seed: int | None,
    around: Surroundings,
) -> Identity:
    """What decides a method's predictions; `around`: what of the machine does, see `bench.runs.surroundings`."""
    parts = (method.weights, method.context)
    return Identity(
        stage=STAGE_VERSION,
        model=model_identity(model),
        task=TaskIdentity(task.digest, limit),
        method={part.name: settings(part.name, part.options) for part in parts},
        origins={**_origins(method), **{part.name: origin for part in parts if (origin := methods.origin(part))}},
        seed=seed,
        surroundings=around if method.context.retrieves else replace(around, embedder=""),
        suite=settings(SUITE, suite),
        rerankers=reranker_digests(method),
        history=asdict(task.history) if task.history and method.weights.learner.reads_history else {},
    )


def _origins(method: Method) -> dict[str, str]:
    """The distributions that bring the retrievers of a method."""
    retrievers = getattr(method.context.options, "retriever", ())
    return {f"retriever {name}": origin for name in retrievers if (origin := outside.origin(name))}


def beside(around: Surroundings, model: ResolvedModel) -> Surroundings:
    """What of the machine decides the answers of this model."""
    near = replace(around, chat=chat_identity(model))
    if model.kind == "served":  # its answers depend on no device of this machine
        return replace(near, device="", auto_dtype="", batches={})
    dtype = around.auto_dtype if model.dtype == "auto" else model.dtype
    return near if dtype == "float32" else replace(near, in_float32="frequencies of positions")


def model_identity(model: ResolvedModel) -> ModelIdentity:
    """What of a model decides its answers."""
    of_model: dict[str, Any] = {
        name: getattr(model, name) for name in ModelSpec.model_fields if name not in ELSEWHERE[MODEL]
    }
    return ModelIdentity(model.digest, settings(MODEL, ModelSpec.model_construct(**of_model)), model.nature, model.kind)


def settings(group: str, values: BaseModel) -> Options:
    """The settings of a part, a model or a suite that belong to a key, as JSON values."""
    always, added = (known()[kind].get(group, {}) for kind in ("always", "added"))
    dumped = values.model_dump(mode="json", exclude=set(ELSEWHERE.get(group, ())))
    kept: dict[str, Any] = {}
    before: list[str] = []
    # In the order in which they came: what an option is where it is left alone may depend on older ones, on no later.
    for name in dict.fromkeys([*always, *added, *dumped]):
        if name in dumped:
            if name in always or getattr(values, name) != _left_alone(values, name, before):
                kept[name] = dumped[name]
            before.append(name)
    return option_values(kept)


@cache
def known() -> dict[str, Any]:
    """The content of `KNOWN`: the stage version, and for each group the settings and their defaults."""
    content: dict[str, Any] = json.loads(KNOWN.read_text(encoding="utf-8"))
    return content


def _left_alone(values: BaseModel, name: str, before: Collection[str]) -> object:
    if isinstance(values, PartOptions):
        return values.left_alone(name, before)
    return type(values).model_fields[name].get_default(call_default_factory=True)


def require_budget(label: str, task: Task, identity: Identity, method: Method, tried: int, taught: int) -> None:
    """Refuse a budget with less than a step for each trial; `taught`: items without labels that are learnt from too."""
    tuning = identity.tuning
    whole = method.weights.length(len(task.train[: identity.train_size]) + taught)
    if tried < 2 or tuning is None or tuning.budget is None or whole is None:
        return
    folds = max(1, tuning.folds)
    if int(tuning.budget * whole) // folds < tried:
        least, dealt = math.ceil(100 * tried * folds / whole) / 100, f" in {folds} folds" if tuning.folds else ""
        of = f"{tried} trials of {label} on {task.name}{dealt}"
        raise UsageError(
            f"tuning_budget {tuning.budget:g} has less than a step for each of {of}; the least is {least:g}"
        )
