"""The gate from two folders to a verdict."""

from __future__ import annotations

import gc
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from bench.core.errors import UsageError
from bench.core.record import Run
from bench.gate import baseline as baselines
from bench.gate import noise
from bench.gate.expand import Planned, expand, groups
from bench.gate.measure import absent, measure
from bench.gate.policy import Policy
from bench.gate.reading import read, renamed
from bench.gate.verdict import GateVerdict, judge


@dataclass(frozen=True, slots=True)
class Gated:
    """A verdict with the runs it is about, for the texts of items."""

    verdict: GateVerdict
    baseline: Run
    candidate: Run  # under the baseline's names


def gate(baseline: Path, candidate: Path, policy: Policy, where: str) -> Gated:
    """Judge a candidate run against a baseline; `where` names the policy in messages.

    Raises:
        UsageError: a folder that is no run, a run against itself, a policy that does not fit the baseline.
        IncompleteError: a run that is damaged or holds nothing.
    """
    if baseline.resolve() == candidate.resolve():
        raise UsageError(f"{candidate} is both baseline and candidate; a run against itself would always pass")
    old = read_baseline(baseline)
    new, notes = renamed(read(candidate, "candidate"), old, policy.rename)
    planned = expand(policy, old, where)
    floors = noise.read(baseline)
    problems = list(_problems(old, new, planned))
    notes += _notes(old, new, bool(floors))
    collecting = gc.isenabled()
    gc.disable()  # hundreds of thousands of lines are read, none of them in a cycle
    try:
        measured = list(measure(planned, old, new, policy, baselines.item_digest_of))
    finally:
        if collecting:
            gc.enable()
    return Gated(judge(measured, policy, floors, problems, notes), old, new)


def read_baseline(path: Path) -> Run:
    """A run or an accepted baseline, which must be as it was accepted; raises as `gate` does."""
    run = read(path, "baseline")
    baselines.refuse_changed(path)
    return run


def _problems(old: Run, new: Run, planned: Sequence[Planned]) -> Iterator[str]:
    """What is missing that no check is about: in the candidate, and in the baseline itself."""
    covered = {one.group for one in planned}
    now = groups(new)
    for group, before in groups(old).items():
        reason = absent(group, before, now.get(group, []), new)
        if reason and group not in covered:
            yield f"{' · '.join(group)}: {reason}"
    yield from (f"candidate: {cell.full_name} was not measured" for cell in new.missing)
    yield from (f"baseline: {cell.full_name} was not measured" for cell in old.missing)
    yield from (f"baseline: {record.name} failed" for record in old.records if baselines.failed(record))


def _notes(old: Run, new: Run, calibrated: bool) -> list[str]:
    known = groups(old)
    extra = [group for group in groups(new) if group not in known]
    notes = [f"{' · '.join(group)}: not in the baseline, so not gated" for group in extra]
    notes += [
        f"candidate: {record.name} failed, and is not in the baseline"
        for record in new.records
        if baselines.failed(record) and (record.model, record.task, record.method) not in known
    ]
    made = {(record.key, record.created) for record in old.records}
    same = sum((record.key, record.created) in made for record in new.records)
    if same:
        notes.append(f"{same} cells of the candidate are the baseline's own records, not measured again")
    if not calibrated:
        notes.append("the baseline was never calibrated: its noise floor is taken as 0")
    return notes
