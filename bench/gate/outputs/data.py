"""gate.json: all of a verdict, and its JSON Schema."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Annotated, Any, Literal, TypeAlias

from pydantic import Field, PositiveInt

from bench import __version__
from bench.analysis.statistics.intervals import Interval
from bench.core.values import Amount, Count
from bench.gate.expand import Kind
from bench.gate.flips import Flips
from bench.gate.outputs.words import headline, unit
from bench.gate.policy import Mode, Question, Tier
from bench.gate.rules import Status
from bench.gate.verdict import GateFinding, GateVerdict
from bench.report.json_schema import schema_of

SCHEMA: Literal[1] = 1
Shown = Mapping[int, Flips]  # place of a finding -> its changed items
Probability: TypeAlias = Annotated[float, Field(ge=0, le=1)]


@dataclass(frozen=True, slots=True)
class SeedsCompared:
    """How many seeds were compared."""

    candidate: PositiveInt  # of the candidate
    baseline: PositiveInt  # of the baseline


@dataclass(frozen=True, slots=True)
class CheckReport:
    """One check of one method."""

    kind: Kind  # what is checked: a metric of the task, a metric of a probe, a cost
    model: str  # name in the baseline
    task: str  # task that the method was adapted to
    method: str  # name in the baseline
    probe: str | None  # probe of a check of retention, else null
    name: str  # metric or counter
    unit: str | None  # unit of a cost; null for a metric, whose scale its documentation gives
    tier: Tier  # what the outcome means for the verdict
    status: Status  # outcome of this check
    decides: bool  # whether this outcome alone keeps the verdict from being a pass
    reason: str  # why, in words; empty for a pass
    baseline: float | None  # mean over seeds; null where it is not there
    candidate: float | None  # mean over seeds; null where it is not there
    difference: float | None  # candidate less baseline
    interval: Interval | None  # of the difference, of a cost its share; two-sided, of level 1 - 2 alpha: a limit each
    p: Probability | None  # one-sided: of no fall (regression), or of a fall within the margin (non-inferiority)
    p_adjusted: Probability | None  # the same after Holm over the family
    margin: Amount  # tolerated: of a score in its unit, of a cost a share; the noise floor where that is higher
    detect: Amount | None  # fall that has to be found, in the unit of the score
    power: Probability | None  # regression mode: chance that these items would have shown a fall of `detect`
    noise_floor: Amount | None  # what repeats of the baseline differ by; null where it was never measured
    items: Count | None  # items that both answered
    seeds: SeedsCompared | None  # how many were compared; null for a ratio
    question: Question | None  # training: the seeds are a sample; checkpoints: they are not; null without seeds
    this_checkpoint_only: bool  # a pass speaks of these checkpoints: fewer than three seeds, or asked so
    statistic: str | None  # how the difference was tested
    flips: Flips | None  # items whose score changed; null for a check that passed, and for a cost


@dataclass(frozen=True, slots=True)
class GateReport:
    """A verdict with its checks."""

    schema: Literal[1]  # version of this format
    adaptbench: str  # version that wrote this file
    verdict: Literal["pass", "regression", "inconclusive", "incomplete", "not comparable"]  # on the candidate
    exit_code: Literal[0, 1, 3, 4, 5]  # of the command: pass, regression, inconclusive, incomplete, not comparable
    headline: str  # the verdict in one line
    mode: Mode  # which rule decided
    alpha: Annotated[float, Field(gt=0, lt=0.5)]  # chance of failing an unchanged candidate, over all checks
    family: Count  # significance tests that were adjusted together
    baseline: str | None  # folder or archive, as it was named
    candidate: str | None  # folder or archive, as it was named
    policy: str | None  # file, as it was named; empty for the bundled one
    checks: tuple[CheckReport, ...]  # every check of the policy
    problems: tuple[str, ...]  # what is missing or damaged besides the checks
    notes: tuple[str, ...]  # what is good to know and decides nothing


def to_json(verdict: GateVerdict, paths: Mapping[str, str], shown: Shown) -> dict[str, Any]:
    """`GateReport` as JSON has it; `paths`: of baseline, candidate and policy as they were named."""
    return {
        "schema": SCHEMA,
        "adaptbench": __version__,
        "verdict": verdict.word,
        "exit_code": verdict.exit_code,
        "headline": headline(verdict),
        "mode": verdict.mode,
        "alpha": verdict.alpha,
        "family": verdict.family,
        **{name: paths.get(name) for name in ("baseline", "candidate", "policy")},
        "checks": [asdict(_check(finding, shown.get(place))) for place, finding in enumerate(verdict.findings)],
        "problems": list(verdict.problems),
        "notes": list(verdict.notes),
    }


def schema() -> dict[str, Any]:
    """The JSON Schema (draft 2020-12) of what `to_json` gives."""
    return schema_of(
        GateReport,
        "gate",
        SCHEMA,
        "What `adaptbench gate --json` prints and `--out` writes as gate.json. Within a version fields may be added, "
        "never removed or given another meaning: validate with the schema of the adaptbench that wrote it, and ignore "
        "fields you do not know.",
    )


def _check(finding: GateFinding, flips: Flips | None) -> CheckReport:
    planned, measured = finding.planned, finding.measured
    both = measured.baseline is not None and measured.candidate is not None
    return CheckReport(
        kind=planned.kind,
        model=planned.model,
        task=planned.task,
        method=planned.method,
        probe=planned.probe or None,
        name=planned.name,
        unit=unit(finding) or None,
        tier=planned.tier,
        status=finding.status,
        decides=finding.decides,
        reason=finding.reason,
        baseline=measured.baseline,
        candidate=measured.candidate,
        difference=(measured.candidate or 0.0) - (measured.baseline or 0.0) if both else None,
        interval=finding.interval,
        p=finding.p,
        p_adjusted=finding.p_adjusted,
        margin=finding.margin,
        detect=planned.detect,
        power=finding.power,
        noise_floor=finding.floor,
        items=len(measured.answers[0].ids) if measured.answers else None,
        seeds=SeedsCompared(*measured.seeds) if min(measured.seeds) else None,
        question=finding.question,
        this_checkpoint_only=measured.few_seeds or finding.question == "checkpoints",
        statistic=finding.tails.method if finding.tails else None,
        flips=flips,
    )
