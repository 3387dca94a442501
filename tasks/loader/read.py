"""From a task folder to a `Task`: read, check, split, name, hash. All problems are raised together."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from pathlib import Path

from bench.core.errors import UsageError
from bench.core.item import Example, Passage
from bench.core.quoting import shown
from bench.core.refusal import Refusal
from bench.core.spans import Span, document_of
from bench.core.task import History, Task
from tasks.loader.choices import Choices, find_choices
from tasks.loader.digest import task_digest
from tasks.loader.documents import read_folder
from tasks.loader.examples import Draft, Reading, drafts, has_columns, passages, select
from tasks.loader.hub import read_hub
from tasks.loader.manifest import read_spec, spec_file
from tasks.loader.paths import require_readable, resolve, roots
from tasks.loader.problems import Problems
from tasks.loader.rows import Table, read_table
from tasks.loader.spec import SPLITS, Split, TaskSpec
from tasks.loader.splits import carve, first_by_hash, named, report_overlaps


@dataclass(frozen=True, slots=True)
class Loaded:
    """A task with what there is to say about it."""

    task: Task
    spec: TaskSpec
    folder: Path
    notes: tuple[str, ...]  # what was derived rather than said in task.yaml
    warnings: tuple[str, ...]


def read_task(folder: Path, limit: int | None = None, *, decodes: bool = False) -> Loaded:
    """The task in `folder`; `limit` keeps a fixed part of the test split, chosen by hash of the item ids.
    `decodes`: every picture is decoded, not only looked at.

    Raises UsageError for a limit below 1 and TaskError, one line for each problem, for a task that is wrong.
    """
    if limit is not None and limit < 1:
        raise UsageError(f"limit is {limit}; it must be 1 or more")
    spec, problems = read_spec(folder), Problems()
    file = spec_file(folder)
    require_readable(folder, _paths(spec), file, problems)
    problems.check()
    tables = _tables(folder, spec, problems)
    choices = find_choices(folder, spec, tables.get("train"), problems)
    found = _examples(folder, spec, tables, choices, problems, decodes)
    corpus, notes_on_files = _corpus(folder, spec, problems)
    splits = _divide(spec, found, file, problems)
    if corpus:
        _check_gold(splits, corpus, problems)
    warnings = notes_on_files + report_overlaps(splits, spec.prompt(), spec.allow_overlap, problems)
    problems.check()
    if limit is not None:
        splits["test"] = first_by_hash(splits["test"], limit)
    notes = (*choices.notes, *_notes(spec))
    task = replace(_task(spec, splits, corpus), notes=tuple(notes_on_files))
    return Loaded(task, spec, folder, notes, tuple(warnings))


def _paths(spec: TaskSpec) -> Iterator[str]:
    if not spec.hub:
        yield from (split.path for _, split in spec.sources.present())
    yield spec.choices_file
    yield spec.corpus.path if spec.corpus else ""


def _tables(folder: Path, spec: TaskSpec, problems: Problems) -> dict[str, Table]:
    """The rows of each split that has its own; several splits may share one file, which is read once."""
    read: dict[object, Table | None] = {}
    tables = {}
    for name, split in spec.sources.present():
        if not split.path:
            continue
        source = (split.path, split.delimiter, split.quotes)
        if source not in read:
            read[source] = _read(folder, spec, split, problems)
        table = read[source]
        if table is not None:
            tables[name] = select(table, split, problems)
    return tables


def _read(folder: Path, spec: TaskSpec, split: Split, problems: Problems) -> Table | None:
    before = len(problems)
    if spec.hub:
        table = read_hub(spec.hub, split.path, spec_file(folder), problems)
    else:
        path, file = resolve(folder, split.path)
        table = read_table(path, file, problems, split.delimiter, split.quotes)
    if table is not None and not table.rows and len(problems) == before:
        problems.add(table.file, "no rows: the split is empty", "add rows, or remove the split")
    return table


def _examples(
    folder: Path, spec: TaskSpec, tables: Mapping[str, Table], choices: Choices, problems: Problems, decodes: bool
) -> dict[str, list[Draft]]:
    found: dict[str, list[Draft]] = {name: [] for name in SPLITS}
    columns = spec.columns
    shared = tuple(choices.labels.values()) if choices.labels else ()
    for name, split in spec.sources.present():
        if name not in tables:
            continue
        beside = folder if spec.hub else resolve(folder, split.path)[0].parent
        within = roots(folder, "" if spec.hub else split.path) if spec.image else ()
        reading = Reading(
            spec, tables[name], problems, choices.labels, columns, shared, split.group_by, beside, within, decodes
        )
        if has_columns(reading, gold_needed=name == "test") and choices.known:
            found[name] = drafts(reading)
    return found


def _corpus(folder: Path, spec: TaskSpec, problems: Problems) -> tuple[tuple[Passage, ...], list[str]]:
    """The corpus and what is said of its files; empty where it has problems: gold is not checked against half of it."""
    if not spec.corpus:
        return (), []
    before = len(problems)
    path, file = resolve(folder, spec.corpus.path)
    if path.is_dir():
        documents, notes = read_folder(path, file, problems, spec.corpus.most_mb, roots(folder, spec.corpus.path))
        return (tuple(documents) if len(problems) == before else ()), notes
    table = read_table(path, file, problems)
    found = passages(table, spec.corpus, problems) if table else ()
    if table and not table.rows and len(problems) == before:
        problems.add(table.file, "no rows: the corpus is empty", "add passages, or remove corpus")
    return (found if len(problems) == before else ()), []


def _divide(spec: TaskSpec, found: dict[str, list[Draft]], file: str, problems: Problems) -> dict[str, list[Draft]]:
    """The three splits, carved, named and sampled."""
    complete = not problems
    for name, split in reversed(list(spec.sources.present())):  # test is carved first, so that it moves least
        if split.carved_from and split.size is not None:
            rest, found[name] = carve(found["train"], split.size, spec.prompt(), name)
            if complete and not (rest and found[name]):
                of = len(rest) + len(found[name])
                what = f"splits.{name} cannot take {split.size} of {of} train items and leave some"
                problems.add(file, what, "change size")
            found["train"] = rest
    splits = {name: named(name, found[name], problems) for name in SPLITS}
    for name, split in spec.sources.present():
        if split.sample is not None:
            splits[name] = first_by_hash(splits[name], split.sample)
    return splits


def _check_gold(splits: Mapping[str, list[Draft]], corpus: tuple[Passage, ...], problems: Problems) -> None:
    lengths = {passage.id: len(passage.text) for passage in corpus}
    for draft in (draft for found in splits.values() for draft in found):
        for place in draft.example.gold:
            key = document_of(place)
            if key not in lengths:
                what = f"gold passage {shown(key)} is not in the corpus"
                problems.add(draft.file, what, "correct the id, or add the passage", draft.row)
            elif isinstance(place, Span) and place.end > lengths[key]:
                what = f"a gold span ends at character {place.end} of {shown(key)}, which has {lengths[key]}"
                problems.add(draft.file, what, "correct the span", draft.row)


def _notes(spec: TaskSpec) -> Iterator[str]:
    for name, split in spec.sources.present():
        if split.carved_from:
            yield f"{name}: {split.size} items carved out of train, by hash of the question"
        if split.sample is not None:
            yield f"{name}: a fixed sample of at most {split.sample} items, by hash of the item id"
    if not spec.metrics:
        yield f"metrics: {', '.join(spec.primary_first())}, the default for kind {spec.kind}"


def _task(spec: TaskSpec, splits: Mapping[str, list[Draft]], corpus: tuple[Passage, ...]) -> Task:
    def of(name: str) -> tuple[Example, ...]:
        return tuple(draft.example for draft in splits[name])

    task = Task(
        name=spec.name,
        kind=spec.kind,
        prompt=spec.prompt(),
        train=of("train"),
        validation=of("validation"),
        test=of("test"),
        corpus=corpus,
        metrics=spec.primary_first(),
        normalise=spec.normalise[0],
        rules=spec.normalise if len(spec.normalise) > 1 else (),
        stop=spec.stop,
        max_new_tokens=spec.max_new_tokens,
        lowercase=spec.lowercase,
        extract=spec.extract,
        counterfactuals=spec.slots(),
        refusal=Refusal(spec.refusal.answer, spec.refusal.also) if spec.refusal else None,
        history=History(spec.history.column, spec.history.separator) if spec.history else None,
        picture_field=spec.image,
        contamination=spec.contamination,
    )
    return replace(task, digest=task_digest(task))
