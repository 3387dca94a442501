"""A policy over a baseline: one planned check for each thing that an entry names. What names nothing is refused."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from fnmatch import fnmatchcase
from typing import Literal, TypeAlias

from bench.core.errors import IncompleteError, UsageError, unknown
from bench.core.record import Record, Run
from bench.gate import costs
from bench.gate.policy import PRIMARY, CostCheck, Entry, Policy, Quality, Retention, Scored, Tier
from bench.metrics import NAMES

Kind: TypeAlias = Literal["quality", "retention", "cost"]
Group: TypeAlias = tuple[str, str, str]  # model, task, method


@dataclass(frozen=True, slots=True)
class Planned:
    """One check of one method."""

    kind: Kind
    model: str
    task: str
    method: str
    name: str  # a metric, or a counter
    tier: Tier
    margin: float  # tolerated: of a score in its unit; of a cost a share of what it was
    detect: float | None = None  # a drop that must be found, in the unit of the score
    probe: str = ""  # of a check of retention

    @property
    def group(self) -> Group:
        return self.model, self.task, self.method

    @property
    def key(self) -> tuple[str, str, str, str, str, str]:
        """What a noise floor is found by."""
        return self.kind, self.model, self.task, self.method, self.probe, self.name

    @property
    def label(self) -> str:
        """What people read: unique within a policy."""
        what = f"{self.probe}: {self.name}" if self.probe else self.name
        return " · ".join((self.model, self.task, self.method, what))


def groups(run: Run) -> dict[Group, list[Record]]:
    """Cells of each model, task and method that were measured."""
    found: dict[Group, list[Record]] = {}
    for record in run.records:
        if record.status == "ok":
            found.setdefault((record.model, record.task, record.method), []).append(record)
    return found


def expand(policy: Policy, baseline: Run, where: str) -> list[Planned]:
    """Every check of a policy on a baseline; of two entries for the same thing the later one counts.

    Raises:
        UsageError: an entry that names nothing the baseline holds, or a margin its metric could never exceed.
        IncompleteError: the baseline holds no measured cell.
    """
    known = groups(baseline)
    if not known:
        raise IncompleteError(f"{baseline.path}: the baseline holds no measured cell")
    found: dict[tuple[str, str, str, str, str, str], Planned] = {}
    problems = []
    for entry in policy.entries():
        try:
            own = list(_checks(entry, known, baseline))
            if not own and not entry.if_present:
                raise UsageError(_nothing(entry, known, baseline))
        except UsageError as error:
            problems.append(f"{where}: {error}")
            continue
        for one in own:
            found[one.key] = one
    if not found and not problems:
        problems.append(f"{where}: no check applies to {baseline.path}")
    if problems:
        raise UsageError("\n".join(problems))
    return list(found.values())


def probe_metrics(records: Sequence[Record], baseline: Run) -> dict[str, list[str]]:
    """Probe -> its metrics, the primary one first: of the adapted models, or of the base where no weight moved."""
    base = {r.task: list(r.scores) for r in baseline.base if r.model == records[0].model and r.status == "ok"}
    if any(record.weights_changed is None for record in records):
        return {}
    if all(not record.weights_changed for record in records):
        return base
    asked = set.intersection(*(set(record.probes) for record in records if record.weights_changed))
    own = next(record for record in records if record.weights_changed).probes
    return {probe: base.get(probe, list(own[probe])) for probe in own if probe in asked}


def _checks(entry: Entry, known: Mapping[Group, list[Record]], baseline: Run) -> Iterator[Planned]:
    same: set[tuple[str, str, str]] = set()
    for group, records in known.items():
        if not all(fits(name, glob) for name, glob in zip(group, _globs(entry), strict=True)):
            continue
        if isinstance(entry, CostCheck):
            for counter in costs.ALL:
                if fits(counter, entry.counter) and costs.value(records, counter) is not None:
                    yield Planned("cost", *group, counter, entry.tier, entry.limit.value)
        elif isinstance(entry, Retention):
            for probe, names in probe_metrics(records, baseline).items():
                if not fits(probe, entry.probe):
                    continue
                for name in _chosen(entry, names):
                    # Methods that leave the weights alone share the base model's answers: one check stands for all.
                    if any(record.weights_changed for record in records) or (group[0], probe, name) not in same:
                        yield _scored("retention", group, entry, name, probe)
                    if not any(record.weights_changed for record in records):
                        same.add((group[0], probe, name))
        elif isinstance(entry, Quality):
            yield from (_scored("quality", group, entry, name) for name in _chosen(entry, list(records[0].scores)))


def _chosen(entry: Scored, metrics: Sequence[str]) -> list[str]:
    return list(metrics[:1]) if entry.metric == PRIMARY else [name for name in metrics if fits(name, entry.metric)]


def _scored(kind: Kind, group: Group, entry: Scored, metric: str, probe: str = "") -> Planned:
    if metric not in NAMES:
        raise UsageError(f"{kind}: {unknown('metric', metric, NAMES)}")
    scale = NAMES[metric].scale
    margin = entry.margin.of(scale)
    detect = entry.detect.of(scale) if entry.detect else 2 * margin
    for what, value in (("margin", margin), ("detect", detect)):
        if value >= scale:
            raise UsageError(
                f"{kind}: {what} {value:g} of {metric}: a score lies between 0 and {scale:g}; say 2% for 2%"
            )
    if detect <= margin:
        raise UsageError(f"{kind}: detect {detect:g} of {metric} must be above its margin, {margin:g}")
    return Planned(kind, *group, metric, entry.tier, margin, detect, probe)


def _globs(entry: Entry) -> tuple[str, str, str]:
    return entry.model, entry.task, entry.method


def fits(name: str, glob: str) -> bool:
    """Whether `glob` is `name` itself or a pattern of it."""
    return name == glob or fnmatchcase(name, glob)


def _nothing(entry: Entry, known: Mapping[Group, list[Record]], baseline: Run) -> str:
    """Which name of an entry is the one that nothing has."""
    kind = type(entry).__name__.lower()
    for what, glob, place in (("model", entry.model, 0), ("task", entry.task, 1), ("method", entry.method, 2)):
        names = {group[place] for group in known}
        if not any(fits(name, glob) for name in names):
            return f"{kind}: {unknown(f'{what} of the baseline:', glob, names)}"
    of = f"model {entry.model}, task {entry.task}, method {entry.method}"
    fitting = [r for g, r in known.items() if all(fits(n, x) for n, x in zip(g, _globs(entry), strict=True))]
    if not fitting:
        return f"{kind}: the baseline has no cell of {of}"
    if isinstance(entry, Retention):
        probes = {probe for records in fitting for probe in probe_metrics(records, baseline)}
        if not probes:
            return f"retention: the baseline asked no probes ({of}); name `probes:` in its suite, or drop the check"
        if not any(fits(probe, entry.probe) for probe in probes):
            return f"retention: {unknown('probe of the baseline:', entry.probe, probes)}"
    if isinstance(entry, CostCheck):
        there = {name for name in costs.ALL for records in fitting if costs.value(records, name) is not None}
        return f"cost: {unknown(f'counter in the baseline ({of}):', entry.counter, there)}"
    metrics = _metrics(entry, fitting, baseline)
    glob = entry.metric if isinstance(entry, Scored) else ""
    return f"{kind}: {unknown(f'metric in the baseline ({of}):', glob, metrics)}"


def _metrics(entry: Entry, fitting: Iterable[Sequence[Record]], baseline: Run) -> set[str]:
    if isinstance(entry, Retention):
        return {name for records in fitting for names in probe_metrics(records, baseline).values() for name in names}
    return {name for records in fitting for name in records[0].scores}
