"""A policy: which checks there are, what each tolerates, and what its outcome means. Reference: docs/gate.md."""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Literal, TypeAlias

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, ValidationError

from bench.core.errors import UsageError, nearest, unknown
from bench.core.explain import explain
from bench.core.yaml_file import read_mapping
from bench.gate.costs import COUNTERS, MEASURED
from bench.metrics import NAMES

DEFAULT = Path(__file__).with_name("default.yaml")
PRIMARY = "primary"  # a task's first metric
Mode: TypeAlias = Literal["regression", "non-inferiority"]
Question: TypeAlias = Literal["training", "checkpoints"]
Tier: TypeAlias = Literal["critical", "supporting", "advisory"]


@dataclass(frozen=True, slots=True)
class Amount:
    """A number as it is, or a share of something (`2%`)."""

    value: float
    relative: bool

    def of(self, whole: float) -> float:
        """In the unit of `whole`."""
        return self.value * whole if self.relative else self.value


def _amount(given: object) -> Amount:
    number: object = given
    relative = isinstance(given, str) and given.strip().endswith("%")
    if relative:
        try:
            number = float(str(given).strip().removesuffix("%")) / 100
        except ValueError:
            number = None
    if isinstance(number, bool) or not isinstance(number, (int, float)):
        raise ValueError("should be a number, or a share such as 2%")
    if not 0 <= number < float("inf"):
        raise ValueError("should be 0 or more")
    return Amount(float(number), relative)


Quantity = Annotated[Amount, BeforeValidator(_amount, json_schema_input_type=float | str)]


class _Strict(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True, strict=True)


class Entry(_Strict):
    """What every check has: where it applies, and what its outcome means."""

    model: str = Field("*", description="name or glob")
    task: str = Field("*", description="name or glob")
    method: str = Field("*", description="name or glob, such as `lora*`")
    tier: Tier = Field("critical", description="what an outcome means for the verdict")
    if_present: bool = Field(False, description="no mistake where the baseline has nothing of the sort")


class Scored(Entry):
    """A check of a score: a drop of `margin` is tolerated, one of `detect` must be found."""

    metric: str = Field(PRIMARY, description="a metric, a glob, or primary: the first metric of the task or probe")
    margin: Quantity = Field(description="a drop that is tolerated: in the metric's unit, or `2%` of its scale")
    detect: Quantity | None = Field(None, description="a drop that must be found; default: twice the margin")


class Quality(Scored):
    """A metric of a task."""


class Retention(Scored):
    """A metric of a probe: what the adapted model still knows of what its base knew."""

    probe: str = Field("*", description="name or glob")


class CostCheck(Entry):
    """A counter, or a measured quantity, that may rise by `limit` of what it was."""

    counter: str = Field(description="a cost, such as prompt_tokens or predict_s")
    limit: Quantity = Field(description="share that it may rise by, such as `10%`")


class Rename(_Strict):
    """Candidate's name: baseline's name, where the change renamed something."""

    models: Mapping[str, str] = Field({}, description="candidate's name: baseline's name")
    methods: Mapping[str, str] = Field({}, description="candidate's name: baseline's name")


class Policy(_Strict):
    """A gate.yaml."""

    mode: Mode = Field("regression", description="regression: for pull requests; non-inferiority: for releases")
    question: Question = Field("training", description="what may fail: training again, or these checkpoints")
    alpha: float = Field(0.05, gt=0, lt=0.5, description="chance of failing an unchanged candidate, over all checks")
    power: float = Field(0.8, gt=0, lt=1, description="chance asked for of finding what must be found")
    changed: float = Field(0.1, gt=0, le=1, description="share of items whose score changes; what --plan assumes")
    inconclusive: Literal["stop", "pass"] = Field("stop", description="stop: exit code 3")
    may_change: list[Literal["prompt"]] = Field(default=[], description="what may differ though items must not")
    rename: Rename = Field(Rename(), description="where the change renamed something")
    quality: list[Quality] = Field([], description="checks of metrics of tasks")
    retention: list[Retention] = Field([], description="checks of metrics of probes")
    cost: list[CostCheck] = Field([], description="checks of costs")

    def entries(self) -> Iterator[Entry]:
        """All checks, in their order."""
        yield from self.quality
        yield from self.retention
        yield from self.cost


def load(path: Path | None, mode: Mode | None = None) -> Policy:
    """Read and check a policy file, or the default one; `mode` in place of the file's. Every problem is named at once.

    Raises:
        UsageError: no file, not YAML, a key twice, unknown or wrong keys, no check at all, a policy nothing could pass.
    """
    file = path or DEFAULT
    if not os.path.isfile(file):
        others = [p.name for p in file.parent.glob("*.y*ml")] if os.path.isdir(file.parent) else []
        raise UsageError(f'no policy file "{file}"{nearest(file.name, others)}')
    raw = read_mapping(file, str(file), "a policy is a mapping with checks under quality, retention or cost")
    try:
        policy = Policy.model_validate({**raw, **({"mode": mode} if mode else {})})
    except ValidationError as error:
        raise UsageError("\n".join(f"{file}: {line}" for line in explain(error, Policy))) from None
    problems = list(_mistakes(policy))
    if problems:
        raise UsageError("\n".join(f"{file}: {line}" for line in problems))
    return policy


def _mistakes(policy: Policy) -> Iterator[str]:
    """What is wrong though each value on its own is not."""
    if not any(True for _ in policy.entries()):
        yield "no check: add one under quality, retention or cost"
    elif not any(entry.tier != "advisory" for entry in policy.entries()):
        yield "every check is advisory, so that nothing could fail; make one critical or supporting"
    if policy.power <= policy.alpha:
        yield f"power is {policy.power:g}; it must be above alpha, {policy.alpha:g}"
    for kind in ("quality", "retention"):
        for place, entry in enumerate(getattr(policy, kind)):
            yield from (f"{kind}.{place}: {problem}" for problem in _of_score(entry, policy.mode))
    for place, cost in enumerate(policy.cost):
        known = (*COUNTERS, *MEASURED)
        if not any(sign in cost.counter for sign in "*?[") and cost.counter not in known:
            yield f"cost.{place}: {unknown('counter', cost.counter, known)}"


def _of_score(entry: Scored, mode: Mode) -> Iterator[str]:
    if entry.metric != PRIMARY and entry.metric not in NAMES and not any(sign in entry.metric for sign in "*?["):
        yield unknown("metric", entry.metric, (*NAMES, PRIMARY))
    if entry.margin.value == 0 and mode == "non-inferiority":
        yield "margin is 0; non-inferiority needs one above 0, or nothing could pass"
    if entry.margin.value == 0 and entry.detect is None:
        yield "margin is 0; say with detect which drop must be found"
    if entry.detect and entry.detect.relative == entry.margin.relative and entry.detect.value <= entry.margin.value:
        yield "detect must be above margin: what is tolerated is never found"
