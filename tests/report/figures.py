"""The figures that README and docs show, and what stands in the committed files that they name."""

from __future__ import annotations

import json
import math
import re
import statistics
from collections.abc import Collection, Iterator
from dataclasses import dataclass, field
from functools import cache
from itertools import product
from pathlib import Path
from typing import Any

import bench
from bench.analysis.decision.headline import headline
from bench.analysis.retention import base_scores, changes
from bench.api.measured import MeasuredRun
from bench.core.record import Record
from bench.metrics.formats import title

ROOT = Path(__file__).resolve().parents[2]
FILE = re.compile(r"results/(?!gpu/|local/)[\w/-]+\.(?:run\.zip|json)")  # not what a reader is to make
FIGURE = re.compile(r"(?P<below><\s*)?(?P<value>[+-]?\d[\d,]*(?:\.(?P<places>\d+))?)\s*(?P<unit>min\b|s\b|%)?")
LABELS = {  # as pages call methods: their labels in the runs
    "LoRA": "lora",
    "full fine-tuning": "full",
    "few-shot, 4 examples": "few-shot",
    "few-shot, 4 similar examples": "few-shot (similar)",
    "few-shot, 8 examples": "few-shot",
    "few-shot, 3 examples": "few-shot",
    "few-shot, 5 similar examples": "rag",  # of runs that are older than the name
    "few-shot, 2 similar examples": "rag",
    "LoRA + few-shot, 3 similar examples, 1 epoch": "lora+rag",
    "LoRA + few-shot, 1 similar example, 1 epoch": "lora+rag",
    "full, rate 0.003": "full",
    "LoRA, rank 16, rate 0.01": "lora",
    "scratch, rate 0.003": "scratch",
    "dense (all-MiniLM-L6-v2, faiss)": "rag (retriever=dense)",
    "lexical (bm25s)": "rag (retriever=lexical)",
    "hybrid (reciprocal rank fusion)": "rag (retriever=hybrid)",
    "oracle (control)": "rag (control=oracle)",
    "random (control)": "rag (control=random)",
}
UNITS = {None: 1.0, "s": 1.0, "min": 60.0, "%": 0.01}


@dataclass
class Section:
    """A heading with all below it up to the next one."""

    page: str
    heading: str
    lines: list[str] = field(default_factory=list)
    code: list[str] = field(default_factory=list)
    whole: tuple[str, ...] = ()  # files that the beginning of the page names

    @property
    def files(self) -> list[str]:
        return FILE.findall("\n".join([*self.lines, *self.code])) or list(self.whole)

    def tables(self) -> Iterator[list[list[str]]]:
        """The cells of each table with figures, its heads first."""
        for block in re.findall(r"(?:^\|.*\n?)+", "\n".join(self.lines), re.MULTILINE):
            rows = [[plain(cell) for cell in re.split(r"(?<!\\)\|", line.strip()[1:-1])] for line in block.splitlines()]
            if any(re.match(r"[<+-]?\s*\d[\d,]*\.\d", cell) for row in rows[2:] for cell in row[1:]):
                yield [rows[0], *rows[2:]]

    def prose(self) -> str:
        """What is neither table nor code."""
        return re.sub(r"`[^`]*`|^\|.*", "", "\n".join(self.lines), flags=re.MULTILINE)


def plain(cell: str) -> str:
    return cell.strip().replace("**", "").replace("−", "-").replace("`", "")


def sections(page: Path) -> list[Section]:
    found: list[Section] = []
    code = False
    for line in page.read_text(encoding="utf-8").splitlines():
        if line.startswith("```"):
            code = not code
        elif line.startswith("#") and not code:
            found.append(Section(page.stem, line.lstrip("# "), whole=tuple(found[0].files) if found else ()))
        else:
            (found[-1].code if code else found[-1].lines).append(line)
    return found


def figures_of(cell: str) -> Iterator[tuple[bool, float, float]]:
    """Of each figure whether it says "less than", its value (seconds, shares), and half a unit of its last place."""
    for found in FIGURE.finditer(cell):
        unit = UNITS[found["unit"]]
        value = float(found["value"].replace(",", ""))
        yield bool(found["below"]), unit * value, unit * 0.5 * 10.0 ** -len(found["places"] or "")


def missing(cell: str, known: Collection[float]) -> bool:
    """Whether a figure of the cell is none of those known, to its last place."""
    return any(
        not any(one < value if below else abs(one - value) <= half * (1 + 1e-6) for one in known)
        for below, value, half in figures_of(cell)
    )


@cache
def run_of(file: str) -> MeasuredRun:
    return bench.load(ROOT / file)


@cache
def measured(file: str, model: str, label: str, task: str) -> dict[str, list[float]]:
    """What the cells of a model's method on a task measured, by the words for it; a value for each seed."""
    run = run_of(file)
    found: dict[str, list[float]] = {}
    for record in run.records:
        if (record.model, record.method, record.task) == (model, label, task):
            for name, value in _of_record(run, record):
                found.setdefault(name, []).append(value)
    return found


def _of_record(run: MeasuredRun, record: Record) -> Iterator[tuple[str, float]]:
    yield from ((title(metric).lower(), score.value) for metric, score in record.scores.items())
    yield from record.retrieval.items()
    yield from ((name, phase.wall_s) for name, phase in record.phases.items())
    for change in changes(record, base_scores(run.content, record.model)):
        yield change.probe, change.adapted
        yield f"change on {change.probe}", change.difference
    on_the_way = [(f"after {at.step} steps", at) for at in record.curve]
    for when, at in on_the_way + [(f"at {scaled.scale:g}", scaled) for scaled in record.scaled]:
        yield from ((f"validation {title(metric).lower()} {when}", one.value) for metric, one in at.validation.items())
        yield from ((f"{probe} {when}", next(iter(scores.values())).value) for probe, scores in at.probes.items())


@cache
def intervals(file: str) -> dict[str, list[float]]:
    """By method the limits of its score, by reference line its score."""
    run = run_of(file)
    found: dict[str, list[float]] = {}
    for verdict in run.decide().verdicts:
        for one in verdict.standings:
            found.setdefault(one.label, []).extend((one.interval.low, one.interval.high))
        line = headline(run.content, verdict).reference
        if line is not None:
            found.setdefault(line.label, []).append(line.score)
    return found


def of_cell(file: str, method: str, head: str, shown: str) -> set[float]:
    """The figures that may stand in a cell: of the method's row, under a head that names a task or what is measured."""
    run = run_of(file)
    tasks = list(dict.fromkeys(record.task for record in run.records))
    of_tasks = [task for task in tasks if task in head] or tasks
    name = head.lower()
    for task in of_tasks:
        name = name.replace(task, "").strip(" ,")
    label = label_of(file, method)
    if label and re.fullmatch(r"\d+ items", name):
        label, name = label_of(file, f"{label}, {name}"), ""
    if label is None and method in ("majority class", "chance", "nearest answer"):
        return set(intervals(file)[method])
    if label is None:
        return set(base(file).get(name, ())) if method.startswith("base model") else set()
    known = set(intervals(file)[label]) if "[" in shown else set()
    for model, task in product(models_of(file, method), of_tasks):
        values = measured(file, model, label, task)
        parts = [values[part] for part in name.split(", ") if part in values]
        for seeds in [[sum(each) for each in zip(*parts, strict=True)]] if parts else values.values():
            known |= {statistics.fmean(seeds), *([statistics.stdev(seeds)] if len(seeds) > 1 else [])}
    return known


def models_of(file: str, method: str) -> list[str]:
    """The models that a row is about: one that it names ("head with minilm"), else all."""
    models = list(dict.fromkeys(record.model for record in run_of(file).records))
    return [model for model in models if method.endswith(f" with {model}")] or models


@cache
def base(file: str) -> dict[str, list[float]]:
    """What the base model scores on each probe, and what guessing would."""
    run = run_of(file)
    models = {record.model for record in run.records}
    found = [item for model in models for item in base_scores(run.content, model).items()]
    return {probe: [one.value, one.chance] for probe, one in found}


def label_of(file: str, method: str) -> str | None:
    """The method's label in a run; None where it has no such method."""
    labels = {record.method for record in run_of(file).records} if file.endswith(".zip") else set()
    method = re.sub(r" with [\w-]+$", "", method)
    named = LABELS.get(method, method)
    return next((label for label in (method, named, f"{named}, 192 items") if label in labels), None)


def of_json(file: str) -> set[float]:
    """The figures of a JSON file: each number, medians of repeats, sums of parts, bytes as MB, and how series grow."""
    found: set[float] = set()

    def walk(value: Any) -> None:
        if isinstance(value, dict):
            for one in value.values():
                walk(one)
            if all(isinstance(one, float) for one in value.values()):
                walk(math.fsum(value.values()))
        elif isinstance(value, list):
            repeats = [one for one in value if isinstance(one, dict)]
            for name in repeats[0] if repeats else ():
                numbers = [one[name] for one in repeats if isinstance(one.get(name), int | float)]
                if len(numbers) == len(repeats):
                    walk(statistics.median(numbers))
            if len(value) > 1 and all(isinstance(one, list) for one in value):
                walk(value[-1][-1] / value[0][-1])
            for one in value:
                walk(one)
        elif isinstance(value, int | float):
            found.add(value / 1e6 if value > 1e6 else float(value))

    walk(json.loads((ROOT / file).read_text(encoding="utf-8")))
    return found


def of_run(file: str) -> set[float]:
    """Scores of methods and of the base model."""
    run = run_of(file)
    found = {value for values in base(file).values() for value in values}
    for record in run.records:
        values = measured(file, record.model, record.method, record.task)
        found.update(statistics.fmean(values[title(metric).lower()]) for metric in record.scores)
    return found | {-value for value in found}


@cache
def differences(file: str) -> set[float]:
    """Those that a decision rests on, with their intervals."""
    verdicts = run_of(file).decide().verdicts
    found = [one for verdict in verdicts for one in verdict.family.differences]
    values = {value for one in found for value in (one.difference, one.interval.low, one.interval.high)}
    return values | {-value for value in values}
